"""Populations: the distribution of difficulty among the images of a test set.

A population is its formula. Its fields may be numbers, or one number per stratum along a leading axis; the
formulas see one stratum at a time.
"""

import abc
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr
from jax.scipy.stats import norm, t
from jaxtyping import Array, Float


class Population(abc.ABC):
    """Distribution of difficulties τ, in probit units."""

    @abc.abstractmethod
    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return log p(τ) at every difficulty."""

    @abc.abstractmethod
    def features(self) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
        """Return points, ascending, and how narrow the density is at each, in the sd of a normal one of that curvature.

        Beyond the first and the last point lies fewer than one image in 10¹⁰.
        """

    def log_unlearnable(self) -> Float[Array, ""] | None:
        """Return the logarithm of the share of images that no model can get right, or nothing if there are none."""
        return None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Normal(Population):
    """τ ~ N(mean, sd²), the population of Recht et al. (2019), section 5."""

    mean: Float[Array, "..."]
    sd: Float[Array, "..."]

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return log φ((τ − mean)/sd) − log sd."""
        return norm.logpdf(difficulty, self.mean, self.sd)

    def features(self) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
        """Return mean and mean ± 7 sd, outside which lies a share of 3e-12."""
        return _normal_features(self.mean, self.sd)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TwoNormals(Population):
    """An easier and a harder part: τ ~ (1 − share) N(mean, sd²) + share N(mean + gap, harder_sd²), gap > 0.

    The gap is positive, so that it is known which part is which.
    """

    mean: Float[Array, "..."]
    sd: Float[Array, "..."]
    share: Float[Array, "..."]
    gap: Float[Array, "..."]
    harder_sd: Float[Array, "..."]

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return the logarithm of the mixture of both normal densities."""
        return jnp.logaddexp(
            jnp.log1p(-self.share) + norm.logpdf(difficulty, self.mean, self.sd),
            jnp.log(self.share) + norm.logpdf(difficulty, self.mean + self.gap, self.harder_sd),
        )

    def features(self) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
        """Return those of both parts."""
        easier, harder = _normal_features(self.mean, self.sd), _normal_features(self.mean + self.gap, self.harder_sd)
        points = jnp.concatenate([easier[0], harder[0]])
        order = jnp.argsort(points)
        return points[order], jnp.concatenate([easier[1], harder[1]])[order]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SkewNormal(Population):
    """p(τ) = 2/scale · φ(z) Φ(shape · z), z = (τ − location)/scale (Azzalini, 1985); shape > 0 has the longer tail of hard images."""

    location: Float[Array, "..."]
    scale: Float[Array, "..."]
    shape: Float[Array, "..."]

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return log 2 − log scale + log φ(z) + log Φ(shape · z)."""
        z = (difficulty - self.location) / self.scale
        return jnp.log(2.0) + norm.logpdf(z) - jnp.log(self.scale) + log_ndtr(self.shape * z)

    def features(self) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
        """Return location ± 7 scale, and at the location the curvature of φ(z) Φ(shape · z)."""
        points, widths = _normal_features(self.location, self.scale)
        # At z = 0 the second derivative of log Φ(a z) is −a² 2/π, and it is largest near there.
        return points, widths / jnp.sqrt(1 + self.shape**2 * jnp.array([0.0, 1.0, 0.0]))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class StudentT(Population):
    """τ ~ mean + scale · t with `freedom` degrees of freedom: heavy tails of easy and hard images alike."""

    mean: Float[Array, "..."]
    scale: Float[Array, "..."]
    freedom: Float[Array, "..."]

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return log t((τ − mean)/scale) − log scale."""
        return t.logpdf(difficulty, self.freedom, self.mean, self.scale)

    def features(self) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
        """Return points ever farther out, up to where the tail of the density has a share of 1e-11.

        The density far out falls like |z|^−(ν+1), so that it is as narrow as z is far.
        """
        freedom = jnp.asarray(self.freedom)
        # The tail beyond z is about c(ν) z^−ν; for many degrees of freedom it is normal and ends at 7.
        farthest = jnp.sqrt(freedom * jnp.expm1(2 * 25.3 / freedom)) + 1
        z = jnp.array([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0])
        z = jnp.sign(z) * jnp.expm1(jnp.abs(z) * jnp.log1p(farthest))
        return self.mean + self.scale * z, self.scale * jnp.sqrt((freedom + z**2) / (freedom + 1))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WithAtom(Population):
    """A population, and beside it a share of images that no model can get right, such as those with a wrong label."""

    population: Population
    share: Float[Array, "..."]

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return log (1 − share) + log p(τ): the density of images that can be got right."""
        return jnp.log1p(-self.share) + self.population.log_density(difficulty)

    def features(self) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
        """Return those of the population."""
        return self.population.features()

    def log_unlearnable(self) -> Float[Array, ""]:
        """Return log share."""
        return jnp.log(self.share)


def _normal_features(
    mean: Float[Array, "..."], sd: Float[Array, "..."]
) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
    return mean + sd * jnp.array([-7.0, 0.0, 7.0]), sd * jnp.ones(3)
