"""A new test set, from a few models that were run on it: what all other models of a fit would score.

The new population is taken for one that was fitted, moved and widened, which few models can tell. Predictions start
from the accuracies *observed* on that test set, which a fit need not meet, and follow the fitted curve from there; what
is left is a departure of every model's own. Accuracies, the old ones of all models and the new ones of the few, are
taken as they are, with their covariance as models that see the same images. How the few models agree image by image is
not used: near-copies agree for reasons that say nothing of the images, and mislead where models are few.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jax.scipy.special import ndtr, ndtri
from jax.scipy.stats import norm
from jaxtyping import Array, Bool, Float, Int
from tqdm.auto import tqdm

from difficulty_model.answering import SHARES, right_by_effect
from difficulty_model.errors import InputError, unknown_name
from difficulty_model.fitting import Fit
from difficulty_model.fitting.addition import Flat, NormalApproximation, normal_approximation
from difficulty_model.fitting.images import families, kinds_of_images
from difficulty_model.fitting.result import grid_of
from difficulty_model.law import least_squares, probit
from difficulty_model.likelihood import Grid, Patterns, shares_of_strata
from difficulty_model.observed import off_the_edges
from difficulty_model.posterior import laid_out
from difficulty_model.prediction.predicted import Prediction
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification
from difficulty_model.types import MODEL

DRAWS = 20
"""Draws of the fit that predictions are averaged over, at most."""

OWN_DRAWS = 50
"""Draws of the new test set's unknowns for each of these."""

HARDER = 1.0
"""Prior sd of how much harder the new images are, in standard deviations of the fitted difficulties."""

WIDER = 0.06
"""Prior sd of the logarithm of how much wider their difficulties are spread. The slopes of probit lines that are known
between test sets of one kind are 0.95 and 1.04 (ImageNetV2) and 0.95 (CIFAR-10.1): 0.05 from 1, which a spread 6%
wider makes (`difficulty-model law` prints such slopes)."""

DEPARTURE = 0.01, 1.0
"""Prior median of the sd of models' own departures in probit units, and sd of its logarithm. On ImageNetV2 models lie
0.012 units from the line, sampling errors included (`difficulty-model law --json`, scatter)."""

DEPARTURES = DEPARTURE[0] * np.exp(np.linspace(-3, 3, 13) * DEPARTURE[1])
"""Values of that sd which are summed over: its posterior is far from normal on any scale, where models are few."""

LOG_PRIOR = -((np.log(DEPARTURES / DEPARTURE[0]) / DEPARTURE[1]) ** 2) / 2
"""Logarithm of their prior, up to a constant."""

REFINEMENT = 2.0
"""Nodes per node of the grid for the fitted populations: it must serve where these are moved to as well."""

