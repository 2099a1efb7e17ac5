"""Replicated data sets: what the models would answer to other images of the same populations, were the fit true.

A replicate has as many images as were observed, each in the stratum of an observed one, with its covariates and class,
and shown to the same models as often; only its difficulty is drawn afresh, one for all models, and then every response.
So whatever is computed of the observed responses can be computed of a replicate by the same lines.
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from difficulty_model.answering import answer, draw_nodes, right_by_effect
from difficulty_model.curves import ResponseCurve
from difficulty_model.fitting import Fit
from difficulty_model.fitting.images import families, kinds_of_images
from difficulty_model.fitting.result import grid_of
from difficulty_model.likelihood import (
    Chunk,
    Grid,
    Patterns,
    difficulty_posterior,
    log_probabilities,
    tabulate,
)
from difficulty_model.likelihood.patterns import CHUNK
from difficulty_model.posterior import on_grid
from difficulty_model.responses import Responses
from difficulty_model.skills import averaged, in_strata
from difficulty_model.specification import Specification
from difficulty_model.types import IntArray


@dataclass(frozen=True, eq=False)
class Draws:
    """Posterior draws, and the images that responses are replicated for.

    Attributes
    ----------
    responses
        What was observed.
    standing
        Posterior mean of every model's accuracy in the populations, averaged over test sets: who is strong, who weak.
    numbers
        The specification with draws in place of its unknowns.
    grid
        Nodes of difficulty that serve all draws.
    kinds
        The images, those together that the specification does not tell apart before any response.
    chunks
        The images one by one, in chunks of one stratum; without responses.
    image_of_row
        The image in every row of the chunks; any, where they are filled up.
    row_of_image
        The row of every image.
    family
        Number of every model's family, whose members share effects; None where there are none.
    """

    responses: Responses
    standing: Float[np.ndarray, "model"]
    numbers: Specification
    grid: Grid
    kinds: Patterns
    chunks: Chunk
    image_of_row: IntArray
    row_of_image: IntArray
    family: IntArray | None

    def __len__(self) -> int:
        """Return the number of draws."""
        return len(jax.tree.leaves(self.numbers)[0])

    def number(self, d: int) -> Specification:
        """Return the specification with one draw in place of its unknowns."""
        return jax.tree.map(lambda leaf: leaf[d], self.numbers)


def draws_of(fit: Fit, *, at_most: int) -> Draws:
    """Return so many posterior draws at most, evenly spaced, ready to replicate from."""
    responses = fit.responses
    with jax.enable_x64(True):
        numbers = fit.numbers(at_most=at_most)
        kinds = replace(
            jax.tree.map(jnp.asarray, kinds_of_images(responses, fit.specification)),
            showings=jnp.asarray(responses.shown.max(1), jnp.int32),
        )
        grid = grid_of(numbers, kinds)
        stratum = responses.strata().of_image
        image_of_row, row_of_image, stratum_of_chunk = _rows(stratum)
        kind_of_row = kinds.of_image[image_of_row]
        shape = len(stratum_of_chunk), len(image_of_row) // len(stratum_of_chunk)

        def laid_out(of_kind: Array) -> Array:
            return jnp.concatenate(of_kind)[kind_of_row].reshape(*shape, *of_kind.shape[2:])

        chunks = Chunk(
            jnp.zeros((*shape, 0), jnp.uint8), jnp.ones(shape),
            laid_out(kinds.chunks.covariates), laid_out(kinds.chunks.class_), jnp.zeros((*shape, 0), jnp.int32),
            jnp.asarray(stratum_of_chunk, jnp.int32),
        )
    accuracies = on_grid(fit, at_most=at_most).accuracies(fit.weights.values)
    return Draws(
        responses, accuracies.mean((0, 1)), numbers, grid, kinds, chunks, image_of_row, row_of_image,
        families(responses, fit.specification),
    )


def _rows(stratum: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the image of every row, the row of every image, and the stratum of every chunk of rows."""
    sizes = np.bincount(stratum)
    length = min(CHUNK, int(sizes.max()))
    chunks = -(-sizes // length)
    first = np.cumsum(chunks) * length - chunks * length
    order = np.argsort(stratum, kind="stable")
    rows = np.concatenate([start + np.arange(size) for start, size in zip(first, sizes, strict=True)])
    image_of_row, row_of_image = np.zeros(chunks.sum() * length, np.int64), np.empty(len(stratum), np.int64)
    image_of_row[rows], row_of_image[order] = order, rows
    return image_of_row, row_of_image, np.repeat(np.arange(len(sizes)), chunks)


def replicate(draws: Draws, d: int, rng: np.random.Generator) -> IntArray:
    """Return how often each model is right on each image of a replicated data set, (model, image), by draw d."""
    drawn, shown = draws.number(d), draws.responses.shown
    with jax.enable_x64(True):
        lots = jnp.asarray(rng.random(shown.shape[1]))
        node = np.asarray(draw_nodes(drawn, draws.kinds, draws.grid, jnp.asarray(draws.kinds.of_image), lots))
        probability = np.asarray(right_by_effect(drawn, draws.grid))
    return answer(rng, probability, draws.responses.strata().of_image, node, shown, draws.family)


def expected_right(
    draws: Draws, d: int, right: IntArray, *, models: IntArray, given: IntArray
) -> Float[np.ndarray, "model image"]:
    """Return the probability that models are right on each image, given its responses by some models.

    The posterior of the image's difficulty is taken on the grid, with the parameters of one draw. Models in families
    are taken one by one here: what they know of each other shows as dependence that replicates have too.

    Parameters
    ----------
    draws, d
        The parameters.
    right : (model, image)
        Observed or replicated responses of all models.
    models
        Models whose probability is wanted.
    given
        Models whose responses are known.
    """
    shown = draws.responses.shown
    complete = bool((shown == 1).all())
    known = right[given] if complete else np.concatenate([right[given], shown[given] - right[given]])
    rows = known.T[draws.image_of_row].reshape(*draws.chunks.count.shape, len(known))
    with jax.enable_x64(True):
        chunks = replace(draws.chunks, responses=jnp.asarray(rows))
        expected = _expected(
            draws.number(d), draws.grid, draws.kinds, chunks, jnp.asarray(models), jnp.asarray(given), complete
        )
        return np.asarray(expected).reshape(-1, len(models))[draws.row_of_image].T


@partial(jax.jit, static_argnums=6)
def _expected(
    numbers: Specification,
    grid: Grid,
    kinds: Patterns,
    chunks: Chunk,
    models: Int[Array, "model"],
    given: Int[Array, "known"],
    complete: bool,  # noqa: FBT001
) -> Float[Array, "chunk image model"]:
    skill, curve = in_strata(numbers.skill), averaged(numbers.skill, numbers.curve)

    def of_models(which: Array) -> tuple[Array, ResponseCurve]:
        return skill[which], jax.tree.map(lambda leaf: leaf[which], curve)

    tables = tabulate(*of_models(given), numbers.population, grid, replace(kinds, complete=complete))
    right = jnp.exp(log_probabilities(*of_models(models), numbers.population, grid)[0])

    def of_chunk(chunk: Chunk) -> Float[Array, "image model"]:
        known = difficulty_posterior(tables, chunk)
        return (known @ right[chunk.stratum if len(right) > 1 else 0].T).astype(jnp.float32)

    return jax.lax.map(of_chunk, chunks)
