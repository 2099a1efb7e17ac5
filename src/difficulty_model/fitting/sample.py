"""What every sampling method returns."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from difficulty_model.fitting.density import Density
from difficulty_model.likelihood import Grid

CHECKED_DRAWS = 20
"""Draws at which the error of the grid is measured."""


@dataclass(frozen=True)
class Sample:
    """Posterior draws.

    Attributes
    ----------
    values
        Draws of every unknown under its path, (chain, draw, …).
    statistics
        What the sampler recorded of every draw, under ArviZ's names, (chain, draw).
    diagnostics
        Figures to judge the sample by.
    grid
        That they were drawn on, if images were integrated out.
    """

    values: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]
    diagnostics: dict[str, float]
    grid: Grid | None


def sample_of(
    density: Density,
    flat: Float[np.ndarray, "chain draw unknown"],
    grid: Grid,
    *,
    statistics: dict[str, np.ndarray],
    diagnostics: dict[str, float],
) -> Sample:
    """Return unconstrained draws as a sample, with the error of the grid that they were drawn on."""
    every = jnp.asarray(flat.reshape(-1, density.potential.size))
    error = density.grid_error(every[:: max(1, len(every) // CHECKED_DRAWS)], grid)
    values = {
        path: np.asarray(value).reshape(*flat.shape[:2], *value.shape[1:])
        for path, value in density.potential.values(every).items()
    }
    return Sample(values, statistics, diagnostics | {"grid_error": error}, grid)
