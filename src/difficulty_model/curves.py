"""Response curves: the probability that a model is right on an image, given skill and difficulty.

A curve is its formula. Its fields may be numbers, or one number per model along a leading axis; the formulas see
one model at a time.
"""

import abc
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr, logsumexp
from jax.scipy.stats import norm
from jaxtyping import Array, Float


class ResponseCurve(abc.ABC):
    """P(right) as a function of s − τ, by how much a skill is above a difficulty, in probit units."""

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
        """Return over what distance in difficulty the curve falls; at 6 of it from the skill, to 1e-8 of all it can.

        Of the normal cdf it is the sd.
        """

    def averaged(self, spread: Float[Array, ""]) -> "ResponseCurve":
        """Return the curve of P(right) averaged over skills that are off by N(0, spread²)."""
        return Averaged(self, spread)


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


LOGISTIC = 1.702
"""Slope of the logistic cdf that is nearest to the normal one: they differ by 0.0095 at most (Haley, 1952)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Logistic(ResponseCurve):
    """P(right) = 1/(1 + exp(−1.702 (s − τ))), the curve of Rasch (1960) in the units of the probit.

    Far from the skill it is less certain than the probit: an easy image that a strong model misses, and a hard one that
    a weak model gets right, say less. Models' numbers of right responses are all that it needs to know of them.
    """

    def log_probabilities(
        self, skill: Float[Array, ""], difficulty: Float[Array, "node"]
    ) -> tuple[Float[Array, "node"], Float[Array, "node"]]:
        """Return (−log(1 + exp(−z)), −log(1 + exp(z))), z = 1.702 (s − τ)."""
        ahead = LOGISTIC * (skill - difficulty)
        return jax.nn.log_sigmoid(ahead), jax.nn.log_sigmoid(-ahead)

    def width(self) -> Float[Array, ""]:
        """Return log(10⁹)/(6 · 1.702) = 2.03, by which its tails have fallen as far as the probit's."""
        return jnp.asarray(np.log(1e9) / (6 * LOGISTIC))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sloped(ResponseCurve):
    """P(right) = P₀(a (s − τ)), with a slope a > 0 per model: the two-parameter curve (Lord, 1952).

    The skill s is the difficulty of images that the model gets right half of the time, if P₀ does. A model of low slope
    is less sure on easy images and less lost on hard ones than one of the same skill and a high slope.
    """

    slope: Float[Array, "..."]
    curve: ResponseCurve = field(default_factory=Probit)

    def log_probabilities(
        self, skill: Float[Array, ""], difficulty: Float[Array, "node"]
    ) -> tuple[Float[Array, "node"], Float[Array, "node"]]:
        """Return (log P₀(a(s − τ)), log(1 − P₀(a(s − τ))))."""
        return self.curve.log_probabilities(jnp.zeros(()), self.slope * (difficulty - skill))

    def width(self) -> Float[Array, ""]:
        """Return that of P₀, divided by a."""
        return self.curve.width() / jnp.asarray(self.slope)

    def averaged(self, spread: Float[Array, ""]) -> "ResponseCurve":
        """Return P₀ averaged over a · spread, of the same slope."""
        return Sloped(self.slope, self.curve.averaged(self.slope * spread))


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


EFFECTS = np.linspace(-6.0, 6.0, 73)
"""Effects on skill, in their standard deviations, that an `Averaged` curve is averaged over."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Averaged(ResponseCurve):
    """P(right) = E[P₀(s + spread · z − τ)], z ~ N(0, 1), by the trapezoidal rule.

    Of the logistic curve it is exact to 1e-8 where slope times spread is at most 3: its poles are d = π/(1.702 · slope
    · spread) from the real line, and the rule of spacing h is off by about exp(−2π d/h).
    """

    curve: ResponseCurve
    spread: Float[Array, "..."]

    def log_probabilities(
        self, skill: Float[Array, ""], difficulty: Float[Array, "node"]
    ) -> tuple[Float[Array, "node"], Float[Array, "node"]]:
        """Return (log E[P₀], log E[1 − P₀])."""
        of_effects = jax.vmap(lambda z: self.curve.log_probabilities(skill + self.spread * z, difficulty))
        log_share = jax.nn.log_softmax(norm.logpdf(EFFECTS))[:, None]
        right, wrong = (logsumexp(of + log_share, axis=0) for of in of_effects(jnp.asarray(EFFECTS)))
        return right, wrong

    def width(self) -> Float[Array, ""]:
        """Return √(width of P₀² + spread²)."""
        return jnp.hypot(self.curve.width(), jnp.asarray(self.spread))


def _log(rate: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return log(rate), for a rate of 0 a number so low that nothing is added, with a derivative of 0."""
    none = jnp.asarray(rate) <= 0
    return jnp.where(none, -1e10, jnp.log(jnp.where(none, 1.0, rate)))
