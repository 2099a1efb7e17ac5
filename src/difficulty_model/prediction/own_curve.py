"""A model's own response curve: how often it is right on images of each difficulty, free of any specification.

A curve departs from the mean one of a fit's models. The prior of a new model's departures comes from theirs, each of
which is inferred from its responses as if the model were new.
"""

from dataclasses import dataclass, fields, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Float, Int

from difficulty_model.fitting.addition import Flat, NormalApproximation, normal_approximation
from difficulty_model.likelihood import Chunk, Grid, Patterns, log_probabilities, tabulate, without_model
from difficulty_model.prediction.known_images import among_nodes
from difficulty_model.skills import in_strata
from difficulty_model.specification import Specification

KNOTS = (-2.4, -1.2, 0.0, 1.2, 2.4)
"""Where departures from the mean curve are free, in probit units of the mean curve; linear between, constant beyond."""

PATTERNS = 4096
"""Response patterns of each stratum by which the fitted models' curves are inferred, at most."""

COMMON, APART, BETWEEN = 2.0, 0.3, 0.05
"""Prior sds of the fitted models' curves, in probit units: of a shift of the whole curve, of departures at a knot, and
of departures on a further stratum of images."""

FEWEST = 6
"""Weight of the prior of how much curves depart, in models: it matters where fewer models were fitted."""

DRAWS = 250
"""Draws of a new model's curve."""

FURTHER = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Factors by which the variance of a new model's departures may differ from that of the fitted models'. All are as
likely before: the new model may be a near-copy of a fitted one, and unlike any."""

TINY = 1e-6
"""What is added to a sum of squares so that it can be divided by."""

SMALLEST = 1e-12
"""Probability of a response at least, so that its logarithm is a number."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Curves:
    """The curves that a model may have.

    Attributes
    ----------
    mean
        The fitted models' mean probability of being right on images at each node, in probit units.
    basis
        What one unit of each unknown adds to it: departures at the knots, then on every stratum after the first.
    """

    mean: Float[Array, "stratum node"]
    basis: Float[Array, "stratum node unknown"]

    def of(self, flat: Flat) -> Float[Array, "stratum node"]:
        """Return a curve in probit units."""
        return self.mean + self.basis @ flat


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Prior:
    """A normal prior of the unknowns.

    Attributes
    ----------
    location
        Its mean.
    level
        What one standard deviation of a curve's general level adds to every unknown.
    apart
        Covariance of departures from what the level makes of a curve.
    """

    location: Flat
    level: Flat
    apart: Float[Array, "unknown unknown"]

    def minus_log(self, flat: Flat, further: Array | float = 1.0) -> Float[Array, ""]:
        """Return minus its log-density, up to a constant, if departures vary by a factor further."""
        root = jnp.linalg.cholesky(further * self.apart + jnp.outer(self.level, self.level))
        white = jax.scipy.linalg.solve_triangular(root, flat - self.location, lower=True)
        return white @ white / 2 + jnp.log(jnp.diag(root)).sum()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Answered:
    """A model's responses, to images of one response pattern of the fitted models in each row.

    Attributes
    ----------
    right, wrong
        How often it is.
    stratum
        That of the images.
    """

    right: Float[Array, "row"]
    wrong: Float[Array, "row"]
    stratum: Int[Array, "row"]


def curves_around(right: Float[Array, "stratum node"], strata: int) -> Curves:
    """Return the curves around a mean one.

    Parameters
    ----------
    right
        Mean probability of being right at each node, per stratum or, where the strata do not differ, once.
    strata
        Number of strata.
    """
    mean = jnp.broadcast_to(ndtri(jnp.clip(right, SMALLEST, 1 - SMALLEST)), (strata, right.shape[1]))
    knots = jnp.array(KNOTS)
    hats = jnp.stack([jnp.interp(mean, knots, hat) for hat in jnp.eye(len(knots))], axis=-1)
    further = jnp.broadcast_to(jnp.eye(strata)[:, None, 1:], (*mean.shape, strata - 1))
    return Curves(mean, jnp.concatenate([hats, further], axis=-1))


def own_curve(
    among: Float[Array, "row node"], curves: Curves, prior: Prior, answered: Answered, further: Array | float = 1.0
) -> NormalApproximation:
    """Return a model's unknowns given its responses, by the normal approximation.

    Parameters
    ----------
    among
        Probability of every node, for the images of each row.
    curves, prior, answered
        Which it may have, how likely these are, and what it answered.
    further
        Factor by which its departures vary more than the prior says.
    """

    def minus_log_posterior(flat: Flat) -> Float[Array, ""]:
        curve = curves.of(flat)
        right, wrong = (likely(among, ndtr(of), answered.stratum) for of in (curve, -curve))
        return prior.minus_log(flat, further) - answered.right @ jnp.log(right) - answered.wrong @ jnp.log(wrong)

    return normal_approximation(minus_log_posterior, prior.location)


