"""The one likelihood kernel: images integrated out on the grid, one matrix product for all of them.

With A_jq = log P(right | s_j, t_q) − log P(wrong | s_j, t_q), the likelihood of an image with responses y is

    log p(y) = logsumexp_q( Σ_j y_j A_jq + Σ_j log P(wrong | s_j, t_q) + log p_k(t_q) + log w_q ).

Curves and populations enter through these tables alone, so every specification is served by the same kernel. Images that
no model can get right are one more node, infinitely hard, where a population has such a share.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int, Integer

from difficulty_model.curves import ResponseCurve
from difficulty_model.likelihood.grid import Grid
from difficulty_model.likelihood.patterns import Patterns
from difficulty_model.populations import Population


INFINITE = 1e3
"""A difficulty at which no model is right: the probit is 0 to hundreds of digits, and its logarithm still a number."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Tables:
    """All that the kernel knows of the parameters, at every node of the grid and, after these, at infinity if need be.

    Attributes
    ----------
    response
        What one unit in a column of a response pattern adds to the log-likelihood at each node.
    population
        What every image of a stratum adds at each node: the log-density of its population and the node's
        log-weight, and for complete responses the log-probability that all models are wrong.
    """

    response: Float[Array, "column node"]
    population: Float[Array, "stratum node"]


def tabulate(
    skill: Float[Array, "model"],
    curve: ResponseCurve,
    populations: Population,
    grid: Grid,
    *,
    complete: bool,
) -> Tables:
    """Return the tables of log-probabilities on the grid.

    Parameters
    ----------
    skill
        Skill of every model.
    curve, populations
        The curve with one leading axis of models on its fields, the populations with one of strata.
    grid
        Nodes and weights.
    complete
        As `Patterns.complete`.
    """
    right, wrong = jax.vmap(lambda s, c: c.log_probabilities(s, nodes_of(populations, grid)))(skill, curve)
    population = log_masses(populations, grid)
    if complete:
        return Tables(right - wrong, population + wrong.sum(0))
    return Tables(jnp.concatenate([right, wrong]), population)


def nodes_of(populations: Population, grid: Grid) -> Float[Array, "node"]:
    """Return the difficulties at which tables are made: the grid's nodes, and `INFINITE` where images are unlearnable."""
    if populations.log_unlearnable() is None:
        return grid.nodes
    return jnp.append(grid.nodes, INFINITE)


def log_masses(populations: Population, grid: Grid) -> Float[Array, "stratum node"]:
    """Return the logarithm of the share of each stratum's images at each of `nodes_of`."""
    # Scaled to sum to one, which it does already on a grid that resolves it: a population that a search has made
    # narrower than the spacing would otherwise seem ever more likely.
    learnable = jax.nn.log_softmax(
        jax.vmap(lambda p: p.log_density(grid.nodes))(populations) + grid.log_weights, axis=1
    )
    unlearnable = jax.vmap(lambda p: p.log_unlearnable())(populations)
    if unlearnable is None:
        return learnable
    return jnp.concatenate([jnp.log1p(-jnp.exp(unlearnable))[:, None] + learnable, unlearnable[:, None]], axis=1)


@jax.custom_vjp
def log_likelihood(tables: Tables, patterns: Patterns) -> Float[Array, ""]:
    """Return log p(responses | skills, curve, populations), in nats, summed over all images."""
    return _log_likelihood_and_gradient(tables, patterns)[0]


def _log_likelihood_and_gradient(tables: Tables, patterns: Patterns) -> tuple[Float[Array, ""], Tables]:
    # Taking the gradient chunk by chunk, inside the loop, needs neither stored temporaries nor a second pass.
    def add_chunk(total, chunk):  # noqa: ANN001, ANN202
        return jax.tree.map(jnp.add, total, jax.value_and_grad(of_chunk)(tables, *chunk)), None

    def of_chunk(tables, responses, stratum, count):  # noqa: ANN001, ANN202
        return jnp.vdot(count, logsumexp(_joint(tables, responses, stratum), axis=1))

    zero = (jnp.zeros((), tables.response.dtype), jax.tree.map(jnp.zeros_like, tables))
    chunks = (patterns.responses, patterns.stratum, patterns.count)
    return jax.lax.scan(add_chunk, zero, chunks)[0]


def _backward(gradient: Tables, cotangent: Float[Array, ""]) -> tuple[Tables, None]:
    return jax.tree.map(lambda g: cotangent * g, gradient), None


log_likelihood.defvjp(_log_likelihood_and_gradient, _backward)


def difficulty_posterior(
    tables: Tables, responses: Integer[Array, "pattern column"], stratum: Int[Array, "pattern"]
) -> Float[Array, "pattern node"]:
    """Return the posterior probability that each pattern's images have the difficulty of each node, or are unlearnable."""
    return jax.nn.softmax(_joint(tables, responses, stratum), axis=1)


def _joint(
    tables: Tables, responses: Integer[Array, "pattern column"], stratum: Int[Array, "pattern"]
) -> Float[Array, "pattern node"]:
    """Return log p(responses, node) for every pattern."""
    return responses.astype(tables.response.dtype) @ tables.response + tables.population[stratum]
