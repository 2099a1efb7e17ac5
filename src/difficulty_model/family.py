"""The family of models: the parts that specifications are made of, each with its default priors.

A specification is skills, a curve and a population. The plain ones are those of Recht et al. (2019); every other part
is taken in their place, or put around a population:

>>> from difficulty_model.family import independent, slopes, skew_normal, with_unlearnable
>>> from difficulty_model.specification import Specification
>>> specification = Specification(independent(), slopes(), with_unlearnable(skew_normal()))

Priors are wide beside what a few hundred images say, in probit units: certain success and certain failure are about 4
units apart. Locations are held at 0 in the first stratum, slopes at a geometric mean of 1: with skills and difficulties
on one scale only differences of locations and ratios of slopes are identified.
"""

from collections.abc import Sequence
from typing import Any

from difficulty_model import populations
from difficulty_model.curves import Lapsing, Logistic, Probit, ResponseCurve, Sloped
from difficulty_model.distributions import Beta, LogNormal, Normal
from difficulty_model.errors import InputError
from difficulty_model.populations import Population
from difficulty_model.skills import InFamilies, Losing
from difficulty_model.specification import Dimension, Prior, Specification

SKILL = Normal(0.0, 5.0)
LOCATION = Normal(0.0, 3.0)
SPREAD = LogNormal(1.5, 0.75)
"""95% from 0.34 to 6.5."""

SHARE = Beta(1.0, 9.0)
"""Of images that no model can get right, or that none misses: mean 0.1, 95% below 0.28."""

ROUGHNESS = 3.0
"""Of flexible populations: weights up to some twenty times those of a normal one are no surprise. It is known, since an
unknown one makes a ridge with the bends that it scales, which the normal approximation does not follow."""

RATE = Beta(1.0, 49.0)
"""Of lapses and guesses: mean 0.02, 95% below 0.06."""


def recht_et_al() -> Specification:
    """Return the model of Recht et al. (2019), section 5: P(right) = Φ(s − τ), τ ~ N(μ, σ²) in each test set."""
    return Specification(independent(), probit(), normal())


def independent() -> Any:
    """Return a skill for every model, N(0, 5²)."""
    return _prior(SKILL, "model")


def losing() -> Losing:
    """Return skills that are partly lost in every test set but the first: by a trend, and by every model itself.

    The trend is N(0, 0.5²) units per unit of skill, a model's own loss N(0, 0.1²) units. The spread of these is known:
    an unknown one makes a ridge with the losses that it scales, which the normal approximation does not follow.
    """
    return Losing(
        skill=_prior(SKILL, "model"),
        trend=_prior(Normal(0.0, 0.5), "stratum", reference=0.0),
        own=_prior(Normal(0.0, 0.1), "stratum", "model", reference=0.0),
    )


def in_families(skill: Any = None) -> InFamilies:
    """Return skills of models in families, which are off together on every image; independent ones if none are given.

    The spread of these effects is one number for all families, about 0.5 units. The responses tell the family of every
    model: `Responses.with_families`.
    """
    return InFamilies(independent() if skill is None else skill, _prior(LogNormal(0.5, 0.75)))


def probit() -> ResponseCurve:
    """Return Φ(s − τ)."""
    return Probit()


def logistic() -> ResponseCurve:
    """Return 1/(1 + exp(−1.702 (s − τ))), which forgives responses that are out of order."""
    return Logistic()


def slopes(curve: ResponseCurve | None = None) -> ResponseCurve:
    """Return the curve, or the probit, with a slope per model, equally likely to be off 1 by a factor either way.

    Of the probit it is Φ(a (s − τ)).
    """
    slope = _prior(LogNormal(1.0, 0.5), "model", reference=1.0, held="mean")
    return Sloped(slope, probit() if curve is None else curve)


def with_guesses(curve: ResponseCurve, rate: float) -> ResponseCurve:
    """Return a curve that does not fall below a known rate of guesses, such as 1/number of classes."""
    return Lapsing(curve, _known_rate(rate), 0.0)  # pyright: ignore[reportArgumentType]


