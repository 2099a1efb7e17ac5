"""Populations: the distribution of difficulty among the images of a test set.

A population is its formula. Its fields may be numbers, or one number per stratum along a leading axis; the
formulas see one stratum at a time.
"""

import abc
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jax.scipy.stats import norm, t
from jaxtyping import Array, Float, Int


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

    def is_shifted(self) -> bool:
        """Tell whether the population depends on what is known of an image."""
        return False

    def shift(self, covariates: Float[Array, "covariate"], class_: Int[Array, ""]) -> Float[Array, ""]:
        """Return how much harder than the population's formula an image is by what is known of it."""
        return jnp.zeros(())

    def discrimination_spread(self) -> Float[Array, ""] | None:
        """Return the sd of the images' discriminations, which are N(1, spread²), or nothing if all are 1."""
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
    """p(τ) = 2/scale · φ(z) Φ(shape · z), z = (τ − location)/scale (Azzalini, 1985).

    Of positive shape it has the longer tail of hard images.
    """

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
    """τ ~ mean + scale · t: heavy tails of easy and hard images alike.

    Its degrees of freedom are 2 + `excess`, so that the variance is finite.
    """

    mean: Float[Array, "..."]
    scale: Float[Array, "..."]
    excess: Float[Array, "..."]

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return log t((τ − mean)/scale) − log scale."""
        return t.logpdf(difficulty, 2 + self.excess, self.mean, self.scale)

    def features(self) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
        """Return points ever farther out, up to where the tail of the density has a share of 1e-11.

        The density far out falls like |z|^−(ν+1), so that it is as narrow as z is far. For few degrees of freedom it
        is narrower than its curvature says: it has poles at ±i√ν, and a trapezoidal rule of spacing h is off by
        exp(−2π√ν/h), which a third of √ν bounds by 1e-9.
        """
        freedom = 2 + jnp.asarray(self.excess)
        # The tail beyond z is about c(ν) z^−ν; for many degrees of freedom it is normal and ends at 7.
        farthest = jnp.sqrt(freedom * jnp.expm1(2 * 25.3 / freedom)) + 1
        z = jnp.array([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0])
        z = jnp.sign(z) * jnp.expm1(jnp.abs(z) * jnp.log1p(farthest))
        widths = jnp.sqrt(freedom + z**2) * jnp.minimum(1 / jnp.sqrt(freedom + 1), 1 / 3)
        return self.mean + self.scale * z, self.scale * widths


KNOTS = np.linspace(-3, 3, 11)
"""Where the flexible log-density may bend, in standard deviations of the normal one that it bends away from."""


def _bends() -> tuple[np.ndarray, np.ndarray]:
    """Return the shapes that a log-density may bend into, as spline coefficients, and their curvatures at the knots.

    They are the eigenvectors of the penalty on second differences (Eilers and Marx, 1996, Statist. Sci. 11:89) among
    the splines that leave level, tilt and width of a normal density alone, each as large as that penalty lets it be
    expected. Together they have a standard deviation of 1 where a normal density has its images.
    """
    values, weight = _spline_at(KNOTS), np.exp(-(KNOTS**2) / 2)
    level_tilt_width = (weight[:, None] * np.vander(KNOTS, 3)).T @ values
    free = np.linalg.svd(level_tilt_width)[2][3:].T
    second = np.diff(free, 2, axis=0)
    size, axes = np.linalg.eigh(second.T @ second)
    bends = free @ axes / np.sqrt(size)
    bends /= np.sqrt(weight @ np.square(values @ bends).sum(1) / weight.sum())
    curvatures = np.diff(np.pad(bends, ((1, 1), (0, 0))), 2, axis=0) / (KNOTS[1] - KNOTS[0]) ** 2
    return bends, curvatures


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Flexible(Population):
    """A normal density whose logarithm is bent by a smooth spline: log p(τ) = log N(τ; mean, sd²) + roughness · f(z).

    f is a cubic spline of z = (τ − mean)/sd between −4 and 4 in the directions `_bends`, with weights `bend` that are
    N(0, 1) beforehand; the roughness is how far, in nats, the log-density is expected off the normal one. At
    roughness 0 it is normal. Outside the knots the tails are those of the normal density.
    """

    mean: Float[Array, "..."]
    sd: Float[Array, "..."]
    roughness: Float[Array, "..."]
    bend: Float[Array, "... bend"]

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return the bent log-density, normalised by quadrature to 1e-6."""
        z = (difficulty - self.mean) / self.sd
        mass = jnp.log(_STEP) + jax.nn.logsumexp(self._bent(jnp.asarray(_QUADRATURE)))
        return self._bent(z) - mass - jnp.log(self.sd)

    def features(self) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
        """Return the knots with the curvature there, and mean ± 7 sd."""
        curvature = 1 - self.roughness * (jnp.asarray(_CURVATURES) @ self.bend)
        widths = self.sd / jnp.sqrt(jnp.maximum(curvature, 1.0))
        z, end = jnp.asarray([-7.0, *KNOTS, 7.0]), jnp.full((1,), self.sd)
        return self.mean + self.sd * z, jnp.concatenate([end, widths, end])

    def _bent(self, z: Float[Array, "node"]) -> Float[Array, "node"]:
        return norm.logpdf(z) + self.roughness * (_spline_at(z) @ (jnp.asarray(_BENDS) @ self.bend))


