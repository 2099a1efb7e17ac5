"""The mode, found again by a program that shares nothing with the package."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_ndtr, logsumexp
from scipy.stats import norm

from difficulty_model.family import recht_et_al
from difficulty_model.fitting import mode as mode_module
from difficulty_model.fitting.density import Density, FlatDraws, posterior_density
from difficulty_model.fitting.mode import TOLERANCE, find_mode
from difficulty_model.likelihood import Grid, collapse
from worlds import simulate

MODELS = 4


def minus_log_posterior(unknown: np.ndarray, right: np.ndarray, shown: np.ndarray, stratum: np.ndarray) -> float:
    """Of 4 skills, the mean of the second population, and the logarithms of both sds."""
    skill, mean, sd = unknown[:MODELS], np.array([0, unknown[MODELS]]), np.exp(unknown[MODELS + 1:])
    nodes = np.linspace(-40, 40, 1601)
    log_right, log_wrong = log_ndtr(skill[:, None] - nodes), log_ndtr(nodes - skill[:, None])
    log_joint = right.T @ log_right + (shown - right).T @ log_wrong
    log_joint += norm.logpdf(nodes, mean[stratum, None], sd[stratum, None])
    log_likelihood = np.sum(np.asarray(logsumexp(log_joint, axis=1))) + right.shape[1] * np.log(0.05)
    log_prior = np.sum(norm.logpdf(skill, 0, 5)) + norm.logpdf(mean[1], 0, 3)
    # A log-normal sd is a normal log sd, in which the mode is sought.
    log_prior += np.sum(norm.logpdf(np.log(sd), np.log(1.5), 0.75))
    return -float(log_likelihood + log_prior)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_mode_and_curvature_are_those_of_a_plain_program(missing: float):
    world = simulate(3, skill=np.linspace(-0.5, 1.5, MODELS), images={"a": 60, "b": 60}, missing=missing)
    responses = world.responses
    right, shown, stratum = responses.right.astype(float), responses.shown.astype(float), responses.strata().of_image
    plain = minimize(minus_log_posterior, np.zeros(MODELS + 3), args=(right, shown, stratum), method="BFGS",
                     options={"gtol": 1e-5})
    with jax.enable_x64(True):
        density = posterior_density(
            recht_et_al(), {"model": MODELS, "stratum": 2}, collapse(responses.right, responses.shown, stratum)
        )
        mode = find_mode(density, progress=False)
        found = {name: np.asarray(v)[0] for name, v in density.potential.values(mode.location[None]).items()}
        at = density.potential.unravel(mode.location)
        order = np.concatenate([at["skill"], at["population.mean.others"], at["population.sd"]])
        flat_of = [np.flatnonzero(np.isclose(mode.location, value))[0] for value in order]
    ours = np.concatenate([found["skill"], found["population.mean"][1:], np.log(found["population.sd"])])
    assert mode.decrement < TOLERANCE
    assert mode.log_density == pytest.approx(-plain.fun, abs=1e-4)
    # Distance in posterior standard deviations: ours is allowed TOLERANCE, BFGS stops within about 1e-4.
    precision = np.linalg.inv(mode.covariance[np.ix_(flat_of, flat_of)])
    assert np.sqrt((ours - plain.x) @ precision @ (ours - plain.x)) < 2 * TOLERANCE
    step = 1e-3
    basis = step * np.eye(MODELS + 3)

    def f(x: np.ndarray) -> float:
        return minus_log_posterior(x, right, shown, stratum)

    hessian = np.array([
        [(f(ours + a + b) - f(ours + a - b) - f(ours - a + b) + f(ours - a - b)) / (4 * step**2) for b in basis]
        for a in basis
    ])
    # Second differences: rounding 1e-13/step² = 1e-7, truncation step² times fourth derivatives of about 100.
    np.testing.assert_allclose(precision, hessian, atol=3e-4 * np.abs(hessian).max())


@pytest.mark.parametrize("right", [
    np.ones((3, 40), int), np.zeros((3, 40), int), np.array([[1, 0], [0, 1], [1, 1]]),
    np.stack([np.arange(40) % 2, 1 - np.arange(40) % 2]), np.repeat(np.arange(40)[None] % 3 > 0, 5, 0).astype(int),
], ids=["all right", "all wrong", "two images", "opposites", "twins"])
def test_extreme_responses_have_a_mode(right: np.ndarray):
    stratum = np.arange(right.shape[1]) % 2
    with jax.enable_x64(True):
        density = posterior_density(
            recht_et_al(), {"model": len(right), "stratum": 2}, collapse(right, np.ones_like(right), stratum)
        )
        mode = find_mode(density, progress=False)
        assert mode.decrement < TOLERANCE
        assert density.grid_error(mode.location[None], density.grid_at(mode.location[None])) < 1e-2


def test_a_search_that_no_longer_moves_ends(monkeypatch: pytest.MonkeyPatch):
    class Disagreeing(Density):
        """A density whose grids disagree on where the mode is."""

        def grid_at(self, draws: FlatDraws, *, refinement: float = 1.0) -> Grid:
            return super().grid_at(draws, refinement=refinement if refinement > 1 else 0.3)

    counted = []
    expanded = mode_module._expanded
    monkeypatch.setattr(mode_module, "_expanded", lambda *of: counted.append(1) or expanded(*of))
    right = np.random.default_rng(0).integers(0, 2, (4, 60))
    with jax.enable_x64(True):
        plain = posterior_density(
            recht_et_al(), {"model": 4, "stratum": 1}, collapse(right, np.ones_like(right), np.zeros(60, int))
        )
        fields = {field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)}
        found = find_mode(Disagreeing(**fields), progress=False)
    assert found.decrement > TOLERANCE
    assert len(counted) <= 3
