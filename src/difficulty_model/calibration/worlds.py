"""Worlds whose truth is known: unknowns drawn from their priors, images from the populations, then responses.

They are made from the formulas alone, with quadrature of their own, so that what is read off a fit is compared with
something that the fit did not compute.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float
from numpyro import handlers

from difficulty_model import distributions
from difficulty_model.fitting.images import FAMILY, LABEL, families, labels, names_of, standardized
from difficulty_model.fitting.program import draw_unknowns
from difficulty_model.populations import Population
from difficulty_model.responses import Responses
from difficulty_model.skills import InFamilies, in_strata
from difficulty_model.specification import (
    Prior,
    Specification,
    covariates_of,
    has_classes,
    named,
    require_valid,
    unknowns,
)
from difficulty_model.types import IMAGE, MODEL, STRATUM, IntArray

TEST_SETS = ("original", "new")
"""Names of the test sets of every world; they share no images."""

CLASSES = 8
"""Classes of images, where a specification has effects of classes; all in every test set, of equal size."""

FAMILY_SIZE = 3
"""Models in a family, where a specification has effects of families; the last may have fewer."""

NODES = 401
"""Of the quadrature over difficulty: at equal steps of about 0.02 in arcsinh of standard deviations."""

DEVIATIONS = np.linspace(-6, 6, 25)
"""Nodes of the quadrature over discriminations and effects of families, in standard deviations from the mean."""

WEIGHTS = np.exp(-(DEVIATIONS**2) / 2) / np.exp(-(DEVIATIONS**2) / 2).sum()
"""Their weights."""


@dataclass(frozen=True)
class World:
    """Responses, and the truth behind them.

    Attributes
    ----------
    responses
        What a fit may see.
    unknowns : xarray.Dataset
        True value of every unknown under its path, with the dimensions of its prior.
    difficulty
        Of every image, in probit units; infinite where no model can get it right.
    accuracy
        Of every model in the population of each test set, (test_set, model), as a share.
    mean, sd
        Of difficulty in every test set, of the images that can be got right, (test_set,).
    """

    responses: Responses
    unknowns: xr.Dataset
    difficulty: Float[np.ndarray, "image"]
    accuracy: Float[np.ndarray, "test_set model"]
    mean: Float[np.ndarray, "test_set"]
    sd: Float[np.ndarray, "test_set"]


def narrowed(specification: Specification) -> Specification:
    """Return the specification with priors narrow enough that a few hundred images can tell of every world.

    Under the priors of the family one world's models get everything right and another's nothing. Here every prior
    keeps its middle: normal ones spread by 1 at most, log-normal ones by a factor exp(±0.3), shares as if eight times
    as many images had been seen.
    """
    def narrower(distribution: distributions.Distribution) -> distributions.Distribution:
        match distribution:
            case distributions.Normal(mean, sd):
                return distributions.Normal(mean, min(sd, 1.0))
            case distributions.LogNormal(median, spread):
                return distributions.LogNormal(median, min(spread, 0.3))
            case distributions.Beta(right, wrong):
                return distributions.Beta(8 * right, 8 * wrong)
        return distribution

    def of_part(part: Any) -> Any:  # noqa: ANN401
        if isinstance(part, Prior):
            return dataclasses.replace(part, distribution=narrower(part.distribution))
        if not dataclasses.is_dataclass(part) or isinstance(part, type):
            return part
        return dataclasses.replace(part, **{f.name: of_part(getattr(part, f.name)) for f in dataclasses.fields(part)})

    return of_part(specification)


def draw_world(specification: Specification, *, models: int, images: int, random_seed: int) -> World:
    """Return a world drawn from a specification: every unknown from its prior, then all else given these.

    Covariates that the specification names are drawn from N(0, 1), classes are of equal size.

    Parameters
    ----------
    specification
        What is assumed, with its priors.
    models
        Number of models.
    images
        Number of images of each of two test sets.
    random_seed
        Of everything.
    """
    require_valid(specification)
    rng = np.random.default_rng(random_seed)
    described = _described_images(specification, models, images, rng)
    names = names_of(described, specification)
    sizes = {dim: len(of) for dim, of in names.items()}
    covariates = standardized(described, covariates_of(specification))
    class_ = labels(described) if has_classes(specification) else np.zeros(2 * images, int)
    with jax.enable_x64(True):
        with handlers.block(), handlers.seed(rng_seed=int(rng.integers(2**31))):
            values = draw_unknowns(specification, sizes)
        numbers = named(specification, values, sizes)
        strata = []
        for k, of_set in enumerate(np.split(np.arange(2 * images), 2)):
            population = jax.tree.map(lambda leaf, k=k: leaf[k], numbers.population)
            shift = np.asarray(jax.vmap(population.shift)(jnp.asarray(covariates[of_set]), jnp.asarray(class_[of_set])))
            strata.append(_drawn_stratum(numbers, k, population, shift, families(described, specification), rng))
    right, difficulty, accuracy, mean, sd = (list(parts) for parts in zip(*strata, strict=True))
    answered = described.dataset.assign(right=((MODEL, IMAGE), np.concatenate(right, axis=1)))
    return World(
        Responses(answered), labelled(values, specification, names), np.concatenate(difficulty), np.array(accuracy),
        np.array(mean), np.array(sd),
    )


def labelled(
    values: Mapping[str, Any],
    specification: Specification,
    names: Mapping[str, list[str]],
    leading: tuple[str, ...] = (),
) -> xr.Dataset:
    """Return the value of every unknown with named dimensions, after some that lead."""
    over = {path: prior.dims for path, prior in unknowns(specification).items()}
    variables = {path: ((*leading, *dims), np.asarray(values[path])) for path, dims in over.items()}
    used = {MODEL, STRATUM}.union(*over.values())
    return xr.Dataset(variables, {dim: of for dim, of in names.items() if dim in used})


def _described_images(
    specification: Specification, models: int, images: int, rng: np.random.Generator
) -> Responses:
    """Return images of two test sets with all that the specification needs to know of them, not answered yet."""
    member = np.repeat(np.eye(2, dtype=bool), images, axis=1)
    unanswered = Responses.from_arrays(
        np.zeros((models, 2 * images), np.uint8),
        models=[f"model-{j + 1}" for j in range(models)],
        images=[f"{name}-{i + 1}" for name in TEST_SETS for i in range(images)],
        member=dict(zip(TEST_SETS, member, strict=True)),
    )
    known: dict[str, Any] = {name: (IMAGE, rng.normal(size=2 * images)) for name in covariates_of(specification)}
    if has_classes(specification):
        known[LABEL] = (IMAGE, np.tile(np.arange(images) % CLASSES, 2))
    if isinstance(specification.skill, InFamilies):
        known[FAMILY] = (MODEL, np.arange(models) // FAMILY_SIZE)
    return Responses(unanswered.dataset.assign_coords(known))


def _drawn_stratum(
    numbers: Specification, stratum: int, population: Population, shift: Float[np.ndarray, "image"],
    family: IntArray | None, rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
    """Return answers and difficulties of a stratum's images, accuracies in the population, its mean and sd."""
    skill = in_strata(numbers.skill)
    skill = skill[:, stratum if skill.shape[1] > 1 else 0]
    nodes, probability = _laid_out(population)
    spread = population.discrimination_spread()
    atoms = {infinity: float(jnp.exp(share)) for infinity, share in population.log_atoms().items()}
    # Between nodes the cumulative distribution is taken to be straight.
    difficulty = np.interp(rng.random(len(shift)), np.cumsum(probability) - probability / 2, nodes) + shift
    picked, below = rng.random(len(shift)), 0.0
    for infinity, share in atoms.items():
        difficulty = np.where((below <= picked) & (picked < below + share), infinity, difficulty)
        below += share
    wide = 0.0 if spread is None else float(spread)
    # However little such an image discriminates, an infinite difficulty stays infinite.
    discrimination = np.where(np.isfinite(difficulty), rng.normal(1, wide, len(shift)), 1.0)
    effect = np.zeros((len(skill), 1))
    if isinstance(numbers.skill, InFamilies) and family is not None:
        effect = np.asarray(numbers.skill.spread)[:, None] * rng.normal(size=(family.max() + 1, len(shift)))[family]
    probable = _right(numbers, skill[:, None] + effect, difficulty, discrimination)
    right = rng.random((len(skill), len(shift))) < np.asarray(probable)
    accuracy = (1 - below) * _mean_right(numbers, skill, nodes, probability, shift, wide)
    for infinity, share in atoms.items():
        accuracy += share * np.asarray(_right(numbers, skill[:, None], np.array([infinity]), np.ones(1)))[:, 0]
    mean = probability @ nodes
    variance = probability @ (nodes - mean) ** 2 + shift.var()
    return right.astype(np.uint8), difficulty, accuracy, mean + shift.mean(), float(np.sqrt(variance))


