"""Difficulties of images against quadrature, at given draws of skills and populations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import cumulative_simpson
from scipy.special import log_ndtr
from scipy.stats import binomtest, kstwo, norm

from difficulty_model.curves import Lapsing, Probit
from difficulty_model.fitting import difficulties
from difficulty_model.fitting.result import grid_of
from difficulty_model.likelihood import collapse
from difficulty_model.populations import Normal, WithUnlearnable, WithUnmissable
from difficulty_model.specification import Specification
from worlds import simulate

LEVELS = np.array([0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975])
FINE = np.linspace(-25, 25, 20_001)
DRAWS = 3


@pytest.fixture(params=[(3, 1.5), (12, 0.4), (60, 2.0)], ids=lambda p: f"{p[0]} models, sd {p[1]}")
def exact(request: pytest.FixtureRequest):
    """A world, three draws of its parameters, and the exact density of every image averaged over them."""
    models, sd = request.param
    rng = np.random.default_rng(models)
    world = simulate(models, skill=rng.normal(0.5, 0.8, models), images={"a": 20, "b": 20}, sd=(sd, sd), missing=0.1)
    responses, stratum = world.responses, world.responses.strata().of_image
    skill = world.skill + rng.normal(0, 0.2, (DRAWS, models))
    mean, sds = world.mean + rng.normal(0, 0.1, (DRAWS, 2)), world.sd * rng.uniform(0.9, 1.1, (DRAWS, 2))
    right, wrong = responses.right.astype(float), (responses.shown - responses.right).astype(float)
    density = []
    for d in range(DRAWS):
        log_p = right.T @ log_ndtr(skill[d][:, None] - FINE) + wrong.T @ log_ndtr(FINE - skill[d][:, None])
        log_p += norm.logpdf(FINE, mean[d][stratum, None], sds[d][stratum, None])
        p = np.exp(log_p - log_p.max(1, keepdims=True))
        density.append(p / (p.sum(1, keepdims=True) * (FINE[1] - FINE[0])))
    with jax.enable_x64(True):
        numbers = Specification(
            jnp.asarray(skill), Probit(), Normal(jnp.asarray(mean), jnp.asarray(sds))
        )
        patterns = jax.tree.map(jnp.asarray, collapse(responses.right, responses.shown, stratum))
        grid = grid_of(numbers, patterns, refinement=difficulties.REFINEMENT)
        yield numbers, patterns, grid, np.array(density)


def test_mean_sd_and_quantiles_are_those_of_quadrature(exact):  # noqa: ANN001
    numbers, patterns, grid, densities = exact
    density = densities.mean(0)
    step = FINE[1] - FINE[0]
    mean = density @ FINE * step
    sd = np.sqrt(density @ FINE**2 * step - mean**2)
    probability = difficulties.average_posterior(numbers, patterns, grid, progress=False)
    of_image = np.asarray(patterns.of_image)
    our_mean, our_sd = difficulties.moments(probability, np.asarray(grid.nodes))
    np.testing.assert_allclose(our_mean[of_image], mean, atol=1e-6)
    np.testing.assert_allclose(our_sd[of_image], sd, rtol=1e-5)
    ours = difficulties.quantiles(probability, grid, LEVELS)[of_image]
    cumulative = cumulative_simpson(density, x=FINE, initial=0)
    theirs = np.array([np.interp(LEVELS, c, FINE) for c in cumulative])
    # As documented: to 1% of an sd, on nodes a third of the smallest sd apart.
    assert (np.abs(ours - theirs) / sd[:, None]).max() < 0.01


def test_draws_have_the_exact_distribution(exact):  # noqa: ANN001
    numbers, patterns, grid, densities = exact
    repeats = 700
    many = jax.tree.map(lambda leaf: jnp.repeat(leaf[:1], repeats, axis=0), numbers)
    drawn = difficulties.draw_difficulties(many, patterns, grid, random_seed=5)
    for i in range(0, drawn.shape[1], 4):
        cumulative = cumulative_simpson(densities[0, i], x=FINE, initial=0)
        levels = np.sort(np.interp(drawn[:, i], FINE, cumulative))
        distance = np.abs(levels - (np.arange(repeats) + 0.5) / repeats).max()
        # Kolmogorov's distance exceeds this bound once in 10⁷; 0.01 for the interpolation between nodes.
        assert distance < kstwo.ppf(1 - 1e-7, repeats) + 0.01
    # Images are drawn independently of each other, given the parameters.
    standard = (drawn - drawn.mean(0)) / drawn.std(0)
    correlation = standard.T @ standard / repeats
    assert np.abs(correlation[np.triu_indices(len(correlation), 1)]).max() < 6 / np.sqrt(repeats)
    again = difficulties.draw_difficulties(many, patterns, grid, random_seed=5)
    np.testing.assert_array_equal(drawn, again)


def test_draws_are_infinite_as_often_as_images_are_at_the_atoms():
    # With guesses and lapses every image may be at either atom, or between them.
    skill, guess, lapse, repeats = np.array([-0.5, 0.3, 1.0]), 0.4, 0.3, 4000
    right = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1]], np.uint8)  # images that all, none, and some get right
    patterns = collapse(right, np.ones_like(right), np.zeros(3, int))
    with jax.enable_x64(True):
        one = jnp.ones((repeats, 1))
        population = WithUnlearnable(WithUnmissable(Normal(0 * one, one), 0.3 * one), 0.2 * one)
        per_model = jnp.ones((repeats, 3))
        curve = Lapsing(Probit(), guess * per_model, lapse * per_model)
        numbers = Specification(jnp.asarray(skill) * per_model, curve, population)
        patterns = jax.tree.map(jnp.asarray, patterns)
        grid = grid_of(numbers, patterns, refinement=difficulties.REFINEMENT)
        drawn = difficulties.draw_difficulties(numbers, patterns, grid, random_seed=2)
    p = guess + (1 - guess - lapse) * norm.cdf(skill[:, None] - FINE)
    for i, answers in enumerate(right.T):
        of_image = np.where(answers[:, None], p, 1 - p).prod(0)
        between = 0.8 * 0.7 * of_image @ norm.pdf(FINE) * (FINE[1] - FINE[0])
        times = answers.sum()
        hard = 0.2 * guess**times * (1 - guess) ** (3 - times)
        easy = 0.8 * 0.3 * (1 - lapse) ** times * lapse ** (3 - times)
        for infinity, share in ((np.inf, hard), (-np.inf, easy)):
            found = int((drawn[:, i] == infinity).sum())
            assert binomtest(found, repeats, share / (hard + easy + between)).pvalue > 1e-6
