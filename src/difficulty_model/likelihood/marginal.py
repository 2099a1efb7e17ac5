"""The one likelihood kernel: images integrated out on the grid, one matrix product for all of them.

With A_jq = log P(right | s_j, t_q) − log P(wrong | s_j, t_q), the likelihood of an image with responses y is

    log p(y) = logsumexp_q( Σ_j y_j A_jq + Σ_j log P(wrong | s_j, t_q) + log p_k(t_q) + log w_q ).

Curves and populations enter through these tables alone, so every specification is served by the same kernel. A node
is a difficulty; where images differ in discrimination it is a pair of both; images that no model can get right, or that
all do, are one more node each, infinitely hard or easy, where a population has such a share.

Models of one family are not independent given t_q, but given its effect z on the image too. Their part is
logsumexp_z( Σ_j log P(response j | s_j + spread_j z, t_q) + log φ(z) ), and a family gives few distinct answers: it is
tabulated for each, and looked up.

Images of one class are not independent given the population, but given the effect z of their class too, which shifts
it. Where effects are integrated out, log p(responses to the class) = logsumexp_z( Σ_i log p(y_i | z) + log φ(z) ), and
the images' likelihoods at all z are one more matrix product: of their likelihoods at the nodes, and the shares of
images there.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from difficulty_model.curves import ResponseCurve
from difficulty_model.likelihood.grid import Grid
from difficulty_model.likelihood.patterns import Chunk, FamilyAnswers, Patterns
from difficulty_model.populations import Population
from difficulty_model.skills import InFamilies, Skill, averaged, in_strata

INFINITE = 1e3
"""A difficulty at which no model is right: a curve is 0 to hundreds of digits, and its logarithm still a number."""

LOWEST = -1e4
"""Log-probability of a response that is as good as impossible. A lower one says no more, and costs digits: that all
models are right on an image is the difference of sums of such numbers, and thousands of images are like that."""

SMALLEST = 1e-300
"""Likelihood of an image at an effect of its class that is out of the question, so that its logarithm is a number."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Shifted:
    """Populations that are shifted image by image, and the grid on which they are laid out."""

    populations: Population
    grid: Grid


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Tables:
    """All that the kernel knows of the parameters, at every node.

    Attributes
    ----------
    response
        What one unit in a column of a response pattern adds to the log-likelihood at each node, per stratum or, where
        the strata do not differ, once.
    of_all
        What every image of a stratum adds at each node: the log-share of its population there, unless that is
        shifted, and for complete responses the log-probability that all models are wrong.
    of_family_answer
        What every distinct answer of a family of models adds at each node, if there are families; models of one add
        nothing to the other two.
    shifted
        The populations, where they are shifted image by image.
    """

    response: Float[Array, "stratum column node"]
    of_all: Float[Array, "stratum node"]
    of_family_answer: Float[Array, "stratum answer node"] | None
    shifted: Shifted | None


def tabulate(
    skill: Skill, curve: ResponseCurve, populations: Population, grid: Grid, patterns: Patterns
) -> Tables:
    """Return the tables of log-probabilities on the grid.

    Parameters
    ----------
    skill, curve, populations
        With one leading axis of models on their fields, on the populations one of strata.
    grid
        Nodes and weights.
    patterns
        What is to be looked up.
    """
    right, wrong = log_probabilities(in_strata(skill), averaged(skill, curve), populations, grid)
    of_answer, complete = None, patterns.complete
    if patterns.family_answers is not None:
        alone = patterns.family_answers.family[:, None] < 0
        right, wrong = (jnp.where(alone, of, 0.0) for of in (right, wrong))
        of_answer = _of_family_answers(skill, curve, populations, grid, patterns.family_answers)
    shifted = populations.is_shifted()
    shares = jnp.zeros(()) if shifted else jax.vmap(lambda p: log_shares(p, grid, None))(populations)
    strata = jax.tree.leaves(populations)[0].shape[0]
    of_all = jnp.broadcast_to(shares + (wrong.sum(1) if complete else 0.0), (strata, right.shape[-1]))
    return Tables(
        right - wrong if complete else jnp.concatenate([right, wrong], axis=1),
        of_all,
        of_answer,
        Shifted(populations, grid) if shifted else None,
    )


def log_probabilities(
    skill: Float[Array, "model stratum"], curve: ResponseCurve, populations: Population, grid: Grid
) -> tuple[Float[Array, "stratum model node"], Float[Array, "stratum model node"]]:
    """Return (log P(right), log P(wrong)) of every model at every node, for skills in strata."""
    difficulty, discrimination = nodes_of(populations, grid)

    def of_one(skill: Float[Array, ""], curve: ResponseCurve) -> tuple[Float[Array, "node"], Float[Array, "node"]]:
        # A curve is a function of s − τ: one steeper by the discrimination sees a difficulty as much farther away.
        away = difficulty if discrimination is None else skill - discrimination * (skill - difficulty)
        right, wrong = curve.log_probabilities(skill, away)
        return jnp.maximum(right, LOWEST), jnp.maximum(wrong, LOWEST)

    return jax.vmap(lambda of_stratum: jax.vmap(of_one)(of_stratum, curve), in_axes=1)(skill)


