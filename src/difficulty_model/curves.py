"""Response curves: the probability that a model is right on an image, given skill and difficulty.

A curve is its formula. Its fields may be numbers, or one number per model along a leading axis; the formulas see
one model at a time.
"""

import abc
from dataclasses import dataclass

import jax
import jax.numpy as jnp
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

    @abc.abstractmethod
    def width(self) -> Float[Array, ""]:
        """Return the sd, in units of difficulty, of the normal distribution whose cdf the curve is made of."""

    def averaged(self, spread: Float[Array, ""]) -> "ResponseCurve":
        """Return the curve of P(right) averaged over skills that are off by N(0, spread²).

        Curves need it only for models in families.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `averaged`, which families of models need")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Probit(ResponseCurve):
    """P(right) = Φ(s − τ), the curve of Recht et al. (2019), section 5."""

    def log_probabilities(
        self, skill: Float[Array, ""], difficulty: Float[Array, "node"]
    ) -> tuple[Float[Array, "node"], Float[Array, "node"]]:
        """Return (log Φ(s − τ), log Φ(τ − s))."""
        return log_ndtr(skill - difficulty), log_ndtr(difficulty - skill)

    def width(self) -> Float[Array, ""]:
        """Return 1: the unit noise of the probit."""
        return jnp.ones(())

    def averaged(self, spread: Float[Array, ""]) -> "ResponseCurve":
        """Return Φ((s − τ)/√(1 + spread²))."""
        return Sloped(1 / jnp.sqrt(1 + jnp.square(spread)))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sloped(ResponseCurve):
    """P(right) = Φ(a (s − τ)), with a slope a > 0 per model: the two-parameter normal ogive (Lord, 1952).

    The skill s is the difficulty of images that the model gets right half of the time. A model of low slope is
    less sure on easy images and less lost on hard ones than one of the same skill and a high slope.
    """

    slope: Float[Array, "..."]

    def log_probabilities(
        self, skill: Float[Array, ""], difficulty: Float[Array, "node"]
    ) -> tuple[Float[Array, "node"], Float[Array, "node"]]:
        """Return (log Φ(a(s − τ)), log Φ(a(τ − s)))."""
        ahead = self.slope * (skill - difficulty)
        return log_ndtr(ahead), log_ndtr(-ahead)

    def width(self) -> Float[Array, ""]:
        """Return 1/a."""
        return 1 / jnp.asarray(self.slope)

    def averaged(self, spread: Float[Array, ""]) -> "ResponseCurve":
        """Return the curve of slope a/√(1 + a² spread²)."""
        return Sloped(self.slope / jnp.sqrt(1 + jnp.square(self.slope * spread)))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Lapsing(ResponseCurve):
    """P(right) = g + (1 − g − l) P₀(right): a curve P₀ between a guess rate g and a lapse rate l.

    However hard an image, the model guesses it with probability g; however easy, it misses it with probability l
    (Barton and Lord, 1981, with the two rates).
    """

    curve: ResponseCurve
    guess: Float[Array, "..."]
    lapse: Float[Array, "..."]

    def log_probabilities(
        self, skill: Float[Array, ""], difficulty: Float[Array, "node"]
    ) -> tuple[Float[Array, "node"], Float[Array, "node"]]:
        """Return (log(g + (1 − g − l) P₀), log(l + (1 − g − l)(1 − P₀)))."""
        right, wrong = self.curve.log_probabilities(skill, difficulty)
        span = jnp.log1p(-(jnp.asarray(self.guess) + self.lapse))
        return jnp.logaddexp(_log(self.guess), span + right), jnp.logaddexp(_log(self.lapse), span + wrong)

    def width(self) -> Float[Array, ""]:
        """Return that of the curve in between."""
        return self.curve.width()

    def averaged(self, spread: Float[Array, ""]) -> "ResponseCurve":
        """Return the averaged curve between the same rates."""
        return Lapsing(self.curve.averaged(spread), self.guess, self.lapse)


def _log(rate: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return log(rate), for a rate of 0 a number so low that nothing is added, with a derivative of 0."""
    none = jnp.asarray(rate) <= 0
    return jnp.where(none, -1e10, jnp.log(jnp.where(none, 1.0, rate)))
