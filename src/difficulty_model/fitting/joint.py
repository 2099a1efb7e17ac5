"""The naive joint model, with every image's difficulty sampled: the reference that the marginal fit is tested by.

It is what one writes down first, and samples hundreds of times more slowly.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, Int, Integer
from numpyro import distributions
from numpyro.infer import MCMC, NUTS, init_to_feasible

from difficulty_model.fitting.density import Density
from difficulty_model.fitting.nuts import STATISTICS
from difficulty_model.fitting.program import draw_unknowns
from difficulty_model.fitting.sample import Sample
from difficulty_model.likelihood.marginal import INFINITE
from difficulty_model.specification import Specification, per_name, unknowns

WARMUP = 500
"""Draws that adapt step size and mass matrix; they are not kept."""


def joint_program(
    specification: Specification,
    sizes: dict[str, int],
    right: Integer[Array, "image model"],
    wrong: Integer[Array, "image model"],
    stratum: Int[Array, "image"],
) -> None:
    """Draw every unknown and every image's difficulty, and weigh by the likelihood of every single response."""
    numbers = per_name(draw_unknowns(specification, sizes), sizes)
    anywhere = distributions.ImproperUniform(distributions.constraints.real, (), (len(stratum),))
    difficulty: Array = numpyro.sample("difficulty", anywhere)  # pyright: ignore[reportAssignmentType]
    of_image = jax.tree.map(lambda leaf: leaf[stratum], numbers.population)
    population = jax.vmap(lambda p, t: p.log_density(t))(of_image, difficulty)

    def log_likelihood(at: Array) -> Array:
        log_right, log_wrong = jax.vmap(lambda s, c: c.log_probabilities(s, at))(numbers.skill, numbers.curve)
        return (right * log_right.T + wrong * log_wrong.T).sum(1)

    # An image that no model can get right has the same responses wherever its difficulty is drawn.
    each = population + log_likelihood(difficulty)
    unlearnable = jax.vmap(lambda p: p.log_unlearnable())(of_image)
    if unlearnable is not None:
        beside = population - jnp.log1p(-jnp.exp(unlearnable)) + unlearnable
        each = jnp.logaddexp(each, beside + log_likelihood(jnp.full_like(difficulty, INFINITE)))
    numpyro.factor("images", each.sum())


def sample_joint(density: Density, *, draws: int, chains: int, random_seed: int, progress: bool) -> Sample:
    """Return draws of every unknown, and of `difficulty` (image)."""
    patterns = density.patterns
    columns = patterns.responses.reshape(-1, patterns.responses.shape[-1])[patterns.of_image]
    right, wrong = (columns, 1 - columns) if patterns.complete else jnp.split(columns, 2, axis=1)
    stratum = patterns.stratum.reshape(-1)[patterns.of_image]
    sampler = MCMC(
        NUTS(joint_program, init_strategy=init_to_feasible),
        num_warmup=WARMUP, num_samples=draws, num_chains=chains, chain_method="sequential", progress_bar=progress,
    )
    sampler.run(
        jax.random.key(random_seed), density.specification, density.sizes, right, wrong, stratum,
        extra_fields=tuple(STATISTICS),
    )
    drawn = sampler.get_samples(group_by_chain=True)
    extra = sampler.get_extra_fields(group_by_chain=True)
    return Sample(
        values={path: np.asarray(drawn[path]) for path in (*unknowns(density.specification), "difficulty")},
        statistics={ours: np.asarray(extra[theirs]) for theirs, ours in STATISTICS.items()},
        diagnostics={},
    )
