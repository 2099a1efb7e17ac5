"""What models answer to images drawn anew, by one posterior draw: the difficulty of every image, then every response.

Difficulties are drawn among the nodes of the grid on which images are integrated out, which has every probability of
responses, of one model or of several together, to the accuracy of those integrals.
"""

from collections.abc import Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from difficulty_model.fitting.result import grid_of
from difficulty_model.likelihood import Chunk, Grid, Patterns, log_probabilities, shares_of_patterns
from difficulty_model.likelihood.patterns import CHUNK
from difficulty_model.skills import InFamilies, in_strata
from difficulty_model.specification import Specification
from difficulty_model.types import IntArray

EFFECTS = np.linspace(-6, 6, 41)
"""Effects that families of models have on images, in standard deviations."""

SHARES = np.exp(-(EFFECTS**2) / 2) / np.exp(-(EFFECTS**2) / 2).sum()
"""Shares of images that have them."""


@jax.jit
def right_by_effect(
    drawn: Specification, grid: Grid, models: Int[Array, "model"] | None = None
) -> Float[Array, "stratum model node effect"]:
    """Return the probability that models, all or some, are right at every node, and with every effect of their family.

    There is one stratum where the strata do not differ, and one effect where models are in no families.
    """
    skill, curve = in_strata(drawn.skill), drawn.curve
    spread, effects = jnp.zeros((len(skill), 1)), jnp.zeros(1)
    if isinstance(drawn.skill, InFamilies):
        spread, effects = drawn.skill.spread[:, None], jnp.asarray(EFFECTS)
    if models is not None:
        skill, spread, curve = jax.tree.map(lambda leaf: leaf[models], (skill, spread, curve))

    def right(effect: Array) -> Array:
        return jnp.exp(log_probabilities(skill + spread * effect, curve, drawn.population, grid)[0])

    return jax.vmap(right, out_axes=-1)(effects)


def right_of_draws(
    numbers: Specification, kinds: Patterns, draws: Iterable[int]
) -> Iterator[Float[np.ndarray, "model stratum node effect"]]:
    """Yield every model's probability of being right, as `right_by_effect` has it, by one posterior draw after another.

    Parameters
    ----------
    numbers
        As `Fit.numbers` returns them.
    kinds
        Images without responses, for whose populations the grid is laid.
    draws
        Which draws; one that comes several times in a row is computed once.
    """
    with jax.enable_x64(True):
        grid = grid_of(numbers, jax.tree.map(jnp.asarray, kinds))
    last, probability = None, np.empty(0)
    for d in draws:
        if d != last:
            with jax.enable_x64(True):
                drawn = jax.tree.map(lambda leaf, d=d: leaf[d], numbers)
                last, probability = d, np.asarray(right_by_effect(drawn, grid)).swapaxes(0, 1)
        yield probability


def count_right(
    rng: np.random.Generator,
    probability: Float[np.ndarray, "model node effect"],
    of_node: IntArray,
    times: IntArray,
    family: IntArray | None,
) -> IntArray:
    """Return how often each model is right on images that lie so many at each node, and that all models see.

    Parameters
    ----------
    rng
        Of effects of families, of who sees what, and of responses.
    probability
        Of being right, at every node and with every effect of the model's family.
    of_node : (node,)
        Number of images at each node.
    times : (model,)
        How many responses each model gives: to every image as often as it can be, and to a random part once more.
    family
        Number of every model's family, whose members share effects; None where there are none.
    """
    images, shape = of_node.sum(), probability.shape
    seen = np.broadcast_to(of_node, (shape[0], len(of_node)))
    if family is not None:  # each family has its own effect on every image
        by_effect = rng.multinomial(np.broadcast_to(of_node, (family.max() + 1, len(of_node))), SHARES)
        seen = by_effect.reshape(len(by_effect), -1)[family]
    whole, rest = np.divmod(times, images)
    shown = whole[:, None] * seen
    for j in np.flatnonzero(rest):
        shown[j] += rng.multivariate_hypergeometric(seen[j], rest[j])
    return rng.binomial(shown.reshape(shape), probability).sum((1, 2))


@jax.jit
def draw_nodes(
    drawn: Specification, kinds: Patterns, grid: Grid, kind: Int[Array, "image"], lots: Float[Array, "image"]
) -> Int[Array, "image"]:
    """Return the node of every image of some kind, that on which its lot, uniform from 0 to 1, falls."""

    def of_chunk(chunk: Chunk) -> Float[Array, "kind node"]:
        return jnp.cumsum(jnp.exp(shares_of_patterns(drawn.population, grid, chunk)), axis=1)

    up_to = jax.lax.map(of_chunk, kinds.chunks)
    up_to = up_to.reshape(-1, up_to.shape[-1])
    return jax.lax.map(lambda image: (up_to[image[0], :-1] < image[1]).sum(), (kind, lots), batch_size=CHUNK)


def answer(
    rng: np.random.Generator,
    probability: Float[np.ndarray, "stratum model node effect"],
    stratum: IntArray,
    node: IntArray,
    shown: IntArray,
    family: IntArray | None,
) -> IntArray:
    """Return how often each model is right on each image, (model, image).

    Parameters
    ----------
    rng
        Of effects of families and of responses.
    probability
        As `right_by_effect` returns it.
    stratum, node
        Of every image.
    shown : (model, image)
        How often each model is shown it.
    family
        Number of every model's family, whose members share effects; None where there are none.
    """
    of_model = np.zeros(len(shown), int) if family is None else family
    shape = of_model.max() + 1, shown.shape[1]
    effect = np.zeros(shape, int) if family is None else rng.choice(len(EFFECTS), shape, p=SHARES)
    once, of_stratum = shown.max() == 1, stratum if len(probability) > 1 else 0
    right = np.zeros_like(shown)
    for j, times in enumerate(shown):
        p = probability[of_stratum, j, node, effect[of_model[j]]]
        right[j] = times * (rng.random(len(times)) < p) if once else rng.binomial(times, p)
    return right
