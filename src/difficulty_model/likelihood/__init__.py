"""The marginal likelihood of responses: arrays in, log-density out."""

from difficulty_model.likelihood.grid import Grid, grid_for, sinh_grid
from difficulty_model.likelihood.marginal import (
    Tables,
    difficulty_posterior,
    log_likelihood,
    log_masses,
    nodes_of,
    tabulate,
)
from difficulty_model.likelihood.patterns import Patterns, collapse

__all__ = [
    "Grid",
    "Patterns",
    "Tables",
    "collapse",
    "difficulty_posterior",
    "grid_for",
    "log_likelihood",
    "log_masses",
    "nodes_of",
    "sinh_grid",
    "tabulate",
]