def _spline_at(z: Float[Array, "node"] | np.ndarray) -> Float[Array, "node knot"]:
    """Return the cubic B-splines around every knot."""
    np_ = np if isinstance(z, np.ndarray) else jnp
    away = np_.abs((z[:, None] - KNOTS) / (KNOTS[1] - KNOTS[0]))
    near = 2 / 3 - away**2 + away**3 / 2
    far = np_.maximum(2 - away, 0.0) ** 3 / 6
    return np_.where(away < 1, near, far)  # pyright: ignore[reportReturnType]


_STEP = 0.02
_QUADRATURE = np.arange(-400, 401) * _STEP
_BENDS, _CURVATURES = _bends()
BENDS = _BENDS.shape[1]
"""Number of weights of a `Flexible` population."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Modified(Population):
    """A population of which something is changed, and the rest stays."""

    population: Population

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return that of the population."""
        return self.population.log_density(difficulty)

    def features(self) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
        """Return those of the population."""
        return self.population.features()

    def log_unlearnable(self) -> Float[Array, ""] | None:
        """Return that of the population."""
        return self.population.log_unlearnable()

    def is_shifted(self) -> bool:
        """Tell that of the population."""
        return self.population.is_shifted()

    def shift(self, covariates: Float[Array, "covariate"], class_: Int[Array, ""]) -> Float[Array, ""]:
        """Return that of the population."""
        return self.population.shift(covariates, class_)

    def discrimination_spread(self) -> Float[Array, ""] | None:
        """Return that of the population."""
        return self.population.discrimination_spread()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WithAtom(Modified):
    """A population, and beside it a share of images that no model can get right, such as those with a wrong label."""

    share: Float[Array, "..."]

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return log (1 − share) + log p(τ): the density of images that can be got right."""
        return jnp.log1p(-self.share) + self.population.log_density(difficulty)

    def log_unlearnable(self) -> Float[Array, ""]:
        """Return log share."""
        return jnp.log(self.share)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Regressed(Modified):
    """A population whose location depends on covariates: τ − coefficient · x follows the population.

    Attributes
    ----------
    coefficient
        Probit units by which an image is harder for one standard deviation more of each covariate.
    covariates
        Names of the covariates, coordinates of the responses' images.
    """

    coefficient: Float[Array, "... covariate"]
    covariates: tuple[str, ...] = field(metadata={"static": True})

    def is_shifted(self) -> bool:
        """Tell that it is."""
        return True

    def shift(self, covariates: Float[Array, "covariate"], class_: Int[Array, ""]) -> Float[Array, ""]:
        """Return coefficient · x, beside what else shifts the population."""
        return self.population.shift(covariates, class_) + jnp.vdot(self.coefficient, covariates)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class InClasses(Modified):
    """A population in which the images of a class are alike: each class c is harder by spread · effect_c.

    Effects are N(0, 1) beforehand and the same in all test sets, since a class is the same in all.
    """

    spread: Float[Array, "..."]
    effect: Float[Array, "... class_"]

    def is_shifted(self) -> bool:
        """Tell that it is."""
        return True

    def shift(self, covariates: Float[Array, "covariate"], class_: Int[Array, ""]) -> Float[Array, ""]:
        """Return spread · effect of the image's class, beside what else shifts the population."""
        return self.population.shift(covariates, class_) + self.spread * self.effect[class_]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Discriminating(Modified):
    """A population of images that differ in how well they tell models apart: P(right) = P₀(a_i (s − τ_i)).

    The discriminations a_i are N(1, spread²) (the two-parameter model of Lord, 1952, with random items). An image of
    a < 0 is got wrong by better models.
    """

    spread: Float[Array, "..."]

    def discrimination_spread(self) -> Float[Array, ""]:
        """Return the sd of discriminations."""
        return jnp.asarray(self.spread)


def _normal_features(
    mean: Float[Array, "..."], sd: Float[Array, "..."]
) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
    return mean + sd * jnp.array([-7.0, 0.0, 7.0]), sd * jnp.ones(3)