def own_draws(
    among: Float[Array, "row node"], curves: Curves, prior: Prior, answered: Answered, key: Array
) -> Float[Array, "draw unknown"]:
    """Return draws of a new model's unknowns given its responses, however unlike the fitted models it may be.

    Parameters
    ----------
    among, curves, prior, answered
        As for `own_curve`.
    key
        Of the draws.
    """
    pick, around = jax.random.split(key)
    found = jax.lax.map(lambda further: own_curve(among, curves, prior, answered, further), jnp.array(FURTHER))
    picked = jax.random.categorical(pick, found.log_evidence, shape=(DRAWS,))
    normal = jax.random.normal(around, (DRAWS, found.location.shape[1]))
    return found.location[picked] + jnp.einsum("sab,sb->sa", found.root[picked], normal)


def likely(
    among: Float[Array, "row node"], probability: Float[Array, "stratum node"], stratum: Int[Array, "row"]
) -> Float[Array, "row"]:
    """Return the probability of a response to images of each row, from that at each node."""
    every = among @ probability.T
    return jnp.maximum(jnp.take_along_axis(every, stratum[:, None], axis=1)[:, 0], SMALLEST)


def prior_of_another(drawn: Specification, patterns: Patterns, grid: Grid) -> Prior:
    """Return what the fitted models' curves say of another model's.

    Its general level is taken for unknown, for a new model may be better than all others. Departures from what that
    level makes of a curve vary as those of the fitted models do.

    Parameters
    ----------
    drawn
        One draw of the fit.
    patterns, grid
        Its responses, and the grid that serves the draw.
    """
    fitted = _fitted_curves(drawn, patterns, _some_of(patterns), grid)
    level = fitted[:, : len(KNOTS)].mean(1)
    off, ahead = level - level.mean(), fitted - fitted.mean(0)
    # Models that are all alike leave it to the knots.
    along = (off @ ahead + TINY * (jnp.arange(fitted.shape[1]) < len(KNOTS))) / (off @ off + TINY)
    apart = ahead - jnp.outer(off, along)
    spread = (apart.T @ apart + FEWEST * _apart(fitted.shape[1])) / (len(fitted) - 2 + FEWEST)
    return Prior(fitted.mean(0), COMMON * along, spread)


@jax.jit
def _fitted_curves(drawn: Specification, patterns: Patterns, some: Chunk, grid: Grid) -> Float[Array, "model unknown"]:
    """Return every fitted model's curve, inferred from some of its responses as if it were new.

    Parameters
    ----------
    drawn, patterns, grid
        As for `prior_of_another`.
    some
        Patterns by which it is done, one chunk of each stratum.
    """
    tables = tabulate(drawn.skill, drawn.curve, drawn.population, grid, patterns)
    right, wrong = log_probabilities(in_strata(drawn.skill), drawn.curve, drawn.population, grid)
    curves = curves_around(jnp.exp(right).mean(1), len(some.stratum))
    unknowns = curves.basis.shape[-1]
    common = jnp.where(jnp.arange(unknowns) < len(KNOTS), COMMON, 0.0)
    prior = Prior(jnp.zeros(unknowns), common, _apart(unknowns))
    stratum, models = jnp.repeat(some.stratum, some.count.shape[1]), right.shape[1]

    def of_model(j: Array) -> Flat:
        without = without_model(tables, wrong, j, complete=patterns.complete)
        hits = some.count * some.responses[..., j]
        misses = some.count - hits if patterns.complete else some.count * some.responses[..., j + models]
        answered = Answered(hits.ravel(), misses.ravel(), stratum)
        return own_curve(among_nodes(without, some), curves, prior, answered).location

    return jax.lax.map(of_model, jnp.arange(models))


def _some_of(patterns: Patterns) -> Chunk:
    """Return patterns that are few enough to go through for every model: one chunk of each stratum."""
    chunks, length = patterns.chunks, patterns.chunks.count.shape[1]
    count, stratum = np.asarray(chunks.count).ravel(), np.repeat(np.asarray(chunks.stratum), length)
    of_strata = [np.flatnonzero((stratum == s) & (count > 0)) for s in range(stratum.max() + 1)]
    longest = min(PATTERNS, max(map(len, of_strata)))
    rows = [of[np.linspace(0, len(of) - 1, longest).astype(int)] for of in of_strata]
    # A stratum of few patterns is filled up with its own, counted once.
    once = np.stack([np.diff(of, prepend=-1) > 0 for of in rows])

    def gathered(leaf: Array) -> Array:
        return jnp.asarray(np.asarray(leaf).reshape(len(count), *leaf.shape[2:])[np.stack(rows)])

    leaves = {of.name: getattr(chunks, of.name) for of in fields(chunks) if of.name != "stratum"}
    some = Chunk(**{name: gathered(leaf) for name, leaf in leaves.items()}, stratum=jnp.arange(len(rows)))
    return replace(some, count=some.count * once)


def _apart(unknowns: int) -> Float[Array, "unknown unknown"]:
    """Return the covariance of departures from the mean curve before any curve is known."""
    return jnp.diag(jnp.full(unknowns, APART**2).at[len(KNOTS) :].set(BETWEEN**2))
