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

from difficulty_model.fitting import Fit
from difficulty_model.prediction.known_images import difficulties, known_images
from difficulty_model.prediction.new_responses import given_by_pattern, on_fitted_images
from difficulty_model.prediction.own_curve import (
    Answered,
    Curves,
    Prior,
    curves_around,
    likely,
    own_draws,
    prior_of_another,
)
from difficulty_model.prediction.predicted import ModelPrediction
from difficulty_model.responses import Responses
from difficulty_model.types import MODEL, TEST_SET

DRAWS = 4
"""Draws of the fit that predictions are averaged over, at most: where images are many, their difficulties differ little
from one draw to the next."""


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
    strata, answers = fit.responses.strata(), on_fitted_images(fit, responses)
    draws, patterns, grid = known_images(fit, at_most=DRAWS)
    found = []
    with (
        jax.enable_x64(True),
        tqdm(total=1 + len(draws), desc="new models", disable=None if progress else True, leave=False) as bar,
    ):
        given = [given_by_pattern(patterns, *of) for of in zip(answers.right, answers.shown, strict=True)]
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
    own, scatter = jax.random.split(key)
    flat = own_draws(among[row], curves, prior, answered, own)
    strata = len(curves.mean)
    images = jnp.zeros((strata, len(unseen))).at[stratum, jnp.arange(len(unseen))].set(unseen)
    at_node = images @ among
    expected = jax.lax.map(lambda of: (at_node * ndtr(curves.of(of))).sum(1), flat)
    # How responses scatter around that differs little from draw to draw.
    chance = likely(among, ndtr(curves.of(flat.mean(0))), stratum)
    sd = jnp.sqrt(images @ (chance * (1 - chance)))
    return jnp.clip(expected + sd * jax.random.normal(scatter, expected.shape), 0, images.sum(1))
