"""Pictures: tables in, figures out; no statistics."""

from difficulty_model.plots.law import plot_law

__all__ = ["plot_law"]
