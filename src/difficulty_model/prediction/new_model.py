"""A new model, from its responses to some images of fitted test sets: what it would score on all of them.

How difficult images are follows from the responses of the fitted models, how often the new model is right on images of
one difficulty from a curve of its own. So it is not bound to the response curve of the specification, and images of one
difficulty, however they were chosen, tell little of those of others.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jax.scipy.special import ndtr
from jaxtyping import Array, Float, Int
from tqdm.auto import tqdm

from difficulty_model.errors import InputError
from difficulty_model.fitting import Fit
from difficulty_model.likelihood import Patterns
from difficulty_model.prediction.known_images import difficulties, known_images
from difficulty_model.prediction.own_curve import (
    FURTHER,
    Answered,
    Curves,
    Prior,
    curves_around,
    likely,
    own_curve,
    prior_of_another,
)
from difficulty_model.prediction.predicted import ModelPrediction
from difficulty_model.responses import Responses
from difficulty_model.types import MODEL, TEST_SET, IntArray

DRAWS = 4
"""Draws of the fit that predictions are averaged over, at most: where images are many, their difficulties differ little
from one draw to the next."""

OWN_DRAWS = 250
"""Draws of a new model's curve for each of these."""


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
    strata, answers = fit.responses.strata(), _on_fitted_images(fit, responses)
    draws, patterns, grid = known_images(fit, at_most=DRAWS)
    found = []
    with (
        jax.enable_x64(True),
        tqdm(total=1 + len(draws), desc="new models", disable=None if progress else True, leave=False) as bar,
    ):
        given = [_given(patterns, *of) for of in zip(answers.right, answers.shown, strict=True)]
        stratum = jnp.repeat(patterns.chunks.stratum, patterns.chunks.count.shape[1])
        keys = jax.random.split(jax.random.key(random_seed), (len(draws), len(given)))
        # From one draw to the next it hardly differs.
        prior = prior_of_another(draws[0], patterns, grid)
        for drawn, of_draw in zip(draws, keys, strict=True):
            bar.update()
            among, right = difficulties(drawn, patterns, grid)
            curves = curves_around(right, len(strata.names))
            found.append([np.asarray(_unseen_right(among, stratum, curves, prior, *of, key))
                          for of, key in zip(given, of_draw, strict=True)])
    of_stratum = np.eye(len(strata.names))[strata.of_image]
    # Of an image that was shown, what is known is all that counts.
    known = (answers.right / np.maximum(answers.shown, 1)) @ of_stratum
    counts = known[:, None] + np.concatenate(found, axis=1)  # (model, draw, stratum)
    accuracy = np.einsum("mds,ts->dtm", counts / of_stratum.sum(0), strata.weights)
    observed = answers.accuracies()
    return ModelPrediction(
        accuracy=xr.DataArray(
            accuracy, dims=("draw", TEST_SET, MODEL),
            coords={TEST_SET: answers.test_sets, MODEL: answers.models}, name="accuracy",
        ),
        measured=pd.DataFrame({
            TEST_SET: observed[TEST_SET], MODEL: observed[MODEL],
            "images": np.repeat(answers.member.sum(1), len(answers.models)),
            "shown": observed["shown"], "measured": observed["accuracy"],
        }),
    )


def _require_new_models(fit: Fit, responses: Responses) -> None:
    if len(fit.responses.models) < 3:
        raise InputError(f"this fit has {len(fit.responses.models)} models; how a new one may differ takes at least 3")
    for model, shown in zip(responses.models, responses.shown, strict=True):
        if model in fit.responses.models:
            raise InputError(f"model {model!r} is one that was fitted; its accuracies are measured")
        if not shown.any():
            raise InputError(f"model {model!r} has no responses to predict it from; leave it out")
    known = set(fit.responses.images)
    strange = [image for image in responses.images if image not in known]
    if strange:
        raise InputError(f"{len(strange)} of {len(responses.images)} images are none of the fit's, such as "
                         f"{strange[0]!r}, and model {responses.models[0]!r} is none of its models; give responses of "
                         "new models to images of the fit, or of the fit's models to a new test set")


def _on_fitted_images(fit: Fit, responses: Responses) -> Responses:
    """Return the responses among all images of the fit, and in its test sets."""
    fitted = fit.responses
    place = pd.Index(fitted.images).get_indexer(pd.Index(responses.images))
    right, shown = np.zeros((2, len(responses.models), len(fitted.images)), responses.shown.dtype)
    right[:, place], shown[:, place] = responses.right, responses.shown
    member = dict(zip(fitted.test_sets, fitted.member, strict=True))
    return Responses.from_arrays(right, shown=shown, models=responses.models, images=fitted.images, member=member)


def _given(
    patterns: Patterns, right: IntArray, shown: IntArray
) -> tuple[Int[Array, "row"], Answered, Float[Array, "pattern"]]:
    """Return a new model's responses, the patterns of their images, and how many of each it was not shown."""
    of_image, size = np.asarray(patterns.of_image), patterns.chunks.count.size
    hits, times, unseen = (np.bincount(of_image, of, size) for of in (right, shown, shown == 0))
    row = np.flatnonzero(times)
    rows = len(row)
    # Filled up, so that compiled code serves other numbers of rows.
    row = np.pad(row, (0, 2 ** (rows - 1).bit_length() - rows))
    hits, misses = (of[row] * (np.arange(len(row)) < rows) for of in (hits, times - hits))
    stratum = np.asarray(patterns.chunks.stratum)[row // patterns.chunks.count.shape[1]]
    return jnp.asarray(row), Answered(jnp.asarray(hits), jnp.asarray(misses), jnp.asarray(stratum)), jnp.asarray(unseen)


@jax.jit
def _unseen_right(
    among: Float[Array, "pattern node"],
    stratum: Int[Array, "pattern"],
    curves: Curves,
    prior: Prior,
    row: Int[Array, "row"],
    answered: Answered,
    unseen: Float[Array, "pattern"],
    key: Array,
) -> Float[Array, "own stratum"]:
    """Return draws of how many images that it was not shown a new model gets right, by stratum.

    Parameters
    ----------
    among, stratum
        Of images of every pattern: probability of every node, and the stratum.
    curves, prior
        That the model may have.
    row, answered
        Patterns of the images that it was shown, and what it answered.
    unseen
        Number of images of every pattern that it was not shown.
    key
        Of all draws.
    """
    pick, own, scatter = jax.random.split(key, 3)
    shown = among[row]
    found = jax.lax.map(lambda further: own_curve(shown, curves, prior, answered, further), jnp.array(FURTHER))
    picked = jax.random.categorical(pick, found.log_evidence, shape=(OWN_DRAWS,))
    normal = jax.random.normal(own, (OWN_DRAWS, found.location.shape[1]))
    flat = found.location[picked] + jnp.einsum("sab,sb->sa", found.root[picked], normal)
    strata = len(curves.mean)
    images = jnp.zeros((strata, len(unseen))).at[stratum, jnp.arange(len(unseen))].set(unseen)
    at_node = images @ among
    expected = jax.lax.map(lambda of: (at_node * ndtr(curves.of(of))).sum(1), flat)
    # How responses scatter around that differs little from draw to draw.
    chance = likely(among, ndtr(curves.of(flat.mean(0))), stratum)
    sd = jnp.sqrt(images @ (chance * (1 - chance)))
    return jnp.clip(expected + sd * jax.random.normal(scatter, expected.shape), 0, images.sum(1))
