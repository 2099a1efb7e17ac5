"""Responses of new models, laid beside what a fit knows of their images."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Int

from difficulty_model.errors import InputError
from difficulty_model.fitting import Fit
from difficulty_model.likelihood import Patterns
from difficulty_model.prediction.own_curve import Answered
from difficulty_model.responses import Responses
from difficulty_model.types import IntArray


def on_fitted_images(fit: Fit, responses: Responses) -> Responses:
    """Return the responses of new models among all images of the fit, and in its test sets.

    Raises
    ------
    InputError
        If a model is one of the fit's, or has no responses; if an image is none of the fit's; or if the fit has fewer
        than three models.
    """
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
    fitted = fit.responses
    place = pd.Index(fitted.images).get_indexer(pd.Index(responses.images))
    right, shown = np.zeros((2, len(responses.models), len(fitted.images)), responses.shown.dtype)
    right[:, place], shown[:, place] = responses.right, responses.shown
    member = dict(zip(fitted.test_sets, fitted.member, strict=True))
    return Responses.from_arrays(right, shown=shown, models=responses.models, images=fitted.images, member=member)


def given_by_pattern(
    patterns: Patterns, right: IntArray, shown: IntArray
) -> tuple[Int[Array, "row"], Answered, Float[Array, "pattern"]]:
    """Return the patterns of the images that a new model was shown, its answers, and how many it was not shown.

    Parameters
    ----------
    patterns
        The fit's.
    right, shown
        How often the model is right, and was asked, on each image of the fit.

    Returns
    -------
    row
        Patterns of the images that it was shown, filled up with others.
    answered
        What it answered to images of these; nothing to those of others.
    unseen
        Number of images of every pattern that it was not shown.
    """
    of_image, size = np.asarray(patterns.of_image), patterns.chunks.count.size
    hits, times, unseen = (np.bincount(of_image, of, size) for of in (right, shown, shown == 0))
    row = np.flatnonzero(times)
    rows = len(row)
    # Filled up, so that compiled code serves other numbers of rows.
    row = np.pad(row, (0, 2 ** (rows - 1).bit_length() - rows))
    hits, misses = (of[row] * (np.arange(len(row)) < rows) for of in (hits, times - hits))
    stratum = np.asarray(patterns.chunks.stratum)[row // patterns.chunks.count.shape[1]]
    return jnp.asarray(row), Answered(jnp.asarray(hits), jnp.asarray(misses), jnp.asarray(stratum)), jnp.asarray(unseen)
