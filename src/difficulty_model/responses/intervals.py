"""Exact intervals of shares."""

import numpy as np
from scipy.special import betaincinv

from difficulty_model.types import FloatArray, IntArray


def clopper_pearson(
    right: IntArray, shown: IntArray, *, level: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Return the exact binomial confidence interval of a share (Clopper and Pearson, 1934).

    Parameters
    ----------
    right, shown
        Counts, of any one shape.
    level
        Coverage, at least this for every true share.

    Returns
    -------
    low, high
        Bounds as shares, of the same shape; 0 and 1 where nothing was shown.
    """
    tail = (1 - level) / 2
    right, wrong = np.asarray(right), np.asarray(shown) - np.asarray(right)
    # The beta quantiles are undefined where a count is 0; there the bound is that of the unit interval.
    low = np.where(right > 0, betaincinv(np.maximum(right, 1), wrong + 1, tail), 0.0)
    high = np.where(wrong > 0, betaincinv(right + 1, np.maximum(wrong, 1), 1 - tail), 1.0)
    return low, high
