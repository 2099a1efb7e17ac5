"""How difficult the images of a fit are, by the responses of its models: the ground on which new models are judged."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from difficulty_model.errors import InputError
from difficulty_model.fitting import Fit
from difficulty_model.fitting.images import patterns_of
from difficulty_model.fitting.result import grid_of
from difficulty_model.likelihood import (
    Chunk,
    Grid,
    Patterns,
    Tables,
    difficulty_posterior,
    log_probabilities,
    tabulate,
)
from difficulty_model.skills import InFamilies, in_strata
from difficulty_model.specification import Specification


def known_images(fit: Fit, *, at_most: int) -> tuple[list[Specification], Patterns, Grid]:
    """Return draws of a fit, its responses, and the grid that serves both; in float64.

    Parameters
    ----------
    fit
        Of models without families.
    at_most
        Number of draws, evenly spaced over all chains.

    Raises
    ------
    InputError
        If models are in families.
    """
    if isinstance(fit.specification.skill, InFamilies):
        raise InputError("models in families tell of each other beside what images tell, of which nothing is known for "
                         "a new model; use a fit without families")
    numbers = fit.numbers(at_most=at_most)
    with jax.enable_x64(True):
        patterns = jax.tree.map(jnp.asarray, patterns_of(fit.responses, fit.specification))
        draws = [jax.tree.map(lambda leaf, d=d: leaf[d], numbers) for d in range(len(jax.tree.leaves(numbers)[0]))]
        return draws, patterns, grid_of(numbers, patterns)


@jax.jit
def difficulties(
    drawn: Specification, patterns: Patterns, grid: Grid
) -> tuple[Float[Array, "pattern node"], Float[Array, "stratum node"]]:
    """Return what a draw of a fit says of its images.

    Returns
    -------
    among
        Probability of every node, for the images of each pattern.
    right
        Mean probability of the fitted models to be right on an image there, per stratum or, where the strata do not
        differ, once.
    """
    tables = tabulate(drawn.skill, drawn.curve, drawn.population, grid, patterns)
    right, _ = log_probabilities(in_strata(drawn.skill), drawn.curve, drawn.population, grid)
    return among_nodes(tables, patterns.chunks), jnp.exp(right).mean(1)


def among_nodes(tables: Tables, chunks: Chunk) -> Float[Array, "pattern node"]:
    """Return the probability of every node for the images of each pattern, chunk by chunk."""
    found = jax.lax.map(lambda chunk: difficulty_posterior(tables, chunk), chunks)
    return found.reshape(-1, found.shape[-1])
