"""The posterior of a specification as a PyMC model, written in PyTensor: a second opinion on the package's own.

It shares with it the specification, the response patterns and the grid, and none of the formulas.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
from pytensor.compile.sharedvalue import shared

from difficulty_model.exporting import pymc_parts
from difficulty_model.exporting.inputs import inputs_of
from difficulty_model.exporting.pymc_parts import KnownOfImages, Laid, Tensor, log_add_exp, log_sum_exp, pt
from difficulty_model.fitting.program import FREE, OTHERS
from difficulty_model.likelihood import Grid, Patterns
from difficulty_model.likelihood.marginal import INFINITE
from difficulty_model.responses import Responses
from difficulty_model.specification import Prior, Specification, unknowns
from difficulty_model.types import MODEL, STRATUM


def to_pymc(specification: Specification, responses: Responses) -> pm.Model:
    """Return the posterior of a specification given responses as a PyMC model.

    The model has every unknown under its path and with its dimensions, as in `Fit.posterior` (of an unknown with a
    held reference also its other or free numbers, under the path and ``.others`` or ``.free``), and the marginal
    log-likelihood of all images as the potential ``responses``. Sampling starts at the posterior mode.

    Parameters
    ----------
    specification
        What is assumed.
    responses
        What was observed.

    Raises
    ------
    InputError
        If the specification does not suit the responses, or a part of it has no translation into PyTensor.

    Notes
    -----
    Images are integrated out on a grid laid for the posterior, as for `to_numpyro`, and images with the same responses
    are counted, not repeated. An array of distinct patterns × nodes is held a few times over: 20 MB each for the
    60,000 images of two ImageNet test sets, times the nodes of discrimination where images differ in it.
    """
    given = inputs_of(specification, responses)
    model = pymc_model(specification, given.names, given.patterns, given.grid)
    for site, value in given.mode.items():
        model.set_initval(model[site], value)
    return model


def pymc_model(specification: Specification, names: dict[str, list[str]], patterns: Patterns, grid: Grid) -> pm.Model:
    """Return the posterior on a given grid.

    Parameters
    ----------
    specification
        What is assumed.
    names
        Names along every dimension that priors may vary over.
    patterns
        The responses.
    grid
        On which images are integrated out.
    """
    used = {MODEL, STRATUM}.union(*(prior.dims for prior in unknowns(specification).values()))
    with pm.Model(coords={dim: of for dim, of in names.items() if dim in used}) as model:
        values = {path: _drawn(path, prior, names) for path, prior in unknowns(specification).items()}
        each = [
            _log_likelihood(_in_stratum(specification, values, k), _images_of(patterns, k), grid)
            for k in range(len(names[STRATUM]))
        ]
        pm.Potential("responses", pt.stack(each).sum())
    return model


def _drawn(path: str, prior: Prior, names: dict[str, list[str]]) -> Tensor:
    """Return an unknown, in the PyMC model of the context."""
    if prior.reference is None:
        return pymc_parts.prior(prior.distribution, path, prior.dims)
    if prior.held == "mean":
        free = pymc_parts.prior(prior.distribution, path + FREE, prior.dims)
        return pm.Deterministic(
            path, pymc_parts.moved_to_mean(prior.distribution, free, prior.reference), dims=prior.dims
        )
    first, *rest = prior.dims
    held = pt.as_tensor(np.full((1, *(len(names[dim]) for dim in rest)), prior.reference, float))
    if len(names[first]) > 1:
        pm.modelcontext(None).add_coord(first + OTHERS, names[first][1:])
        others = pymc_parts.prior(prior.distribution, path + OTHERS, (first + OTHERS, *rest))
        held = pt.concatenate([held, others])
    return pm.Deterministic(path, held, dims=prior.dims)


def _in_stratum(node: Any, values: dict[str, Tensor], stratum: int, path: str = "") -> Any:
    """Return a tree of tensors for one stratum, in which parameters of models are columns."""
    if isinstance(node, Prior):
        value = values[path]
        if STRATUM in node.dims:
            value = pt.moveaxis(value, node.dims.index(STRATUM), 0)[stratum]
        return value[:, None] if MODEL in node.dims else value
    if not dataclasses.is_dataclass(node):
        return pt.as_tensor(np.asarray(node, np.float64))
    parts = {
        f.name: _in_stratum(getattr(node, f.name), values, stratum, f"{path}.{f.name}".removeprefix("."))
        for f in dataclasses.fields(node)
        if not f.metadata.get("static")
    }
    return dataclasses.replace(node, **parts)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class _Images:
    """Distinct images of one stratum: how often each model was right and wrong (image, model), and their number.

    `family` tells that of every model, −1 where it is by itself; None if there are no effects of families.
    """

    right: Tensor
    wrong: Tensor
    count: Tensor
    known: KnownOfImages
    family: np.ndarray | None


def _images_of(patterns: Patterns, stratum: int) -> _Images:
    chunks = patterns.chunks
    here = np.asarray(chunks.stratum) == stratum
    filled = np.asarray(chunks.count)[here] > 0

    def distinct(values: Any) -> np.ndarray:
        return np.asarray(values)[here][filled]

    models = len(patterns.showings)
    columns = distinct(chunks.responses).astype(np.float64)
    right = columns[:, :models]
    wrong = 1 - right if patterns.complete else columns[:, models:]
    known = KnownOfImages(distinct(chunks.covariates), distinct(chunks.class_))
    family = None if patterns.family_answers is None else np.asarray(patterns.family_answers.family)
    # Shared variables, since a backend may compile constants into its code.
    return _Images(shared(right), shared(wrong), shared(distinct(chunks.count)), known, family)


def _log_likelihood(numbers: Specification, images: _Images, grid: Grid) -> Tensor:
    """Return log p(responses) of the images of one stratum, in nats."""
    population = pymc_parts.laid(numbers.population, images.known)
    models = images.right.get_value(borrow=True).shape[1]
    skill = pt.broadcast_to(pymc_parts.in_stratum(numbers.skill), (models, 1))

    def of_image(difficulty: Any, log_share: Any) -> Tensor:
        if images.family is not None:
            return log_sum_exp(_of_families(numbers, skill, images, difficulty, np.asarray(grid.effects)) + log_share)
        log_right, log_wrong = pymc_parts.log_probabilities(numbers.curve, skill, difficulty)
        return log_sum_exp(pt.dot(images.right, log_right) + pt.dot(images.wrong, log_wrong) + log_share)

    each = of_image(*_places(population, grid, skill))
    for infinity, share in population.atoms:
        at = pt.as_tensor(np.full(1, np.copysign(INFINITE, infinity)))
        each = log_add_exp(pt.log1p(-share) + each, pt.log(share) + of_image(at, np.zeros(1)))
    return pt.dot(images.count, each)


def _of_families(
    numbers: Specification, skill: Tensor, images: _Images, difficulty: Any, effects: np.ndarray
) -> Tensor:
    """Return log p(responses | difficulty) with effects of families integrated out, (image, node).

    A model by itself is a family of one here, with an integral of its own.
    """
    assert images.family is not None
    models = len(images.family)
    family = np.where(images.family < 0, models + np.arange(models), images.family)
    log_share = pm.logp(pm.Normal.dist(0, 1), effects)
    log_share -= log_sum_exp(log_share)
    # An image is as much easier for a model as its effect makes the model more skilled.
    spread = pt.broadcast_to(numbers.skill.spread, (models, 1))[..., None]
    seen = (difficulty - spread * effects[:, None]).reshape((models, -1))
    log_right, log_wrong = pymc_parts.log_probabilities(numbers.curve, skill, seen)
    total = 0.0
    for members in (np.flatnonzero(family == f) for f in np.unique(family)):
        answers = np.stack([of.get_value()[:, members] for of in (images.right, images.wrong)], axis=2)
        distinct, kind = np.unique(answers, axis=0, return_inverse=True)
        given = pt.dot(distinct[..., 0], log_right[members]) + pt.dot(distinct[..., 1], log_wrong[members])
        given = given.reshape((len(distinct), len(effects), -1)).swapaxes(1, 2)
        total += log_sum_exp(given + log_share)[kind.ravel()]
    return total


def _places(population: Laid, grid: Grid, skill: Tensor) -> tuple[Tensor, Tensor]:
    """Return how difficult every node is, (node,) or (model, node), and the log-share of images there."""
    nodes = pt.as_tensor(np.asarray(grid.nodes))
    density = population.log_density(nodes - population.shift[:, None])
    log_share = pt.special.log_softmax(density + np.asarray(grid.log_weights), axis=-1)
    if population.discrimination_spread is None:
        return nodes, log_share
    assert grid.discriminations is not None
    discriminations = np.asarray(grid.discriminations)
    law = pm.Normal.dist(1, population.discrimination_spread)
    log_share_of = pt.special.log_softmax(pm.logp(law, discriminations), axis=-1)
    # Every pair of a discrimination and a difficulty is a node. P₀(a(s − τ)) is P₀ at the difficulty s − a(s − τ).
    a, t = (index.ravel() for index in np.indices((len(discriminations), len(grid.nodes))))
    return skill - discriminations[a] * (skill - nodes[t]), log_share_of[a] + log_share[:, t]
