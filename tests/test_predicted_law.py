"""The predicted line, test sets replicated from a fit, and the observed line with its standard errors."""

import numpy as np
import pytest
from scipy.special import ndtr

from difficulty_model.errors import InputError
from difficulty_model.family import in_families, normal
from difficulty_model.family import probit as probit_curve
from difficulty_model.fitting import Fit, fit
from difficulty_model.law import line_of_normals, probit
from difficulty_model.predicted_law import law_between, observed_line, replicated_accuracies
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification
from told import told
from worlds import simulate

SKILL = np.linspace(-0.5, 1.8, 8)


def fitted_world(*, missing: float, overlap: int = 0) -> Fit:
    world = simulate(31, skill=SKILL, images={"a": 300, "b": 200}, missing=missing)
    whole = world.responses
    member = {"a": whole.member[0], "b": whole.member[1] | (np.arange(500) < overlap)}
    responses = Responses.from_arrays(
        whole.right, models=whole.models, images=whole.images, member=member, shown=whole.shown
    )
    return fit(responses, random_seed=0, method="mode", draws=500, progress=False)


@pytest.fixture(scope="module")
def complete() -> Fit:
    return fitted_world(missing=0.0)


@pytest.fixture(scope="module")
def patchy() -> Fit:
    return fitted_world(missing=0.4, overlap=100)


def test_predicted_line_is_that_of_the_normal_populations(complete: Fit):
    law = law_between(complete, "a", "b")
    mean, sd = (complete.posterior[f"population.{n}"].values.reshape(-1, 2) for n in ("mean", "sd"))
    line = line_of_normals(mean[:, 0], sd[:, 0], mean[:, 1], sd[:, 1])
    np.testing.assert_allclose(law.predicted.u, line.u, atol=1e-9)
    np.testing.assert_allclose(law.predicted.v, line.v, atol=1e-9)
    back = law_between(complete, "b", "a")
    np.testing.assert_allclose(back.predicted.u, 1 / line.u, atol=1e-9)
    np.testing.assert_allclose(back.predicted.v, -line.v / line.u, atol=1e-9)


@pytest.mark.parametrize("which", ["complete", "patchy"])
def test_replicated_accuracies_are_those_of_new_images_answered_one_by_one(
    which: str, request: pytest.FixtureRequest
):
    fitted: Fit = request.getfixturevalue(which)
    ours = np.concatenate([replicated_accuracies(fitted, random_seed=s).values for s in range(3)])
    responses, strata = fitted.responses, fitted.responses.strata()
    shown, member = responses.shown.astype(int), responses.member.astype(int)
    skill, mean, sd = (fitted.posterior[n].values.reshape(2000, -1)
                       for n in ("skill", "population.mean", "population.sd"))
    rng = np.random.default_rng(8)
    theirs = np.zeros_like(ours)
    for d in range(len(ours)):
        of = d % 2000
        difficulty = rng.normal(mean[of][strata.of_image], sd[of][strata.of_image])
        right = (rng.random(shown.shape) < ndtr(skill[of][:, None] - difficulty)) * shown
        theirs[d] = (member @ right.T) / (member @ shown.T)
    ours, theirs = ours.reshape(len(ours), -1), theirs.reshape(len(theirs), -1)
    n = len(ours)
    error = np.sqrt((ours.var(0) + theirs.var(0)) / n)
    assert (np.abs(ours.mean(0) - theirs.mean(0)) / error).max() < 5.5
    # A sample covariance of normal draws has variance (σ₁²σ₂² + σ₁₂²)/n; models share their images, sets share some.
    covariance = [np.cov(values.T) for values in (ours, theirs)]
    middle = (covariance[0] + covariance[1]) / 2
    allowed = np.sqrt(2 * (np.outer(np.diag(middle), np.diag(middle)) + middle**2) / n)
    assert (np.abs(covariance[0] - covariance[1]) / allowed).max() < 5.5
    assert (middle / np.sqrt(np.outer(np.diag(middle), np.diag(middle))))[0, 1] > 0.2


def test_replicated_models_of_a_family_are_off_together():
    world = simulate(34, skill=SKILL, images={"a": 80, "b": 60}, missing=0.1).responses
    responses = world.with_families({model: "near" for model in world.models[:4]})
    values = {"skill.skill": SKILL, "skill.spread": 2.0, "population.mean": np.array([0.0, 0.5]), "population.sd": 1.5}
    fitted = told(responses, Specification(in_families(), probit_curve(), normal()), values, draws=3000)
    ours = replicated_accuracies(fitted, random_seed=0).sel(test_set="b").values
    rng = np.random.default_rng(9)
    images, theirs = world.member[1], np.zeros_like(ours)
    shown = world.shown[:, images].astype(int)
    for d in range(len(theirs)):
        effect = rng.normal(size=(5, images.sum()))[[0, 0, 0, 0, 1, 2, 3, 4]]
        away = SKILL[:, None] + 2.0 * effect - rng.normal(0.5, 1.5, images.sum())
        theirs[d] = ((rng.random(shown.shape) < ndtr(away)) * shown).sum(1) / shown.sum(1)
    covariance = [np.cov(of.T) for of in (ours, theirs)]
    middle = (covariance[0] + covariance[1]) / 2
    allowed = np.sqrt(2 * (np.outer(np.diag(middle), np.diag(middle)) + middle**2) / len(ours))
    assert (np.abs(covariance[0] - covariance[1]) / allowed).max() < 5.5


