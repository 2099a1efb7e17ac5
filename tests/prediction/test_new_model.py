"""New models from few images, in worlds where the truth is known: whatever their curves, however images are drawn."""

import re

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import binom

from difficulty_model.errors import InputError
from difficulty_model.family import (
    discriminating,
    in_classes,
    in_families,
    independent,
    logistic,
    losing,
    normal,
    probit,
    recht_et_al,
    regressed,
    skew_normal,
    slopes,
    with_lapses,
    with_unlearnable,
)
from difficulty_model.fitting import Fit
from difficulty_model.prediction import ModelPrediction, predict_models
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification, unknowns
from told import told
from worlds import World, simulate

SKILL = np.linspace(-0.6, 2.2, 12)
MEAN, SD = (0.0, 0.8), (1.5, 1.8)
WORLD = simulate(70, skill=SKILL, images={"old": 1500, "new": 1000}, mean=MEAN, sd=SD)


@pytest.fixture(scope="module")
def fitted() -> Fit:
    values = {"skill": SKILL, "population.mean": np.array(MEAN), "population.sd": np.array(SD)}
    return told(WORLD.responses, recht_et_al(), values, draws=8)


def answers(world: World, seed: int, skill: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Responses of new models to all images of a world."""
    rng = np.random.default_rng(seed)
    return rng.random((len(skill), len(world.difficulty))) < ndtr(slope[:, None] * (skill[:, None] - world.difficulty))


def part(world: World, right: np.ndarray, shown: np.ndarray) -> Responses:
    old = world.responses
    return Responses.from_arrays(
        right & shown, shown=shown, models=[f"n{j}" for j in range(len(right))], images=old.images,
        member=dict(zip(old.test_sets, old.member, strict=True)),
    )


def predicted(fit: Fit, responses: Responses) -> ModelPrediction:
    return predict_models(fit, responses, random_seed=1, progress=False)


def at_random(seed: int, models: int, images: np.ndarray, of: int) -> np.ndarray:
    rng, shown = np.random.default_rng(seed), np.zeros((models, of), bool)
    for row in shown:
        row[rng.choice(images, 80, replace=False)] = True
    return shown


@pytest.mark.parametrize("which", ["any", "one test set", "hard", "easy"])
def test_intervals_hold_the_truth_however_images_are_drawn(fitted: Fit, which: str):
    models = 150
    rng = np.random.default_rng(71)
    right = answers(WORLD, 72, rng.normal(0.9, 0.9, models), np.exp(0.2 * rng.normal(size=models)))
    images = {
        "any": np.arange(2500),
        "one test set": np.flatnonzero(WORLD.responses.member[1]),
        "hard": np.argsort(WORLD.responses.right.mean(0), kind="stable")[:1000],
        "easy": np.argsort(-WORLD.responses.right.mean(0), kind="stable")[:1000],
    }[which]
    found = predicted(fitted, part(WORLD, right, at_random(73, models, images, 2500)))
    truth = np.stack([right[:, member].mean(1) for member in WORLD.responses.member])
    for of in (0.5, 0.9):
        low, high = np.quantile(found.accuracy.values, [(1 - of) / 2, (1 + of) / 2], axis=0)
        for count in ((low <= truth) & (truth <= high)).sum(1):
            # The slopes of these models differ more than those of the fitted ones: intervals may be somewhat too wide.
            assert binom.cdf(count, models, of) > 1e-4
            assert binom.sf(count, models, 1 - (1 - of) / 2) > 1e-4


def test_it_is_better_than_the_plain_average(fitted: Fit):
    rng = np.random.default_rng(74)
    right = answers(WORLD, 75, rng.normal(0.9, 0.9, 150), np.ones(150))
    member = WORLD.responses.member[0]
    given = part(WORLD, right, at_random(76, 150, np.flatnonzero(member), 2500))
    table = predicted(fitted, given).table()
    table = table.loc[table["test_set"] == "old"]
    truth = right[:, member].mean(1)
    plain, ours = (np.sqrt(np.mean((table[name].to_numpy() - truth) ** 2)) for name in ("measured", "accuracy"))
    assert ours < 0.85 * plain
    assert table["sd"].mean() == pytest.approx(ours, rel=0.25)


def test_models_unlike_any_fitted_one_show(fitted: Fit):
    # Right on easy images six times in ten only, as no fitted model is.
    models = 150
    able = answers(WORLD, 89, np.full(models, 1.5), np.ones(models))
    right = able & (np.random.default_rng(91).random(able.shape) < 0.6)
    images = np.argsort(-WORLD.responses.right.mean(0), kind="stable")[:1500]
    found = predicted(fitted, part(WORLD, right, at_random(92, models, images, 2500)))
    truth = np.stack([right[:, member].mean(1) for member in WORLD.responses.member])
    low, high = np.quantile(found.accuracy.values, [0.05, 0.95], axis=0)
    assert binom.cdf(((low <= truth) & (truth <= high)).sum(1).min(), models, 0.9) > 1e-4


def test_responses_to_images_that_were_not_shown_scatter(fitted: Fit):
    models = 20
    right = answers(WORLD, 93, np.full(models, 1.0), np.ones(models))
    shown = np.ones(right.shape, bool)
    for j in range(models):
        shown[j, np.random.default_rng(j).choice(1500, 300, replace=False)] = False
    table = predicted(fitted, part(WORLD, right, shown)).table().set_index("test_set").loc["old"]
    # Of known difficulty they vary less, and of an unknown one more.
    chance = ndtr(1.0 - WORLD.difficulty[:1500])
    least, most = np.sqrt(300 * (chance * (1 - chance)).mean()), np.sqrt(300 * chance.mean() * (1 - chance.mean()))
    assert least < 1500 * table["sd"].mean() < most


def test_what_was_measured_on_all_images_is_known(fitted: Fit):
    right = answers(WORLD, 77, np.array([0.5, 1.5]), np.ones(2))
    shown = np.ones((2, 2500), bool)
    shown[1, 1500:] = False
    found = predicted(fitted, part(WORLD, right, shown)).table().set_index(["model", "test_set"])
    truth = [right[0, :1500].mean(), right[0, 1500:].mean()]
    np.testing.assert_allclose(found.loc["n0", "accuracy"], truth, atol=1e-12)
    assert found.loc["n0", "sd"].to_numpy().max() < 1e-12
    assert found.loc[("n1", "old"), "sd"] < 1e-12
    assert 0.002 < found.loc[("n1", "new"), "sd"] < 0.04
    assert found["shown"].tolist() == [1500, 1500, 1000, 0]
    assert found["images"].tolist() == [1500, 1500, 1000, 1000]
    assert np.isnan(found.loc[("n1", "new"), "measured"])


def test_gaps_and_several_showings_count(fitted: Fit):
    world = simulate(78, skill=SKILL, images={"old": 1500, "new": 1000}, mean=MEAN, sd=SD, missing=0.3, showings=2)
    values = {"skill": SKILL, "population.mean": np.array(MEAN), "population.sd": np.array(SD)}
    right = answers(world, 79, np.linspace(0, 2, 40), np.ones(40))
    shown = at_random(80, 40, np.arange(2500), 2500)
    found = predicted(told(world.responses, recht_et_al(), values, draws=8), part(world, right, shown))
    truth = np.stack([right[:, member].mean(1) for member in world.responses.member])
    low, high = np.quantile(found.accuracy.values, [0.05, 0.95], axis=0)
    assert binom.cdf(((low <= truth) & (truth <= high)).sum(1).min(), 40, 0.9) > 1e-5


def test_fitted_models_that_are_all_alike_serve():
    values = {"skill": np.zeros(3), "population.mean": np.array(MEAN), "population.sd": np.array(SD)}
    responses = WORLD.responses
    same = Responses(responses.dataset.isel(model=[5, 5, 5]).assign_coords(model=["a", "b", "c"]))
    right = answers(WORLD, 87, np.array([1.0]), np.ones(1))
    table = predicted(told(same, recht_et_al(), values, draws=2), part(WORLD, right, np.ones((1, 2500), bool)))
    np.testing.assert_allclose(table.table()["accuracy"], [right[0, of].mean() for of in responses.member])
    shown = at_random(88, 1, np.arange(2500), 2500)
    found = predicted(told(same, recht_et_al(), values, draws=2), part(WORLD, right, shown)).table()
    assert np.isfinite(found["accuracy"]).all()
    assert found["sd"].between(0.01, 0.2).all()


@pytest.mark.parametrize("specification", [
    Specification(independent(), with_lapses(slopes(logistic()), per_model=True), normal()),
    Specification(losing(), logistic(), with_unlearnable(skew_normal())),
    Specification(independent(), probit(), in_classes(normal())),
    Specification(independent(), probit(), regressed(normal(), ["size"])),
    Specification(independent(), probit(), discriminating(normal())),
])
def test_every_specification_predicts(specification: Specification):
    images = np.arange(2500)
    known = Responses(WORLD.responses.dataset.assign_coords(
        size=("image", np.sin(images)), label=("image", np.array(["cat", "dog"])[images % 2])
    ))
    priors = unknowns(specification)
    typical = {path: np.asarray(prior.distribution.typical()) for path, prior in priors.items()}
    typical |= {path: SKILL for path in typical if path.endswith("skill") and priors[path].dims == ("model",)}
    right = answers(WORLD, 81, np.linspace(-0.2, 1.8, 20), np.ones(20))
    shown = at_random(82, 20, images, 2500)
    table = predicted(told(known, specification, typical, draws=4), part(WORLD, right, shown)).table()
    truth = np.stack([right[:, member].mean(1) for member in known.member]).ravel()
    # Curves are free, so that a specification that is somewhat wrong predicts all the same.
    assert np.sqrt(np.mean((table["accuracy"].to_numpy() - truth) ** 2)) < 0.06
    assert table["sd"].to_numpy().max() < 0.1


@pytest.mark.parametrize(("change", "message"), [
    (lambda given: given.dataset.assign_coords(model=["m3", "other"]), "'m3' is one that was fitted"),
    (lambda given: given.dataset.assign_coords(image=[f"no {image}" for image in given.images]), "'no i0', and model"),
])
def test_what_cannot_be_predicted_is_told(fitted: Fit, change, message: str):  # noqa: ANN001
    right = answers(WORLD, 83, np.zeros(2), np.ones(2))
    given = part(WORLD, right, at_random(84, 2, np.arange(2500), 2500))
    with pytest.raises(InputError, match=re.escape(message)):
        predicted(fitted, Responses(change(given)))


def test_models_without_responses_and_fits_that_do_not_serve_are_told(fitted: Fit):
    right, shown = answers(WORLD, 85, np.zeros(2), np.ones(2)), at_random(86, 2, np.arange(2500), 2500)
    shown[1] = False
    with pytest.raises(InputError, match="'n1' has no responses"):
        predicted(fitted, part(WORLD, right, shown))
    given = part(WORLD, right[:1], shown[:1])
    family = WORLD.responses.with_families({"m0": "near", "m1": "near"})
    specification = Specification(in_families(), probit(), normal())
    values = {path: np.asarray(prior.distribution.typical()) for path, prior in unknowns(specification).items()}
    with pytest.raises(InputError, match="without families"):
        predicted(told(family, specification, values, draws=2), given)
    two = WORLD.responses.select(models=["m0", "m5"])
    values = {"skill": SKILL[[0, 5]], "population.mean": np.array(MEAN), "population.sd": np.array(SD)}
    with pytest.raises(InputError, match="at least 3"):
        predicted(told(two, recht_et_al(), values, draws=2), given)
