"""The NumPyro program: a specification's priors, and the marginal likelihood of the responses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpyro

from numpyro.distributions import biject_to

from difficulty_model.likelihood import Grid, Patterns, log_likelihood, tabulate
from difficulty_model.specification import Prior, Specification, filled, per_name, unknowns


def program(
    specification: Specification, sizes: dict[str, int], patterns: Patterns, grid: Grid
) -> None:
    """Draw every unknown from its prior, and weigh by the likelihood of the responses.

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
    drawn = per_name(draw_unknowns(specification, sizes), sizes)
    tables = tabulate(drawn.skill, drawn.curve, drawn.population, grid, complete=patterns.complete)
    numpyro.factor("responses", log_likelihood(tables, patterns))


def draw_unknowns(specification: Specification, sizes: dict[str, int]) -> Specification:
    """Sample every prior under the name of its path, and return the tree filled with the numbers."""
    return filled(specification, {path: _draw(path, p, sizes) for path, p in unknowns(specification).items()})


def _draw(path: str, prior: Prior, sizes: dict[str, int]) -> jax.Array:
    distribution = prior.distribution.to_numpyro()
    if prior.over is None:
        return numpyro.sample(path, distribution)  # pyright: ignore[reportReturnType]
    size = sizes[prior.over]
    if prior.reference is None:
        return numpyro.sample(path, distribution.expand([size]).to_event(1))  # pyright: ignore[reportReturnType]
    if prior.held == "mean":
        free = numpyro.sample(f"{path}.free", distribution.expand([size]).to_event(1))
        return numpyro.deterministic(path, _held_at_mean(free, prior.reference, distribution.support))  # pyright: ignore[reportReturnType, reportArgumentType]
    first = jnp.full((1,), prior.reference)
    if size == 1:
        return numpyro.deterministic(path, first)  # pyright: ignore[reportReturnType]
    others = numpyro.sample(f"{path}.others", distribution.expand([size - 1]).to_event(1))
    return numpyro.deterministic(path, jnp.concatenate([first, others]))  # pyright: ignore[reportReturnType, reportArgumentType]


def _held_at_mean(free: jax.Array, reference: float, support: Any) -> jax.Array:
    """Return the numbers moved together, where they are unconstrained, so that their mean is the reference.

    The move that is undone has a proper prior and no likelihood, so that it mixes at once and changes nothing.
    """
    onto = biject_to(support)
    plain = onto.inv(free)
    return onto(plain - plain.mean() + onto.inv(jnp.asarray(reference)))
