"""The posterior mode and the curvature there.

L-BFGS comes near it in rounds, each within the reach of the grid that was laid for its start; Newton steps finish,
until the gradient measured in posterior standard deviations is negligible.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from tqdm.auto import tqdm

from difficulty_model.fitting.density import Density, Flat, FlatDraws
from difficulty_model.fitting.sample import Sample, sample_of
from difficulty_model.likelihood import Grid

TOLERANCE = 1e-3
"""Largest distance to the mode that is left, in posterior standard deviations (the Newton decrement)."""

ROUND_REACH = 1.0
"""How far L-BFGS may go in any unknown before a new grid is laid. A grid of twice the nodes still resolves a
population 2.7 times narrower; one narrower than the spacing would look better than it is, and draw the search in."""

ROUNDS = 50
"""More were never needed: every round goes up to one probit unit."""

NEWTON_STEPS = 50
"""More were never needed: L-BFGS ends within a few posterior standard deviations."""


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

    location: Flat
    covariance: Float[Array, "unknown unknown"]
    grid: Grid
    log_density: float
    decrement: float


def find_mode(density: Density, *, progress: bool) -> Mode:
    """Return the posterior mode; a decrement above `TOLERANCE` says that the search failed."""
    location = jnp.zeros(density.size)
    with tqdm(desc="mode", unit=" gradients", disable=None if progress else True, leave=False) as bar:
        for _ in range(ROUNDS):
            start = location
            location = _descend(density, start, density.grid_at(start[None], refinement=2.0), bar)
            if jnp.abs(location - start).max() < ROUND_REACH:
                break
        grid = density.grid_at(location[None])
        mode = _expanded(density, location, grid)
        for _ in range(NEWTON_STEPS):
            if mode.decrement < TOLERANCE:
                break
            # Far away the quadratic does not hold: at most one posterior standard deviation at a time.
            step = mode.covariance @ density.value_and_gradient(mode.location, density.patterns, grid)[1]
            mode = _expanded(density, mode.location - step / max(1.0, mode.decrement), grid)
            bar.update()
    return mode


def _expanded(density: Density, location: Flat, grid: Grid) -> Mode:
    """Return a point with the curvature there, and how far it is from the mode that the curvature implies."""
    value, gradient = density.value_and_gradient(location, density.patterns, grid)
    factor = cho_factor(np.asarray(density.hessian(location, density.patterns, grid)))
    covariance = cho_solve(factor, np.eye(density.size))
    decrement = float(np.sqrt(gradient @ covariance @ gradient))
    return Mode(location, jnp.asarray(covariance + covariance.T) / 2, grid, -float(value), decrement)


def _descend(density: Density, start: Flat, grid: Grid, bar: tqdm) -> Flat:
    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        bar.update()
        value, gradient = density.value_and_gradient(jnp.asarray(flat), density.patterns, grid)
        return float(value), np.asarray(gradient)

    bounds = [(at - ROUND_REACH, at + ROUND_REACH) for at in np.asarray(start)]
    found = minimize(
        objective, np.asarray(start), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 1000}
    )
    return jnp.asarray(found.x)


def draw_normal(mode: Mode, *, draws: int, random_seed: int) -> FlatDraws:
    """Return draws of the normal approximation to the posterior, N(mode, covariance)."""
    standard = jax.random.normal(jax.random.key(random_seed), (draws, len(mode.location)))
    return mode.location + standard @ jnp.linalg.cholesky(mode.covariance).T


def sample_mode(density: Density, *, draws: int, chains: int, random_seed: int, progress: bool) -> Sample:
    """Return draws of the normal approximation at the mode, unchecked."""
    mode = find_mode(density, progress=progress)
    normal = draw_normal(mode, draws=draws * chains, random_seed=random_seed)
    flat = np.asarray(normal).reshape(chains, draws, -1)
    return sample_of(density, flat, density.grid_at(normal), statistics={},
                     diagnostics={"mode_decrement": mode.decrement})