def _of_family_answers(
    skill: Skill, curve: ResponseCurve, populations: Population, grid: Grid, answers: FamilyAnswers
) -> Float[Array, "stratum answer node"]:
    assert isinstance(skill, InFamilies)
    assert grid.effects is not None
    spread, effects = skill.spread[:, None], grid.effects
    right, wrong = jax.vmap(
        lambda z: log_probabilities(in_strata(skill) + spread * z, curve, populations, grid), out_axes=-1
    )(effects)
    log_share = jax.nn.log_softmax(norm.logpdf(effects))

    @jax.checkpoint
    def of_chunk(chunk: tuple[Array, Array, Array]) -> Float[Array, "stratum answer node"]:
        members, times_right, times_wrong = chunk
        given = jnp.einsum("km,smnz->sknz", times_right, right[:, members])
        given += jnp.einsum("km,smnz->sknz", times_wrong, wrong[:, members])
        return logsumexp(given + log_share, axis=-1)

    # Made again for the gradient: answers × nodes × effects may be many.
    every = jax.lax.map(of_chunk, (answers.members, answers.right, answers.wrong))
    return every.swapaxes(0, 1).reshape(len(right), -1, right.shape[2])


def nodes_of(
    populations: Population, grid: Grid
) -> tuple[Float[Array, "node"], Float[Array, "node"] | None]:
    """Return difficulty and, where images differ in it, discrimination of every node of the tables.

    Difficulties vary fastest. Atoms stand last, at ±`INFINITE`.
    """
    difficulty, discrimination = grid.nodes, None
    if grid.discriminations is not None:
        discrimination = jnp.repeat(grid.discriminations, len(grid.nodes))
        difficulty = jnp.tile(grid.nodes, len(grid.discriminations))
    atoms = INFINITE * jnp.sign(jnp.array(list(populations.log_atoms())))
    if discrimination is not None:
        discrimination = jnp.concatenate([discrimination, jnp.ones_like(atoms)])
    return jnp.concatenate([difficulty, atoms]), discrimination


def log_shares(population: Population, grid: Grid, shift: Float[Array, ""] | None) -> Float[Array, "node"]:
    """Return the logarithm of the share of a population's images at each node, for images shifted so much."""
    nodes = grid.nodes if shift is None else grid.nodes - shift
    # Scaled to sum to one, which it does already on a grid that resolves it: a population that a search has made
    # narrower than the spacing would otherwise seem ever more likely.
    shares = jax.nn.log_softmax(population.log_density(nodes) + grid.log_weights)
    if grid.discriminations is not None:
        spread = jnp.asarray(population.discrimination_spread())
        of_discrimination = jax.nn.log_softmax(norm.logpdf(grid.discriminations, 1.0, spread))
        shares = (of_discrimination[:, None] + shares).ravel()
    atoms = jnp.array(list(population.log_atoms().values()))
    return jnp.concatenate([jnp.log1p(-jnp.exp(atoms).sum()) + shares, atoms])


def log_likelihood(tables: Tables, patterns: Patterns) -> Float[Array, ""]:
    """Return log p(responses | skills, curve, populations), in nats, of all images."""
    if tables.shifted is not None and tables.shifted.populations.class_spread() is not None:
        return logsumexp(_of_classes(tables, patterns), axis=1).sum()
    return _of_images(tables, patterns)


@jax.custom_vjp
def _of_images(tables: Tables, patterns: Patterns) -> Float[Array, ""]:
    """Return the log-likelihood of images that are independent of each other, summed over all."""
    return _log_likelihood_and_gradient(tables, patterns)[0]


def _log_likelihood_and_gradient(tables: Tables, patterns: Patterns) -> tuple[Float[Array, ""], Tables]:
    # Taking the gradient chunk by chunk, inside the loop, needs neither stored temporaries nor a second pass.
    def add_chunk(total, chunk):  # noqa: ANN001, ANN202
        return jax.tree.map(jnp.add, total, jax.value_and_grad(of_chunk)(tables, chunk)), None

    def of_chunk(tables, chunk):  # noqa: ANN001, ANN202
        return jnp.vdot(chunk.count, of_patterns(tables, chunk))

    zero = (jnp.zeros((), tables.response.dtype), jax.tree.map(jnp.zeros_like, tables))
    return jax.lax.scan(add_chunk, zero, patterns.chunks)[0]


def _backward(gradient: Tables, cotangent: Float[Array, ""]) -> tuple[Tables, None]:
    return jax.tree.map(lambda g: cotangent * g, gradient), None


_of_images.defvjp(_log_likelihood_and_gradient, _backward)


def of_patterns(tables: Tables, chunk: Chunk) -> Float[Array, "pattern"]:
    """Return log p(responses of one image) for every pattern of a chunk, in nats."""
    return logsumexp(_joint(tables, chunk), axis=1)


def difficulty_posterior(tables: Tables, chunk: Chunk) -> Float[Array, "pattern node"]:
    """Return the posterior probability of each node for each pattern's images."""
    return jax.nn.softmax(_joint(tables, chunk), axis=1)


