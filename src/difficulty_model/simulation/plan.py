"""A test set that does not exist, and what a fit says of its images before any response."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.fitting import Fit
from difficulty_model.fitting.images import kinds_of_images, names_of, scale_of
from difficulty_model.likelihood import Chunk, Patterns
from difficulty_model.populations import Moved
from difficulty_model.posterior import laid_out
from difficulty_model.specification import Specification, covariates_of, has_classes
from difficulty_model.types import FloatArray, IntArray


@dataclass(frozen=True)
class TestSetPlan:
    """A test set that does not exist: how many images, and of which population.

    Attributes
    ----------
    images
        How many.
    like
        Share of the images that are like those of each fitted test set. Two of them make a population in between.
    harder
        Probit units by which every image is harder.
    wider
        Factor by which difficulties are further from their mean.
    classes
        Share of images of each class; those of the fitted test sets if empty. The fit must have effects of classes.
    covariates
        Value that a covariate has for all images. The fit must be regressed on it.
    """

    __test__ = False  # it is no test of pytest's

    images: int
    like: Mapping[str, float]
    harder: float = 0.0
    wider: float = 1.0
    classes: Mapping[str, float] = field(default_factory=dict)
    covariates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Planned:
    """What a hypothetical test set is made of.

    Attributes
    ----------
    numbers
        The specification with posterior draws in place of its unknowns, populations moved as planned.
    kinds
        The images that the specification does not tell apart before any response, counted in proportion.
    weights
        Share of the images that lie in each stratum.
    """

    numbers: Specification
    kinds: Patterns
    weights: Float[np.ndarray, "stratum"]

    def images(self, rng: np.random.Generator, n: int) -> tuple[IntArray, IntArray]:
        """Return stratum and kind of so many images."""
        count = np.asarray(self.kinds.chunks.count)
        stratum = np.repeat(np.asarray(self.kinds.chunks.stratum), count[0].size)
        in_stratum = np.bincount(stratum, count.ravel(), len(self.weights))
        share = count.ravel() * _over(self.weights, in_stratum)[stratum]
        kind = rng.choice(len(share), n, p=share / share.sum())
        return stratum[kind], kind


def planned(fit: Fit, plan: TestSetPlan, *, at_most: int | None = None) -> Planned:
    """Return what a test set is made of by a fit, in draws: all of them, or so many at most.

    Raises
    ------
    InputError
        If the plan asks for a test set, class or covariate that the fit does not have, or for no images.
    """
    if plan.images < 1:
        raise InputError(f"a test set needs at least one image; got {plan.images}")
    if not plan.wider > 0 or not np.isfinite([plan.harder, plan.wider]).all():
        raise InputError(f"`harder` is a number of probit units and `wider` a factor above 0; got {plan.harder} and "
                         f"{plan.wider}")
    weights = _shares(plan.like, "test set in this fit", fit.responses.test_sets) @ fit.weights.values
    kinds = kinds_of_images(fit.responses, fit.specification)
    chunks = kinds.chunks
    if plan.classes:
        chunks = _in_mix(chunks, plan.classes, weights, fit)
    for name, value in plan.covariates.items():
        known = list(covariates_of(fit.specification))
        if not known:
            raise InputError(f"this fit is regressed on no covariate, so that {name!r} would change nothing; fit with "
                             "`--covariates`")
        if name not in known:
            raise unknown_name("covariate that this fit is regressed on", name, known)
        if not np.isfinite(value):
            raise InputError(f"covariate {name!r} must have a finite value; got {value}")
        mean, sd = scale_of(fit.responses, name)
        covariates = np.array(chunks.covariates)
        covariates[..., known.index(name)] = (value - mean) / sd
        chunks = replace(chunks, covariates=covariates)
    kinds, numbers = replace(kinds, chunks=chunks), fit.numbers(at_most=at_most)
    if plan.harder != 0 or plan.wider != 1:
        mean, _ = laid_out(numbers, kinds).moments(weights[None])
        with jax.enable_x64(True):
            center, by, factor = (
                jnp.asarray(np.broadcast_to(of, (len(mean), len(weights)))) for of in (mean, plan.harder, plan.wider)
            )
        numbers = replace(numbers, population=Moved(numbers.population, center, by, factor))
    return Planned(numbers, kinds, weights)


def _shares(given: Mapping[str, float], kind: str, known: list[str]) -> FloatArray:
    """Return shares that sum to one, for all that is known."""
    for name, share in given.items():
        if name not in known:
            raise unknown_name(kind, name, known)
        if not np.isfinite(share) or share < 0:
            raise InputError(f"shares are at least 0; got {share} for {name!r}")
    shares = np.array([given.get(name, 0.0) for name in known], float)
    if not shares.sum() > 0:
        raise InputError(f"no {kind} has a share above 0: there are {', '.join(map(repr, known[:10]))}")
    return shares / shares.sum()


def _in_mix(chunks: Chunk, classes: Mapping[str, float], weights: FloatArray, fit: Fit) -> Chunk:
    """Return kinds of images counted so that classes have the wanted shares, in every stratum that is used."""
    if not has_classes(fit.specification):
        raise InputError("this fit has no effects of classes, so that a mix of classes would change nothing; fit with "
                         "`--classes`")
    names = names_of(fit.responses, fit.specification)["class_"]
    wanted, strata = _shares(classes, "class", names), fit.responses.strata().names
    count, class_ = np.array(chunks.count), np.asarray(chunks.class_)
    for s in np.flatnonzero(weights):
        rows = np.asarray(chunks.stratum) == s
        of_class = np.bincount(class_[rows].ravel(), count[rows].ravel(), len(wanted))
        missing = np.flatnonzero((of_class == 0) & (wanted > 0))
        if len(missing):
            raise InputError(f"no image of {strata[s]!r} is of class {names[missing[0]]!r}; leave it out of the mix, "
                             "or take images like those of another test set")
        count[rows] *= _over(wanted, of_class)[class_[rows]]
    return replace(chunks, count=count)


def _over(shares: FloatArray, counts: FloatArray | IntArray) -> FloatArray:
    """Return shares per image, 0 where there is none."""
    return np.divide(shares, counts, where=counts > 0, out=np.zeros(len(shares)))
