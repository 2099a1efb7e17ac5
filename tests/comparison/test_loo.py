"""Leaving out one image: against integrals by quadrature, image by image, and in worlds where the truth is known."""

from importlib import import_module

import numpy as np
import pytest
from scipy.special import log_ndtr

from difficulty_model.comparison import loo
from difficulty_model.distributions import Normal
from difficulty_model.errors import InputError
from difficulty_model.family import independent, normal, probit, regressed
from difficulty_model.fitting import fit
from difficulty_model.fitting.diagnostics import leave_one_out
from difficulty_model.populations import Normal as NormalPopulation
from difficulty_model.responses import Responses
from difficulty_model.specification import Prior, Specification
from worlds import simulate

SKILL = np.linspace(-0.5, 1.8, 6)
NODES = np.linspace(-40, 40, 1000)


def log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    largest = values.max(axis, keepdims=True)
    return np.log(np.exp(values - largest).sum(axis)) + largest.squeeze(axis)


def log_probability(
    responses: Responses, skill: np.ndarray, mean: np.ndarray | float, sd: np.ndarray | float
) -> np.ndarray:
    """Log-probability of every image's responses, its difficulty integrated out by the plain trapezoidal rule."""
    away = skill[:, None] - NODES
    wrong = responses.shown - responses.right
    joint = responses.right.T @ log_ndtr(away) + wrong.T @ log_ndtr(-away)
    z = (NODES - np.broadcast_to(mean, len(joint))[:, None]) / np.broadcast_to(sd, len(joint))[:, None]
    return log_sum(joint - z**2 / 2, axis=1) - log_sum(-(z**2) / 2, axis=1)


@pytest.mark.parametrize("seed", range(2))
def test_with_one_unknown_it_is_the_integral(seed: int):
    # All models have one unknown skill and difficulties are N(0, 1.5²): p(image | the others) = ∫p(all)/∫p(the others).
    specification = Specification(Prior(Normal(0.0, 1.0)), probit(), NormalPopulation(0.0, 1.5))  # pyright: ignore[reportArgumentType]
    world = simulate(seed, skill=np.full(3, 0.4), images={"a": 25}, mean=(0.0,), sd=(1.5,))
    fitted = fit(
        world.responses, specification, random_seed=seed, method="laplace", draws=4000, chains=1, progress=False
    )
    skills = np.linspace(-4, 4, 1601)
    of_image = np.array([log_probability(world.responses, np.full(3, s), 0.0, 1.5) for s in skills])
    posterior = of_image.sum(1) - skills**2 / 2
    posterior -= log_sum(posterior, axis=0)
    exact = -log_sum(posterior[:, None] - of_image, axis=0)
    square = np.exp(log_sum(posterior[:, None] - 2 * of_image, axis=0))  # mean of 1/p(image)² under the posterior
    error = np.sqrt(square * np.exp(2 * exact) - 1) / np.sqrt(4000)
    found = loo(fitted, progress=False)
    # Draws are resampled and tails smoothed: twice the error of plain sampling, five times.
    assert (np.abs(found.images["elpd"].values - exact) < 10 * error).all()
    assert found.elpd == pytest.approx(exact.sum(), abs=10 * error.sum())
    assert found.se == pytest.approx(np.sqrt(25) * exact.std(), rel=0.02)


