"""Estimates with their uncertainty, where repetitions share images and models do too."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

COVERAGE = 0.95
"""Of all intervals."""


@dataclass(frozen=True)
class Estimate:
    """A number, its standard error, and its interval of 95%."""

    value: float
    standard_error: float
    low: float
    high: float

    def less(self, other: "Estimate") -> "Estimate":
        """Return the difference from an estimate that comes of other images."""
        return _normal(self.value - other.value, float(np.hypot(self.standard_error, other.standard_error)))


def over_images(values: NDArray[np.floating]) -> Estimate:
    """Return the mean over independent images, (image,): what several models or folds say of one is averaged first."""
    return _normal(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))


def over_repeats(values: NDArray[np.floating]) -> Estimate:
    """Return the mean over repetitions that test different parts of the same images.

    Repetitions are no independent evidence on images, since they share them: with ever more of them the chance in lots
    and training is averaged out, and that in the choice of images stays. So the variance has a part of each,

        var(what an image says on average) / images + var(what a repetition says) / repetitions

    of which the second counts the tested images once more, and is thus rather too large.

    Parameters
    ----------
    values : (repeat, image)
        Not a number where a repetition did not test an image; of two repetitions or more.
    """
    shown = values[:, ~np.isnan(values).all(0)]
    of_image, of_repeat = np.nanmean(shown, axis=0), np.nanmean(shown, axis=1)
    variance = np.var(of_image, ddof=1) / len(of_image) + np.var(of_repeat, ddof=1) / len(of_repeat)
    return _normal(float(np.mean(of_repeat)), float(np.sqrt(variance)))


def clopper_pearson(right: int, shown: int) -> tuple[float, float]:
    """Return the exact interval for the probability of being right."""
    interval = binomtest(right, shown).proportion_ci(COVERAGE, "exact")
    return float(interval.low), float(interval.high)


def _normal(value: float, error: float) -> Estimate:
    reach = error * float(norm.ppf((1 + COVERAGE) / 2))
    return Estimate(value, error, value - reach, value + reach)
