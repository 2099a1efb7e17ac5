"""A new model, from its responses to some images of fitted test sets: what it would score on all of them.

How difficult images are follows from the responses of the fitted models. How often the new model is right on images of
one difficulty is a curve of its own, about which the fitted models' own curves tell: each is inferred as if its model
were new, and departs from the mean curve in its own way. So the new model is not bound to the response curve of the
specification, and images of one difficulty, however they were chosen, tell little of those of others.
"""

from dataclasses import dataclass, fields, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Float, Int
from tqdm.auto import tqdm

from difficulty_model.errors import InputError
from difficulty_model.fitting import Fit
from difficulty_model.fitting.addition import Flat, NormalApproximation, drawn_values, normal_approximation
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
    without_model,
)
from difficulty_model.prediction.predicted import ModelPrediction
from difficulty_model.responses import Responses
from difficulty_model.skills import InFamilies, in_strata
from difficulty_model.specification import Specification, named, named_draws
from difficulty_model.types import MODEL, TEST_SET, FloatArray

DRAWS = 4
"""Draws of the fit that predictions are averaged over, at most: where images are many, their difficulties differ little
from one draw to the next."""

OWN_DRAWS = 250
"""Draws of a new model's curve for each of these."""

KNOTS = (-2.4, -1.2, 0.0, 1.2, 2.4)
"""Where departures from the mean curve are free, in probit units of the mean curve; linear between, constant beyond."""

PATTERNS = 4096
"""Response patterns of each stratum by which the fitted models' curves are inferred, at most."""

COMMON, APART, BETWEEN = 2.0, 0.3, 0.05
"""Prior sds of the fitted models' curves, in probit units: of a shift of the whole curve, of departures at a knot, and
of departures on a further stratum of images."""

FEWEST = 6
"""Weight of the prior of how much curves depart, in models: it matters where fewer models were fitted."""

FURTHER = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Factors by which the variance of a new model's departures may differ from that of the fitted models'. All are as
likely before: the new model may be a near-copy of a fitted one, and unlike any."""

TINY = 1e-6
"""What is added to a sum of squares so that it can be divided by."""

SMALLEST = 1e-12
"""Probability of a response at least, so that its logarithm is a number."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Curves:
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
class _Prior:
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
class _Answered:
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


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Inferred:
    """What a draw of the fit says, before the new model.

    Attributes
    ----------
    among
        Probability of every node, for the images of each pattern.
    curves
        That the new model may have.
    """

    among: Float[Array, "pattern node"]
    curves: _Curves


def predict_models(
    fit: Fit, responses: Responses, *, random_seed: int = 0, progress: bool = True
) -> ModelPrediction:
    """Return what new models would score on every fitted test set, from their responses to some of the images.

    Parameters
    ----------
    fit
        Of other models, at least three.
    responses
        Of new models to images of the fit, which may have gaps. Each model is predicted by itself.
    random_seed
        Of all draws.
    progress
        Show a progress bar, if there is a terminal to show it in.

    Raises
    ------
    InputError
        If a model is one of the fit's, or has no responses; if an image is none of the fit's; or if the fit has fewer
        than three models, or families of models.
    """
    _require_new_models(fit, responses)
    specification, patterns = fit.specification, patterns_of(fit.responses, fit.specification)
    strata = fit.responses.strata()
    right, shown = _on_fitted_images(fit, responses)
    # Of an image that was shown, what is known is all that counts.
    share = right / np.maximum(shown, 1)
    of_stratum = np.eye(len(strata.names))[strata.of_image]
    sizes = {str(dim): size for dim, size in fit.posterior.sizes.items()}
    with jax.enable_x64(True):
        values = drawn_values(fit.posterior, specification, at_most=DRAWS)
        arrays = jax.tree.map(jnp.asarray, patterns)
        grid = grid_of(named_draws(specification, values, sizes), arrays)
        given = [_given(patterns, *of) for of in zip(right, shown, strict=True)]
        stratum = jnp.repeat(arrays.chunks.stratum, patterns.chunks.count.shape[1])
        every = [{path: of[n] for path, of in values.items()} for n in range(len(jax.tree.leaves(values)[0]))]
        keys = jax.random.split(jax.random.key(random_seed), (len(every), len(given)))
        infer = jax.jit(partial(_inferred, specification, sizes, len(strata.names)))
        with tqdm(total=1 + len(every), desc="new models", disable=None if progress else True, leave=False) as bar:
            # From one draw to the next they hardly differ.
            fitted = jax.jit(partial(_fitted_curves, specification, sizes))(every[0], arrays, _some(patterns), grid)
            prior = _prior_of_another(fitted)
            found = []
            for drawn, of_draw in zip(every, keys, strict=True):
                bar.update()
                inferred = infer(drawn, arrays, grid)
                found.append([np.asarray(_unseen_right(inferred, prior, stratum, *of, key))
                              for of, key in zip(given, of_draw, strict=True)])
    known = (share @ of_stratum)[:, None]
    counts = known + np.concatenate(found, axis=1)  # (model, draw, stratum)
    accuracy = np.einsum("mds,ts->dtm", counts / of_stratum.sum(0), strata.weights)
    return ModelPrediction(
        accuracy=xr.DataArray(
            accuracy, dims=("draw", TEST_SET, MODEL),
            coords={TEST_SET: fit.responses.test_sets, MODEL: responses.models}, name="accuracy",
        ),
        measured=_measured(fit, responses.models, right, shown),
    )


