"""A new test set, from a few models that were run on it: what all other models of a fit would score.

The new population is taken for one that was fitted, moved and widened, which few models can tell. Predictions start
from the accuracies *observed* on that test set, which a fit need not meet, and follow the fitted curve from there; what
is left is a departure of every model's own. Accuracies, the old ones of all models and the new ones of the few, are
taken as they are, with their covariance as models that see the same images. How the few models agree image by image is
not used: near-copies agree for reasons that say nothing of the images, and mislead where models are few.
"""


import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Array, Bool, Float
from tqdm.auto import tqdm

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.fitting import Fit
from difficulty_model.fitting.addition import Flat, NormalApproximation, normal_approximation
from difficulty_model.law import least_squares, probit
from difficulty_model.likelihood import Grid
from difficulty_model.prediction.moved_population import (
    DEPARTURE,
    HARDER,
    WIDER,
    Measured,
    Old,
    alike_of,
    errors_before,
    measured_of,
    moments_of,
    old_draws,
)
from difficulty_model.prediction.predicted import Prediction
from difficulty_model.responses import Responses
from difficulty_model.types import MODEL

DRAWS = 20
"""Draws of the fit that predictions are averaged over, at most."""

OWN_DRAWS = 50
"""Draws of the new test set's unknowns for each of these."""

DEPARTURES = DEPARTURE[0] * np.exp(np.linspace(-3, 3, 13) * DEPARTURE[1])
"""Values of that sd which are summed over: its posterior is far from normal on any scale, where models are few."""

LOG_PRIOR = -((np.log(DEPARTURES / DEPARTURE[0]) / DEPARTURE[1]) ** 2) / 2
"""Logarithm of their prior, up to a constant."""

JITTER = 1e-9
"""Part of the mean variance that is added to each, so that what is known exactly has a covariance matrix too."""


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
    total = images or len(responses.images)
    with jax.enable_x64(True):
        every, on_old, grid = old_draws(fit, like, at_most=DRAWS)
        measured, alike = measured_of(fit, responses), alike_of(fit)
        before, sd = (np.asarray(of) for of in (every.before, every.sd))
        start = _first_guess(measured, before, sd)
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


def _first_guess(
    measured: Measured, before: Float[np.ndarray, "draw model"], sd: Float[np.ndarray, "draw"]
) -> Float[Array, "draw unknown"]:
    """Return where to look for the unknowns: normal difficulties that are as much harder as the few models say."""
    harder = (before[:, measured.model] - measured.probit()).mean(1) * np.sqrt(1 + sd**2) / sd
    return jnp.stack([harder, np.zeros_like(harder)], axis=1)


@jax.jit
def _of_draw(
    old: Old,
    on_old: Measured,
    measured: Measured,
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
    before = errors_before(old, on_old, moments_of(old, grid, jnp.zeros(2), alike, every_model))

    def minus_log_posterior(flat: Flat, departure: Array) -> Float[Array, ""]:
        moments = moments_of(old, grid, flat, alike, few)
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
        moments = moments_of(old, grid, flat, alike, every_model)
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
