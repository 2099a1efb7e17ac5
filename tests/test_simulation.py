"""Hypothetical test sets, against closed forms and against responses simulated one by one."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import ndtr, ndtri

from difficulty_model.errors import InputError
from difficulty_model.family import (
    in_classes,
    in_families,
    independent,
    losing,
    normal,
    probit,
    regressed,
    with_unlearnable,
)
from difficulty_model.fitting import Fit, fit
from difficulty_model.law import line_of_normals
from difficulty_model.responses import Responses
from difficulty_model.simulation import Simulation, TestSetPlan, simulate, simulate_responses
from difficulty_model.specification import Specification
from worlds import simulate as simulate_world

SKILL = np.linspace(-0.5, 1.8, 8)
DRAWS = 400


def known(responses: Responses) -> Responses:
    """Responses with classes, a covariate and families."""
    images = np.arange(len(responses.images))
    table = pd.DataFrame({"image": responses.images, "frequency": np.sin(images)}).set_index("image")
    labelled = Responses(responses.dataset.assign_coords(label=("image", np.array(["cat", "dog", "eel"])[images % 3])))
    return labelled.with_covariates(table).with_families({m: "near" for m in responses.models[:3]})


def fitted(specification: Specification | None = None) -> Fit:
    world = simulate_world(31, skill=SKILL, images={"a": 300, "b": 200})
    responses = known(world.responses)
    return fit(responses, specification, random_seed=0, method="mode", draws=DRAWS, chains=1, progress=False)


@pytest.fixture(scope="module")
def plain() -> Fit:
    return fitted()


def numbers(of: Fit, *names: str) -> list[np.ndarray]:
    return [of.posterior[name].values[0] for name in names]


@pytest.mark.parametrize(("harder", "wider"), [(0.0, 1.0), (0.4, 1.0), (-0.2, 1.5), (0.1, 0.6)])
def test_populations_moved_and_widened_are_those_of_the_closed_form(plain: Fit, harder: float, wider: float):
    found = simulate(plain, TestSetPlan(50, {"b": 1.0}, harder=harder, wider=wider), sets=DRAWS, progress=False)
    skill, mean, sd = numbers(plain, "skill", "population.mean", "population.sd")
    center, spread = mean[:, 1] + harder, wider * sd[:, 1]
    expected = ndtr((skill - center[:, None]) / np.sqrt(1 + spread**2)[:, None])
    np.testing.assert_allclose(found.population, expected, atol=1e-9)
    line, exact = found.line_from("a"), line_of_normals(mean[:, 0], sd[:, 0], center, spread)
    np.testing.assert_allclose(line.u, exact.u, atol=1e-9)
    np.testing.assert_allclose(line.v, exact.v, atol=1e-9)


def test_a_population_between_two_is_their_mixture_and_widens_about_its_own_mean(plain: Fit):
    skill, mean, sd = numbers(plain, "skill", "population.mean", "population.sd")
    between = simulate(plain, TestSetPlan(50, {"a": 3.0, "b": 1.0}), sets=DRAWS, progress=False)
    each = ndtr((skill[:, None] - mean[..., None]) / np.sqrt(1 + sd**2)[..., None])
    np.testing.assert_allclose(between.population, 0.75 * each[:, 0] + 0.25 * each[:, 1], atol=1e-9)
    wider = simulate(plain, TestSetPlan(50, {"a": 3.0, "b": 1.0}, harder=0.3, wider=2.0), sets=DRAWS, progress=False)
    center = (0.75 * mean[:, 0] + 0.25 * mean[:, 1])[:, None]
    moved = center + 0.3 + 2.0 * (mean - center)
    each = ndtr((skill[:, None] - moved[..., None]) / np.sqrt(1 + 4 * sd**2)[..., None])
    np.testing.assert_allclose(wider.population, 0.75 * each[:, 0] + 0.25 * each[:, 1], atol=1e-9)


def test_mixes_of_classes_and_profiles_of_covariates_are_those_of_the_closed_form():
    of_classes = fitted(Specification(independent(), probit(), in_classes(normal())))
    skill, mean, sd, spread, effect = numbers(
        of_classes, "skill", "population.population.mean", "population.population.sd", "population.spread",
        "population.effect",
    )
    mix = simulate(of_classes, TestSetPlan(50, {"b": 1.0}, wider=1.5, classes={"dog": 1.0, "eel": 3.0}),
                   sets=DRAWS, progress=False)
    shift = spread[:, None] * effect
    center = mean[:, 1] + 0.25 * shift[:, 1] + 0.75 * shift[:, 2]
    expected = sum(
        share * ndtr((skill - (center + 1.5 * (mean[:, 1] + shift[:, c] - center))[:, None])
                     / np.sqrt(1 + (1.5 * sd[:, 1]) ** 2)[:, None])
        for share, c in [(0.25, 1), (0.75, 2)]
    )
    np.testing.assert_allclose(mix.population, expected, atol=1e-9)
    regression = fitted(Specification(independent(), probit(), regressed(normal(), ["frequency"])))
    skill, mean, sd, coefficient = numbers(
        regression, "skill", "population.population.mean", "population.population.sd", "population.coefficient"
    )
    values = regression.responses.dataset["frequency"].values
    plan = TestSetPlan(50, {"b": 1.0}, covariates={"frequency": 0.8})
    profile = simulate(regression, plan, sets=DRAWS, progress=False)
    center = mean[:, 1] + coefficient[:, 0] * (0.8 - values.mean()) / values.std()
    expected = ndtr((skill - center[:, None]) / np.sqrt(1 + sd[:, 1] ** 2)[:, None])
    np.testing.assert_allclose(profile.population, expected, atol=1e-9)


@pytest.mark.parametrize("skills", ["independent", "families", "losing"])
def test_accuracies_scatter_as_those_of_images_answered_one_by_one(skills: str):
    skill_of = {"independent": independent, "families": in_families, "losing": losing}[skills]
    of, images, sets = fitted(Specification(skill_of(), probit(), with_unlearnable(normal()))), 60, 8 * DRAWS
    name, together = "skill" if skills == "independent" else "skill.skill", skills == "families"
    if together:
        of.tree["posterior"]["skill.spread"] = 0 * of.posterior["skill.spread"] + 2.0  # so that it shows
    ours = simulate(of, TestSetPlan(images, {"a": 1.0, "b": 1.0}), sets=sets, random_seed=1, progress=False)
    skill, mean, sd, share = numbers(of, name, "population.population.mean", "population.population.sd",
                                     "population.share")
    family = np.array([0, 0, 0, 1, 2, 3, 4, 5])
    lost = np.zeros((DRAWS, 2, len(SKILL)))
    if skills == "losing":
        trend, own = numbers(of, "skill.trend", "skill.own")
        lost = trend[..., None] * (skill - skill.mean(1, keepdims=True))[:, None] + own - own.mean(2, keepdims=True)
    rng, theirs = np.random.default_rng(5), np.empty((sets, len(SKILL)))
    for n in range(sets):
        d = n * DRAWS // sets
        k = rng.integers(0, 2, images)
        difficulty = np.where(rng.random(images) < share[d][k], np.inf, rng.normal(mean[d][k], sd[d][k]))
        effect = 0.0
        if together:
            effect = of.posterior["skill.spread"].values[0, d] * rng.normal(size=(6, images))[family]
        p = ndtr(skill[d][:, None] - lost[d, k].T + effect - difficulty)
        theirs[n] = (rng.random(p.shape) < p).mean(1)
    of_ours, of_theirs = (np.cov((a - ours.population.values).T) for a in (ours.accuracy.values, theirs))
    # Elements of such a covariance have a standard error of √(2/3200) of a variance at most, of a difference 0.035.
    assert np.abs(of_ours - of_theirs).max() < 5 * 0.035 * np.diag(of_theirs).max()
    assert np.abs((ours.accuracy.values - theirs).mean(0)).max() < 5 * np.sqrt(2 / sets * np.diag(of_theirs).max())


def handmade(accuracy: list[list[float]], observed: list[float]) -> Simulation:
    models = ["m0", "m1", "m2"]
    values = xr.DataArray(accuracy, dims=("draw", "model"), coords={"model": models})
    return Simulation(
        TestSetPlan(100, {"a": 1.0}), values, values, values.expand_dims(test_set=["a"], axis=1),
        xr.DataArray([observed], dims=("test_set", "model"), coords={"test_set": ["a"], "model": models}),
    )


def test_ranks_beats_and_reorderings_are_counted():
    found = handmade([[0.9, 0.5, 0.5], [0.4, 0.6, 0.2], [0.8, 0.7, 0.1], [0.9, 0.8, 0.7]], [0.8, 0.6, 0.5])
    np.testing.assert_allclose(found.rank, [[1, 2.5, 2.5], [2, 1, 3], [1, 2, 3], [1, 2, 3]])
    np.testing.assert_allclose(found.beats(), [[0.5, 0.75, 1.0], [0.25, 0.5, 0.875], [0.0, 0.125, 0.5]])
    board = found.leaderboard()
    assert board["model"].tolist() == ["m0", "m1", "m2"]
    np.testing.assert_allclose(board["first"], [0.75, 0.25, 0.0])
    order = found.reordering("a")
    assert order.same_first == 0.75
    np.testing.assert_allclose(order.pairs_swapped, [0, 1 / 3, 0, 0])
    assert order.same_order == 0.75


def test_models_that_score_the_same_share_the_first_place():
    order = handmade([[0.9, 0.9, 0.5], [0.9, 0.8, 0.5]], [0.8, 0.6, 0.5]).reordering("a")
    assert order.same_first == 0.75


def test_the_line_that_would_be_seen_is_that_through_observed_accuracies():
    x = np.array([0.3, 0.5, 0.8])
    through = ndtr(0.9 * ndtri(x) - 0.2)
    found = handmade([through.tolist(), x.tolist()], x.tolist()).seen_from("a")
    np.testing.assert_allclose(found.u, [0.9, 1.0], atol=1e-9)
    np.testing.assert_allclose(found.v, [-0.2, 0.0], atol=1e-9)
    with pytest.raises(InputError, match="a line needs two models"):
        handmade([[0.9, 0.5, 0.4]], [np.nan, 0.6, 1.0]).seen_from("a")


def test_models_that_were_not_run_there_are_in_no_order():
    found = handmade([[0.9, 0.5, 0.4], [0.4, 0.6, 0.2]], [np.nan, 0.6, 0.5])
    order = found.reordering("a")
    assert order.same_first == 1.0
    np.testing.assert_allclose(order.pairs_swapped, [0, 0])
    with pytest.raises(InputError, match="only 1 model was run on 'a'"):
        handmade([[0.9, 0.5, 0.4]], [np.nan, 0.6, np.nan]).reordering("a")


def test_the_same_seed_gives_the_same_sets(plain: Fit):
    plan = TestSetPlan(80, {"a": 1.0})
    one, same, other = (simulate(plain, plan, sets=30, random_seed=seed, progress=False) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.accuracy, same.accuracy)
    assert (one.accuracy.values != other.accuracy.values).any()
    assert set(one.tree.children) == {"posterior", "posterior_predictive", "observed_data"}


def test_simulated_responses_are_a_dataset_like_any_other():
    of = fitted(Specification(independent(), probit(), in_classes(normal())))
    mix = TestSetPlan(3000, {"b": 1.0}, harder=0.5, classes={"dog": 1.0, "eel": 3.0})
    right = np.zeros(len(SKILL))
    every = [simulate_responses(of, mix, random_seed=seed) for seed in range(20)]
    for made in every:
        assert (made.dataset["label"].values == "eel").mean() == pytest.approx(0.75, abs=0.05)
        right += made.right.mean(1) / 20
    expected = simulate(of, mix, sets=DRAWS, progress=False).population
    error = np.sqrt((expected.var("draw") + 0.25 / mix.images) / 20)
    assert (np.abs(right - expected.mean("draw")) < 5 * error).all()
    again = fit(every[0], random_seed=0, method="mode", draws=4, chains=1, progress=False)
    assert again.responses.test_sets == ["simulated"]


def test_simulated_images_keep_what_was_known_of_the_fitted_ones():
    of = fitted(Specification(in_families(), probit(), regressed(normal(), ["frequency"])))
    made = simulate_responses(of, TestSetPlan(500, {"b": 1.0}))
    in_b = of.responses.dataset["frequency"].values[of.responses.member[1]]
    assert np.isclose(made.dataset["frequency"].values[:, None], in_b).any(1).all()
    assert made.dataset["family"].values.tolist() == of.responses.dataset["family"].values.tolist()
    held = simulate_responses(of, TestSetPlan(9, {"b": 1.0}, covariates={"frequency": 0.3}))
    np.testing.assert_allclose(held.dataset["frequency"], 0.3)
    with pytest.raises(InputError, match="'frequency' must have a finite value; got nan"):
        simulate(of, TestSetPlan(9, {"b": 1.0}, covariates={"frequency": np.nan}), progress=False)


@pytest.mark.parametrize(("plan", "told"), [
    (TestSetPlan(0, {"a": 1.0}), "at least one image; got 0"),
    (TestSetPlan(10, {"c": 1.0}), "no test set in this fit named 'c'"),
    (TestSetPlan(10, {"a": -1.0}), "at least 0; got -1.0 for 'a'"),
    (TestSetPlan(10, {"a": 0.0}), "no test set in this fit has a share above 0"),
    (TestSetPlan(10, {"a": 1.0}, wider=0.0), "a factor above 0; got 0.0 and 0.0"),
    (TestSetPlan(10, {"a": 1.0}, harder=np.nan), "got nan and 1.0"),
    (TestSetPlan(10, {"a": 1.0}, classes={"cat": 1.0}), "no effects of classes"),
    (TestSetPlan(10, {"a": 1.0}, covariates={"frequency": 1.0}), "regressed on no covariate"),
])
def test_plans_that_cannot_be_are_refused(plain: Fit, plan: TestSetPlan, told: str):
    with pytest.raises(InputError, match=told):
        simulate(plain, plan, progress=False)
    with pytest.raises(InputError, match=told):
        simulate_responses(plain, plan)