@pytest.mark.parametrize("at_once", [None, 1, 11_000])
def test_patterns_and_counts_are_images_one_by_one(at_once: int | None, monkeypatch: pytest.MonkeyPatch):
    # With gaps and repeats, images in both test sets, a covariate of three values, and an image that nobody was shown;
    # all parts of the patterns at once, one by one, and two by two.
    if at_once is not None:
        monkeypatch.setattr(import_module("difficulty_model.comparison.loo"), "AT_ONCE", at_once)
    world = simulate(3, skill=SKILL[:4], images={"a": 60, "b": 50}, missing=0.3, showings=2).responses
    shown = world.shown.copy()
    shown[:, 7] = 0
    member = {"a": world.member[0], "b": world.member[1] | (np.arange(110) < 20)}
    plain = Responses.from_arrays(
        np.minimum(world.right, shown), models=world.models, images=world.images, member=member, shown=shown
    )
    size = np.arange(110) % 3
    responses = Responses(plain.dataset.assign_coords(size=("image", size)))
    specification = Specification(independent(), probit(), regressed(normal(), ["size"]))
    fitted = fit(responses, specification, random_seed=0, method="mode", draws=60, chains=2, progress=False)
    draws = fitted.posterior.stack(draw_=("chain", "draw")).transpose("draw_", ...)
    names = ("skill", "population.population.mean", "population.population.sd", "population.coefficient")
    stratum, standard = responses.strata().of_image, (size - size.mean()) / size.std()
    log_likelihood = np.array([
        log_probability(responses, skill, mean[stratum] + coefficient * standard, sd[stratum])
        for skill, mean, sd, coefficient in zip(*(draws[name].values for name in names), strict=True)
    ])
    asked = np.arange(110) != 7
    one_by_one = [leave_one_out(of[None]) for of in log_likelihood[:, asked].T]
    found = loo(fitted, progress=False)
    assert found.images["image"].values.tolist() == responses.images
    for name in ("elpd", "p", "pareto_k"):
        # The fit's grid is exact to 1e-6 of a nat; a tail's shape depends on differences, which are smaller.
        expected = np.concatenate([getattr(of, name) for of in one_by_one])
        np.testing.assert_allclose(found.images[name].values[asked], expected, atol=1e-4)
    unasked = found.images.isel(image=7)
    assert (float(unasked["elpd"]), float(unasked["p"])) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert float(unasked["pareto_k"]) < 0
    assert (found.elpd, found.p) == pytest.approx((found.images["elpd"].values.sum(), found.images["p"].values.sum()))


def test_effective_parameters_are_as_many_as_unknowns_where_the_model_is_true():
    unknowns = len(SKILL) + 3
    found = []
    for seed in range(2):
        world = simulate(20 + seed, skill=SKILL, images={"a": 700, "b": 500})
        of_world = loo(fit(world.responses, random_seed=0, method="mode", progress=False), progress=False)
        assert of_world.doubtful == 0
        assert of_world.draws == 1000
        assert f"{of_world.elpd:.2f}" in str(of_world.to_arviz())
        found.append((of_world.p, float(of_world.images["p"].var()) * 1200))
    p, variance = np.mean(found, axis=0)
    assert abs(p - unknowns) < 4 * np.sqrt(variance / 2)


def test_ratios_without_a_tail_to_fit_are_weighed_as_they_are():
    rng = np.random.default_rng(0)
    many = rng.normal(size=(1, 400)) * 0.1
    many[0, rng.permutation(400)[:100]] = many.min() - 0.5  # one draw, resampled a hundred times
    found = leave_one_out(many)
    assert found.pareto_k[0] == np.inf
    assert found.elpd[0] == pytest.approx(-np.log(np.exp(-many).mean()))
    constant = leave_one_out(np.full((1, 400), -3.0))
    assert (constant.elpd[0], constant.p[0]) == pytest.approx((-3.0, 0.0))
    assert constant.pareto_k[0] == -np.inf


def test_smoothing_agrees_with_what_it_estimates():
    # log p = −x²/2 for x ~ N(0, 0.4²): E[1/p] = 1/√(1 − 0.16), and the ratios have a light tail.
    x = np.random.default_rng(1).normal(size=(200, 1000)) * 0.4
    found = leave_one_out(-(x**2) / 2)
    exact = np.log(1 - 0.16) / 2
    error = np.sqrt(np.sqrt(1 / (1 - 2 * 0.16)) * (1 - 0.16) - 1) / np.sqrt(1000)
    # The logarithm of a mean is off by half its variance.
    assert abs(found.elpd.mean() - exact) < 5 * error / np.sqrt(200) + error**2
    assert found.elpd.std() < 2 * error
    # E[p] = 1/√1.16.
    assert found.p.mean() == pytest.approx(-np.log(1.16) / 2 - exact, abs=1e-3)


def test_too_few_draws_are_refused():
    world = simulate(8, skill=SKILL[:2], images={"a": 60})
    with pytest.raises(InputError, match="at least 100 draws; this fit has 40"):
        loo(fit(world.responses, random_seed=0, method="mode", draws=10, progress=False), progress=False)
