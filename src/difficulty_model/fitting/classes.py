"""Effects of classes: integrated out while all else is sampled, then drawn from their posterior given the rest.

A thousand effects beside the spread that they are multiplied by make a ridge, of which the mode is far from the bulk
and which NUTS climbs slowly. Given all else the classes are independent, so that each is an integral over one number.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from tqdm.auto import tqdm

from difficulty_model.distributions import Normal
from difficulty_model.fitting.density import Density
from difficulty_model.fitting.difficulties import REFINEMENT, drawn_between
from difficulty_model.fitting.sample import Sample
from difficulty_model.likelihood import Grid, Patterns, class_effect_posterior, tabulate
from difficulty_model.populations import AcrossClasses, InClasses, Modified, Population
from difficulty_model.specification import Prior, Specification, named_draws, unknowns

STANDARD = Prior(Normal(0.0, 1.0), "class_")
"""The prior of effects that can be integrated out. Others are sampled like any unknown."""


def effects_integrated_out(specification: Specification) -> Specification:
    """Return the specification whose likelihood has effects of classes integrated out, the same if it has none."""
    return replace(specification, population=_integrated_out(specification.population))


def _integrated_out(population: Population) -> Population:
    match population:
        case InClasses(within, spread, effect) if effect == STANDARD:
            return AcrossClasses(within, spread)
        case Modified():
            return replace(population, population=_integrated_out(population.population))
    return population


def path_of_effects(specification: Specification) -> str | None:
    """Return the path of effects of classes that can be integrated out, or None if there are none."""
    return next(iter(unknowns(specification).keys() - unknowns(effects_integrated_out(specification)).keys()), None)


def with_effects(sample: Sample, specification: Specification, density: Density, *, random_seed: int,
                 progress: bool) -> Sample:
    """Return a sample with effects of classes, one draw of all for every draw of the rest.

    Parameters
    ----------
    sample
        Drawn from `density`.
    specification
        What is assumed, of which the density is that of `effects_integrated_out`; without effects, nothing is added.
    density
        With the responses.
    random_seed
        Of the effects.
    progress
        Show a progress bar, if there is a terminal to show it in.
    """
    path = path_of_effects(specification)
    if path is None:
        return sample
    assert sample.grid is not None
    assert sample.grid.class_effects is not None
    shape = next(iter(sample.values.values())).shape[:2]
    values = {name: jnp.asarray(of.reshape(-1, *of.shape[2:])) for name, of in sample.values.items()}
    numbers = named_draws(density.potential.specification, values, density.potential.sizes)
    reach, intervals = sample.grid.class_effects[-1], round(REFINEMENT * (len(sample.grid.class_effects) - 1))
    grid = replace(sample.grid, class_effects=jnp.linspace(-reach, reach, intervals + 1))
    # Keys other than those of the samplers, which split that of the seed itself.
    keys = jax.random.split(jax.random.fold_in(jax.random.key(random_seed), 1), shape[0] * shape[1])
    bar = tqdm(keys, desc="effects of classes", unit=" draws", disable=None if progress else True, leave=False)
    drawn = [
        np.asarray(_drawn(key, jax.tree.map(lambda leaf, n=n: leaf[n], numbers), density.patterns, grid))
        for n, key in enumerate(bar)
    ]
    return replace(sample, values=sample.values | {path: np.stack(drawn).reshape(*shape, -1)})


def mean_effects(specification: Specification, density: Density, flat: Float[Array, "unknown"]) -> dict[str, Array]:
    """Return the posterior mean of effects of classes under their path, given all else; nothing if there are none."""
    path = path_of_effects(specification)
    if path is None:
        return {}
    of = density.potential
    numbers = named_draws(of.specification, of.values(flat[None]), of.sizes)
    grid = density.grid_at(flat[None])
    drawn = jax.tree.map(lambda leaf: leaf[0], numbers)
    assert grid.class_effects is not None
    return {path: _posterior(drawn, density.patterns, grid) @ grid.class_effects}


@jax.jit
def _posterior(drawn: Specification, patterns: Patterns, grid: Grid) -> Float[Array, "class_ effect"]:
    tables = tabulate(drawn.skill, drawn.curve, drawn.population, grid, patterns)
    return class_effect_posterior(tables, patterns)


@jax.jit
def _drawn(key: Array, drawn: Specification, patterns: Patterns, grid: Grid) -> Float[Array, "class_"]:
    assert grid.class_effects is not None
    return drawn_between(key, _posterior(drawn, patterns, grid), grid.class_effects)
