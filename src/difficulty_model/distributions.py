"""Distributions of single numbers, as pure data: what priors are made of."""

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpyro.distributions import Distribution as NumpyroDistribution


class Distribution(abc.ABC):
    """Distribution of one unknown number."""

    @abc.abstractmethod
    def to_numpyro(self) -> "NumpyroDistribution":
        """Return the same as a NumPyro distribution."""

    @abc.abstractmethod
    def typical(self) -> float:
        """Return a number in its middle, where a search may start."""


@dataclass(frozen=True)
class Normal(Distribution):
    """N(mean, sd²)."""

    mean: float
    sd: float

    def to_numpyro(self) -> "NumpyroDistribution":
        """Return ``numpyro.distributions.Normal``."""
        from numpyro import distributions

        return distributions.Normal(self.mean, self.sd)

    def typical(self) -> float:
        """Return the mean."""
        return self.mean


@dataclass(frozen=True)
class LogNormal(Distribution):
    """exp(N(log median, spread²)): positive, equally likely to be off by a factor either way."""

    median: float
    spread: float

    def to_numpyro(self) -> "NumpyroDistribution":
        """Return ``numpyro.distributions.LogNormal``."""
        from math import log

        from numpyro import distributions

        return distributions.LogNormal(log(self.median), self.spread)

    def typical(self) -> float:
        """Return the median."""
        return self.median


@dataclass(frozen=True)
class Beta(Distribution):
    """Beta(right, wrong): a share, as if so many of each but one had been seen."""

    right: float
    wrong: float

    def to_numpyro(self) -> "NumpyroDistribution":
        """Return ``numpyro.distributions.Beta``."""
        from numpyro import distributions

        return distributions.Beta(self.right, self.wrong)

    def typical(self) -> float:
        """Return the mean."""
        return self.right / (self.right + self.wrong)