JITTER = 1e-9
"""Part of the mean variance that is added to each, so that what is known exactly has a covariance matrix too."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Measured:
    """Accuracies of those models that were run on a test set.

    Attributes
    ----------
    model
        Which these are.
    share
        Their accuracies.
    overlap
        Covariance of two such accuracies per unit of that of two responses to the same image: 1/n where both saw the
        same n images.
    showings
        How many responses each accuracy is a mean of.
    """

    model: Int[Array, "few"]
    share: Float[Array, "few"]
    overlap: Float[Array, "few few"]
    showings: Float[Array, "few"]

    def probit(self) -> Float[np.ndarray, "few"]:
        """Return the accuracies in probit units; of all right and of all wrong, those half a response away."""
        return probit(off_the_edges(np.asarray(self.share), np.asarray(self.showings)))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Old:
    """What a draw of the fit says of the test set that the new one is like, the old one.

    Attributes
    ----------
    numbers
        The specification with numbers in place of its unknowns.
    shares
        Share of the images at each node of the grid, per stratum.
    center, sd
        Mean and spread of their difficulties.
    own
        What every model's accuracy differs by from the fitted one, in probit units.
    """

    numbers: Specification
    shares: Float[Array, "stratum node"]
    center: Float[Array, ""]
    sd: Float[Array, ""]
    own: Float[Array, "model"]


def predict_test_set(
    fit: Fit,
    responses: Responses,
    *,
    like: str | None = None,
    images: int | None = None,
    random_seed: int = 0,
    progress: bool = True,
) -> Prediction:
    """Return what all models of a fit would score on a new test set, from the responses of a few of them.

    Parameters
    ----------
    fit
        Of other test sets.
    responses
        Of a few of its models, at least one, to images of the new test set. They may have gaps.
    like
        The fitted test set that the new one resembles, but for being harder or easier, and wider; the reference if not
        given.
    images
        How many the new test set has, if these are a random part of it; those given otherwise.
    random_seed
        Of all draws.
    progress
        Show a progress bar, if there is a terminal to show it in.

    Raises
    ------
    InputError
        If there is not exactly one test set, or it is one of the fit's; if a model is not one of the fit's; if the fit
        lacks the test set that the new one is like; or if the new test set has fewer images than were given.
    """
    like = fit.responses.test_sets[0] if like is None else like
    _require_new_test_set(fit, responses, like, images)
    place = fit.responses.test_sets.index(like)
    weights = fit.weights.values[place]
    kinds = kinds_of_images(fit.responses, fit.specification)
    numbers = fit.numbers(at_most=DRAWS)
    drawn = laid_out(numbers, kinds)
    center, sd = (of[:, 0] for of in drawn.moments(weights[None]))
    fitted = probit(drawn.accuracies(weights[None])[:, 0])
    total = images or len(responses.images)
    with jax.enable_x64(True):
        on_old, measured = (_measured(fit, of) for of in (fit.responses.select(test_sets=[like]), responses))
        alike, arrays = _alike(fit), jax.tree.map(jnp.asarray, kinds)
        own = np.zeros_like(fitted)
        own[:, on_old.model] = on_old.probit() - fitted[:, on_old.model]
        before = fitted + own
        grid = grid_of(numbers, arrays, refinement=REFINEMENT)
        start = _first_guess(measured, before, sd)
        shares = _shares(numbers, arrays, jnp.asarray(weights), grid)
        every = _Old(numbers, shares, *map(jnp.asarray, (center, sd, own)))
        found = []
        keys = jax.random.split(jax.random.key(random_seed), len(sd))
        bar = tqdm(keys, desc="new test set", unit=" draws", disable=None if progress else True, leave=False)
        for d, key in enumerate(bar):
            old = jax.tree.map(lambda leaf, d=d: leaf[d], every)
            found.append(_of_draw(old, on_old, measured, alike, grid, start[d], key, total))
    flat, departure, population, accuracy = (np.stack([np.asarray(of[n]) for of in found]) for n in range(4))
    line = least_squares(*np.broadcast_arrays(before[:, None], probit(population)))
    each = {
        "harder": flat[..., 0] * sd[:, None], "wider": np.exp(flat[..., 1]), "departure": departure, "u": line.u,
        "v": line.v,
    }
    accuracy = accuracy.reshape(-1, accuracy.shape[-1])
    of_set = responses.accuracies()
    run = of_set["shown"].to_numpy() > 0
    return Prediction(
        test_set=responses.test_sets[0],
        like=like,
        images=total,
        accuracy=xr.DataArray(accuracy, dims=("draw", MODEL), coords={MODEL: fit.responses.models}, name="accuracy"),
        measured=pd.DataFrame({
            name: of_set[column].to_numpy()[run]
            for name, column in {MODEL: MODEL, "shown": "shown", "measured": "accuracy"}.items()
        }),
        unknowns=xr.Dataset({name: ("draw", of.ravel()) for name, of in each.items()}),
    )


def _require_new_test_set(fit: Fit, responses: Responses, like: str, images: int | None) -> None:
    known = fit.responses.test_sets
    if like not in known:
        raise unknown_name("test set in this fit", like, known)
    if len(responses.test_sets) != 1:
        raise InputError("one new test set is predicted at a time; got "
                         f"{', '.join(map(repr, responses.test_sets))}. Select one")
    if responses.test_sets[0] in known:
        raise InputError(f"test set {responses.test_sets[0]!r} is one that was fitted; its accuracies are measured")
    for model in responses.models:
        if model not in fit.responses.models:
            raise unknown_name("model in this fit", model, fit.responses.models)
    if images is not None and images < len(responses.images):
        raise InputError(f"responses to {len(responses.images)} images of {responses.test_sets[0]!r} were given, which "
                         f"cannot have {images} only")


def _measured(fit: Fit, responses: Responses) -> _Measured:
    shown = responses.shown.astype(float)
    run = shown.sum(1) > 0
    showings = shown[run].sum(1)
    place = [fit.responses.models.index(model) for model, was in zip(responses.models, run, strict=True) if was]
    return _Measured(
        jnp.asarray(place), jnp.asarray(responses.right[run].sum(1) / showings),
        jnp.asarray(shown[run] @ shown[run].T / np.outer(showings, showings)), jnp.asarray(showings),
    )


def _first_guess(
    measured: _Measured, before: Float[np.ndarray, "draw model"], sd: Float[np.ndarray, "draw"]
) -> Float[Array, "draw unknown"]:
    """Return where to look for the unknowns: normal difficulties that are as much harder as the few models say."""
    harder = (before[:, measured.model] - measured.probit()).mean(1) * np.sqrt(1 + sd**2) / sd
    return jnp.stack([harder, np.zeros_like(harder)], axis=1)


def _alike(fit: Fit) -> Bool[Array, "model model"] | None:
    """Tell which models share the effects of a family, if models are in families."""
    family = families(fit.responses, fit.specification)
    return None if family is None else jnp.asarray(family[:, None] == family)


@jax.jit
def _shares(
    numbers: Specification, kinds: Patterns, weights: Float[Array, "stratum"], grid: Grid
) -> Float[Array, "draw stratum node"]:
    """Return the share of the images at each node by every draw."""
    return jax.lax.map(lambda drawn: weights[:, None] * shares_of_strata(drawn.population, kinds, grid), numbers)


@jax.jit
def _of_draw(
    old: _Old,
    on_old: _Measured,
    measured: _Measured,
    alike: Bool[Array, "model model"] | None,
    grid: Grid,
    start: Flat,
    key: Array,
    images: Array | int,
) -> tuple[Float[Array, "own unknown"], Float[Array, "own"], Float[Array, "own model"], Float[Array, "own model"]]:
    """Return what the new accuracies say given a draw of the fit.

    Returns
    -------
    unknowns, departure
        Draws of how much harder and wider the new images are, and of the sd of models' departures.
    population, whole
        Accuracies by each draw: in the new population, models' departures left out, and on all images.
    """
    few, every_model = measured.model, jnp.arange(len(old.own))
    before = _before(old, on_old, _moments(old, grid, jnp.zeros(2), alike, every_model))

    def minus_log_posterior(flat: Flat, departure: Array) -> Float[Array, ""]:
        moments = _moments(old, grid, flat, alike, few)
        own = before[few][:, few] + departure**2 * jnp.eye(len(few))
        root = jnp.linalg.cholesky(moments.covariance(measured.overlap, measured.showings, own))
        white = jax.scipy.linalg.solve_triangular(root, measured.share - moments.accuracy, lower=True)
        z = flat / jnp.array([HARDER, WIDER])
        return (white @ white + z @ z) / 2 + jnp.log(jnp.diag(root)).sum()

    def given_departure(departure: Array) -> NormalApproximation:
        return normal_approximation(lambda flat: minus_log_posterior(flat, departure), start)

    found = jax.lax.map(given_departure, jnp.asarray(DEPARTURES))
    weight = jax.nn.softmax(found.log_evidence + LOG_PRIOR)
    among, around, over = jax.random.split(key, 3)
    lots = (jnp.arange(OWN_DRAWS) + jax.random.uniform(among)) / OWN_DRAWS
    picked = jnp.minimum(jnp.searchsorted(jnp.cumsum(weight), lots), len(weight) - 1)
    normal = jax.random.normal(around, (OWN_DRAWS, len(start)))
    every = found.location[picked] + jnp.einsum("sab,sb->sa", found.root[picked], normal)

    def accuracies(flat: Flat, departure: Array, key: Array) -> tuple[Array, Array]:
        moments = _moments(old, grid, flat, alike, every_model)
        own = before + departure**2 * jnp.eye(len(before))
        whole = jnp.full(own.shape, 1 / images)
        covariance = moments.covariance(whole, jnp.full(len(own), images), own)
        among = moments.of(few).covariance(measured.overlap, measured.showings, own[few][:, few])
        # Responses to some of the images are a part of those to all.
        gain = jnp.linalg.solve(among, covariance[few]).T
        mean = moments.accuracy + gain @ (measured.share - moments.accuracy[few])
        left = covariance - gain @ covariance[few]
        left += JITTER * jnp.diag(covariance).mean() * jnp.eye(len(own))
        drawn = mean + jnp.linalg.cholesky(left) @ jax.random.normal(key, mean.shape)
        return moments.accuracy, jnp.clip(drawn, 0, 1)

    departure = jnp.asarray(DEPARTURES)[picked]
    keys = jax.random.split(over, OWN_DRAWS)
    population, whole = jax.lax.map(lambda of: accuracies(*of), (every, departure, keys))
    return every, departure, population, whole


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Moments:
    """Mean and covariance of models' responses to one image of a population.

    Attributes
    ----------
    accuracy
        The mean.
    density
        Its derivative by the probit.
    between
        Covariance of the probabilities to be right, as images differ.
    within
        Variance of a response given its image.
    """

    accuracy: Float[Array, "model"]
    density: Float[Array, "model"]
    between: Float[Array, "model model"]
    within: Float[Array, "model"]

    def of(self, models: Int[Array, "few"]) -> "_Moments":
        """Return those of some models."""
        between = self.between[models][:, models]
        return _Moments(self.accuracy[models], self.density[models], between, self.within[models])

    def covariance(
        self, overlap: Float[Array, "model model"], showings: Float[Array, "model"], own: Float[Array, "model model"]
    ) -> Float[Array, "model model"]:
        """Return the covariance of accuracies on images that overlap so, if probit ones in the population vary too."""
        slopes = jnp.outer(self.density, self.density)
        return self.between * overlap + jnp.diag(self.within / showings) + slopes * own


def _before(old: _Old, on_old: _Measured, moments: "_Moments") -> Float[Array, "model model"]:
    """Return how sure probit accuracies in the old population are: the covariance of their errors.

    Those of models that were not run are off as the others are off the fitted ones, and do not tell of these.
    """
    run = on_old.model
    among = moments.of(run)
    errors = among.covariance(on_old.overlap, on_old.showings, jnp.zeros(on_old.overlap.shape))
    not_run = jnp.diag(jnp.full(len(old.own), (old.own[run] ** 2).mean()))
    return not_run.at[jnp.ix_(run, run)].set(errors / jnp.outer(among.density, among.density))


def _moments(
    old: _Old, grid: Grid, flat: Flat, alike: Bool[Array, "model model"] | None, models: Int[Array, "few"]
) -> _Moments:
    """Return what some models do on images that are so much harder and wider."""
    # Each node takes its images with it, so that these need not be laid out again.
    nodes = old.center + old.sd * flat[0] + jnp.exp(flat[1]) * (grid.nodes - old.center)
    right = right_by_effect(old.numbers, replace(grid, nodes=nodes), models)
    shares = old.shares if len(right) > 1 else old.shares.sum(0, keepdims=True)
    effects = jnp.ones(1) if alike is None else jnp.asarray(SHARES)
    once = right @ effects
    accuracy = jnp.einsum("sq,smq->m", shares, once)
    twice = jnp.einsum("sq,smq,snq->mn", shares, once, once)
    if alike is not None:
        in_family = jnp.einsum("sq,smqe,snqe,e->mn", shares, right, right, effects)
        twice = jnp.where(alike[models][:, models], in_family, twice)
    between = twice - jnp.outer(accuracy, accuracy)
    within = accuracy - jnp.diag(twice)
    # Where a model departs, its responses vary as they do at its accuracy.
    z = ndtri(accuracy) + old.own[models]
    departed = ndtr(z)
    scale = jnp.sqrt(departed * (1 - departed) / (accuracy * (1 - accuracy)))
    return _Moments(departed, norm.pdf(z), between * jnp.outer(scale, scale), within * scale**2)
