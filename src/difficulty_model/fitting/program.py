"""The NumPyro program: a specification's priors, and the marginal likelihood of the responses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpyro
from numpyro.distributions import biject_to

from difficulty_model.likelihood import Grid, Patterns, log_likelihood, tabulate
from difficulty_model.specification import Prior, Specification, named, unknowns

OTHERS = ".others"
"""Ending of the site of an unknown of which the first is held."""

FREE = ".free"
"""Ending of the site of an unknown whose mean is held."""


def program(
    specification: Specification, sizes: dict[str, int], patterns: Patterns, grid: Grid
) -> dict[str, jax.Array]:
    """Draw every unknown from its prior, weigh by the likelihood of the responses, and return the unknowns by path.

    Parameters
    ----------
    specification
        What is assumed.
    sizes
        Length of the dimensions that priors may vary over.
    patterns
        The responses.
    grid
        On which images are integrated out.
    """
    values = draw_unknowns(specification, sizes)
    drawn = named(specification, values, sizes)
    tables = tabulate(drawn.skill, drawn.curve, drawn.population, grid, patterns)
    numpyro.factor("responses", log_likelihood(tables, patterns))
    return values


def draw_unknowns(specification: Specification, sizes: dict[str, int]) -> dict[str, jax.Array]:
    """Sample every prior under the name of its path."""
    return {path: _draw(path, prior, sizes) for path, prior in unknowns(specification).items()}


def path_of(site: str) -> str:
    """Return the path of the unknown that a sampled site belongs to."""
    return site.removesuffix(OTHERS).removesuffix(FREE)


def _draw(path: str, prior: Prior, sizes: dict[str, int]) -> jax.Array:
    shape = [sizes[dim] for dim in prior.dims]

    def sample(name: str, shape: list[int]) -> jax.Array:
        return numpyro.sample(name, prior.distribution.to_numpyro().expand(shape).to_event(len(shape)))  # pyright: ignore[reportReturnType]

    if prior.reference is None:
        return sample(path, shape)
    if prior.held == "mean":
        held = _held_at_mean(sample(path + FREE, shape), prior.reference, prior.distribution.to_numpyro().support)
    else:
        held = jnp.full((1, *shape[1:]), prior.reference)
        if shape[0] > 1:
            held = jnp.concatenate([held, sample(path + OTHERS, [shape[0] - 1, *shape[1:]])])
    return numpyro.deterministic(path, held)  # pyright: ignore[reportReturnType, reportArgumentType]


def _held_at_mean(free: jax.Array, reference: float, support: Any) -> jax.Array:
    """Return the numbers moved together, where they are unconstrained, so that their mean is the reference.

    The move that is undone has a proper prior and no likelihood, so that it mixes at once and changes nothing.
    """
    onto = biject_to(support)
    plain = onto.inv(free)
    return onto(plain - plain.mean() + onto.inv(jnp.asarray(reference)))
