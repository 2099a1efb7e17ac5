"""The parts of specifications in PyTensor, one small function per class; written from the formulas, not from the code.

A part holds tensors in place of its priors and numbers, for one stratum at a time: a parameter of models is a column
(model, 1), beside difficulties along rows; any other is a single number, or a row of coefficients. A part of a user's
own is translated by registering a function for its class:

>>> from difficulty_model.exporting import pymc_parts
>>> @pymc_parts.log_probabilities.register(MyCurve)  # doctest: +SKIP
... def _of_my_curve(curve, skill, difficulty): ...
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, singledispatch
from typing import Any, TypeAlias

import numpy as np
import pymc as pm
import pytensor.tensor
from pytensor.graph.basic import Variable

from difficulty_model import curves, distributions, populations, skills
from difficulty_model.errors import InputError

pt: Any = pytensor.tensor
Tensor: TypeAlias = Any
"""A PyTensor variable. PyTensor's annotations know neither its functions nor what operators give."""


@singledispatch
def prior(distribution: Any, name: str, dims: tuple[str, ...]) -> Tensor:
    """Return an unknown of a distribution, in the PyMC model of the context."""
    raise _untranslated(distribution, "prior")


@prior.register(distributions.Normal)
def _normal_prior(distribution: distributions.Normal, name: str, dims: tuple[str, ...]) -> Tensor:
    return pm.Normal(name, _double(distribution.mean), _double(distribution.sd), dims=dims)


@prior.register(distributions.LogNormal)
def _log_normal_prior(distribution: distributions.LogNormal, name: str, dims: tuple[str, ...]) -> Tensor:
    return pm.LogNormal(name, np.log(distribution.median), _double(distribution.spread), dims=dims)


@prior.register(distributions.Beta)
def _beta_prior(distribution: distributions.Beta, name: str, dims: tuple[str, ...]) -> Tensor:
    return pm.Beta(name, _double(distribution.right), _double(distribution.wrong), dims=dims)


@singledispatch
def moved_to_mean(distribution: Any, free: Tensor, reference: float) -> Tensor:
    """Return unknowns moved together, where they are unconstrained, so that their mean there is the reference."""
    raise _untranslated(distribution, "moved_to_mean")


@moved_to_mean.register(distributions.Normal)
def _shifted_to_mean(_: distributions.Normal, free: Tensor, reference: float) -> Tensor:
    return free - free.mean() + _double(reference)


@moved_to_mean.register(distributions.LogNormal)
def _scaled_to_mean(_: distributions.LogNormal, free: Tensor, reference: float) -> Tensor:
    return free * pt.exp(np.log(reference) - pt.log(free).mean())


@moved_to_mean.register(distributions.Beta)
def _tilted_to_mean(_: distributions.Beta, free: Tensor, reference: float) -> Tensor:
    logit = pt.log(free) - pt.log1p(-free)
    return pt.sigmoid(logit - logit.mean() + np.log(reference / (1 - reference)))


@singledispatch
def in_stratum(skill: Any) -> Tensor:
    """Return the skill of every model in the stratum that the tensors are of, (model, 1)."""
    raise _untranslated(skill, "in_stratum")


@in_stratum.register(Variable)
def _same_in_all(skill: Tensor) -> Tensor:
    return skill


@in_stratum.register(skills.Losing)
def _losing(skill: Any) -> Tensor:
    trend = skill.trend * (skill.skill - skill.skill.mean())
    return skill.skill - trend - (skill.own - skill.own.mean())


@in_stratum.register(skills.InFamilies)
def _in_families(skill: Any) -> Tensor:
    return in_stratum(skill.skill)


@singledispatch
def log_probabilities(curve: Any, skill: Tensor, difficulty: Tensor) -> tuple[Tensor, Tensor]:
    """Return (log P(right), log P(wrong)) of every model at every difficulty, (model, node), both tails exact."""
    raise _untranslated(curve, "log_probabilities")


@log_probabilities.register(curves.Probit)
def _probit(_: curves.Probit, skill: Tensor, difficulty: Tensor) -> tuple[Tensor, Tensor]:
    return log_ndtr(skill - difficulty), log_ndtr(difficulty - skill)


@log_probabilities.register(curves.Logistic)
def _logistic(_: curves.Logistic, skill: Tensor, difficulty: Tensor) -> tuple[Tensor, Tensor]:
    odds = curves.LOGISTIC * (skill - difficulty)
    return -log_add_exp(odds * 0, -odds), -log_add_exp(odds * 0, odds)


@log_probabilities.register(curves.Sloped)
def _sloped(curve: Any, skill: Tensor, difficulty: Tensor) -> tuple[Tensor, Tensor]:
    return log_probabilities(curve.curve, curve.slope * skill, curve.slope * difficulty)


@log_probabilities.register(curves.Lapsing)
def _lapsing(curve: Any, skill: Tensor, difficulty: Tensor) -> tuple[Tensor, Tensor]:
    right, wrong = log_probabilities(curve.curve, skill, difficulty)
    heeded = pt.log1p(-(curve.guess + curve.lapse))
    return log_add_exp(_log_rate(curve.guess), heeded + right), log_add_exp(_log_rate(curve.lapse), heeded + wrong)


@singledispatch
def log_density(population: Any, difficulty: Tensor) -> Tensor:
    """Return log p(τ) at every difficulty, up to a number that is the same at all of them."""
    raise _untranslated(population, "log_density")


@log_density.register(populations.Normal)
def _normal(population: Any, difficulty: Tensor) -> Tensor:
    return pm.logp(pm.Normal.dist(population.mean, population.sd), difficulty)


