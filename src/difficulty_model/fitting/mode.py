"""The posterior mode and the curvature there.

L-BFGS comes near it on a grid laid for the starting point, then on one laid for what was found; Newton steps
finish, until the gradient measured in posterior standard deviations is negligible.
"""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from tqdm.auto import tqdm

from difficulty_model.fitting.density import Density
from difficulty_model.fitting.sample import Sample, sample_of
from difficulty_model.likelihood import Grid

TOLERANCE = 1e-3
"""Largest distance to the mode that is left, in posterior standard deviations (the Newton decrement)."""


@dataclass(frozen=True)
class Mode:
    """The posterior mode.

    Attributes
    ----------
    location
        The mode, unconstrained.
    covariance
        Inverse Hessian of minus the log-density there.
    grid
        The grid on which both were computed.
    log_density
        Log-density at the mode, in nats.
    decrement
        Length of the Newton step that remains, in posterior standard deviations.
    """

    location: Float[np.ndarray, "unknown"]
    covariance: Float[np.ndarray, "unknown unknown"]
    grid: Grid
    log_density: float
    decrement: float


def find_mode(density: Density, *, progress: bool) -> Mode:
    """Return the posterior mode; a decrement above `TOLERANCE` says that the search failed."""
    location = np.zeros(density.size)
    with tqdm(desc="mode", unit=" gradients", disable=None if progress else True, leave=False) as bar:
        for _ in range(2):
            location = _descend(density, location, density.grid_at(location[None]), bar)
        grid = density.grid_at(location[None])
        for _ in range(50):
            value, gradient = density.value_and_gradient(location, density.patterns, grid)
            factor = cho_factor(np.asarray(density.hessian(location, density.patterns, grid)))
            step = cho_solve(factor, np.asarray(gradient))
            decrement = float(np.sqrt(gradient @ step))
            bar.update()
            if decrement < TOLERANCE:
                break
            # Far away the quadratic does not hold: at most one posterior standard deviation at a time.
            location = location - step / max(1.0, decrement)
    covariance = cho_solve(factor, np.eye(density.size))
    return Mode(location, (covariance + covariance.T) / 2, grid, -float(value), decrement)


def _descend(density: Density, start: np.ndarray, grid: Grid, bar: tqdm) -> np.ndarray:
    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        bar.update()
        value, gradient = density.value_and_gradient(flat, density.patterns, grid)
        return float(value), np.asarray(gradient)

    return minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x


def draw_normal(mode: Mode, *, draws: int, random_seed: int) -> Float[Array, "draw unknown"]:
    """Return draws of the normal approximation to the posterior, N(mode, covariance)."""
    standard = jax.random.normal(jax.random.key(random_seed), (draws, len(mode.location)))
    return mode.location + standard @ np.linalg.cholesky(mode.covariance).T


def sample_mode(density: Density, *, draws: int, chains: int, random_seed: int, progress: bool) -> Sample:
    """Return draws of the normal approximation at the mode, unchecked."""
    mode = find_mode(density, progress=progress)
    normal = draw_normal(mode, draws=draws * chains, random_seed=random_seed)
    flat = np.asarray(normal).reshape(chains, draws, -1)
    return sample_of(density, flat, density.grid_at(normal), statistics={},
                     diagnostics={"mode_decrement": mode.decrement})
