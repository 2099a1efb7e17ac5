"""How models go with one another on the same images: arrays in, numbers out.

Every function takes counts of right and of shown and works on shares ``y = right / shown``; images that a
model was not shown take no part. Images are walked through in chunks, so that no floating-point copy of the
responses is ever made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import norm

from difficulty_model.types import FloatArray, IntArray

CHUNK = 8192
"""Images at a time: 16 MB of float32 for 500 models, and sums of ones stay exact in float32."""

ITERATIONS = 100
"""Of the loadings; each shrinks the error by about the share of a single model, so far fewer suffice."""


@dataclass(frozen=True)
class ItemRest:
    """How every model's responses go with those of all the others, on one set of images.

    Attributes
    ----------
    right, shown : float array, (model,)
        Sum of the shares of right responses, and number of images shown.
    step : float array, (model,)
        Biserial correlation of a model's responses with the rest score: 0 if its responses belong to other
        images. Unlike the plain correlation it does not fall with an accuracy far from one half.
    error : float array, (model,)
        Standard error of `step` where it is 0.
    """

    right: FloatArray
    shown: FloatArray
    step: FloatArray
    error: FloatArray


def item_rest(
    right: IntArray, shown: IntArray, images: IntArray, classes: IntArray | None = None
) -> ItemRest:
    """Correlate every model's responses with the rest score: the sum of the other models' centred responses.

    Parameters
    ----------
    right, shown : (model, image)
        Counts.
    images : (n,)
        Positions of the images to look at.
    classes : (n,), optional
        Class of every image, from 0; responses are then centred within classes, which leaves only what goes
        together among images of one class.
    """
    groups = np.zeros(len(images), np.int64) if classes is None else classes
    sums, counts = by_class(right, shown, images, groups)
    means = (sums / np.maximum(counts, 1)).astype(np.float32)

    J = len(right)
    zt, zz, ot, ott = np.zeros(J), np.zeros(J), np.zeros(J), np.zeros(J)
    for here, y, seen in _shares(right, shown, images):
        z = (y - means[:, groups[here]]) * seen
        total = z.sum(0)
        zt += z @ total
        zz += (z**2).sum(1)
        ot += seen @ total
        ott += seen @ total**2
    n = counts.sum(1)
    # The rest score of model j is total − z_j; z_j sums to zero, so its own mean does not matter above.
    variation = np.maximum(ott - 2 * zt + zz - ot**2 / np.maximum(n, 1), 0)
    correlation = _ratio(zt - zz, np.sqrt(zz * variation))
    freedom = np.maximum(n - (counts > 0).sum(1), 1)
    share = smoothed_share(sums.sum(1), n)
    biserial = np.sqrt(share * (1 - share)) / norm.pdf(norm.ppf(share))
    return ItemRest(sums.sum(1), n, correlation * biserial, biserial / np.sqrt(freedom))


def by_class(
    right: IntArray, shown: IntArray, images: IntArray, classes: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return the sum of the shares of right responses and the number of images shown, both (model, class)."""
    C = int(classes.max()) + 1
    ones = np.ones(len(classes), np.float32)
    one_hot = csr_array((ones, (np.arange(len(classes)), classes)), (len(classes), C))
    sums, counts = np.zeros((len(right), C)), np.zeros((len(right), C))
    for here, y, seen in _shares(right, shown, images):
        sums += y @ one_hot[here]
        counts += seen @ one_hot[here]
    return sums, counts


def correlations(
    right: IntArray, shown: IntArray, sets: Sequence[IntArray]
) -> tuple[FloatArray, FloatArray]:
    """Correlate the models' responses, centred within each set of images.

    Returns
    -------
    correlation : (model, model)
        Zero where a pair has no images in common or a model does not vary.
    shared : (model, model)
        Number of images shown to both.
    """
    J = len(right)
    cross, own, shared = np.zeros((J, J)), np.zeros((J, J)), np.zeros((J, J))
    for images in sets:
        sums, counts = np.zeros(J), np.zeros(J)
        for _, y, seen in _shares(right, shown, images):
            sums += y.sum(1)
            counts += seen.sum(1)
        means = (sums / np.maximum(counts, 1)).astype(np.float32)
        for _, y, seen in _shares(right, shown, images):
            z = (y - means[:, None]) * seen
            cross += z @ z.T
            own += z**2 @ seen.T  # variation of j on the images that m was shown too
            shared += seen @ seen.T
    return _ratio(cross, np.sqrt(own * own.T)), shared


def loadings(correlation: FloatArray) -> FloatArray:
    """Return the loadings of one common factor, (model,): ``l_j l_m`` fits best off the diagonal."""
    off = correlation - np.diag(np.diag(correlation))
    load = np.full(len(off), 0.5)
    for _ in range(ITERATIONS):
        step = off @ load / np.maximum(load @ load - load**2, 1e-12)
        load = (load + np.clip(step, 0, 0.99)) / 2  # halfway: full steps can alternate between two points
    return load


def smoothed_share(right: FloatArray, shown: FloatArray) -> FloatArray:
    """Return ``(right + ½) / (shown + 1)``: a share that is never 0 or 1, so that its probit is finite."""
    return (right + 0.5) / (shown + 1)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return the quotient, 0 where the denominator is rounding error or 0: nothing varies there."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 1e-6)


def _shares(
    right: IntArray, shown: IntArray, images: IntArray
) -> Iterator[tuple[slice, FloatArray, FloatArray]]:
    """Yield, chunk by chunk: places in `images`, shares of right responses, and 1 where shown, in float32."""
    for start in range(0, len(images), CHUNK):
        here = slice(start, start + CHUNK)
        counts = shown[:, images[here]]
        shares = right[:, images[here]].astype(np.float32) / np.maximum(counts, 1)
        yield here, shares.astype(np.float32), (counts > 0).astype(np.float32)
