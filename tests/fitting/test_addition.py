"""The unknowns of one more model or test set, and the normal approximation to their posterior."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from difficulty_model.family import losing, normal, slopes, with_lapses, with_unlearnable
from difficulty_model.fitting.addition import addition, normal_approximation
from difficulty_model.specification import Specification, unknowns

SPECIFICATION = Specification(losing(), with_lapses(slopes(), per_model=True), with_unlearnable(normal()))
SIZES = {"model": 4, "stratum": 3}


def values() -> dict[str, jax.Array]:
    rng = np.random.default_rng(0)
    drawn = {}
    for path, prior in unknowns(SPECIFICATION).items():
        value = rng.uniform(0.1, 0.9, [SIZES[dim] for dim in prior.dims])
        if prior.reference is not None and prior.held == "first":
            value[0] = prior.reference
        drawn[path] = jnp.asarray(value)
    return drawn


@pytest.mark.parametrize(("dim", "paths"), [
    ("model", {"skill.skill", "skill.own", "curve.curve.slope", "curve.lapse"}),
    ("stratum", {"skill.trend", "skill.own", "population.population.mean", "population.population.sd",
                 "population.share"}),
])
def test_it_is_what_varies_over_the_dimension_and_nothing_else(dim, paths: set[str]):
    with jax.enable_x64(True):
        before = values()
        one = addition(SPECIFICATION, dim, before)
        assert set(one.priors) == paths
        same = one.put(one.take(before, 2), before, 2)
        for path, value in before.items():
            np.testing.assert_allclose(same[path], value, rtol=1e-12)
        moved = one.put(one.take(before, 2) + 1.0, before, 2)
    for path, prior in unknowns(SPECIFICATION).items():
        changed = np.asarray(moved[path]) != np.asarray(before[path])
        expected = np.zeros(changed.shape, bool)
        if path in paths:
            np.moveaxis(expected, prior.dims.index(dim), 0)[2] = True
        if path == "skill.own":
            expected[0] = False  # in the reference nothing is lost
        np.testing.assert_array_equal(changed, expected)


def test_priors_are_those_of_the_specification_with_jacobians():
    with jax.enable_x64(True):
        one = addition(SPECIFICATION, "stratum", values())
        flat = one.take(values(), 1)
        found = float(one.log_prior(flat))
    drawn = {path: np.asarray(value) for path, value in values().items()}
    share, log_sd = drawn["population.share"][1], np.log(drawn["population.population.sd"][1])
    exact = stats.norm.logpdf(drawn["skill.trend"][1], 0, 0.5) + stats.norm.logpdf(drawn["skill.own"][1], 0, 0.1).sum()
    exact += stats.norm.logpdf(drawn["population.population.mean"][1], 0, 3)
    exact += stats.norm.logpdf(log_sd, np.log(1.5), 0.75)
    exact += stats.beta.logpdf(share, 1, 9) + np.log(share * (1 - share))
    assert found == pytest.approx(exact)


def test_of_a_normal_density_it_is_exact():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(3, 3)) + 2 * np.eye(3)
    covariance, mean = root @ root.T, rng.normal(size=3)
    with jax.enable_x64(True):
        found = normal_approximation(
            lambda x: (x - mean) @ np.linalg.inv(covariance) @ (x - mean) / 2 - 0.3, jnp.full(3, 20.0)
        )
    np.testing.assert_allclose(found.location, mean, atol=1e-6)
    np.testing.assert_allclose(np.asarray(found.root) @ np.asarray(found.root).T, covariance, rtol=1e-6)
    # Its highest value is exp(0.3), and a normal density's 1/√|2π covariance|.
    assert float(found.log_evidence) == pytest.approx(0.3 + np.linalg.slogdet(2 * np.pi * covariance)[1] / 2)


@pytest.mark.parametrize("start", [-9.0, -1.0, 4.0, 30.0])
def test_it_finds_the_mode_where_the_density_curves_upwards(start: float):
    # Student's t of 3 degrees of freedom: beyond √3 of its mode at 1 it curves upwards.
    with jax.enable_x64(True):
        found = normal_approximation(lambda x: 2 * jnp.log1p((x - 1) ** 2 / 3).sum(), jnp.array([start]))
    assert float(found.location[0]) == pytest.approx(1, abs=1e-3)
    assert float(found.root[0, 0]) == pytest.approx(np.sqrt(3) / 2, rel=1e-4)


def test_without_unknowns_there_is_only_the_value():
    with jax.enable_x64(True):
        found = normal_approximation(lambda x: x.sum() + 2.0, jnp.zeros(0))
    assert float(found.log_evidence) == -2