def test_accuracies_of_a_model_never_shown_are_not_numbers():
    world = simulate(33, skill=SKILL, images={"a": 60, "b": 60})
    shown = world.responses.shown.copy()
    shown[2, 60:] = 0
    responses = Responses.from_arrays(
        world.responses.right * shown, models=world.responses.models, images=world.responses.images, shown=shown,
        member=dict(zip("ab", world.responses.member, strict=True)),
    )
    fitted = fit(responses, random_seed=0, method="mode", draws=10, progress=False)
    values = replicated_accuracies(fitted, random_seed=0)
    assert np.isnan(values.sel(test_set="b", model="m2")).all()
    assert np.isfinite(values.drop_sel(model="m2")).all()
    law = law_between(fitted, "a", "b")
    assert law.observed.left_out == ["m2"]
    assert np.isfinite([law.scatter.observed, law.scatter.p_value]).all()
    assert np.isfinite(law.replicated.u).all()


def test_table_of_models_holds_what_it_says(complete: Fit):
    law = law_between(complete, "a", "b", random_seed=4, level=0.8)
    replicates = replicated_accuracies(complete, random_seed=4)
    observed = complete.responses.accuracies(level=0.8).set_index(["test_set", "model"])
    table = law.models.set_index("model")
    for side, name in [("original", "a"), ("new", "b")]:
        np.testing.assert_array_equal(table[f"observed_{side}"], observed.loc[name, "accuracy"])
        np.testing.assert_array_equal(table[f"observed_low_{side}"], observed.loc[name, "low"])
        of_set = replicates.sel(test_set=name)
        np.testing.assert_allclose(table[f"predicted_{side}"], of_set.mean("draw"))
        low, high = of_set.quantile([0.1, 0.9], "draw").values
        np.testing.assert_allclose(table[f"predicted_low_{side}"], low)
        inside = (table[f"observed_{side}"].values >= low) & (table[f"observed_{side}"].values <= high)
        np.testing.assert_array_equal(table[f"inside_{side}"], inside)
        width = table[f"predicted_high_{side}"] - table[f"predicted_low_{side}"]
        of_population = table[f"population_high_{side}"] - table[f"population_low_{side}"]
        assert (width.to_numpy() > of_population.to_numpy()).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_world_that_follows_the_law_is_not_surprising(seed: int):
    world = simulate(100 + seed, skill=SKILL, images={"a": 400, "b": 400})
    fitted = fit(world.responses, random_seed=seed, method="mode", draws=100, progress=False)
    law = law_between(fitted, "a", "b", random_seed=seed)
    assert 0.001 < law.scatter.p_value < 0.999
    z = (law.observed.least_squares.u - law.replicated.u.mean()) / law.replicated.u.std()
    assert abs(z) < 5
    assert law.models[["inside_original", "inside_new"]].to_numpy().mean() > 0.6


def test_standard_errors_of_the_observed_line_are_those_of_repeated_tests():
    worlds = 150
    lines, errors = [], []
    for seed in range(worlds):
        responses = simulate(1000 + seed, skill=np.linspace(-0.3, 1.5, 10), images={"a": 500, "b": 500}).responses
        x, y = probit(responses.accuracies()["accuracy"].to_numpy().reshape(2, 10))
        lines.append(np.polyfit(x, y, 1))
        if seed % 15 == 0:
            observed = observed_line(responses, "a", "b", random_seed=seed)
            np.testing.assert_allclose((observed.least_squares.u, observed.least_squares.v), lines[-1], rtol=1e-9)
            assert observed.least_squares_sd is not None
            errors.append([observed.least_squares_sd.u, observed.least_squares_sd.v])
    # The sd of 150 lines has a standard error of 6%, the mean of ten bootstraps one of 2% and their bias of some.
    np.testing.assert_allclose(np.mean(errors, 0), np.std(lines, 0), rtol=0.25)


def test_a_model_of_two_images_leaves_standard_errors(complete: Fit):
    dataset, new = complete.responses.dataset, complete.responses.member[1]
    shown, right = complete.responses.shown.copy(), complete.responses.right.copy()
    kept = [np.flatnonzero(new & (right[0] == answer))[0] for answer in (0, 1)]
    shown[0, np.setdiff1d(np.flatnonzero(new), kept)] = 0
    few = Responses(dataset.assign(shown=(("model", "image"), shown), right=(("model", "image"), right * (shown > 0))))
    observed = observed_line(few, "a", "b")
    assert observed.left_out == []
    assert observed.least_squares_sd is not None
    assert observed.errors_in_both_sd is not None
    for sd in (observed.least_squares_sd, observed.errors_in_both_sd):
        assert 0 < sd.u < 10


def test_misuse_is_refused(complete: Fit):
    with pytest.raises(InputError, match="two different test sets"):
        law_between(complete, "a", "a")
    with pytest.raises(InputError, match="'c'"):
        law_between(complete, "a", "c")
    with pytest.raises(InputError, match="got 'a' twice"):
        observed_line(complete.responses, "a", "a")
    with pytest.raises(InputError, match="at least 3"):
        observed_line(complete.responses.select(models=["m0", "m1"]), "a", "b")


def test_nearly_perfect_models_on_few_images_still_give_a_law():
    # At 95% of 60 images, some replicated test set has every model right on all of them.
    world = simulate(40, skill=np.array([1.6, 1.9, 2.2, 2.5]), images={"a": 60, "b": 60}, sd=(0.7, 1.0))
    kept = world.responses
    fitted = fit(kept, random_seed=0, method="mode", draws=250, progress=False)
    law = law_between(fitted, "a", "b")
    assert np.isfinite(law.scatter.observed)
    assert np.isfinite(law.scatter.replicated).all()
    assert np.isfinite(law.replicated.u).all()
