"""The naive joint model, with every image's difficulty sampled: the reference that the marginal fit is tested by.

It is what one writes down first, and samples hundreds of times more slowly.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, Float, Int, Integer
from numpyro import distributions
from numpyro.infer import MCMC, NUTS, init_to_feasible

from difficulty_model.errors import InputError
from difficulty_model.fitting.density import Density
from difficulty_model.fitting.nuts import STATISTICS
from difficulty_model.fitting.program import draw_unknowns
from difficulty_model.fitting.sample import Sample
from difficulty_model.likelihood import Patterns
from difficulty_model.likelihood.marginal import INFINITE
from difficulty_model.skills import InFamilies, in_strata
from difficulty_model.specification import Specification, named, unknowns

WARMUP = 500
"""Draws that adapt step size and mass matrix; they are not kept."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Images:
    """What is known of every image."""

    stratum: Int[Array, "image"]
    covariates: Float[Array, "image covariate"]
    class_: Int[Array, "image"]


def image_by_image(patterns: Patterns) -> tuple[Integer[Array, "image column"], Images]:
    """Return every image's responses, and what is known of it."""
    chunks = patterns.chunks
    length = chunks.responses.shape[1]

    def of_image(values: Array) -> Array:
        return values.reshape(-1, *values.shape[2:])[patterns.of_image]

    images = Images(chunks.stratum[patterns.of_image // length], of_image(chunks.covariates), of_image(chunks.class_))
    return of_image(chunks.responses), images


def joint_program(
    specification: Specification,
    sizes: dict[str, int],
    right: Integer[Array, "image model"],
    wrong: Integer[Array, "image model"],
    images: Images,
) -> None:
    """Draw every unknown and every image's difficulty, and weigh by the likelihood of every single response."""
    numbers = named(specification, draw_unknowns(specification, sizes), sizes)
    count = len(images.stratum)
    anywhere = distributions.ImproperUniform(distributions.constraints.real, (), (count,))
    difficulty: Array = numpyro.sample("difficulty", anywhere)  # pyright: ignore[reportAssignmentType]
    skill = in_strata(numbers.skill).T  # (stratum or 1, model)
    skill = skill[images.stratum if len(skill) > 1 else jnp.zeros_like(images.stratum)]
    of_image = jax.tree.map(lambda leaf: leaf[images.stratum], numbers.population)
    away = difficulty - jax.vmap(lambda p, c, k: p.shift(c, k))(of_image, images.covariates, images.class_)
    population = jax.vmap(lambda p, t: p.log_density(t))(of_image, away)
    seen = jnp.broadcast_to(difficulty[:, None], skill.shape)
    spread = jax.vmap(lambda p: p.discrimination_spread())(of_image)
    if spread is not None:
        standard = numpyro.sample("standard_discrimination", distributions.Normal(0, 1).expand([count]).to_event(1))
        seen = skill - (1 + spread * standard)[:, None] * (skill - seen)  # pyright: ignore[reportOperatorIssue]

    def log_likelihood(seen: Array) -> Array:
        each = jax.vmap(lambda c, s, t: c.log_probabilities(s, t), in_axes=(0, 1, 1), out_axes=1)
        log_right, log_wrong = each(numbers.curve, skill, seen)
        return (right * log_right + wrong * log_wrong).sum(1)

    # An image at an atom has the same responses wherever its difficulty is drawn.
    total = population + log_likelihood(seen)
    atoms = of_image.log_atoms()
    if atoms:
        rest = jnp.log1p(-sum(map(jnp.exp, atoms.values())))
        for infinity, log_share in atoms.items():
            beside = population - rest + log_share
            total = jnp.logaddexp(total, beside + log_likelihood(jnp.full_like(seen, np.copysign(INFINITE, infinity))))
    numpyro.factor("images", total.sum())


def sample_joint(density: Density, *, draws: int, chains: int, random_seed: int, progress: bool) -> Sample:
    """Return draws of every unknown, and of `difficulty` (image)."""
    if isinstance(density.potential.specification.skill, InFamilies):
        raise InputError("method joint draws no effects of families of models; use another method")
    patterns = density.patterns
    columns, images = image_by_image(patterns)
    right, wrong = (columns, 1 - columns) if patterns.complete else jnp.split(columns, 2, axis=1)
    sampler = MCMC(
        NUTS(joint_program, init_strategy=init_to_feasible),
        num_warmup=WARMUP, num_samples=draws, num_chains=chains, chain_method="sequential", progress_bar=progress,
    )
    sampler.run(
        jax.random.key(random_seed), density.potential.specification, density.potential.sizes, right, wrong, images,
        extra_fields=tuple(STATISTICS),
    )
    drawn = sampler.get_samples(group_by_chain=True)
    extra = sampler.get_extra_fields(group_by_chain=True)
    return Sample(
        values={path: np.asarray(drawn[path]) for path in (*unknowns(density.potential.specification), "difficulty")},
        statistics={ours: np.asarray(extra[theirs]) for theirs, ours in STATISTICS.items()},
        diagnostics={},
        grid=None,
    )
