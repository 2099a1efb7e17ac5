"""Fitting: from responses and a specification to a posterior."""

from difficulty_model.fitting.fit import Method, fit
from difficulty_model.fitting.result import Fit, holds_fit, load_fit

__all__ = ["Fit", "Method", "fit", "holds_fit", "load_fit"]
