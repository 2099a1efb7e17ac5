"""Which images to run a new model on: few that tell most of its accuracy.

Most images tell little: nearly all models are right on them, or nearly none. The plain average over a stratum of images
has the smallest standard error for its size if each stratum is sampled in proportion to the standard deviation within
(Neyman, 1934); here an image is chosen so by how likely the new model is right on it: as likely as the fitted ones, and
once it was run on some images, as these say. Images of one difficulty alone would tell more of a model whose response
curve is known, and mislead about one whose curve differs.
"""

from bisect import bisect_left

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Float, Int
from scipy.stats import norm

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.fitting import Fit
from difficulty_model.posterior import LEVEL
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
from difficulty_model.responses import Responses
from difficulty_model.types import BoolArray, FloatArray, IntArray

LEAST = 0.1
"""Standard deviation of a response at least, by which an image may be chosen: those on which all models agree are run
too, for a new model may not."""

CELLS = 20
"""Parts of all images, in order of difficulty, in each of which those that the model was shown count."""


def choose_images(
    fit: Fit,
    images: int,
    *,
    after: Responses | None = None,
    test_set: str | None = None,
    random_seed: int = 0,
) -> list[str]:
    """Return names of images from which a new model's accuracies are predicted best.

    They are a random sample, spread evenly over the images in order of difficulty, in which those that part models are
    more likely. After some responses of the new model, further images are chosen that suit it: those on which it may be
    right or wrong, and which together with those that it was shown are spread as evenly.

    Parameters
    ----------
    fit
        Of other models.
    images
        How many to choose.
    after
        Responses of the new model, to images that are not chosen again.
    test_set
        From which fitted test set; from all images if not given.
    random_seed
        Of the sample.

    Raises
    ------
    InputError
        If there are not so many images; if the fit lacks the test set or has families of models; if the responses are
        of several models; or for the reasons of `predict_models`.
    """
    eligible, shown, right = _eligible(fit, after, test_set, random_seed)
    if not 1 <= images <= len(shown) - shown.sum():
        raise InputError(f"{images} images cannot be chosen of {len(shown) - shown.sum()}; ask for at least 1 and at "
                         "most all")
    rng = np.random.default_rng(random_seed)
    order = np.lexsort((rng.random(len(right)), right))
    share = _further(np.sqrt(right * (1 - right))[order], shown[order], images)
    # One image wherever the sum of shares passes a whole number, from a random start.
    passed = np.floor(np.cumsum(share) + rng.random()).astype(int)
    chosen = order[np.flatnonzero(np.diff(passed, prepend=0) > 0)]
    return [fit.responses.images[i] for i in np.sort(eligible[chosen])]


def images_within(
    fit: Fit,
    points: float,
    *,
    after: Responses | None = None,
    test_set: str | None = None,
    level: float = LEVEL,
    random_seed: int = 0,
) -> int:
    """Return how many images, as `choose_images` chooses them, tell a new model's accuracy within so many points.

    The standard error is that of the plain average over strata of images, sampled in proportion to the standard
    deviations of a typical model's responses; after some responses, of this model's (Neyman, 1934).

    Parameters
    ----------
    fit, after, test_set, random_seed
        As for `choose_images`.
    points
        Half of the interval.
    level
        Its coverage.

    Returns
    -------
    int
        Number of further images, at least 1.

    Raises
    ------
    InputError
        If the interval is none, or the model was shown all images; and as `choose_images`.
    """
    if not points > 0 or not np.isfinite(points):
        raise InputError(f"half of an interval is a number of points above 0; got {points}")
    _, shown, right = _eligible(fit, after, test_set, random_seed)
    if shown.all():
        raise InputError("the model was shown all of these images; its accuracy is measured")
    variance = right * (1 - right)
    size, error = np.maximum(np.sqrt(variance), LEAST), points / 100 / norm.ppf((1 + level) / 2)

    def tells_enough(images: int) -> bool:
        share = _shares(size, images)  # images that are sure to be run leave no error
        return bool(((1 / share - 1) * variance).sum() <= (error * len(right)) ** 2)

    already = int(shown.sum())
    wanted = bisect_left(range(len(right)), True, lo=already + 1, key=tells_enough)
    return wanted - already