def require_independent(fit: Fit) -> None:
    """Raise `InputError` if a fit's models are in families."""
    if isinstance(fit.specification.skill, InFamilies):
        raise InputError("models in families tell of each other beside what images tell, of which nothing is known for "
                         "a new model; use a fit without families")


def inferred_difficulties(
    specification: Specification, sizes: dict[str, int], values: dict[str, Array], patterns: Patterns, grid: Grid
) -> tuple[Float[Array, "pattern node"], Float[Array, "stratum model node"]]:
    """Return the probability of every node for the images of each pattern, and of models being right there.

    Parameters
    ----------
    specification, sizes, values
        Of a fit; one draw of all its unknowns.
    patterns, grid
        Its responses, and the grid that serves the draw.
    """
    drawn = named(specification, values, sizes)
    tables = tabulate(drawn.skill, drawn.curve, drawn.population, grid, patterns)
    right, _ = log_probabilities(in_strata(drawn.skill), drawn.curve, drawn.population, grid)
    return _among(tables, patterns.chunks), jnp.exp(right)


def _require_new_models(fit: Fit, responses: Responses) -> None:
    require_independent(fit)
    if len(fit.responses.models) < 3:
        raise InputError(f"this fit has {len(fit.responses.models)} models; how a new one may differ takes at least 3")
    for model, shown in zip(responses.models, responses.shown, strict=True):
        if model in fit.responses.models:
            raise InputError(f"model {model!r} is one that was fitted; its accuracies are measured")
        if not shown.any():
            raise InputError(f"model {model!r} has no responses to predict it from")
    known = set(fit.responses.images)
    strange = [image for image in responses.images if image not in known]
    if strange:
        raise InputError(f"{len(strange)} of {len(responses.images)} images are none of the fit's, such as "
                         f"{strange[0]!r}; a new model is predicted from its responses to images of the fit")


def _on_fitted_images(fit: Fit, responses: Responses) -> tuple[FloatArray, FloatArray]:
    """Return how often the new models are right on every image of the fit, and how often they were shown it."""
    place = pd.Index(fit.responses.images).get_indexer(pd.Index(responses.images))
    right, shown = (np.zeros((len(responses.models), len(fit.responses.images))) for _ in range(2))
    right[:, place], shown[:, place] = responses.right, responses.shown
    return right, shown


