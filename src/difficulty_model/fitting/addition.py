"""One more model, or one more test set: its unknowns, and their posterior by the normal approximation.

What a specification says of a model that a fit has not seen are the unknowns that vary over models: its skill, and its
slope or lapses where the curve has them. Of a further test set they are those that vary over strata. Beside what the
fit says of all others they are few, and are inferred from responses under their priors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import xarray as xr
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float
from numpyro.distributions import biject_to

from difficulty_model.specification import Dimension, Prior, Specification, unknowns

Flat = Float[Array, "unknown"]

TOLERANCE = 1e-3
"""Largest distance to the mode that is left, in standard deviations (the Newton decrement)."""

STEPS = 50
"""Newton steps at most; a handful is taken."""

REACH = 1.0
"""How far one step may go in any unconstrained unknown."""

ROUNDING = 1e-6
"""By how much the log-density may seem to fall in a step at the mode, in nats."""

SHORTEST = 1e-4
"""Part of a step that is tried at last."""

FLATTEST = 1e-2
"""Smallest curvature that a step is taken by: a standard deviation of 10 in an unconstrained unknown."""


@dataclass(frozen=True)
class Addition:
    """The unknowns of one more name along a dimension, as a flat vector of unconstrained numbers.

    An unknown of which the mean over that dimension is held follows its prior: by one more name the mean moves little.

    Attributes
    ----------
    dim
        Models or strata.
    priors
        Those that vary over it, under their paths.
    unravel
        From a flat vector to the unconstrained values of every path.
    """

    dim: Dimension
    priors: dict[str, Prior]
    unravel: Callable[[Flat], dict[str, Array]]

    def log_prior(self, flat: Flat) -> Float[Array, ""]:
        """Return the log-density of the priors, with Jacobians, in nats."""
        total = jnp.zeros(())
        for path, plain in self.unravel(flat).items():
            distribution: Any = self.priors[path].distribution.to_numpyro()
            onto = biject_to(distribution.support)
            value = onto(plain)
            total += (distribution.log_prob(value) + onto.log_abs_det_jacobian(plain, value)).sum()
        return total

    def put(self, flat: Flat, values: Mapping[str, Array], at: int | Array) -> dict[str, Array]:
        """Return the values of all unknowns, with these in the place of that name."""
        changed = dict(values)
        for path, plain in self.unravel(flat).items():
            prior = self.priors[path]
            value = _onto(prior)(plain)
            if _holds_another(prior, self.dim):
                value = jnp.concatenate([jnp.full((1, *value.shape[1:]), jnp.asarray(prior.reference)), value])
            axis = prior.dims.index(self.dim)
            changed[path] = jnp.moveaxis(jnp.moveaxis(values[path], axis, 0).at[at].set(value), 0, axis)
        return changed

    def take(self, values: Mapping[str, Array], at: int | Array) -> Flat:
        """Return the unconstrained numbers of that name among the values of all unknowns."""
        return ravel_pytree(_taken(self.priors, self.dim, values, at))[0]


def addition(specification: Specification, dim: Dimension, values: Mapping[str, Array]) -> Addition:
    """Return the unknowns of one more name along a dimension, laid out as one draw of all unknowns has them."""
    priors = {path: prior for path, prior in unknowns(specification).items() if dim in prior.dims}
    return Addition(dim, priors, ravel_pytree(_taken(priors, dim, values, 0))[1])


def drawn_values(posterior: xr.Dataset, specification: Specification, *, at_most: int) -> dict[str, Array]:
    """Return the values of all unknowns in posterior draws, evenly spaced over all chains, whose axis leads."""
    total = posterior.sizes["chain"] * posterior.sizes["draw"]
    return {
        path: jnp.asarray(posterior[path].values.reshape(total, *posterior[path].shape[2:])[:: -(-total // at_most)])
        for path in unknowns(specification)
    }


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NormalApproximation:
    """A posterior density at its mode.

    Attributes
    ----------
    location
        The mode, unconstrained.
    root
        A root R of the covariance there: it is R Rᵀ.
    log_evidence
        Logarithm of the integral of the density, in nats.
    """

    location: Flat
    root: Float[Array, "unknown unknown"]
    log_evidence: Float[Array, ""]


def normal_approximation(objective: Callable[[Flat], Float[Array, ""]], start: Flat) -> NormalApproximation:
    """Return the mode of exp(−objective), with the curvature there, by Newton steps that never go uphill.

    Parameters
    ----------
    objective
        Minus a log-density, in nats.
    start
        Where to begin.
    """
    if not start.size:
        return NormalApproximation(start, jnp.zeros((0, 0)), -objective(start))

    gradient_of, identity = jax.grad(objective), jnp.eye(start.size)

    def move(state: _Search) -> _Search:
        highest = state.value + ROUNDING

        def shorter(tried: tuple[Array, Array]) -> tuple[Array, Array]:
            scale = tried[0] / 4
            return scale, objective(state.at + scale * state.step)

        def uphill(tried: tuple[Array, Array]) -> Array:
            # Written so that a value that is not a number is uphill too.
            return ~(tried[1] <= highest) & (tried[0] > SHORTEST)

        scale, value = jax.lax.while_loop(uphill, shorter, (jnp.full((), 4.0), jnp.full((), jnp.nan)))
        at = state.at + scale * state.step
        # One row after the other: LAPACK's calls for several at once can wait for each other for ever, on few cores.
        gradient, change = jax.linearize(gradient_of, at)
        hessian = jax.lax.map(change, identity)
        curvature, axes = jnp.linalg.eigh(hessian)
        size = jnp.maximum(jnp.abs(curvature), FLATTEST)
        along = axes.T @ gradient
        step = -axes @ (along / size)
        step *= REACH / jnp.maximum(jnp.abs(step).max(), REACH)
        return _Search(at, value, step, size, axes, jnp.sqrt((along**2 / size).sum()), state.steps + 1)

    def away(state: _Search) -> Array:
        return (state.steps < STEPS) & ~(state.decrement <= TOLERANCE)

    zero, one = jnp.zeros_like(start), jnp.ones_like(start)
    infinity = jnp.full((), jnp.inf)
    found = jax.lax.while_loop(away, move, _Search(start, infinity, zero, one, jnp.diag(one), infinity, jnp.array(0)))
    evidence = -found.value + (jnp.log(2 * jnp.pi) - jnp.log(found.size)).sum() / 2
    return NormalApproximation(found.at, found.axes / jnp.sqrt(found.size), evidence)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Search:
    """A place with its value, the step that is to be taken from it, and the curvature: sizes along axes."""

    at: Flat
    value: Float[Array, ""]
    step: Flat
    size: Flat
    axes: Float[Array, "unknown unknown"]
    decrement: Float[Array, ""]
    steps: Array


def _taken(
    priors: Mapping[str, Prior], dim: Dimension, values: Mapping[str, Array], at: int | Array
) -> dict[str, Array]:
    taken = {}
    for path, prior in priors.items():
        value = jnp.moveaxis(values[path], prior.dims.index(dim), 0)[at]
        taken[path] = _onto(prior).inv(value[1:] if _holds_another(prior, dim) else value)
    return taken


def _onto(prior: Prior) -> Any:  # noqa: ANN401
    return biject_to(prior.distribution.to_numpyro().support)


def _holds_another(prior: Prior, dim: Dimension) -> bool:
    """Tell whether the first along another dimension is held, as a model's own loss in the reference is."""
    return prior.reference is not None and prior.held == "first" and prior.dims[0] != dim