@log_density.register(populations.TwoNormals)
def _two_normals(population: Any, difficulty: Tensor) -> Tensor:
    easier = pm.Normal.dist(population.mean, population.sd)
    harder = pm.Normal.dist(population.mean + population.gap, population.harder_sd)
    return log_add_exp(
        pt.log1p(-population.share) + pm.logp(easier, difficulty),
        pt.log(population.share) + pm.logp(harder, difficulty),
    )


@log_density.register(populations.SkewNormal)
def _skew_normal(population: Any, difficulty: Tensor) -> Tensor:
    # PyMC's own skew normal is log 0 where its short tail begins.
    z = (difficulty - population.location) / population.scale
    return pm.logp(pm.Normal.dist(), z) + log_ndtr(population.shape * z)


@log_density.register(populations.StudentT)
def _student_t(population: Any, difficulty: Tensor) -> Tensor:
    law = pm.StudentT.dist(nu=2 + population.excess, mu=population.mean, sigma=population.scale)
    return pm.logp(law, difficulty)


@log_density.register(populations.Flexible)
def _flexible(population: Any, difficulty: Tensor) -> Tensor:
    away = (difficulty - population.mean)[..., None] - population.sd * populations.CENTERS
    bent = population.roughness * pt.dot(populations.BEND_SHAPES, population.bend)
    unbent = -np.square(populations.CENTERS) / (2 * (1 - populations.WIDTH**2))
    each = pm.logp(pm.Normal.dist(0, population.sd * populations.WIDTH), away)
    return log_sum_exp(each + unbent + bent)


@dataclass(frozen=True)
class KnownOfImages:
    """What is known of a stratum's images before any response: covariates (image, covariate), and their class."""

    covariates: np.ndarray
    class_: np.ndarray


@dataclass(frozen=True)
class Laid:
    """A population of one stratum, with what modifies it.

    Attributes
    ----------
    log_density
        Log-density of difficulties, up to a number.
    shift
        How much harder every image is than the population says, (image,); (1,) where all are as it says.
    atoms
        Difficulties, infinite, and the share of images there: each a share of what those after it leave.
    discrimination_spread
        The sd of the images' discriminations, if they differ.
    """

    log_density: Callable[[Tensor], Tensor]
    shift: Tensor
    atoms: tuple[tuple[float, Tensor], ...] = ()
    discrimination_spread: Tensor | None = None


@singledispatch
def laid(population: Any, images: KnownOfImages) -> Laid:
    """Return a population with what modifies it; one that is not modified by its `log_density` alone."""
    return Laid(partial(log_density, population), pt.as_tensor(np.zeros(1)))


@laid.register(populations.Modified)
def _modified(population: Any, images: KnownOfImages) -> Laid:
    raise _untranslated(population, "laid")


@laid.register(populations.WithAtom)
def _with_atom(population: Any, images: KnownOfImages) -> Laid:
    inner = laid(population.population, images)
    return replace(inner, atoms=(*inner.atoms, (population.infinity(), population.share)))


@laid.register(populations.Regressed)
def _regressed(population: Any, images: KnownOfImages) -> Laid:
    inner = laid(population.population, images)
    return replace(inner, shift=inner.shift + pt.dot(images.covariates, population.coefficient))


@laid.register(populations.InClasses)
def _in_classes(population: Any, images: KnownOfImages) -> Laid:
    inner = laid(population.population, images)
    return replace(inner, shift=inner.shift + population.spread * population.effect[images.class_])


@laid.register(populations.Discriminating)
def _discriminating(population: Any, images: KnownOfImages) -> Laid:
    return replace(laid(population.population, images), discrimination_spread=population.spread)


def log_ndtr(z: Tensor) -> Tensor:
    """Return log Φ(z), exact in both tails, and so are its derivatives."""
    # Each branch sees only what it can bear: its derivative, were it not a number, would pass through the switch.
    low, high = pt.minimum(z, -1), pt.maximum(z, -1)
    return pt.switch(
        z < -1, pt.log(pt.erfcx(-low / np.sqrt(2)) / 2) - low**2 / 2, pt.log1p(-pt.erfc(high / np.sqrt(2)) / 2)
    )


def log_add_exp(one: Tensor, other: Tensor) -> Tensor:
    """Return log(exp(one) + exp(other)); PyTensor's own is exact only after rewrites, which not every mode makes."""
    return pt.maximum(one, other) + pt.log1p(pt.exp(-pt.abs(one - other)))


def log_sum_exp(of_nodes: Tensor) -> Tensor:
    """Return log Σ exp over the last dimension, exact in every mode."""
    largest = of_nodes.max(-1, keepdims=True)
    return largest[..., 0] + pt.log(pt.exp(of_nodes - largest).sum(-1))


def _log_rate(rate: Tensor) -> Tensor:
    """Return log(rate), for a rate of 0 a number so low that nothing is added."""
    return pt.switch(rate > 0, pt.log(pt.switch(rate > 0, rate, 1)), _double(-1e10))


def _double(number: float) -> np.float64:
    # PyTensor takes a Python float that float32 holds exactly for one, and computes its logarithm in float32.
    return np.float64(number)


def _untranslated(part: Any, translation: str) -> InputError:
    kind = type(part).__name__
    return InputError(
        f"{kind} has no translation into PyTensor; write a function like the others of "
        f"`difficulty_model.exporting.pymc_parts` and register it with `@pymc_parts.{translation}.register({kind})`"
    )
