"""Pictures: tables in, figures out; no statistics."""

from difficulty_model.plots.calibration import plot_calibration
from difficulty_model.plots.collections import plot_collections
from difficulty_model.plots.explanations import plot_examination, plot_explained
from difficulty_model.plots.gallery import plot_gallery
from difficulty_model.plots.law import plot_law
from difficulty_model.plots.misfit import plot_misfit
from difficulty_model.plots.new_models import plot_new_models
from difficulty_model.plots.prediction import plot_prediction
from difficulty_model.plots.simulation import plot_simulation

__all__ = [
    "plot_calibration",
    "plot_collections",
    "plot_examination",
    "plot_explained",
    "plot_gallery",
    "plot_law",
    "plot_misfit",
    "plot_new_models",
    "plot_prediction",
    "plot_simulation",
]
