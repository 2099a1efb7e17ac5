"""The predicted curve: the closed form where there is one, and quadrature where there is none."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from difficulty_model.distributions import Normal as NormalPrior
from difficulty_model.family import (
    independent,
    losing,
    normal,
    probit,
    recht_et_al,
    slopes,
    two_normals,
    with_unlearnable,
)
from difficulty_model.fitting import Fit, fit
from difficulty_model.law import line_of_normals
from difficulty_model.relation import relation_between
from difficulty_model.specification import Prior, Specification
from worlds import simulate

SKILL = np.linspace(-0.5, 2.0, 10)


@pytest.fixture(scope="module")
def responses():  # noqa: ANN201
    return simulate(0, skill=SKILL, images={"a": 400, "b": 300}).responses


def quick(responses, specification: Specification) -> Fit:  # noqa: ANN001
    return fit(responses, specification, random_seed=0, method="mode", draws=10, progress=False)


def test_of_normal_populations_it_is_the_line_of_the_closed_form(responses):  # noqa: ANN001
    fitted = quick(responses, recht_et_al())
    found = relation_between(fitted, (0, 1))
    mean, sd = (fitted.posterior[f"population.{name}"].values.reshape(-1, 2).T for name in ("mean", "sd"))
    line = line_of_normals(mean[0], sd[0], mean[1], sd[1])
    np.testing.assert_allclose(found.y, line.at(found.x), atol=1e-6)
    np.testing.assert_allclose(found.u, line.u[:, None] * np.ones(len(found.x)), atol=1e-4)
    np.testing.assert_allclose(found.v, line.v[:, None] * np.ones(len(found.x)), atol=1e-4)
    np.testing.assert_allclose(found.curvature, 0, atol=1e-4)


@pytest.mark.parametrize("atom", [False, True])
def test_of_other_populations_it_is_that_of_quadrature(responses, atom: bool):  # noqa: ANN001
    population = with_unlearnable(two_normals()) if atom else two_normals()
    fitted = quick(responses, Specification(independent(), probit(), population))
    found = relation_between(fitted, (0, 1))
    at = "population.population." if atom else "population."
    share = fitted.posterior["population.share"].values.reshape(-1, 2) if atom else np.zeros((40, 2))
    draws = {name: fitted.posterior[at + name].values.reshape(-1, 2) for name in
             ("mean", "sd", "share", "gap", "harder_sd")}
    for d in (0, 17):
        of = {name: values[d] for name, values in draws.items()}

        def accuracy(skill: np.ndarray, k: int, of=of, d=d) -> np.ndarray:  # noqa: ANN001
            easy = ndtr((skill - of["mean"][k]) / np.hypot(1, of["sd"][k]))
            hard = ndtr((skill - of["mean"][k] - of["gap"][k]) / np.hypot(1, of["harder_sd"][k]))
            return (1 - share[d, k]) * ((1 - of["share"][k]) * easy + of["share"][k] * hard)

        skill = np.linspace(-4, 6, 4001)
        x, y = (norm.ppf(accuracy(skill, k)) for k in range(2))
        np.testing.assert_allclose(found.y[d], np.interp(found.x, x, y), atol=1e-4)
        np.testing.assert_allclose(found.u[d], np.interp(found.x, x, np.gradient(y, x)), atol=5e-3)


def test_a_typical_model_has_the_mean_slope(responses):  # noqa: ANN001
    fitted = quick(responses, Specification(independent(), slopes(), normal()))
    found = relation_between(fitted, (0, 1))
    posterior = fitted.posterior
    slope = posterior["curve.slope"].values.reshape(-1, len(SKILL)).mean(1)
    mean, sd = (posterior[f"population.{name}"].values.reshape(-1, 2).T for name in ("mean", "sd"))
    # Φ(a(s − τ)) averages to Φ(a(s − μ)/√(1 + a²σ²)): the line of populations a times as wide.
    line = line_of_normals(slope * mean[0], slope * sd[0], slope * mean[1], slope * sd[1])
    np.testing.assert_allclose(found.y, line.at(found.x), atol=1e-6)


def test_a_trend_of_lost_skill_flattens_it(responses):  # noqa: ANN001
    lost = replace(losing(), own=0.0, trend=Prior(NormalPrior(0.4, 1e-4), over="stratum", reference=0.0))  # pyright: ignore
    plain, flat = (
        relation_between(quick(responses, replace(recht_et_al(), skill=skill)), (0, 1)).u.mean()
        for skill in (independent(), lost)
    )
    # With the same widths the slope would fall by 0.4; widths make up for some of it.
    assert flat < plain - 0.02


def test_at_given_accuracies(responses):  # noqa: ANN001
    fitted = quick(responses, recht_et_al())
    x = np.array([-0.2, 0.1])
    found = relation_between(fitted, (1, 0), x, at_most=5)
    assert found.y.shape == (5, 2)
    mean, sd = (fitted.posterior[f"population.{name}"].values.reshape(-1, 2).T for name in ("mean", "sd"))
    line = line_of_normals(mean[1], sd[1], mean[0], sd[0])
    np.testing.assert_allclose(found.y, line.at(x)[::8], atol=1e-6)
