"""The marginal likelihood of responses: arrays in, log-density out."""

from difficulty_model.likelihood.grid import Grid, grid_for, sinh_grid
from difficulty_model.likelihood.marginal import (
    Tables,
    class_effect_posterior,
    difficulty_posterior,
    log_likelihood,
    log_probabilities,
    log_shares,
    nodes_of,
    of_patterns,
    shares_of_patterns,
    shares_of_strata,
    tabulate,
    without_model,
)
from difficulty_model.likelihood.patterns import Chunk, Patterns, chunk_length, collapse

__all__ = [
    "Chunk",
    "Grid",
    "Patterns",
    "Tables",
    "chunk_length",
    "class_effect_posterior",
    "collapse",
    "difficulty_posterior",
    "grid_for",
    "log_likelihood",
    "log_probabilities",
    "log_shares",
    "nodes_of",
    "of_patterns",
    "shares_of_patterns",
    "shares_of_strata",
    "sinh_grid",
    "tabulate",
    "without_model",
]
