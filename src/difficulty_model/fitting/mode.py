"""The posterior mode and the curvature there.

L-BFGS comes near it in rounds, each within the reach of the grid that was laid for its start. Where unknowns trade
off, as those of a mixture do, it stops early; so it goes on in coordinates whitened by the curvature found there, until
the gradient measured in posterior standard deviations is negligible.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
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

WHITENED_ROUNDS = 20
"""More were never needed: every round starts with the curvature of the place."""

WHITENED_REACH = 3.0
"""How far L-BFGS may go in any whitened coordinate, in standard deviations, before the curvature is taken anew."""

FLATTEST = 1e-2
"""Smallest curvature that a step is taken by: a standard deviation of 10 in an unconstrained unknown."""


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
    location = density.start
    with tqdm(desc="mode", unit=" gradients", disable=None if progress else True, leave=False) as bar:
        for _ in range(ROUNDS):
            start = location
            location = _descend(density, start, density.grid_at(start[None], refinement=2.0), bar)
            if jnp.abs(location - start).max() < ROUND_REACH:
                break
        grid = density.grid_at(location[None])
        mode = _expanded(density, location, grid)
        for _ in range(WHITENED_ROUNDS):
            if mode.decrement < TOLERANCE:
                break
            location, moved = _descend_whitened(density, mode, bar)
            if moved < TOLERANCE:
                break
            grid = density.grid_at(location[None])
            mode = _expanded(density, location, grid)
    return mode


def _expanded(density: Density, location: Flat, grid: Grid) -> Mode:
    """Return a point with the curvature there, and how far it is from the mode that the curvature implies."""
    value, gradient = density.potential.value_and_gradient(location, density.patterns, grid)
    curvature, axes = np.linalg.eigh(np.asarray(density.potential.hessian(location, density.patterns, grid)))
    # Away from a mode the density may curve upwards; by its size the curvature still says how far to go. None may be so
    # small that a step would leave everything behind.
    size = np.maximum(np.abs(curvature), FLATTEST)
    covariance = jnp.asarray((axes / size) @ axes.T)
    # At a saddle the gradient vanishes, but it is no mode.
    decrement = float(np.sqrt(gradient @ covariance @ gradient)) if curvature[0] > 0 else np.inf
    return Mode(location, covariance, grid, -float(value), decrement)


def _descend(density: Density, start: Flat, grid: Grid, bar: tqdm) -> Flat:
    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        bar.update()
        value, gradient = density.potential.value_and_gradient(jnp.asarray(flat), density.patterns, grid)
        return float(value) - origin, np.asarray(gradient)

    # Subtracted, as L-BFGS stops at small changes of it.
    origin = float(density.potential.value(start, density.patterns, grid))

    def stop_at_bounds(found: np.ndarray) -> None:
        if np.abs(found - np.asarray(start)).max() >= ROUND_REACH:
            raise StopIteration  # what is best within bounds is of no use

    bounds = [(at - ROUND_REACH, at + ROUND_REACH) for at in np.asarray(start)]
    found = minimize(
        objective, np.asarray(start), jac=True, method="L-BFGS-B", bounds=bounds,
        callback=stop_at_bounds, options={"maxiter": 1000, "maxcor": 30, "ftol": 1e-10},
    )
    return jnp.asarray(found.x)


def _descend_whitened(density: Density, mode: Mode, bar: tqdm) -> tuple[Flat, float]:
    """Return a place of higher density, and how many posterior standard deviations away it is."""
    root = jnp.linalg.cholesky(mode.covariance)
    grid = density.grid_at(mode.location[None], refinement=2.0)

    def objective(white: np.ndarray) -> tuple[float, np.ndarray]:
        bar.update()
        at = mode.location + root @ jnp.asarray(white)
        value, gradient = density.potential.value_and_gradient(at, density.patterns, grid)
        return float(value) - origin, np.asarray(root.T @ gradient)

    origin = -mode.log_density  # subtracted, since L-BFGS stops at small changes relative to the value
    found = minimize(
        objective, np.zeros(density.potential.size), jac=True, method="L-BFGS-B",
        bounds=[(-WHITENED_REACH, WHITENED_REACH)] * density.potential.size,
        options={"maxiter": 200, "ftol": 1e-12, "gtol": 1e-5},
    )
    return mode.location + root @ jnp.asarray(found.x), float(np.linalg.norm(found.x))


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