def _given(
    patterns: Patterns, right: FloatArray, shown: FloatArray
) -> tuple[Int[Array, "row"], _Answered, Float[Array, "pattern"]]:
    """Return a new model's responses, the patterns of their images, and how many of each it was not shown."""
    size = patterns.chunks.count.size
    sums = [np.bincount(patterns.of_image, of, size) for of in (right, shown - right, shown == 0)]
    row = np.flatnonzero(sums[0] + sums[1])
    # Filled up, so that compiled code serves other numbers of rows.
    row = np.pad(row, (0, 2 ** int(np.ceil(np.log2(len(row)))) - len(row)))
    once = np.arange(len(row)) < np.count_nonzero(sums[0] + sums[1])
    stratum = np.asarray(patterns.chunks.stratum)[row // patterns.chunks.count.shape[1]]
    answered = _Answered(*(jnp.asarray(of) for of in (sums[0][row] * once, sums[1][row] * once, stratum)))
    return jnp.asarray(row), answered, jnp.asarray(sums[2])


def _measured(fit: Fit, models: list[str], right: FloatArray, shown: FloatArray) -> pd.DataFrame:
    rows = []
    for j, model in enumerate(models):
        for test_set, member in zip(fit.responses.test_sets, fit.responses.member, strict=True):
            times = int(shown[j, member].sum())
            measured = right[j, member].sum() / times if times else np.nan
            rows.append({MODEL: model, TEST_SET: test_set, "images": int(member.sum()), "shown": times,
                         "measured": measured})
    return pd.DataFrame(rows)


def _inferred(
    specification: Specification, sizes: dict[str, int], strata: int, values: dict[str, Array], patterns: Patterns,
    grid: Grid,
) -> _Inferred:
    """Return what one draw of all unknowns says of images, and the curves around the fitted models' mean one."""
    among, right = inferred_difficulties(specification, sizes, values, patterns, grid)
    return _Inferred(among, _curves(right.mean(1), strata))


def _fitted_curves(
    specification: Specification, sizes: dict[str, int], values: dict[str, Array], patterns: Patterns, some: Chunk,
    grid: Grid,
) -> Float[Array, "model unknown"]:
    """Return every fitted model's curve, inferred from some of its responses as if it were new.

    Parameters
    ----------
    specification, sizes, values
        Of the fit; one draw of all its unknowns.
    patterns
        All responses.
    some
        Those by which it is done.
    grid
        That serves the draw.
    """
    drawn = named(specification, values, sizes)
    tables = tabulate(drawn.skill, drawn.curve, drawn.population, grid, patterns)
    right, wrong = log_probabilities(in_strata(drawn.skill), drawn.curve, drawn.population, grid)
    curves = _curves(jnp.exp(right).mean(1), len(some.stratum))
    unknowns = curves.basis.shape[-1]
    common = jnp.where(jnp.arange(unknowns) < len(KNOTS), COMMON, 0.0)
    prior = _Prior(jnp.zeros(unknowns), common, _apart(unknowns))
    stratum = jnp.repeat(some.stratum, some.count.shape[1])

    def of_model(j: Array) -> Flat:
        without = without_model(tables, wrong, j, complete=patterns.complete)
        hits = some.count * some.responses[..., j]
        misses = some.count - hits if patterns.complete else some.count * some.responses[..., j + sizes[MODEL]]
        answered = _Answered(hits.ravel(), misses.ravel(), stratum)
        return _posterior(_among(without, some), curves, prior, answered).location

    return jax.lax.map(of_model, jnp.arange(sizes[MODEL]))


def _among(tables: Tables, chunks: Chunk) -> Float[Array, "pattern node"]:
    """Return the probability of every node for the images of each pattern."""
    found = jax.lax.map(lambda chunk: difficulty_posterior(tables, chunk), chunks)
    return found.reshape(-1, found.shape[-1])


def _curves(right: Float[Array, "stratum node"], strata: int) -> _Curves:
    """Return curves around one that models have on average."""
    mean = jnp.broadcast_to(ndtri(jnp.clip(right, SMALLEST, 1 - SMALLEST)), (strata, right.shape[1]))
    knots = jnp.array(KNOTS)
    hats = jnp.stack([jnp.interp(mean, knots, hat) for hat in jnp.eye(len(knots))], axis=-1)
    further = jnp.broadcast_to(jnp.eye(strata)[:, None, 1:], (*mean.shape, strata - 1))
    return _Curves(mean, jnp.concatenate([hats, further], axis=-1))


def _some(patterns: Patterns) -> Chunk:
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


def _posterior(
    among: Float[Array, "row node"], curves: _Curves, prior: _Prior, answered: _Answered, further: Array | float = 1.0
) -> NormalApproximation:
    """Return a model's unknowns, if its departures vary by a factor further than the prior says."""

    def minus_log_posterior(flat: Flat) -> Float[Array, ""]:
        curve = curves.of(flat)
        right, wrong = (_likely(among, ndtr(of), answered.stratum) for of in (curve, -curve))
        return prior.minus_log(flat, further) - answered.right @ jnp.log(right) - answered.wrong @ jnp.log(wrong)

    return normal_approximation(minus_log_posterior, prior.location)


def _likely(
    among: Float[Array, "row node"], probability: Float[Array, "stratum node"], stratum: Int[Array, "row"]
) -> Float[Array, "row"]:
    """Return the probability of a response to images of each row, from that at each node."""
    every = among @ probability.T
    return jnp.maximum(jnp.take_along_axis(every, stratum[:, None], axis=1)[:, 0], SMALLEST)


def _apart(unknowns: int) -> Float[Array, "unknown unknown"]:
    """Return the covariance of departures from the mean curve before any curve is known."""
    return jnp.diag(jnp.full(unknowns, APART**2).at[len(KNOTS) :].set(BETWEEN**2))


def _prior_of_another(fitted: Float[Array, "model unknown"]) -> _Prior:
    """Return what the fitted models' curves say of another model's.

    Its general level is taken for unknown, for a new model may be better than all others. Departures from what that
    level makes of a curve vary as those of the fitted models do.
    """
    level = fitted[:, : len(KNOTS)].mean(1)
    off, ahead = level - level.mean(), fitted - fitted.mean(0)
    # Models that are all alike leave it to the knots.
    along = (off @ ahead + TINY * (jnp.arange(fitted.shape[1]) < len(KNOTS))) / (off @ off + TINY)
    apart = ahead - jnp.outer(off, along)
    spread = (apart.T @ apart + FEWEST * _apart(fitted.shape[1])) / (len(fitted) - 2 + FEWEST)
    return _Prior(fitted.mean(0), COMMON * along, spread)


@jax.jit
def _unseen_right(
    inferred: _Inferred,
    prior: _Prior,
    stratum: Int[Array, "pattern"],
    row: Int[Array, "row"],
    answered: _Answered,
    unseen: Float[Array, "pattern"],
    key: Array,
) -> Float[Array, "own stratum"]:
    """Return draws of how many images that it was not shown a new model gets right, by stratum."""
    curves, (pick, own, scatter) = inferred.curves, jax.random.split(key, 3)
    among = inferred.among[row]
    found = jax.lax.map(lambda further: _posterior(among, curves, prior, answered, further), jnp.array(FURTHER))
    picked = jax.random.categorical(pick, found.log_evidence, shape=(OWN_DRAWS,))
    normal = jax.random.normal(own, (OWN_DRAWS, found.location.shape[1]))
    flat = found.location[picked] + jnp.einsum("sab,sb->sa", found.root[picked], normal)
    strata = len(curves.mean)
    images = jnp.zeros((strata, len(unseen))).at[stratum, jnp.arange(len(unseen))].set(unseen)
    at_node = images @ inferred.among
    expected = jax.lax.map(lambda of: (at_node * ndtr(curves.of(of))).sum(1), flat)
    # How responses scatter around that differs little from draw to draw.
    likely = _likely(inferred.among, ndtr(curves.of(flat.mean(0))), stratum)
    sd = jnp.sqrt(images @ (likely * (1 - likely)))
    return jnp.clip(expected + sd * jax.random.normal(scatter, expected.shape), 0, images.sum(1))
