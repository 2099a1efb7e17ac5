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

    def log_atoms(self) -> dict[float, Float[Array, ""]]:
        """Return the logarithms of the shares of images beside the density: infinitely hard, or −infinitely."""
        return {}

    def is_shifted(self) -> bool:
        """Tell whether the population depends on what is known of an image."""
        return False

    def shift(self, covariates: Float[Array, "covariate"], class_: Int[Array, ""]) -> Float[Array, ""]:
        """Return how much harder than the population's formula an image is by what is known of it."""
        return jnp.zeros(())

    def discrimination_spread(self) -> Float[Array, ""] | None:
        """Return the sd of the images' discriminations, which are N(1, spread²), or nothing if all are 1."""
        return None

    def class_spread(self) -> Float[Array, ""] | None:
        """Return the sd of effects of classes that are to be integrated out, or nothing if there are none."""
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


CENTERS = np.linspace(-3.5, 3.5, 11)
"""Of the normal distributions that a flexible one is a mixture of, in its standard deviations."""

WIDTH = np.sqrt(0.5)
"""Their standard deviation: with weights as N(0, 1 − WIDTH²) has them, their mixture is N(0, 1), to 1e-4 of its density
(Poisson's summation formula: 2 exp(−2π² WIDTH² (1 − WIDTH²)/spacing²))."""


def _bends() -> np.ndarray:
    """Return the shapes that log-weights may bend into, one per column.

    They are the eigenvectors of the penalty on second differences (Eilers and Marx, 1996, Statist. Sci. 11:89) among
    those that are neither level, tilt nor parabola, each as large as that penalty lets it be expected. Together they
    have a standard deviation of 1, averaged over the centers.
    """
    free = np.linalg.svd(np.vander(CENTERS, 3).T)[2][3:].T
    second = np.diff(free, 2, axis=0)
    size, axes = np.linalg.eigh(second.T @ second)
    bends = free @ axes / np.sqrt(size)
    return bends / np.sqrt(np.square(bends).sum(1).mean())


BEND_SHAPES = _bends()

BENDS = BEND_SHAPES.shape[1]
"""Number of weights of a `Flexible` population."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Flexible(Population):
    """A population of any smooth shape: a mixture of normal ones side by side (Ghidey et al., 2004, Biometrics 60:945).

    The normal distributions are centered at mean + sd · `CENTERS` with standard deviation sd · `WIDTH`. Their
    log-weights are those that make a normal distribution, bent in the directions `BEND_SHAPES` by roughness · bend,
    where bends are N(0, 1) beforehand: the roughness is how far, in nats, log-weights are expected off the normal ones.
    At roughness 0 it is N(mean, sd²). What it can have is tails of any weight; what it cannot, anything narrower than
    sd · `WIDTH`.
    """

    mean: Float[Array, "..."]
    sd: Float[Array, "..."]
    roughness: Float[Array, "..."]
    bend: Float[Array, "... bend"]

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return log Σ_k w_k N(τ; mean + sd · center_k, (sd · WIDTH)²)."""
        bent = self.roughness * (jnp.asarray(BEND_SHAPES) @ self.bend)
        log_weights = jax.nn.log_softmax(norm.logpdf(CENTERS, 0.0, np.sqrt(1 - WIDTH**2)) + bent)
        z = (difficulty - self.mean) / self.sd
        each = norm.logpdf(z[:, None], jnp.asarray(CENTERS), WIDTH)
        return jax.nn.logsumexp(log_weights + each, axis=1) - jnp.log(self.sd)

    def features(self) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
        """Return the centers, and 7 standard deviations beyond the outermost."""
        beyond = CENTERS[-1] + 7 * WIDTH
        z = jnp.asarray([-beyond, *CENTERS, beyond])
        return self.mean + self.sd * z, jnp.full(z.shape, self.sd * WIDTH)


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

    def log_atoms(self) -> dict[float, Float[Array, ""]]:
        """Return those of the population."""
        return self.population.log_atoms()

    def is_shifted(self) -> bool:
        """Tell that of the population."""
        return self.population.is_shifted()

    def shift(self, covariates: Float[Array, "covariate"], class_: Int[Array, ""]) -> Float[Array, ""]:
        """Return that of the population."""
        return self.population.shift(covariates, class_)

    def discrimination_spread(self) -> Float[Array, ""] | None:
        """Return that of the population."""
        return self.population.discrimination_spread()

    def class_spread(self) -> Float[Array, ""] | None:
        """Return that of the population."""
        return self.population.class_spread()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Moved(Modified):
    """A population whose images are all harder, and further apart: τ becomes center + by + factor · (τ − center).

    It is no part of a specification, but what a simulation makes of a fitted population. Images of infinite difficulty
    stay what they are.
    """

    center: Float[Array, "..."]
    by: Float[Array, "..."]
    factor: Float[Array, "..."]

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return that of the population where τ came from, divided by the factor."""
        before = self.center + (difficulty - self.center - self.by) / self.factor
        return self.population.log_density(before) - jnp.log(self.factor)

    def features(self) -> tuple[Float[Array, "point"], Float[Array, "point"]]:
        """Return those of the population, moved."""
        points, widths = self.population.features()
        return self.center + self.by + self.factor * (points - self.center), self.factor * widths

    def shift(self, covariates: Float[Array, "covariate"], class_: Int[Array, ""]) -> Float[Array, ""]:
        """Return that of the population, times the factor."""
        return self.factor * self.population.shift(covariates, class_)


@dataclass(frozen=True)
class WithAtom(Modified):
    """A population, and beside it a share of images of one infinite difficulty."""

    share: Float[Array, "..."]

    @abc.abstractmethod
    def infinity(self) -> float:
        """Return that difficulty: inf, or −inf."""

    def log_density(self, difficulty: Float[Array, "node"]) -> Float[Array, "node"]:
        """Return log (1 − share) + log p(τ): the density of all other images."""
        return jnp.log1p(-self.share) + self.population.log_density(difficulty)

    def log_atoms(self) -> dict[float, Float[Array, ""]]:
        """Return log share, beside the atoms of the population, which share what this one leaves."""
        within = {at: jnp.log1p(-self.share) + of for at, of in self.population.log_atoms().items()}
        return within | {self.infinity(): jnp.log(self.share)}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WithUnlearnable(WithAtom):
    """A population, and beside it a share of images that no model can get right, such as those with a wrong label."""

    def infinity(self) -> float:
        """Return inf."""
        return np.inf


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WithUnmissable(WithAtom):
    """A population, and beside it a share of images that every model gets right, but for lapses: the plain cases."""

    def infinity(self) -> float:
        """Return −inf."""
        return -np.inf


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
class AcrossClasses(Modified):
    """`InClasses` of unknown effects: what the likelihood sees while it integrates them out."""

    spread: Float[Array, "..."]

    def is_shifted(self) -> bool:
        """Tell that it is, class by class."""
        return True

    def class_spread(self) -> Float[Array, ""]:
        """Return the spread."""
        return jnp.asarray(self.spread)


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
