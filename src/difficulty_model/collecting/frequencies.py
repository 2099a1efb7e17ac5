"""Selection frequencies: the share of all annotators who would select an image as one of its class."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import betaln
from scipy.stats import beta

from difficulty_model.errors import InputError
from difficulty_model.types import FloatArray, IntArray

STRONGEST = 1e4
"""Sum of a beta distribution's parameters at most: all images are alike beyond."""


@dataclass(frozen=True)
class Frequencies:
    """How selection frequencies are distributed among images: as a beta distribution.

    Attributes
    ----------
    mean, sd
        Of the selection frequency, as shares.
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not 0 < self.mean < 1 or not 0 < self.sd < np.sqrt(self.mean * (1 - self.mean)):
            raise InputError("selection frequencies have a mean between 0 and 1, and an sd above 0 and below "
                             f"√(mean · (1 − mean)); got mean {self.mean} and sd {self.sd}")

    @property
    def parameters(self) -> tuple[float, float]:
        """The two of the beta distribution."""
        strength = self.mean * (1 - self.mean) / self.sd**2 - 1
        return self.mean * strength, (1 - self.mean) * strength

    def below(self, frequency: FloatArray) -> FloatArray:
        """Return the share of images of lower frequencies."""
        return beta.cdf(frequency, *self.parameters)

    def draw(self, rng: np.random.Generator, images: int) -> FloatArray:
        """Return the frequencies of so many images."""
        return rng.beta(*self.parameters, images)

    def draw_given(self, rng: np.random.Generator, selected: IntArray, asked: IntArray) -> FloatArray:
        """Return frequencies of images that so many of those annotators selected who were asked."""
        a, b = self.parameters
        return rng.beta(a + selected, b + asked - selected)


def frequencies_of(selected: Float[np.ndarray, "image"], asked: Float[np.ndarray, "image"]) -> Frequencies:
    """Return the frequencies under which such counts are likeliest.

    Counts are beta-binomial (Engstrom et al., 2020, fit a mixture of such to counts of annotators).

    Raises
    ------
    InputError
        If no image was shown to two annotators: one selection each says nothing of how frequencies differ.
    """
    if asked.max(initial=0) < 2:
        raise InputError("how far selection frequencies differ takes images that two annotators saw, or more")
    pooled = np.clip(selected.sum() / asked.sum(), 1e-3, 1 - 1e-3)

    def parameters(at: FloatArray) -> tuple[float, float]:
        mean, strength = 1 / (1 + np.exp(-at[0])), np.exp(np.clip(at[1], -7, np.log(STRONGEST)))
        return mean * strength, (1 - mean) * strength

    def minus_log_likelihood(at: FloatArray) -> float:
        a, b = parameters(at)
        return -float((betaln(a + selected, b + asked - selected) - betaln(a, b)).sum())

    found = minimize(minus_log_likelihood, [np.log(pooled / (1 - pooled)), np.log(3.0)], method="Nelder-Mead")
    of = beta(*parameters(found.x))
    return Frequencies(float(of.mean()), float(of.std()))