def _eligible(
    fit: Fit, after: Responses | None, test_set: str | None, random_seed: int
) -> tuple[IntArray, BoolArray, FloatArray]:
    """Return numbers of the images to choose among, which the model was shown, and how likely it is right on each."""
    known = fit.responses.test_sets
    if test_set is not None and test_set not in known:
        raise unknown_name("test set in this fit", test_set, known)
    if after is not None and len(after.models) != 1:
        raise InputError(f"images are chosen for one model at a time; got responses of {len(after.models)}. Select one")
    eligible = np.flatnonzero(fit.responses.member[known.index(test_set)] if test_set is not None
                              else np.ones(len(fit.responses.images), bool))
    answers = None if after is None else on_fitted_images(fit, after)
    shown = np.zeros(len(eligible), bool) if answers is None else answers.shown[0, eligible] > 0
    return eligible, shown, _chances(fit, answers, random_seed)[eligible]


def _further(sd: FloatArray, shown: BoolArray, images: int) -> FloatArray:
    """Return the probability of choosing each of the images that were not shown yet.

    Parameters
    ----------
    sd
        Of the response to each, in order of difficulty.
    shown
        Which were shown.
    images
        How many to choose.
    """
    size = np.maximum(sd, LEAST)
    wanted = _shares(size, images + shown.sum())
    cell = np.minimum((np.cumsum(wanted) * CELLS / wanted.sum()).astype(int), CELLS - 1)
    of_cell = np.bincount(cell, wanted, CELLS)
    # Where the model was shown more than its share, others are less likely, but not excluded.
    lack = np.maximum(of_cell - np.bincount(cell, shown, CELLS), LEAST * of_cell)
    size = np.where(shown, 0.0, size)
    of_others = np.bincount(cell, size, CELLS)
    return _shares(size * np.divide(lack, of_others, where=of_others > 0, out=np.zeros(CELLS))[cell], images)


def _shares(size: FloatArray, images: int) -> FloatArray:
    """Return the probability of choosing each image: in proportion to its size, but at most 1."""
    share, sure = images * size / size.sum(), np.zeros(len(size), bool)
    while (share > 1).any():
        sure |= share >= 1
        share = np.where(sure, 1.0, (images - sure.sum()) * size / max(size[~sure].sum(), 1e-300))
    return share


def _chances(fit: Fit, answers: Responses | None, random_seed: int) -> FloatArray:
    """Return the probability that a model is right on each image: one like the fitted ones, or one that answered so."""
    (drawn,), patterns, grid = known_images(fit, at_most=1)
    strata = fit.responses.strata()
    of_image = np.asarray(patterns.of_image)
    with jax.enable_x64(True):
        among, right = difficulties(drawn, patterns, grid)
        if answers is None:
            by_pattern = np.asarray(among @ right.T)
            return by_pattern[of_image, strata.of_image if by_pattern.shape[1] > 1 else 0]
        row, answered, _ = given_by_pattern(patterns, answers.right[0], answers.shown[0])
        stratum = jnp.repeat(patterns.chunks.stratum, patterns.chunks.count.shape[1])
        curves, prior = curves_around(right, len(strata.names)), prior_of_another(drawn, patterns, grid)
        key = jax.random.key(random_seed)
        return np.asarray(_chances_of(among, stratum, curves, prior, row, answered, key))[of_image]


@jax.jit
def _chances_of(
    among: Float[Array, "pattern node"],
    stratum: Int[Array, "pattern"],
    curves: Curves,
    prior: Prior,
    row: Int[Array, "row"],
    answered: Answered,
    key: Array,
) -> Float[Array, "pattern"]:
    """Return the probability that a new model is right on images of each pattern, given what it answered to some."""
    draws = own_draws(among[row], curves, prior, answered, key)
    right = jax.lax.map(lambda flat: ndtr(curves.of(flat)), draws).mean(0)
    return likely(among, right, stratum)
