"""The checks of a fit: worlds as it expects them, worlds with one misfit each, and responses too few to tell."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.special import ndtr
from scipy.stats import norm

from difficulty_model.errors import InputError
from difficulty_model.family import recht_et_al
from difficulty_model.fitting import Fit, fit
from difficulty_model.misfit import MisfitCheck, check_fit
from difficulty_model.plots.misfit import plot_misfit
from difficulty_model.responses import Responses
from told import told

SKILL = np.sort(np.append(np.linspace(-1.0, 2.5, 11), 1.1))
SKILL[8] = SKILL[7]  # two models that can be made near-copies without another accuracy
MODELS = [f"m{j}" for j in range(12)]
SIZES = {"a": 3000, "b": 2000}
SETS = np.repeat([0, 1], list(SIZES.values()))
MEAN, SD = np.array([0.0, 0.7]), np.array([1.5, 2.0])
TRUTH = {"skill": SKILL, "population.mean": MEAN, "population.sd": SD}
NODES = np.linspace(-14, 14, 4001)
CHECKS = [
    "all-right-all-wrong", "models-right", "accuracy", "agreement", "calibration", "local-dependence", "image-fit"
]


def difficulties(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(MEAN[SETS], SD[SETS])


def answered(rng: np.random.Generator, ahead: np.ndarray) -> np.ndarray:
    """Answers of models that are so far ahead of images, in probit units."""
    return (rng.random(ahead.shape) < ndtr(ahead)).astype(np.uint8)


def responses_of(right: np.ndarray, shown: np.ndarray | None = None) -> Responses:
    return Responses.from_arrays(
        right, models=MODELS, images=[f"i{i}" for i in range(len(SETS))],
        member={name: np.equal(SETS, k) for k, name in enumerate(SIZES)}, shown=shown,
    )


def checked(responses: Responses) -> dict[str, MisfitCheck]:
    checks = check_fit(told(responses, recht_et_al(), TRUTH), random_seed=1, progress=False)
    assert [check.name for check in checks] == CHECKS
    return {check.name: check for check in checks}


def misfits(checks: dict[str, MisfitCheck]) -> set[str]:
    return {name for name, check in checks.items() if check.verdict == "misfit"}


def over_population(values: np.ndarray, k: int) -> np.ndarray:
    """Mean of values at the nodes over the population of a test set."""
    return values @ (norm.pdf(NODES, MEAN[k], SD[k]) * (NODES[1] - NODES[0]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("missing", "showings"), [(0.0, 1), (0.3, 1), (0.2, 3)])
def test_nothing_is_a_misfit_where_the_fit_is_true(seed: int, missing: float, showings: int):
    rng = np.random.default_rng(seed)
    shown = showings * (rng.random((12, len(SETS))) >= missing).astype(np.uint8)
    right = rng.binomial(shown, ndtr(SKILL[:, None] - difficulties(rng)))
    checks = checked(responses_of(right, shown))
    assert misfits(checks) == set()
    # Predictions from the other models' responses are unbiased without any reference: the error of a tenth of the
    # images varies no more than their number of right would if all models answered alike.
    table = checks["calibration"].details
    images = np.array([SIZES[name] / 10 for name in table["test_set"]])
    assert np.all(np.abs(table["error"].to_numpy()) < 4.5 * 100 * np.sqrt(0.25 / images))


def test_unlearnable_images_are_all_wrong():
    rng = np.random.default_rng(0)
    right = answered(rng, SKILL[:, None] - difficulties(rng))
    right[:, rng.random(len(SETS)) < 0.06] = 0
    checks = checked(responses_of(right))
    check = checks["all-right-all-wrong"]
    assert check.verdict == "misfit"
    wrong = {c.test_set: c for c in check.comparisons if c.quantity == "all models wrong"}
    for k, name in enumerate(SIZES):
        by_itself = float(over_population(ndtr(NODES - SKILL[:, None]).prod(0), k))
        error = 100 * np.sqrt((0.06 + by_itself) / SIZES[name] * (1 + 1 / 40))
        assert wrong[name].effect == pytest.approx(6 * (1 - by_itself), abs=4 * error)
        assert wrong[name].replicated.mean() == pytest.approx(100 * by_itself, abs=4 * error / np.sqrt(40))
    assert check.leading is not None
    assert check.leading.quantity == "all models wrong"
    assert "wrongly labelled" in check.text


def numbers_right(density: np.ndarray) -> np.ndarray:
    """Distribution of the number of models right where difficulties have a density at the nodes."""
    of_number = np.zeros((13, len(NODES)))
    of_number[0] = 1
    for p in ndtr(SKILL[:, None] - NODES):
        of_number[1:] = of_number[1:] * (1 - p) + of_number[:-1] * p
        of_number[0] *= 1 - p
    return of_number @ (density * (NODES[1] - NODES[0]))


def test_two_kinds_of_images_have_another_histogram():
    rng = np.random.default_rng(1)
    side, narrow = 0.9, np.sqrt(1 - 0.9**2)  # a population of two peaks, of the same mean and sd
    z = rng.choice([-side, side], len(SETS)) + narrow * rng.normal(size=len(SETS))
    checks = checked(responses_of(answered(rng, SKILL[:, None] - (MEAN + SD * z[:, None])[np.arange(len(SETS)), SETS])))
    check = checks["models-right"]
    assert check.verdict == "misfit"
    for k, comparison in enumerate(check.comparisons):
        u = (NODES - MEAN[k]) / SD[k]
        peaks = (norm.pdf(u, -side, narrow) + norm.pdf(u, side, narrow)) / 2 / SD[k]
        planted = 50 * np.abs(numbers_right(peaks) - numbers_right(norm.pdf(u) / SD[k])).sum()
        # Distances obey the triangle inequality: noise adds and takes no more than it makes by itself.
        assert comparison.effect == pytest.approx(planted, abs=1.2 * comparison.by_chance.max())


def test_a_model_that_lost_skill_in_one_test_set_is_named():
    rng = np.random.default_rng(2)
    ahead = SKILL[:, None] - difficulties(rng)
    ahead[9] -= 0.8 * (SETS == 1)
    check = checked(responses_of(answered(rng, ahead)))["accuracy"]
    assert check.verdict == "misfit"
    worst = check.worst.iloc[0]
    assert (worst["model"], worst["test_set"]) == ("m9", "b")
    assert "'m9'" in check.text
    lost = 100 * (ndtr((SKILL[9] - 1.5) / np.sqrt(5)) - ndtr((SKILL[9] - 0.7) / np.sqrt(5)))
    # Apart from the common error a model is wrong by no more than if all others were independent of it.
    assert worst["apart"] == pytest.approx(lost * 11 / 12, abs=4 * 100 * np.sqrt(0.25 / 2000 * (1 + 1 / 40)))
    assert worst["common"] + worst["apart"] == pytest.approx(worst["observed"] - worst["expected"], abs=1e-9)


def test_harder_images_are_an_error_that_all_models_have_in_common():
    rng = np.random.default_rng(3)
    check = checked(responses_of(answered(rng, SKILL[:, None] - difficulties(rng) - 0.4 * (SETS == 1))))["accuracy"]
    found = [c for c in check.comparisons if c.verdict == "misfit"]
    assert [(c.quantity, c.test_set) for c in found] == [("mean accuracy of the models", "b")]
    lost = 100 * (ndtr((SKILL - 1.1) / np.sqrt(5)) - ndtr((SKILL - 0.7) / np.sqrt(5))).mean()
    assert found[0].effect == pytest.approx(lost, abs=4 * found[0].replicated.std() * np.sqrt(1 + 1 / 40))


def test_near_copies_agree_too_often_and_go_together():
    rng = np.random.default_rng(4)
    right = answered(rng, SKILL[:, None] - difficulties(rng))
    right[8] = np.where(rng.random(len(SETS)) < 0.5, right[7], right[8])
    right[9] = np.where(rng.random(len(SETS)) < 0.25, right[7], right[9])  # too little to belong to them
    checks = checked(responses_of(right))
    assert {"agreement", "local-dependence"} <= misfits(checks)
    pairs = checks["agreement"].details.query("weaker == 'm7' and stronger == 'm8'").set_index("test_set")
    for k, name in enumerate(SIZES):
        p = ndtr(SKILL[7] - NODES)
        independent = float(100 * over_population(p**2 + (1 - p) ** 2, k))
        row = pairs.loc[name]
        error = 100 * np.sqrt(0.25 / SIZES[name])
        assert row["agreement_expected"] == pytest.approx(independent, abs=4 * error / np.sqrt(40))
        assert row["agreement"] == pytest.approx(50 + independent / 2, abs=4 * error)
    # Of a pair of other models the weaker is right alone as seldom as two curves over one population have it.
    other = checks["agreement"].details.query("weaker == 'm2' and stronger == 'm6'").set_index("test_set")
    for k, name in enumerate(SIZES):
        alone = float(100 * over_population(ndtr(SKILL[2] - NODES) * ndtr(NODES - SKILL[6]), k))
        error = np.sqrt(alone * (100 - alone) / SIZES[name])
        assert other.loc[name, "weaker_alone_expected"] == pytest.approx(alone, abs=4 * error / np.sqrt(40))
        assert other.loc[name, "weaker_alone"] == pytest.approx(alone, abs=4 * error)
    check = checks["local-dependence"]
    assert check.groups == (("m7", "m8"),)
    worst = check.worst.iloc[0]
    assert {worst["first"], worst["second"]} == {"m7", "m8"}
    # Half of the responses are shared; the image's difficulty, judged from both, takes up some of that.
    assert 0.3 < worst["excess"] < 0.55
    assert check.effect == pytest.approx(worst["excess"], abs=1e-6)
    assert "'m7'" in check.text


def test_weak_models_of_low_slope_are_worse_on_easy_images_and_better_on_hard_ones():
    rng = np.random.default_rng(5)
    slope = np.where(np.arange(12) < 4, 0.55, 1.0)[:, None]
    check = checked(responses_of(answered(rng, slope * (SKILL[:, None] - difficulties(rng)))))["calibration"]
    assert check.verdict == "misfit"
    assert check.worst.iloc[0]["models"] == "weakest third"
    for name in SIZES:
        of_third = check.details.query(f"models == 'weakest third' and test_set == {name!r}")
        weakest = of_third.sort_values("decile")["error"]
        assert weakest.iloc[:3].max() < -4
        assert weakest.iloc[-3:].mean() > 2


def test_images_against_skill_are_found_by_name():
    rng = np.random.default_rng(6)
    discrimination = np.where((rng.random(len(SETS)) < 0.12) & (SETS == 1), -1.0, 1.0)
    check = checked(responses_of(answered(rng, discrimination * (SKILL[:, None] - difficulties(rng)))))["image-fit"]
    assert {c.test_set: c.verdict for c in check.comparisons} == {"a": "fits", "b": "misfit"}
    assert check.effect is not None
    assert 2 < check.effect < 12  # twelve models cannot tell every one
    found = check.worst["image"].str[1:].astype(int).to_numpy()
    assert len(found) == 20
    assert np.all(discrimination[found] < 0)
    first = check.worst.to_dict("records")[0]
    assert first["weaker_right"] > first["stronger_right"]
    assert float(check.details["observed"].to_numpy().sum()) == pytest.approx(100)


def test_the_fit_of_a_true_model_passes():
    rng = np.random.default_rng(7)
    responses = responses_of(answered(rng, SKILL[:, None] - difficulties(rng)))
    fitted = fit(responses, random_seed=0, method="mode", draws=40, chains=1, progress=False)
    checks = check_fit(fitted, random_seed=0, progress=False)
    assert misfits({check.name: check for check in checks}) == set()
    # Parameters that were fitted take up what chance made of these accuracies.
    accuracy = next(check for check in checks if check.name == "accuracy")
    assert max(abs(c.effect) / c.by_chance.mean() for c in accuracy.comparisons if "mean error" in c.quantity) < 1


def test_a_vague_fit_says_what_it_would_not_show():
    rng = np.random.default_rng(10)
    responses = responses_of(answered(rng, SKILL[:, None] - difficulties(rng)))
    fitted = told(responses, recht_et_al(), TRUTH)
    mean = fitted.posterior["population.mean"] + np.linspace(-1, 1, 40)[None, :, None]
    fitted.tree["posterior"] = fitted.tree["posterior"].to_dataset().assign({"population.mean": mean})
    for check in check_fit(fitted, random_seed=0, progress=False):
        vague = check.name in ("accuracy", "models-right")
        assert ("would not stand out" in check.text) or not vague
        assert check.verdict == "fits" or not vague


def small(right: np.ndarray, shown: np.ndarray, member: dict[str, np.ndarray], skill: np.ndarray) -> Fit:
    responses = Responses.from_arrays(
        right * shown, models=[f"m{j}" for j in range(len(right))], images=[f"i{i}" for i in range(right.shape[1])],
        member=member, shown=shown,
    )
    mean = np.zeros(len(responses.strata().names))
    return told(responses, recht_et_al(), {"skill": skill, "population.mean": mean, "population.sd": mean + 1.5})


@pytest.mark.parametrize("case", ["two models", "one tiny test set", "never shown in b", "never shown", "apart"])
def test_few_responses_are_no_misfit_and_no_error(case: str):
    rng = np.random.default_rng(8)
    models, images = (2, 60) if case in ("two models", "apart") else (5, 4 if case == "one tiny test set" else 60)
    skill = np.linspace(-1, 1, models)
    shown = np.ones((models, images), np.uint8)
    member = {"a": np.arange(images) < 35, "b": np.arange(images) >= 25}  # they share ten images
    if case == "one tiny test set":
        member = {"a": np.ones(images, bool)}
    if case == "never shown in b":
        shown[3, 25:] = 0
    if case == "never shown":
        shown[3] = 0
    if case == "apart":
        shown[0, 25:], shown[1, :25] = 0, 0
    right = answered(rng, skill[:, None] - rng.normal(0, 1.5, images))
    checks = check_fit(small(right, shown, member, skill), random_seed=0, progress=False)
    assert misfits({check.name: check for check in checks}) == set()
    named = {check.name: check for check in checks}
    assert named["local-dependence"].groups == ()
    if case.startswith("never"):
        assert "'m3' out of 'b'" in named["accuracy"].text
        assert "m3" not in set(named["accuracy"].details.query("test_set == 'b'")["model"])
    if case == "apart":
        assert {named["agreement"].verdict, named["local-dependence"].verdict} == {"not testable"}
        assert "no two models" in named["agreement"].text
    text = json.dumps([check.as_dict() for check in checks], allow_nan=False)
    assert [of["name"] for of in json.loads(text)] == CHECKS
    figure = Figure(layout="constrained")
    plot_misfit(checks, figure)
    figure.canvas.draw()


def test_the_same_seed_gives_the_same_checks():
    rng = np.random.default_rng(9)
    skill = np.linspace(-1, 1, 4)
    right = answered(rng, skill[:, None] - rng.normal(0, 1.5, 80))
    fitted = small(right, np.ones_like(right), {"a": np.ones(80, bool)}, skill)
    once, again, other = ([c.as_dict() for c in check_fit(fitted, random_seed=s, progress=False)] for s in (3, 3, 4))
    assert once == again
    assert once != other


def test_too_few_draws_are_refused():
    right = answered(np.random.default_rng(0), np.zeros((3, 20)))
    responses = Responses.from_arrays(
        right, models=list("abc"), images=[f"i{i}" for i in range(20)], member={"a": np.ones(20, bool)}
    )
    values = {"skill": np.zeros(3), "population.mean": 0.0, "population.sd": 1.0}
    with pytest.raises(InputError, match="only 3 posterior draws.*at least 4"):
        check_fit(told(responses, recht_et_al(), values, draws=3), random_seed=0, progress=False)
