"""Response curves: the probability that a model is right on an image, given skill and difficulty.

A curve is its formula. Its fields may be numbers, or one number per model along a leading axis; the formulas see
one model at a time.
"""

import abc
from dataclasses import dataclass

import jax
from jax.scipy.special import log_ndtr
from jaxtyping import Array, Float


class ResponseCurve(abc.ABC):
    """P(right) as a function of skill and difficulty, both in probit units."""

    @abc.abstractmethod
    def log_probabilities(
        self, skill: Float[Array, ""], difficulty: Float[Array, "node"]
    ) -> tuple[Float[Array, "node"], Float[Array, "node"]]:
        """Return (log P(right), log P(wrong)) of one model at every difficulty, both tails exact.

        Parameters
        ----------
        skill
            The model's skill s.
        difficulty
            Difficulties τ.
        """


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Probit(ResponseCurve):
    """P(right) = Φ(s − τ), the curve of Recht et al. (2019), section 5."""

    def log_probabilities(
        self, skill: Float[Array, ""], difficulty: Float[Array, "node"]
    ) -> tuple[Float[Array, "node"], Float[Array, "node"]]:
        """Return (log Φ(s − τ), log Φ(τ − s))."""
        return log_ndtr(skill - difficulty), log_ndtr(difficulty - skill)