def _laid_out(population: Population) -> tuple[Float[np.ndarray, "node"], Float[np.ndarray, "node"]]:
    """Return difficulties and their probabilities: the trapezoidal rule, dense where the density is narrowest."""
    points, widths = map(np.asarray, population.features())
    center, scale = points[widths.argmin()], widths.min()
    first, last = np.arcsinh((points[[0, -1]] - center) / scale)
    x = np.linspace(first, last, NODES)
    nodes = center + scale * np.sinh(x)
    probability = np.exp(np.asarray(population.log_density(jnp.asarray(nodes)))) * np.cosh(x)
    return nodes, probability / probability.sum()


@jax.jit
def _right(
    numbers: Specification, skill: Float[Array, "model point"], difficulty: Float[Array, "point"],
    discrimination: Float[Array, "point"],
) -> Float[Array, "model point"]:
    """Return the probability that each model is right."""
    def of_one(skill: Array, curve: Any) -> Array:  # noqa: ANN401
        return jnp.exp(curve.log_probabilities(skill, skill - discrimination * (skill - difficulty))[0])

    return jax.vmap(of_one)(skill, numbers.curve)


def _mean_right(
    numbers: Specification, skill: Array, nodes: np.ndarray, probability: np.ndarray, shift: np.ndarray, spread: float
) -> Float[np.ndarray, "model"]:
    """Return every model's accuracy on images that can be got right, averaged over these images' shifts."""
    deviations, weight = (DEVIATIONS, WEIGHTS) if spread else (np.zeros(1), np.ones(1))
    shifts, images = np.unique(shift, return_counts=True)

    def given(effect: Array | float) -> Array:
        return _averaged(
            numbers, skill + effect, nodes, probability, 1 + spread * deviations, weight, shifts, images / images.sum()
        )

    if not isinstance(numbers.skill, InFamilies):
        return np.asarray(given(0.0))
    each = np.array([given(numbers.skill.spread * z) for z in DEVIATIONS])
    return WEIGHTS @ each


@jax.jit
def _averaged(
    numbers: Specification, skill: Array, nodes: Array, probability: Array, discriminations: Array, weight: Array,
    shifts: Array, share: Array,
) -> Float[Array, "model"]:
    def add(total: Array, kind: tuple[Array, Array]) -> tuple[Array, None]:
        shift, share = kind

        def of_discrimination(one: Array) -> Array:
            return _right(numbers, skill[:, None], nodes + shift, jnp.full_like(nodes, one)) @ probability

        return total + share * weight @ jax.lax.map(of_discrimination, discriminations), None

    return jax.lax.scan(add, jnp.zeros_like(skill), (shifts, share))[0]
