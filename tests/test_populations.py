"""Laws of populations. A new population is one line in POPULATIONS, and inherits every test."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, skewnorm
from scipy.stats import t as student

from difficulty_model.populations import (
    BEND_SHAPES,
    BENDS,
    CENTERS,
    Flexible,
    Moved,
    Normal,
    Population,
    SkewNormal,
    StudentT,
    TwoNormals,
    WithUnlearnable,
    WithUnmissable,
)

# Plain floats: outside the context of float64 an array would be rounded when it is made.
POPULATIONS: list[Population] = [
    Normal(0.0, 1.0),  # pyright: ignore
    Normal(-3.0, 0.05),  # pyright: ignore
    Normal(2.0, 5.0),  # pyright: ignore
    TwoNormals(0.0, 1.0, 0.3, 2.0, 0.5),  # pyright: ignore
    TwoNormals(-1.0, 2.0, 0.05, 0.5, 4.0),  # pyright: ignore
    SkewNormal(0.5, 1.5, 4.0),  # pyright: ignore
    SkewNormal(0.0, 2.0, -1.0),  # pyright: ignore
    StudentT(0.0, 1.0, 1.0),  # pyright: ignore
    StudentT(1.0, 0.7, 38.0),  # pyright: ignore
    Flexible(1.0, 1.5, 0.5, np.array([1.0, -0.5, 0.3, 1.0, -1.0, 0.5, 0.2, -1.0])),  # pyright: ignore
    Flexible(0.0, 0.8, 2.0, np.array([-0.5, 0.5, 1.0, 0.5, 2.0, -1.0, 1.0, 1.0])),  # pyright: ignore
    Moved(SkewNormal(0.5, 1.5, 4.0), 1.0, 0.3, 0.4),  # pyright: ignore
    Moved(Normal(0.5, 1.5), 1.0, -0.3, 3.0),  # pyright: ignore
]

every_population = pytest.mark.parametrize("population", POPULATIONS, ids=str)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def density(population: Population):
    compiled = jax.jit(lambda t: jnp.exp(population.log_density(t[None])[0]))
    return lambda t: float(compiled(jnp.asarray(t)))


@every_population
def test_between_the_outermost_features_lie_all_images_but_one_in_ten_billion(population: Population):
    points, widths = map(np.asarray, population.features())
    assert (np.diff(points) >= 0).all()
    low, high = points[0], points[-1]
    # In pieces of a few widths each, which quadrature resolves.
    around = [np.clip(p + w * np.arange(-8, 9), low, high) for p, w in zip(points, widths, strict=True)]
    edges = np.unique(np.concatenate([points, *around]))
    inside = sum(quad(density(population), a, b, epsabs=1e-14, epsrel=1e-12, limit=200)[0] for a, b in pairwise(edges))
    assert inside == pytest.approx(1, abs=1e-10)


@every_population
def test_nowhere_is_the_density_narrower_than_its_features_say(population: Population):
    points, widths = map(np.asarray, population.features())
    t = jnp.linspace(max(points[0], -60.0), min(points[-1], 60.0), 4001)
    curvature = -jax.vmap(jax.grad(jax.grad(lambda x: population.log_density(x[None])[0])))(t)
    # Where the density matters: a grid need not resolve what holds no images.
    matters = np.asarray(population.log_density(t)) > -30
    assert curvature[matters].max() ** -0.5 > 0.6 * widths.min()


@every_population
def test_derivatives_are_those_of_the_values(population: Population):
    points, _ = map(np.asarray, population.features())
    low, high = max(points[0], -60.0), min(points[-1], 60.0)
    t = jnp.linspace(low, high, 101)
    step = 1e-6 * (high - low)
    _, slope = jax.jvp(population.log_density, (t,), (jnp.ones_like(t),))
    central = (population.log_density(t + step) - population.log_density(t - step)) / (2 * step)
    # Values up to 600 are rounded at 1e-13; over a step of 1e-6 of the width that is 1e-7 per width.
    np.testing.assert_allclose(slope, central, atol=1e-6 / (high - low), rtol=1e-6)


def test_normal_is_that_of_scipy():
    t = np.linspace(-12, 15, 1001)
    ours = Normal(1.5, 0.8).log_density(jnp.asarray(t))  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(ours, norm.logpdf(t, 1.5, 0.8), rtol=1e-14, atol=1e-14)


def test_the_others_are_those_of_scipy():
    points = np.linspace(-9, 12, 801)
    for ours, theirs in [
        (SkewNormal(0.5, 1.5, 4.0), skewnorm.logpdf(points, 4.0, 0.5, 1.5)),  # pyright: ignore[reportArgumentType]
        (StudentT(1.0, 0.7, 3.0), student.logpdf(points, 5.0, 1.0, 0.7)),  # pyright: ignore[reportArgumentType]
        (
            TwoNormals(0.2, 1.0, 0.3, 2.0, 0.5),  # pyright: ignore[reportArgumentType]
            np.logaddexp(np.log(0.7) + norm.logpdf(points, 0.2, 1.0), np.log(0.3) + norm.logpdf(points, 2.2, 0.5)),
        ),
    ]:
        np.testing.assert_allclose(ours.log_density(jnp.asarray(points)), theirs, rtol=1e-9, atol=1e-9)


def test_a_flexible_one_without_roughness_is_normal():
    points = np.linspace(-4, 6, 801)
    plain = Flexible(1.0, 1.5, 0.0, np.ones(BENDS))  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(plain.log_density(jnp.asarray(points)), norm.logpdf(points, 1.0, 1.5), atol=1e-4)


def test_bends_change_neither_level_nor_tilt_nor_parabola_and_roughness_is_their_size():
    np.testing.assert_allclose(np.vander(CENTERS, 3).T @ BEND_SHAPES, 0, atol=1e-10)
    bent = np.random.default_rng(0).normal(size=(20_000, BENDS)) @ BEND_SHAPES.T
    assert np.square(bent).mean() == pytest.approx(1, abs=0.05)


def test_an_atom_leaves_the_rest_in_proportion():
    points = jnp.linspace(-5, 5, 101)
    plain = Normal(0.0, 1.0)  # pyright: ignore[reportArgumentType]
    atom = WithUnlearnable(plain, 0.1)  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(atom.log_density(points) - plain.log_density(points), np.log(0.9), rtol=1e-12)
    assert atom.log_atoms() == {np.inf: pytest.approx(np.log(0.1))}
    assert plain.log_atoms() == {}


def test_an_atom_around_another_takes_its_share_first():
    both = WithUnmissable(WithUnlearnable(Normal(0.0, 1.0), 0.1), 0.2)  # pyright: ignore[reportArgumentType]
    shares = {at: np.exp(float(log_share)) for at, log_share in both.log_atoms().items()}
    assert shares == {np.inf: pytest.approx(0.08), -np.inf: pytest.approx(0.2)}
    assert np.exp(float(both.log_density(jnp.zeros(1))[0])) == pytest.approx(0.72 / np.sqrt(2 * np.pi))