def with_lapses(curve: ResponseCurve, *, per_model: bool = False, guess: float | None = 0.0) -> ResponseCurve:
    """Return a curve between a guess rate and a lapse rate.

    Parameters
    ----------
    curve
        The curve in between.
    per_model
        Whether every model has its own rates.
    guess
        The rate of guesses where it is known, such as 1/number of classes; unknown if None.
    """
    over: tuple[Dimension, ...] = ("model",) if per_model else ()
    known = _prior(RATE, *over) if guess is None else _known_rate(guess)
    return Lapsing(curve, known, _prior(RATE, *over))  # pyright: ignore[reportArgumentType]


def normal() -> Population:
    """Return a normal population for every stratum."""
    return populations.Normal(_location(), _prior(SPREAD, "stratum"))


def two_normals() -> Population:
    """Return an easier and a harder part of every stratum."""
    return populations.TwoNormals(
        mean=_location(),
        sd=_prior(SPREAD, "stratum"),
        share=_prior(Beta(2.0, 4.0), "stratum"),
        gap=_prior(LogNormal(2.0, 0.75), "stratum"),
        harder_sd=_prior(SPREAD, "stratum"),
    )


def skew_normal() -> Population:
    """Return a skew-normal population for every stratum; its shape is N(0, 2²)."""
    return populations.SkewNormal(_location(), _prior(SPREAD, "stratum"), _prior(Normal(0.0, 2.0), "stratum"))


def student_t() -> Population:
    """Return a heavy-tailed population for every stratum; its degrees of freedom 2 + 7, 95% from 3.6 to 32."""
    return populations.StudentT(_location(), _prior(SPREAD, "stratum"), _prior(LogNormal(7.0, 0.75), "stratum"))


def flexible() -> Population:
    """Return a population of free shape for every stratum, drawn towards the normal one."""
    return populations.Flexible(
        _location(), _prior(SPREAD, "stratum"), ROUGHNESS, _prior(Normal(0.0, 1.0), "stratum", "bend")  # pyright: ignore
    )


def with_unlearnable(population: Population) -> Population:
    """Return the population, and beside it a share of images that no model can get right but by guessing."""
    return populations.WithUnlearnable(population, _prior(SHARE, "stratum"))


def with_unmissable(population: Population) -> Population:
    """Return the population, and beside it a share of images that every model gets right but for lapses."""
    return populations.WithUnmissable(population, _prior(SHARE, "stratum"))


def regressed(population: Population, covariates: Sequence[str]) -> Population:
    """Return the population with its location regressed on covariates, N(0, 1) units per standard deviation of each."""
    if isinstance(covariates, str) or not covariates:
        raise InputError(f"a regression needs a list of names of covariates; got {covariates!r}")
    if len(set(covariates)) < len(covariates):
        raise InputError(f"a covariate stands twice among {', '.join(map(repr, covariates))}")
    return populations.Regressed(population, _prior(Normal(0.0, 1.0), "covariate"), tuple(covariates))


def in_classes(population: Population) -> Population:
    """Return the population with effects of classes, which spread by about half a unit."""
    return populations.InClasses(population, _prior(LogNormal(0.5, 0.75)), _prior(Normal(0.0, 1.0), "class_"))


def discriminating(population: Population) -> Population:
    """Return the population with a discrimination per image, N(1, spread²), one spread for all strata."""
    return populations.Discriminating(population, _prior(LogNormal(0.3, 0.75)))


def _known_rate(rate: float) -> float:
    if not 0 <= rate < 1:
        raise InputError(f"a guess rate is at least 0 and below 1; got {rate}. Give 1/number of classes")
    return rate


def _location() -> Any:
    return _prior(LOCATION, "stratum", reference=0.0)


def _prior(distribution: Any, *over: Dimension, **held: Any) -> Any:  # noqa: ANN401
    # Fields of formulas are declared as the arrays that they see; in a specification a prior stands in their place.
    return Prior(distribution, over[0] if len(over) == 1 else over or None, **held)
