"""Difficulties of images: their posterior on the grid, exact given skills and populations.

Averaged over posterior draws of skills and populations, so that their uncertainty is carried. Images with the same
responses in the same stratum have the same posterior, which is computed once.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Array, Float
from tqdm.auto import tqdm

from difficulty_model.likelihood import Grid, Patterns, Tables, difficulty_posterior, nodes_of, tabulate
from difficulty_model.specification import Specification

REFINEMENT = 3.0
"""Nodes per node of the fit's grid. Moments need none; between nodes the cumulative distribution is interpolated, and
at this spacing, a third of the smallest posterior sd, quantiles are off by less than 1% of an sd (tested)."""


def average_posterior(
    numbers: Specification, patterns: Patterns, grid: Grid, *, progress: bool
) -> Float[np.ndarray, "pattern node"]:
    """Return, for every pattern, the probability of each node, the population's atoms last, averaged over draws.

    Parameters
    ----------
    numbers
        A tree of numbers with leading axes of draws, then of models or strata.
    patterns
        The responses, in chunks.
    grid
        Where the posterior is wanted; it must serve all draws.
    """

    @partial(jax.jit, donate_argnums=0)
    def add(total: Array, drawn: Specification, patterns: Patterns, grid: Grid) -> Array:
        tables = _tables(drawn, grid, patterns)  # once per draw: those of families are most of the work
        return jax.lax.map(lambda of: of[0] + difficulty_posterior(tables, of[1]), (total, patterns.chunks))

    draws = len(jax.tree.leaves(numbers)[0])
    total = jnp.zeros((*patterns.chunks.count.shape, len(nodes_of(numbers.population, grid)[0])))
    for d in tqdm(range(draws), desc="difficulties", unit=" draws", disable=None if progress else True, leave=False):
        total = add(total, jax.tree.map(lambda leaf, d=d: leaf[d], numbers), patterns, grid)
    return np.asarray(total).reshape(-1, total.shape[-1]) / draws


def finite(probability: Float[np.ndarray, "pattern node"], grid: Grid) -> Float[np.ndarray, "pattern node"]:
    """Return the probability of each node, given that the images of a pattern are at none of the atoms."""
    return np.asarray(_finite(probability, grid))


def discriminations(probability: Float[np.ndarray, "pattern node"], grid: Grid) -> Float[np.ndarray, "pattern"]:
    """Return the posterior mean of every pattern's discrimination, given that its images are at no atom."""
    assert grid.discriminations is not None
    among = probability[:, : grid.size].reshape(len(probability), len(grid.discriminations), -1).sum(2)
    return among @ np.asarray(grid.discriminations) / among.sum(1)


def moments(
    probability: Float[np.ndarray, "pattern node"], nodes: Float[np.ndarray, "node"]
) -> tuple[Float[np.ndarray, "pattern"], Float[np.ndarray, "pattern"]]:
    """Return mean and standard deviation of every pattern's difficulty, in probit units."""
    mean = probability @ nodes
    return mean, np.sqrt(np.maximum(probability @ nodes**2 - mean**2, 0))


def quantiles(
    probability: Float[np.ndarray, "pattern node"], grid: Grid, levels: Float[np.ndarray, "level"]
) -> Float[np.ndarray, "pattern level"]:
    """Return quantiles of every pattern's difficulty, in probit units."""
    nodes, wanted = np.asarray(grid.nodes), ndtri(levels)
    return np.array([np.interp(wanted, z, nodes) for z in np.asarray(_probits_of_cumulative(probability))])


def draw_difficulties(
    numbers: Specification, patterns: Patterns, grid: Grid, *, random_seed: int
) -> Float[np.ndarray, "draw image"]:
    """Return one difficulty of every image per draw of skills and populations; infinite where it is at an atom.

    Parameters
    ----------
    numbers
        A tree of numbers with leading axes of draws, then of models or strata.
    patterns
        The responses.
    grid
        Where the posterior is laid out; it must serve all draws.
    random_seed
        Of the draws.
    """
    keys = jax.random.split(jax.random.key(random_seed), len(jax.tree.leaves(numbers)[0]))
    drawn = (jax.tree.map(lambda leaf, d=d: leaf[d], numbers) for d in range(len(keys)))
    return np.stack([np.asarray(_drawn_difficulties(k, n, patterns, grid)) for k, n in zip(keys, drawn, strict=True)])


@jax.jit
def _drawn_difficulties(key: Array, drawn: Specification, patterns: Patterns, grid: Grid) -> Array:
    tables = _tables(drawn, grid, patterns)
    every = jax.lax.map(lambda chunk: difficulty_posterior(tables, chunk), patterns.chunks)
    every = every.reshape(-1, every.shape[-1])[patterns.of_image]
    values = drawn_between(key, _finite(every, grid), grid.nodes)
    below, picked = 0.0, jax.random.uniform(jax.random.fold_in(key, 1), values.shape)
    for n, infinity in enumerate(drawn.population.log_atoms(), start=grid.size):
        values = jnp.where((below <= picked) & (picked < below + every[:, n]), infinity, values)
        below += every[:, n]
    return values


def drawn_between(
    key: Array, probability: Float[Array, "distribution node"], nodes: Float[Array, "node"]
) -> Float[Array, "distribution"]:
    """Return one draw of every distribution that is laid out on nodes."""
    wanted = jax.random.normal(key, (len(probability),), dtype=probability.dtype)
    return jax.vmap(lambda w, z: jnp.interp(w, z, nodes))(wanted, _probits_of_cumulative(probability))


@jax.jit
def _probits_of_cumulative(probability: Float[Array, "pattern node"]) -> Float[Array, "pattern node"]:
    """Return Φ⁻¹ of the probability up to each node.

    Posteriors are close to normal, so that between nodes these run nearly straight and can be interpolated.
    """
    # Half of a node's probability lies on either side of it: the trapezoidal rule, with its first correction at
    # the end of the range (Euler and Maclaurin).
    slope = jnp.asarray(jnp.gradient(probability, axis=1))
    cumulative = jnp.cumsum(probability, axis=1) - probability / 2 - slope / 12
    return jax.lax.cummax(ndtri(jnp.clip(cumulative, 1e-300, 1 - 1e-16)), axis=1)


def _finite(probability: Array | np.ndarray, grid: Grid) -> Array:
    """Return the probability of each difficulty, whatever the discrimination, of images at no atom."""
    among = jnp.asarray(probability)[:, : grid.size].reshape(len(probability), -1, len(grid.nodes)).sum(1)
    return among / among.sum(1, keepdims=True)


def _tables(numbers: Specification, grid: Grid, patterns: Patterns) -> Tables:
    return tabulate(numbers.skill, numbers.curve, numbers.population, grid, patterns)
