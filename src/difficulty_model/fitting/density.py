"""The posterior log-density as a function of one flat vector of unconstrained numbers.

The mode, the Laplace approximation and NUTS all see the same function, derived from the NumPyro program. Its
precision is float64 throughout: in float32 the tables alone make noise of 0.2 to 0.3 nats, at which NUTS halves
its step size. The global x64 flag belongs to the user, so callers work inside ``jax.enable_x64``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jax.scipy.special import ndtri
from jaxtyping import Array, Float
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.infer.util import constrain_fn, potential_energy

from difficulty_model.fitting.program import draw_unknowns, path_of, program
from difficulty_model.fitting.result import grid_of
from difficulty_model.likelihood import Grid, Patterns
from difficulty_model.specification import Specification, named_draws, unknowns
from difficulty_model.types import MODEL

SKILLS = ("skill", "skill.skill", "skill.skill.skill")
"""Paths of what every model's skill can be."""

Flat = Float[Array, "unknown"]
FlatDraws = Float[Array, "draw unknown"]


KEPT = 4
"""Specifications, with sizes, of which what was compiled is kept: for many fits of one, of which some others come."""


@dataclass(frozen=True, eq=False)
class Potential:
    """Minus the posterior log-density of a specification's unknowns, whatever the responses and the grid.

    Attributes
    ----------
    specification, sizes
        As `program` takes them.
    size
        Number of unconstrained unknowns.
    unravel
        From a flat vector to the unconstrained value of every sampled site.
    """

    specification: Specification
    sizes: dict[str, int]
    size: int
    unravel: Callable[[Flat], dict[str, Array]]

    def __call__(self, flat: Flat, patterns: Patterns, grid: Grid) -> Float[Array, ""]:
        """Return minus the log-density in nats, with priors and Jacobians."""
        model = partial(program, self.specification, self.sizes)
        return jnp.asarray(potential_energy(model, (patterns, grid), {}, self.unravel(flat)))

    @cached_property
    def value_and_gradient(self) -> Callable[[Flat, Patterns, Grid], tuple[Float[Array, ""], Flat]]:
        """The potential and its gradient, compiled."""
        return jax.jit(jax.value_and_grad(self.__call__))

    @cached_property
    def value(self) -> Callable[[Flat, Patterns, Grid], Float[Array, ""]]:
        """The potential, compiled."""
        return jax.jit(self.__call__)

    @cached_property
    def hessian(self) -> Callable[[Flat, Patterns, Grid], Float[Array, "unknown unknown"]]:
        """The Hessian of the potential, compiled; a few columns at a time, which bounds its memory."""

        def columns(flat: Flat, patterns: Patterns, grid: Grid) -> Float[Array, "unknown unknown"]:
            def column(direction: Flat) -> Flat:
                gradient = jax.grad(lambda x: self(x, patterns, grid))
                return jax.jvp(gradient, (flat,), (direction,))[1]

            return jax.lax.map(column, jnp.eye(self.size), batch_size=4)

        return jax.jit(columns)

    @cached_property
    def values(self) -> Callable[[FlatDraws], dict[str, Array]]:
        """From draws to the value of every unknown under its path, with a leading axis of draws, compiled."""

        def of_one(flat: Flat) -> dict[str, Array]:
            model = partial(draw_unknowns, self.specification, self.sizes)
            sites = constrain_fn(model, (), {}, self.unravel(flat), return_deterministic=True)
            return {path: sites[path] for path in unknowns(self.specification)}

        return jax.jit(jax.vmap(of_one))


@dataclass(frozen=True, eq=False)
class Density:
    """The posterior of a specification's unknowns given response patterns.

    Attributes
    ----------
    potential
        Minus its logarithm.
    patterns
        The responses.
    start
        Where a search may start: skills as accuracies have them, all else in the middle of its prior.
    """

    potential: Potential
    patterns: Patterns
    start: Flat

    def grid_at(self, draws: FlatDraws, *, refinement: float = 1.0) -> Grid:
        """Return a grid that serves all of some parameter vectors."""
        of = self.potential
        numbers = named_draws(of.specification, of.values(draws), of.sizes)
        return grid_of(numbers, self.patterns, refinement=refinement)

    def grid_error(self, draws: FlatDraws, grid: Grid) -> float:
        """Return the largest error of the log-density on `grid`, in nats, against a grid of twice the nodes."""
        fine, value = self.grid_at(draws, refinement=2.0), self.potential.value
        errors = [value(draw, self.patterns, grid) - value(draw, self.patterns, fine) for draw in draws]
        return float(jnp.abs(jnp.stack(errors)).max())


def posterior_density(specification: Specification, sizes: dict[str, int], patterns: Patterns) -> Density:
    """Return the posterior density of a specification's unknowns given response patterns.

    What is compiled for one, the next of the same specification and sizes has too, and uses where its patterns and grid
    are of the same shapes.
    """
    priors, skills = unknowns(specification), _skills_of_accuracies(patterns)
    start = {}
    for name, site in _sites(specification, sizes).items():
        prior = priors[path_of(name)]
        typical = skills if name in SKILLS and prior.dims == (MODEL,) else prior.distribution.typical()
        start[name] = biject_to(site["fn"].support).inv(jnp.broadcast_to(typical, jnp.shape(site["value"])))
    potential = _potential_of(specification, sizes)
    return Density(potential, jax.tree.map(jnp.asarray, patterns), ravel_pytree(start)[0])


def _potential_of(specification: Specification, sizes: dict[str, int]) -> Potential:
    of_sizes = tuple(sorted(sizes.items()))
    try:
        hash(specification)
    except TypeError:  # some of its numbers are arrays
        return _new_potential(specification, of_sizes)
    return _kept_potential(specification, of_sizes)


def _new_potential(specification: Specification, sizes: tuple[tuple[str, int], ...]) -> Potential:
    sites = _sites(specification, dict(sizes))
    flat, unravel = ravel_pytree({name: jnp.zeros_like(site["value"]) for name, site in sites.items()})
    return Potential(specification, dict(sizes), flat.size, unravel)


_kept_potential = lru_cache(maxsize=KEPT)(_new_potential)


def _sites(specification: Specification, sizes: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Return the sites that are sampled, by name."""
    with handlers.block(), handlers.trace() as trace, handlers.seed(rng_seed=0):
        draw_unknowns(specification, sizes)
    return {name: site for name, site in trace.items() if site["type"] == "sample"}


def _skills_of_accuracies(patterns: Patterns) -> Float[Array, "model"]:
    """Return the skill that every model would have by its accuracy, were difficulties N(0, 1.5²)."""
    chunks, models = patterns.chunks, len(patterns.showings)
    answers = jnp.einsum("cp,cpa->a", chunks.count, chunks.responses)
    right = answers[:models]
    shown = chunks.count.sum() if patterns.complete else right + answers[models:]
    return jnp.sqrt(1 + 1.5**2) * ndtri((right + 0.5) / (shown + 1))
