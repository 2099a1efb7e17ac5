"""Populations: the distribution of difficulty among the images of a test set.

A population is its formula. Its fields may be numbers, or one number per stratum along a leading axis; the
formulas see one stratum at a time.
"""

import abc
from dataclasses import dataclass

import jax
from jax.scipy.stats import norm
from jaxtyping import Array, Float


class Population(abc.ABC):
    """Distribution of difficulties τ, in probit units."""

    @abc.abstractmethod
    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return log p(τ) at every difficulty."""

    @abc.abstractmethod
    def extent(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Return the bounds outside which fewer than one image in 10¹¹ lies."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Normal(Population):
    """τ ~ N(mean, sd²), the population of Recht et al. (2019), section 5."""

    mean: Float[Array, "..."]
    sd: Float[Array, "..."]

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return log φ((τ − mean)/sd) − log sd."""
        return norm.logpdf(difficulty, self.mean, self.sd)

    def extent(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Return mean ± 7 sd, outside which lies a share of 3e-12."""
        return self.mean - 7 * self.sd, self.mean + 7 * self.sd
