"""Effects of classes integrated out, against a double integral per class written the plain way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from difficulty_model.curves import Lapsing, Probit
from difficulty_model.likelihood import class_effect_posterior, collapse, grid_for, log_likelihood, tabulate
from difficulty_model.populations import AcrossClasses, Normal, Population, Regressed, WithUnlearnable

MODELS, IMAGES, CLASSES = 4, 40, 3
SKILL, GUESS = np.linspace(-0.5, 1.5, MODELS), 0.1
MEAN, SD, SPREAD = np.array([0.0, 0.8]), np.array([1.5, 1.0]), np.array([0.9, 1.2])
COEFFICIENT, SHARE = np.array([0.7, -0.4]), np.array([0.05, 0.2])
DIFFICULTY, EFFECT = np.arange(-14, 14, 0.05), np.arange(-12, 12, 0.05)
PARTS = ["classes alone", "with covariates", "with covariates and an atom"]


def population(parts: str, spread: np.ndarray = SPREAD) -> Population:
    made: Population = AcrossClasses(Normal(MEAN, SD), spread)  # pyright: ignore[reportArgumentType]
    if "covariates" in parts:
        made = Regressed(made, np.tile(COEFFICIENT, (2, 1)), ("a", "b"))  # pyright: ignore[reportArgumentType]
    if "atom" in parts:
        made = WithUnlearnable(made, SHARE)  # pyright: ignore[reportArgumentType]
    return jax.tree.map(jnp.asarray, made)


def by_summing(
    parts: str, right: np.ndarray, shown: np.ndarray, stratum: np.ndarray, covariates: np.ndarray, class_: np.ndarray,
    spread: np.ndarray = SPREAD,
) -> np.ndarray:
    """Return log p(responses to a class, effect) at every effect, (class, effect), with the step of the integral."""
    total = np.log(0.05) + np.tile(norm.logpdf(EFFECT), (CLASSES, 1))
    p = GUESS + (1 - GUESS) * ndtr(SKILL[:, None] - DIFFICULTY)
    for i, k in enumerate(stratum):
        given = np.prod(p.T ** right[:, i] * (1 - p.T) ** (shown - right)[:, i], axis=1)
        mean = MEAN[k] + spread[k] * EFFECT + (COEFFICIENT @ covariates[i] if "covariates" in parts else 0)
        value = norm.pdf(DIFFICULTY, mean[:, None], SD[k]) @ given * 0.05
        if "atom" in parts:
            guessed = np.prod(GUESS ** right[:, i] * (1 - GUESS) ** (shown - right)[:, i])
            value = (1 - SHARE[k]) * value + SHARE[k] * guessed
        total[class_[i]] += np.log(value)
    return total


@pytest.mark.parametrize("repeated", [False, True], ids=["once", "repeated"])
@pytest.mark.parametrize("parts", PARTS)
def test_every_class_is_one_double_integral(parts: str, repeated: bool):
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 3, (MODELS, IMAGES)) if repeated else np.ones((MODELS, IMAGES), int)
    right = rng.binomial(shown, rng.uniform(0.2, 0.9, (MODELS, 1)))
    right[:, :3] = 0
    stratum, covariates, class_ = rng.integers(0, 2, IMAGES), rng.normal(size=(IMAGES, 2)), np.arange(IMAGES) % CLASSES
    expected = by_summing(parts, right, shown, stratum, covariates, class_)
    with jax.enable_x64(True):
        patterns = jax.tree.map(
            jnp.asarray, collapse(right, shown, stratum, covariates if "covariates" in parts else None, class_)
        )
        numbers = jnp.asarray(SKILL), Lapsing(Probit(), jnp.full(MODELS, GUESS), jnp.zeros(MODELS)), population(parts)
        skill, curve, populations = jax.tree.map(lambda leaf: leaf[None], numbers)
        grid = grid_for(skill, curve, populations, patterns)
        tables = tabulate(*numbers, grid, patterns)
        ours, found = float(log_likelihood(tables, patterns)), np.asarray(class_effect_posterior(tables, patterns))
    assert ours == pytest.approx(np.logaddexp.reduce(expected, axis=1).sum(), abs=1e-5)
    exact = np.exp(expected - np.logaddexp.reduce(expected, axis=1)[:, None])
    assert grid.class_effects is not None
    effects = np.asarray(grid.class_effects)
    np.testing.assert_allclose(found @ effects, exact @ EFFECT, atol=1e-5)
    np.testing.assert_allclose(found @ effects**2, exact @ EFFECT**2, atol=1e-5)


def test_a_class_may_stand_far_apart():
    class_ = np.repeat(np.arange(CLASSES), 60)
    right = np.tile(class_ == 0, (MODELS, 1)).astype(int)
    shown, stratum, spread = np.ones_like(right), np.ones_like(class_), np.array([0.4, 0.4])
    expected = by_summing("classes alone", right, shown, stratum, np.zeros((len(class_), 0)), class_, spread)
    numbers = (
        jnp.asarray(SKILL), Lapsing(Probit(), jnp.full(MODELS, GUESS), jnp.zeros(MODELS)),
        population("classes alone", spread),
    )
    with jax.enable_x64(True):
        patterns = jax.tree.map(jnp.asarray, collapse(right, shown, stratum, None, class_))
        skill, curve, populations = jax.tree.map(lambda leaf: leaf[None], numbers)
        grid = grid_for(skill, curve, populations, patterns)
        ours = np.asarray(class_effect_posterior(tabulate(*numbers, grid, patterns), patterns))[0]
    exact = np.exp(expected[0] - np.logaddexp.reduce(expected[0])) @ EFFECT
    assert exact < -5.5
    assert grid.class_effects is not None
    assert ours @ np.asarray(grid.class_effects) == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize("parts", PARTS)
def test_gradients_are_those_of_the_values(parts: str):
    rng = np.random.default_rng(1)
    right = rng.integers(0, 2, (MODELS, IMAGES))
    covariates = rng.normal(size=(IMAGES, 2)) if "covariates" in parts else None
    with jax.enable_x64(True):
        patterns = jax.tree.map(jnp.asarray, collapse(
            right, np.ones_like(right), rng.integers(0, 2, IMAGES), covariates, rng.integers(0, 3, IMAGES)
        ))
        numbers = jnp.asarray(SKILL), Probit(), population(parts)
        skill, curve, populations = jax.tree.map(lambda leaf: leaf[None], numbers)
        grid = grid_for(skill, curve, populations, patterns, refinement=1.5)
        leaves, structure = jax.tree.flatten(numbers)
        direction = [0.1 * rng.normal(size=leaf.shape) * np.abs(leaf) for leaf in leaves]

        @jax.jit
        def along(step: jax.Array) -> jax.Array:
            moved = [leaf + step * d for leaf, d in zip(leaves, direction, strict=True)]
            skill, curve, population = jax.tree.unflatten(structure, moved)
            return log_likelihood(tabulate(skill, curve, population, grid, patterns), patterns)

        step = 1e-4
        slope, curvature = jax.grad(along), jax.grad(jax.grad(along))
        at = [along(jnp.asarray(x)) for x in (-step, 0.0, step)]
        assert float(slope(jnp.asarray(0.0))) == pytest.approx(float(at[2] - at[0]) / (2 * step), rel=1e-6)
        sides = slope(jnp.asarray(step)) - slope(jnp.asarray(-step))
        assert float(curvature(jnp.asarray(0.0))) == pytest.approx(float(sides) / (2 * step), rel=1e-5)
