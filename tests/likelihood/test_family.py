"""The kernel under every part of the family, against one adaptive integral per image."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit, ndtr
from scipy.stats import norm, skewnorm
from scipy.stats import t as student

from difficulty_model.curves import Lapsing, Logistic, Probit, ResponseCurve, Sloped
from difficulty_model.likelihood import Patterns, collapse, grid_for, log_likelihood, tabulate
from difficulty_model.populations import (
    Discriminating,
    InClasses,
    Normal,
    Population,
    Regressed,
    SkewNormal,
    StudentT,
    TwoNormals,
    WithUnlearnable,
    WithUnmissable,
)
from difficulty_model.skills import InFamilies, Losing, Skill

MODELS, IMAGES = 5, 24
SKILL = np.linspace(-1.0, 2.0, MODELS)
SLOPE = np.array([0.6, 0.8, 1.0, 1.3, 1.6])
MEAN, SD = np.array([0.0, 0.8]), np.array([1.5, 2.0])
COEFFICIENT, SPREAD, EFFECT = np.array([0.7, -0.4]), 0.6, np.array([1.0, -1.5, 0.2])


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@dataclass(frozen=True)
class Known:
    """What is known of the images."""

    stratum: np.ndarray
    covariates: np.ndarray
    class_: np.ndarray


@dataclass(frozen=True)
class Case:
    """A part of the family, and what it means written the plain way.

    `density(k, x, c)` is the density of difficulty in stratum k of an image with covariates x in class c;
    `right(away, j)` the probability that model j is right so far away; `unlearnable` the share per stratum that no
    model gets right, with `floor` the rate of guesses; `unmissable` the share of the others that none misses, with
    `ceiling` the rate of not lapsing; `spread` the sd of discriminations; `in_families` every model's
    sd of effects of its family.
    """

    population: Population
    density: Callable[[int, np.ndarray, int], Callable[[Any], Any]]
    curve: ResponseCurve = Probit()
    right: Callable[[np.ndarray, int], np.ndarray] = lambda away, j: ndtr(away)
    skill: Skill | np.ndarray = field(default_factory=SKILL.copy)
    skill_in: Callable[[int], np.ndarray] = lambda k: SKILL
    unlearnable: np.ndarray | None = None
    floor: float = 0.0
    unmissable: np.ndarray | None = None
    ceiling: float = 1.0
    spread: float | None = None
    in_families: np.ndarray | None = None


def per_model(value: float) -> np.ndarray:
    return np.full(MODELS, value)


def plain_normal(k: int, x: np.ndarray, c: int) -> Callable[[Any], Any]:
    return lambda t: norm.pdf(t, MEAN[k], SD[k])


LOSING = Losing(SKILL, np.array([[0.0, 0.3]] * MODELS), np.array([[0.0, e / 2] for e in (1, -1, 2, 0, 1)]))  # pyright: ignore
LOST = SKILL - 0.3 * (SKILL - SKILL.mean()) - 0.5 * (np.array([1, -1, 2, 0, 1]) - 0.6)
FAMILY, IN_FAMILIES = np.array([0, 1, 0, 0, 2]), np.array([0.5, 0.8, 1.2, 0.3, 0.6])
NORMAL = Normal(MEAN, SD)  # pyright: ignore[reportArgumentType]
CASES: dict[str, Case] = {
    "slopes": Case(NORMAL, plain_normal, Sloped(SLOPE), lambda away, j: ndtr(SLOPE[j] * away)),  # pyright: ignore
    "logistic": Case(NORMAL, plain_normal, Logistic(), lambda away, j: expit(1.702 * away)),
    "logistic slopes in families": Case(
        NORMAL, plain_normal, Sloped(SLOPE, Logistic()), lambda away, j: expit(1.702 * SLOPE[j] * away),  # pyright: ignore
        skill=InFamilies(SKILL, IN_FAMILIES), in_families=IN_FAMILIES,  # pyright: ignore
    ),
    "lapses": Case(
        NORMAL, plain_normal, Lapsing(Probit(), per_model(0.1), per_model(0.05)),  # pyright: ignore
        lambda away, j: 0.1 + 0.85 * ndtr(away), floor=0.1,
    ),
    "two normals": Case(
        TwoNormals(MEAN, SD, np.array([0.3, 0.6]), np.array([2.0, 1.0]), np.array([0.5, 1.0])),  # pyright: ignore
        lambda k, x, c: lambda t: ([0.7, 0.4][k] * norm.pdf(t, MEAN[k], SD[k])
                                   + [0.3, 0.6][k] * norm.pdf(t, MEAN[k] + [2.0, 1.0][k], [0.5, 1.0][k])),
    ),
    "skew-normal": Case(
        SkewNormal(MEAN, SD, np.array([3.0, -1.0])),  # pyright: ignore
        lambda k, x, c: lambda t: skewnorm.pdf(t, [3.0, -1.0][k], MEAN[k], SD[k]),
    ),
    "Student t": Case(
        StudentT(MEAN, SD, np.array([1.0, 6.0])),  # pyright: ignore
        lambda k, x, c: lambda t: student.pdf(t, [3.0, 8.0][k], MEAN[k], SD[k]),
    ),
    "atom": Case(
        WithUnlearnable(NORMAL, np.array([0.05, 0.2])), plain_normal, unlearnable=np.array([0.05, 0.2]),  # pyright: ignore
    ),
    "atom and guesses": Case(
        WithUnlearnable(NORMAL, np.array([0.05, 0.2])), plain_normal,  # pyright: ignore
        Lapsing(Probit(), per_model(0.1), per_model(0.0)), lambda away, j: 0.1 + 0.9 * ndtr(away),  # pyright: ignore
        unlearnable=np.array([0.05, 0.2]), floor=0.1,
    ),
    "atoms at both ends": Case(
        WithUnlearnable(WithUnmissable(NORMAL, np.array([0.3, 0.1])), np.array([0.05, 0.2])), plain_normal,  # pyright: ignore
        Lapsing(Probit(), per_model(0.0), per_model(0.1)), lambda away, j: 0.9 * ndtr(away),  # pyright: ignore
        unlearnable=np.array([0.05, 0.2]), unmissable=np.array([0.3, 0.1]), ceiling=0.9,
    ),
    "covariates": Case(
        Regressed(NORMAL, np.tile(COEFFICIENT, (2, 1)), ("a", "b")),  # pyright: ignore
        lambda k, x, c: lambda t: norm.pdf(t, MEAN[k] + COEFFICIENT @ x, SD[k]),
    ),
    "classes": Case(
        InClasses(NORMAL, per_model(SPREAD)[:2], np.tile(EFFECT, (2, 1))),  # pyright: ignore
        lambda k, x, c: lambda t: norm.pdf(t, MEAN[k] + SPREAD * EFFECT[c], SD[k]),
    ),
    "covariates, classes and an atom": Case(
        WithUnlearnable(
            InClasses(
                Regressed(NORMAL, np.tile(COEFFICIENT, (2, 1)), ("a", "b")),  # pyright: ignore
                per_model(SPREAD)[:2], np.tile(EFFECT, (2, 1)),  # pyright: ignore
            ),
            np.array([0.05, 0.2]),  # pyright: ignore
        ),
        lambda k, x, c: lambda t: norm.pdf(t, MEAN[k] + COEFFICIENT @ x + SPREAD * EFFECT[c], SD[k]),
        unlearnable=np.array([0.05, 0.2]),
    ),
    "losses": Case(NORMAL, plain_normal, skill=LOSING, skill_in=lambda k: [SKILL, LOST][k]),
    "families": Case(
        NORMAL, plain_normal, skill=InFamilies(SKILL, IN_FAMILIES), in_families=IN_FAMILIES,  # pyright: ignore
    ),
    "families, losses, slopes, lapses and an atom": Case(
        WithUnlearnable(NORMAL, np.array([0.05, 0.2])), plain_normal,  # pyright: ignore
        Lapsing(Sloped(SLOPE), per_model(0.1), per_model(0.05)),  # pyright: ignore
        lambda away, j: 0.1 + 0.85 * ndtr(SLOPE[j] * away),
        skill=InFamilies(LOSING, IN_FAMILIES), skill_in=lambda k: [SKILL, LOST][k], in_families=IN_FAMILIES,  # pyright: ignore
        unlearnable=np.array([0.05, 0.2]), floor=0.1,
    ),
    "discriminations": Case(Discriminating(NORMAL, per_model(0.5)[:2]), plain_normal, spread=0.5),  # pyright: ignore
    "discriminations and an atom": Case(
        WithUnlearnable(Discriminating(NORMAL, per_model(0.5)[:2]), np.array([0.05, 0.2])), plain_normal,  # pyright: ignore
        spread=0.5, unlearnable=np.array([0.05, 0.2]),
    ),
}


def responses(seed: int, *, repeated: bool) -> tuple[np.ndarray, np.ndarray, Known]:
    rng = np.random.default_rng(seed)
    shown = rng.integers(0, 3, (MODELS, IMAGES)) if repeated else np.ones((MODELS, IMAGES), int)
    right = rng.binomial(shown, rng.uniform(0.2, 0.9, (MODELS, 1)))
    right[:, :3] = 0
    known = Known(rng.integers(0, 2, IMAGES), rng.normal(size=(IMAGES, 2)), rng.integers(0, 3, IMAGES))
    return right, shown, known


def by_quadrature(case: Case, right: np.ndarray, shown: np.ndarray, known: Known) -> float:
    total = 0.0
    for i in range(IMAGES):
        k = known.stratum[i]
        skill, density = case.skill_in(k), case.density(k, known.covariates[i], known.class_[i])

        def given(t: np.ndarray | float, a: np.ndarray | float, i: int = i, skill: np.ndarray = skill) -> np.ndarray:
            p = np.array([case.right(a * (s - t), j) for j, s in enumerate(skill)])
            p = np.moveaxis(p, 0, -1)
            return np.prod(p ** right[:, i] * (1 - p) ** (shown - right)[:, i], axis=-1)

        if case.in_families is not None:
            t, z = np.arange(-20, 20, 0.02)[:, None], np.arange(-8, 8, 0.1)
            on = skill[:, None] + case.in_families[:, None] * z
            p = np.array([case.right(s - t, j) for j, s in enumerate(on)])
            each = p ** right[:, i, None, None] * (1 - p) ** (shown - right)[:, i, None, None]
            of_family = [np.prod(each[f == FAMILY], axis=0) @ norm.pdf(z) * 0.1 for f in range(3)]
            value = float(np.prod(of_family, axis=0) @ density(t[:, 0]) * 0.02)
        elif case.spread is None:
            knots = [-np.inf, -8, -4, -2, 0, 2, 4, 8, np.inf]
            value = sum(quad(lambda t, f=given, g=density: float(f(t, 1.0)) * g(t), *ends, epsabs=1e-14, epsrel=1e-10,
                             limit=200)[0] for ends in pairwise(knots))
        else:
            t, a = np.arange(-30, 30, 0.01), 1 + case.spread * np.arange(-7, 7, 0.02)[:, None]
            weights = density(t) * 0.01 * norm.pdf(a, 1, case.spread) * 0.02 * case.spread
            value = float((given(t, a) * weights).sum())
        if case.unmissable is not None:
            share = case.unmissable[k]
            plain = case.ceiling ** right[:, i] * (1 - case.ceiling) ** (shown - right)[:, i]
            value = (1 - share) * value + share * np.prod(plain)
        if case.unlearnable is not None:
            share = case.unlearnable[k]
            lost = case.floor ** right[:, i] * (1 - case.floor) ** (shown - right)[:, i]
            value = (1 - share) * value + share * np.prod(lost)
        total += np.log(value)
    return float(total)


@pytest.mark.parametrize("repeated", [False, True], ids=["once", "repeated"])
@pytest.mark.parametrize("name", CASES)
def test_log_likelihood_is_the_sum_of_one_integral_per_image(name: str, repeated: bool):
    case = CASES[name]
    if case.spread is not None and repeated:
        pytest.skip("two nested integrals per image: once is enough")
    right, shown, known = responses(3, repeated=repeated)
    patterns = jax.tree.map(
        jnp.asarray,
        collapse(right, shown, known.stratum, known.covariates, known.class_,
                 None if case.in_families is None else FAMILY),
    )
    draw = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], (case.skill, case.curve, case.population))
    grid = grid_for(draw[0], draw[1], draw[2], patterns)
    skill, curve, population = jax.tree.map(lambda leaf: leaf[0], draw)
    tables = tabulate(skill, curve, population, grid, patterns)
    ours = float(jax.jit(log_likelihood)(tables, patterns))
    error = 1e-4 if case.spread is not None else 1e-6
    assert ours == pytest.approx(by_quadrature(case, right, shown, known), abs=error)


def test_classes_of_known_effects_are_strata_of_shifted_means():
    right, shown, known = responses(5, repeated=False)
    stratum = known.stratum * 3 + known.class_
    mean = (MEAN[:, None] + SPREAD * EFFECT).ravel()
    case = CASES["classes"]
    classes, strata = (
        jax.tree.map(jnp.asarray, of)
        for of in (collapse(right, shown, known.stratum, class_=known.class_), collapse(right, shown, stratum))
    )
    normals = Normal(jnp.asarray(mean), jnp.asarray(np.repeat(SD, 3)))
    grid = grid_for(jnp.asarray(SKILL)[None], Probit(), jax.tree.map(lambda leaf: leaf[None], normals), strata)

    def total(population: Population, patterns: Patterns) -> float:
        return float(log_likelihood(tabulate(jnp.asarray(SKILL), Probit(), population, grid, patterns), patterns))

    nested = total(jax.tree.map(jnp.asarray, case.population), classes)
    flat = total(normals, strata)
    assert nested == pytest.approx(flat, rel=1e-12)


def test_thousands_of_unmissable_images_cost_no_digits():
    models, images, share = 60, 10_000, 0.1
    skill = np.random.default_rng(0).normal(0.5, 1.0, models)
    right = np.ones((models, images), int)
    patterns = jax.tree.map(jnp.asarray, collapse(right, right, np.zeros(images, int)))
    population = WithUnmissable(Normal(0.0, 1.5), share)  # pyright: ignore[reportArgumentType]
    numbers = jnp.asarray(skill), Probit(), jax.tree.map(lambda of: jnp.full(1, of), population)
    skills, curve, populations = jax.tree.map(lambda leaf: leaf[None], numbers)
    grid = grid_for(skills, curve, populations, patterns)
    ours = float(log_likelihood(tabulate(*numbers, grid, patterns), patterns))
    among = quad(lambda t: norm.pdf(t, 0, 1.5) * np.prod(ndtr(skill - t)), -15, 15, epsabs=1e-13, limit=200)[0]
    assert ours == pytest.approx(images * np.log(share + (1 - share) * among), abs=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_the_values(name: str):
    case = CASES[name]
    right, shown, known = responses(4, repeated=True)
    patterns = jax.tree.map(
        jnp.asarray,
        collapse(right, shown, known.stratum, known.covariates, known.class_,
                 None if case.in_families is None else FAMILY),
    )
    tree = jax.tree.map(jnp.asarray, (case.skill, case.curve, case.population))
    draw = jax.tree.map(lambda leaf: leaf[None], tree)
    grid = grid_for(draw[0], draw[1], draw[2], patterns, refinement=1.5)
    leaves, structure = jax.tree.flatten(tree)
    direction = [np.random.default_rng(n).normal(size=leaf.shape) for n, leaf in enumerate(leaves)]

    @jax.jit
    def along(step: jax.Array) -> jax.Array:
        moved = [leaf + step * d * jnp.maximum(0.01, jnp.abs(leaf)) for leaf, d in zip(leaves, direction, strict=True)]
        skill, curve, population = jax.tree.unflatten(structure, moved)
        tables = tabulate(skill, curve, population, grid, patterns)
        return log_likelihood(tables, patterns)

    h = 1e-5
    if name in ("lapses", "atom and guesses", "atoms at both ends"):  # a rate of 0 has no other side
        direction = [np.where(np.asarray(leaf) == 0, 0.0, d) for leaf, d in zip(leaves, direction, strict=True)]
    central = (along(jnp.asarray(h)) - along(jnp.asarray(-h))) / (2 * h)
    np.testing.assert_allclose(jax.grad(along)(jnp.asarray(0.0)), central, rtol=1e-6, atol=1e-6)
