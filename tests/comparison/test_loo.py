"""Leaving out one image: against integrals by quadrature, image by image, and in worlds where the truth is known."""

import numpy as np
import pytest
from scipy.special import log_ndtr

from difficulty_model.comparison import loo
from difficulty_model.distributions import Normal
from difficulty_model.errors import InputError
from difficulty_model.family import discriminating, flexible, in_classes, independent, normal, probit, slopes, with_atom
from difficulty_model.fitting import Fit, fit
from difficulty_model.fitting.diagnostics import leave_one_out
from difficulty_model.populations import Normal as NormalPopulation
from difficulty_model.responses import Responses
from difficulty_model.specification import Prior, Specification
from worlds import simulate

SKILL = np.linspace(-0.5, 1.8, 6)
NODES = np.linspace(-14, 14, 400)


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


@pytest.mark.parametrize("seed", range(3))
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


def test_patterns_and_counts_are_images_one_by_one():
    world = simulate(3, skill=SKILL[:4], images={"a": 60, "b": 50}, missing=0.3, showings=2)
    fitted = fit(world.responses, random_seed=0, method="mode", draws=60, chains=2, progress=False)
    draws = fitted.posterior.stack(draw_=("chain", "draw")).transpose("draw_", ...)
    stratum = world.responses.strata().of_image
    drawn = zip(*(draws[name].values for name in ("skill", "population.mean", "population.sd")), strict=True)
    log_likelihood = np.array([
        log_probability(world.responses, skill, mean[stratum], sd[stratum]) for skill, mean, sd in drawn
    ])
    one_by_one = [leave_one_out(of[None]) for of in log_likelihood.T]
    found = loo(fitted, progress=False)
    for name in ("elpd", "p", "pareto_k"):
        # The fit's grid is exact to 1e-6 of a nat; a tail's shape depends on differences, which are smaller.
        expected = np.concatenate([getattr(of, name) for of in one_by_one])
        np.testing.assert_allclose(found.images[name].values, expected, atol=1e-4)
    assert found.images["image"].values.tolist() == world.responses.images


def test_effective_parameters_are_as_many_as_unknowns_where_the_model_is_true():
    unknowns = len(SKILL) + 3
    found = []
    for seed in range(4):
        world = simulate(20 + seed, skill=SKILL, images={"a": 700, "b": 500})
        of_world = loo(fit(world.responses, random_seed=0, method="laplace", progress=False), progress=False)
        assert of_world.doubtful == 0
        found.append((of_world.p, float(of_world.images["p"].var()) * 1200))
    p, variance = np.mean(found, axis=0)
    assert abs(p - unknowns) < 4 * np.sqrt(variance / 4)


def test_an_image_that_nobody_was_shown_is_predicted_for_certain():
    world = simulate(5, skill=SKILL, images={"a": 80, "b": 80})
    shown = world.responses.shown.copy()
    shown[:, 7] = 0
    responses = Responses.from_arrays(
        world.responses.right * shown, models=world.responses.models, images=world.responses.images, shown=shown,
        member=dict(zip("ab", world.responses.member, strict=True)),
    )
    image = loo(fit(responses, random_seed=0, method="mode", progress=False), progress=False).images.isel(image=7)
    assert abs(float(image["elpd"])) < 1e-9
    assert abs(float(image["p"])) < 1e-9
    assert float(image["pareto_k"]) < 0


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


def test_it_is_what_arviz_compares():
    world = simulate(6, skill=SKILL, images={"a": 80, "b": 80})
    found = loo(fit(world.responses, random_seed=0, method="mode", draws=50, progress=False), progress=False)
    assert "160" in str(found.to_arviz())
    assert f"{found.elpd:.2f}" in str(found.to_arviz())


@pytest.mark.parametrize("specification", [
    Specification(independent(), slopes(), with_atom(flexible())),
    Specification(independent(), probit(), discriminating(in_classes(normal()))),
], ids=["slopes, atom, flexible", "discriminating, classes"])
def test_every_part_of_a_specification_is_served(specification: Specification):
    world = simulate(7, skill=SKILL, images={"a": 120, "b": 100})
    labelled = Responses(world.responses.dataset.assign_coords(label=("image", np.arange(220) % 4)))
    fitted = fit(labelled, specification, random_seed=0, method="mode", draws=40, progress=False)
    plain = loo(plain_fit(labelled), progress=False)
    found = loo(fitted, progress=False)
    assert found.p > 0
    # A richer specification of a plain world predicts nearly as well.
    difference = found.images["elpd"] - plain.images["elpd"]
    assert -15 < float(difference.sum()) < 5


def plain_fit(responses: Responses) -> Fit:
    return fit(responses, random_seed=0, method="mode", draws=40, progress=False)


def test_too_few_draws_are_refused():
    world = simulate(8, skill=SKILL, images={"a": 60})
    with pytest.raises(InputError, match="at least 100 draws; this fit has 40"):
        loo(fit(world.responses, random_seed=0, method="mode", draws=10, progress=False), progress=False)
