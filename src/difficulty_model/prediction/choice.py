"""Which images to run a new model on: few that tell most of its accuracy.

Most images tell little: nearly all models are right on them, or nearly none. The plain average over a stratum of images
has the smallest standard error for its size if each stratum is sampled in proportion to the standard deviation within
(Neyman, 1934); here an image is chosen so by how likely models are right on it. Images of one difficulty alone would
tell more of a model whose response curve is known, and mislead about one whose curve differs.
"""

import jax
import numpy as np

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.fitting import Fit
from difficulty_model.prediction.known_images import difficulties, known_images
from difficulty_model.types import FloatArray

LEAST = 0.1
"""Standard deviation of a response at least, by which an image may be chosen: those on which all models agree are run
too, for a new model may not."""


def choose_images(fit: Fit, images: int, *, test_set: str | None = None, random_seed: int = 0) -> list[str]:
    """Return names of images from which a new model's accuracies are predicted best.

    They are a random sample, spread evenly over the images in order of difficulty, in which those that part models are
    more likely.

    Parameters
    ----------
    fit
        Of other models.
    images
        How many to choose.
    test_set
        From which fitted test set; from all images if not given.
    random_seed
        Of the sample.

    Raises
    ------
    InputError
        If there are not so many images, or the fit lacks the test set or has families of models.
    """
    known = fit.responses.test_sets
    if test_set is not None and test_set not in known:
        raise unknown_name("test set in this fit", test_set, known)
    eligible = np.flatnonzero(fit.responses.member[known.index(test_set)] if test_set is not None
                              else np.ones(len(fit.responses.images), bool))
    if not 1 <= images <= len(eligible):
        raise InputError(f"{images} images cannot be chosen of {len(eligible)}; ask for at least 1 and at most all")
    rng = np.random.default_rng(random_seed)
    right = _chances(fit)[eligible]
    share = _shares(np.maximum(np.sqrt(right * (1 - right)), LEAST), images)
    order = np.lexsort((rng.random(len(right)), right))
    # One image wherever the sum of shares passes a whole number, from a random start.
    passed = np.floor(np.cumsum(share[order]) + rng.random()).astype(int)
    chosen = order[np.flatnonzero(np.diff(passed, prepend=0) > 0)]
    return [fit.responses.images[i] for i in np.sort(eligible[chosen])]


def _shares(size: FloatArray, images: int) -> FloatArray:
    """Return the probability of choosing each image: in proportion to its size, but at most 1."""
    share, sure = images * size / size.sum(), np.zeros(len(size), bool)
    while (share > 1).any():
        sure |= share >= 1
        share = np.where(sure, 1.0, (images - sure.sum()) * size / max(size[~sure].sum(), 1e-300))
    return share


def _chances(fit: Fit) -> FloatArray:
    """Return the probability that a model like the fitted ones is right on each image."""
    (drawn,), patterns, grid = known_images(fit, at_most=1)
    with jax.enable_x64(True):
        among, right = difficulties(drawn, patterns, grid)
        by_pattern = np.asarray(among @ right.T)
    stratum = fit.responses.strata().of_image if by_pattern.shape[1] > 1 else 0
    return by_pattern[np.asarray(patterns.of_image), stratum]
