"""Laws of populations. A new population is one line in POPULATIONS, and inherits every test."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from difficulty_model.populations import Normal, Population

# Plain floats: outside the context of float64 an array would be rounded when it is made.
POPULATIONS: list[Population] = [
    Normal(0.0, 1.0),  # pyright: ignore
    Normal(-3.0, 0.05),  # pyright: ignore
    Normal(2.0, 5.0),  # pyright: ignore
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
def test_extent_holds_all_images_but_one_in_a_hundred_billion(population: Population):
    low, high = map(float, population.extent())
    points = np.linspace(low, high, 15)[1:-1]
    inside, error = quad(density(population), low, high, epsabs=1e-13, epsrel=1e-13, limit=500, points=points)
    assert error < 1e-12
    assert 1 - 1e-11 < inside < 1 + 1e-12
    beyond = [quad(density(population), a, b, epsabs=1e-16)[0]
              for a, b in [(low - (high - low), low), (high, high + (high - low))]]
    assert sum(beyond) < 1e-11


@every_population
def test_derivatives_are_those_of_the_values(population: Population):
    low, high = map(float, population.extent())
    t = jnp.linspace(low, high, 101)
    step = 1e-6 * (high - low)
    _, slope = jax.jvp(population.log_density, (t,), (jnp.ones_like(t),))
    central = (population.log_density(t + step) - population.log_density(t - step)) / (2 * step)
    # Values up to 30 are rounded at 4e-15; over a step of 1e-6 of the width that is 4e-9 per width.
    np.testing.assert_allclose(slope, central, atol=1e-8 / (high - low) * 10)


def test_normal_is_that_of_scipy():
    t = np.linspace(-12, 15, 1001)
    ours = Normal(1.5, 0.8).log_density(jnp.asarray(t))  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(ours, norm.logpdf(t, 1.5, 0.8), rtol=1e-14, atol=1e-14)