def without_model(
    tables: Tables, wrong: Float[Array, "stratum model node"], j: int | Array, *, complete: bool
) -> Tables:
    """Return tables to which the responses of one model add nothing.

    Parameters
    ----------
    tables
        Of all models, without families.
    wrong
        Every model's log-probability of being wrong, as `log_probabilities` returns it.
    j
        The model.
    complete
        As `Patterns.complete`.
    """
    columns = jnp.arange(tables.response.shape[1]) % wrong.shape[1]
    response = jnp.where((columns == j)[:, None], 0.0, tables.response)
    return replace(tables, response=response, of_all=tables.of_all - wrong[:, j] if complete else tables.of_all)


def class_effect_posterior(tables: Tables, patterns: Patterns) -> Float[Array, "class_ effect"]:
    """Return the posterior probability of each node of every class's effect."""
    return jax.nn.softmax(_of_classes(tables, patterns), axis=1)


def _of_classes(tables: Tables, patterns: Patterns) -> Float[Array, "class_ effect"]:
    """Return log p(responses to all images of a class, its effect) for every class."""
    shifted = tables.shifted
    assert shifted is not None
    assert shifted.grid.class_effects is not None

    @jax.checkpoint
    def add_chunk(total: Array, chunk: Chunk) -> tuple[Array, None]:
        return total.at[chunk.class_].add(chunk.count[:, None] * _by_effect(tables, shifted, chunk)), None

    # Made again for the gradient: patterns × nodes of all chunks would be many.
    zero = jnp.zeros((patterns.classes, len(shifted.grid.class_effects)))
    total, _ = jax.lax.scan(add_chunk, zero, patterns.chunks)
    return total + jax.nn.log_softmax(norm.logpdf(shifted.grid.class_effects))


def _by_effect(tables: Tables, shifted: Shifted, chunk: Chunk) -> Float[Array, "pattern effect"]:
    """Return log p(responses of one image | effect of its class) for every pattern of a chunk."""
    population = jax.tree.map(lambda leaf: leaf[chunk.stratum], shifted.populations)
    shifts = population.class_spread() * shifted.grid.class_effects  # pyright: ignore[reportOptionalOperand]

    def shares(covariates: Float[Array, "covariate"], class_: Array) -> Float[Array, "effect node"]:
        known = population.shift(covariates, class_)
        return jnp.exp(jax.vmap(lambda shift: log_shares(population, shifted.grid, known + shift))(shifts))

    given = _given_node(tables, chunk)
    highest = given.max(axis=1, keepdims=True)
    likely = jnp.exp(given - highest)
    if chunk.covariates.shape[1]:
        total = jnp.einsum("pn,pzn->pz", likely, jax.vmap(shares)(chunk.covariates, chunk.class_))
    else:
        total = likely @ shares(chunk.covariates[0], chunk.class_[0]).T
    return highest + jnp.log(jnp.maximum(total, SMALLEST))


def _joint(tables: Tables, chunk: Chunk) -> Float[Array, "pattern node"]:
    """Return log p(responses, node) for every pattern."""
    given = _given_node(tables, chunk)
    if tables.shifted is None:
        return given
    return given + shares_of_patterns(tables.shifted.populations, tables.shifted.grid, chunk)


def _given_node(tables: Tables, chunk: Chunk) -> Float[Array, "pattern node"]:
    """Return log p(responses | node) for every pattern, with the share of images there unless that is shifted."""
    response = tables.response[chunk.stratum if len(tables.response) > 1 else 0]
    joint = chunk.responses.astype(response.dtype) @ response + tables.of_all[chunk.stratum]
    if tables.of_family_answer is not None:
        of_answer = tables.of_family_answer[chunk.stratum if len(tables.of_family_answer) > 1 else 0]
        joint += of_answer[chunk.family_answer].sum(1)
    return joint


def shares_of_patterns(populations: Population, grid: Grid, chunk: Chunk) -> Float[Array, "pattern node"]:
    """Return the logarithm of the share of images like those of each pattern that lie at each node."""
    population = jax.tree.map(lambda leaf: leaf[chunk.stratum], populations)
    return jax.vmap(lambda c, k: log_shares(population, grid, population.shift(c, k)))(
        chunk.covariates, chunk.class_
    )


def shares_of_strata(populations: Population, patterns: Patterns, grid: Grid) -> Float[Array, "stratum node"]:
    """Return the share of each stratum's images at each node, where they shift the population, of all its images."""
    if not populations.is_shifted():
        return jnp.exp(jax.vmap(lambda p: log_shares(p, grid, None))(populations))

    def add_chunk(total: Array, chunk: Chunk) -> tuple[Array, None]:
        shares = chunk.count @ jnp.exp(shares_of_patterns(populations, grid, chunk))
        return total.at[chunk.stratum].add(shares), None

    zero = jnp.zeros((jax.tree.leaves(populations)[0].shape[0], grid.size + len(populations.log_atoms())))
    total, _ = jax.lax.scan(add_chunk, zero, patterns.chunks)
    return total / total.sum(1, keepdims=True)
