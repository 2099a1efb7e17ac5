"""The grid that is laid out for a world carries its whole log-density, and says so truly."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

from difficulty_model.curves import Probit
from difficulty_model.likelihood import Grid, Patterns, collapse, grid_for, log_likelihood, sinh_grid, tabulate
from difficulty_model.populations import AcrossClasses, Normal, Population, Regressed
from worlds import World, simulate

ALLOWED = 1e-2
"""Nats, over a whole test: the sampler accepts proposals by differences of the log-density of about one."""

MODELS, SDS, SPREADS = (2, 3, 20, 67), (0.05, 0.3, 1.5, 5.0), (0.1, 3.0)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def patterns_of(world: World) -> Patterns:
    responses = world.responses
    return jax.tree.map(jnp.asarray, collapse(responses.right, responses.shown, responses.strata().of_image))


def layout(world: World, *, refinement: float = 1.0) -> Grid:
    population = Normal(jnp.asarray(world.mean)[None], jnp.asarray(world.sd)[None])
    return grid_for(jnp.asarray(world.skill)[None], Probit(), population, patterns_of(world), refinement=refinement)


def log_density(world: World, patterns: Patterns, grid: Grid) -> float:
    @jax.jit
    def on(skill: jax.Array, population: Normal, patterns: Patterns, grid: Grid) -> jax.Array:
        tables = tabulate(skill, Probit(), population, grid, patterns)
        return log_likelihood(tables, patterns)

    population = Normal(jnp.asarray(world.mean), jnp.asarray(world.sd))
    return float(on(jnp.asarray(world.skill), population, patterns, grid))


def beyond_doubt(world: World) -> Grid:
    """Nodes six to the smallest sd that a posterior can have, equally spaced where images are."""
    smallest = 1 / np.sqrt(len(world.skill) + 1 / world.sd.min() ** 2)
    low, high = (world.mean - 9 * world.sd).min(), (world.mean + 9 * world.sd).max()
    return sinh_grid(center=0.0, scale=1e6, spacing=smallest / 6, low=low, high=high)


@pytest.mark.parametrize(("models", "sd", "spread"), list(itertools.product(MODELS, SDS, SPREADS)))
def test_log_density_is_exact_to_a_hundredth_of_a_nat(models: int, sd: float, spread: float):
    skill = np.random.default_rng(models).normal(1.0, spread, models)
    world = simulate(0, skill=skill, images={"only": 20_000}, mean=(0.0,), sd=(sd,))
    patterns = patterns_of(world)
    exact = log_density(world, patterns, beyond_doubt(world))
    assert log_density(world, patterns, layout(world)) == pytest.approx(exact, rel=0, abs=ALLOWED)


@pytest.mark.parametrize("by", ["covariate", "classes"])
@pytest.mark.parametrize(("models", "sd"), list(itertools.product((2, 67), (0.1, 1.5))))
def test_populations_are_resolved_wherever_they_are_shifted(models: int, sd: float, by: str):
    rng = np.random.default_rng(models)
    skill, class_ = rng.normal(1.0, 1.0, models), np.arange(3000) % 30
    known = rng.normal(size=(3000, 1)) if by == "covariate" else rng.normal(size=30)[class_, None]
    difficulty = 3 * known[:, 0] + rng.normal(0, sd, 3000)
    right = (rng.random((models, 3000)) < ndtr(skill[:, None] - difficulty)).astype(int)
    one = jnp.ones(1)
    population: Population = AcrossClasses(Normal(0 * one, sd * one), 3 * one)
    covariates = None
    if by == "covariate":
        population, covariates, class_ = Regressed(Normal(0 * one, sd * one), 3 * one[None], ("x",)), known, None
    patterns = jax.tree.map(
        jnp.asarray, collapse(right, np.ones_like(right), np.zeros(3000, int), covariates, class_)
    )
    given = jnp.asarray(skill)
    laid = grid_for(given[None], Probit(), jax.tree.map(lambda leaf: leaf[None], population), patterns)
    smallest = 1 / np.sqrt(models + 1 / sd**2)
    exact = sinh_grid(center=0.0, scale=1e6, spacing=smallest / 3, low=-18.0, high=18.0)
    exact = replace(exact, class_effects=None if by == "covariate" else jnp.linspace(-7, 7, 2001))

    @jax.jit
    def on(grid: Grid) -> jax.Array:
        return log_likelihood(tabulate(given, Probit(), population, grid, patterns), patterns)

    assert float(on(laid)) == pytest.approx(float(on(exact)), rel=0, abs=ALLOWED)
    assert len(laid.nodes) < len(exact.nodes)


@pytest.mark.parametrize("sds", [(0.1, 4.0), (1.5, 2.0)])
@pytest.mark.parametrize("models", [5, 300])
def test_one_grid_serves_populations_of_different_width(models: int, sds: tuple[float, float]):
    skill = np.random.default_rng(0).normal(0.5, 0.7, models)
    world = simulate(1, skill=skill, images={"a": 1000, "b": 1000}, mean=(-2.0, 2.0), sd=sds)
    patterns = patterns_of(world)
    exact = log_density(world, patterns, beyond_doubt(world))
    assert log_density(world, patterns, layout(world)) == pytest.approx(exact, rel=0, abs=ALLOWED)
    finer = log_density(world, patterns, layout(world, refinement=2.0))
    assert finer == pytest.approx(exact, rel=0, abs=ALLOWED / 100)


def test_one_grid_serves_several_draws():
    skills = np.array([[-1.0, 0.0, 1.0], [9.0, 10.0, 11.0]])
    means, sds = jnp.asarray([[0.0], [10.0]]), jnp.asarray([[1.0], [2.0]])
    any_images = patterns_of(simulate(1, skill=skills[0], images={"only": 20}, mean=(0.0,), sd=(1.0,)))
    grid = grid_for(jnp.asarray(skills), Probit(), Normal(means, sds), any_images)
    for skill, mean, sd in zip(skills, (0.0, 10.0), (1.0, 2.0), strict=True):
        world = simulate(2, skill=skill, images={"only": 5000}, mean=(mean,), sd=(sd,))
        patterns = patterns_of(world)
        exact = log_density(world, patterns, beyond_doubt(world))
        assert log_density(world, patterns, grid) == pytest.approx(exact, rel=0, abs=ALLOWED)


def test_a_refined_grid_has_more_nodes_and_reaches_further():
    world = simulate(3, skill=np.linspace(-1, 1, 10), images={"only": 10}, mean=(0.0,), sd=(1.0,))
    grid, finer = layout(world), layout(world, refinement=2.0)
    assert len(finer.nodes) >= 2 * len(grid.nodes) - 1
    assert float(finer.nodes[0]) < float(grid.nodes[0])
    assert float(finer.nodes[-1]) > float(grid.nodes[-1])


def test_weights_integrate_what_they_should():
    grid = sinh_grid(center=1.0, scale=2.0, spacing=0.2, low=-30.0, high=30.0)
    for power, exact in [(0, 1.0), (1, 0.3), (2, 0.3**2 + 1.2**2)]:
        density = jnp.exp(jax.scipy.stats.norm.logpdf(grid.nodes, 0.3, 1.2) + grid.log_weights)
        assert float(grid.nodes**power @ density) == pytest.approx(exact, abs=1e-12)


def test_repeated_showings_are_resolved():
    # Fifty answers to one image pin its difficulty seven times closer than one answer does.
    world = simulate(4, skill=np.linspace(-0.5, 0.5, 6), images={"only": 500}, mean=(0.0,), sd=(1.5,), showings=50)
    patterns = patterns_of(world)
    population = Normal(jnp.asarray(world.mean)[None], jnp.asarray(world.sd)[None])
    grid = grid_for(jnp.asarray(world.skill)[None], Probit(), population, patterns)
    exact = log_density(world, patterns, sinh_grid(center=0.0, scale=1e6, spacing=0.01, low=-14.0, high=14.0))
    assert log_density(world, patterns, grid) == pytest.approx(exact, rel=0, abs=ALLOWED)
