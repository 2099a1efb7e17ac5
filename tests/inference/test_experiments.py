"""The experiments that train: nothing is learned that is tested, and what they find is there, or is not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from difficulty_inference.adapters import EstimatorEntry
from difficulty_inference.experiments.folds import cross_validate, dealt
from difficulty_inference.experiments.images import images_of
from difficulty_inference.experiments.new_data import ARMS, PAIRS, train_on_new
from difficulty_inference.experiments.result import Result
from difficulty_inference.experiments.training import right_answers
from difficulty_inference.importing import Code
from difficulty_inference.test_sets import TestSet
from difficulty_model.errors import InputError
from image_arrays import written
from trained import BAYES, FOREST, drawn, entry, overlapping_sets


@pytest.fixture(autouse=True)
def _no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "1")


@pytest.fixture
def overlapping(tmp_path: Path) -> tuple[TestSet, TestSet]:
    return overlapping_sets(tmp_path)


def estimate(result: Result, quantity: str, model: str | None = None) -> Any:
    return next(
        row for row in result.tables["estimates"] if (row["model"], row["quantity"]) == (model, quantity)
    )


# Training on part of the new test set


def test_new_data_never_tests_what_was_learned(tmp_path, overlapping):
    original, new = overlapping
    result = train_on_new([entry(tmp_path, "Parrot")], new=new, original=original, repeats=6, seed=3)
    assert {row["right"] for row in result.tables["rows"]} == {0}
    # 130 images: 40 to learn from; 50 original less 10 of these; 100 new less 5, and less 45 original ones.
    assert {record["role"]: record["used"] for record in result.sets} == {"training": 40, "original": 40, "new": 50}
    assert {row["shown"] for row in result.tables["rows"]} == {50 - 20}


def test_all_arms_but_the_untouched_learn_equally_many_images(tmp_path, overlapping):
    original, _ = overlapping
    ones = written(tmp_path, "ones", drawn([8], 60)[0], np.ones(60, np.int64))
    zoo = [entry(tmp_path, "Counter", name=f"expects {n}", images=25, expected=n) for n in (25, 45)]
    result = train_on_new(zoo, new=ones, original=original, repeats=2)
    right = {(row["model"], row["arm"]): row["right"] for row in result.tables["rows"]}
    shown = result.tables["rows"][0]["shown"]
    assert result.settings["added"] == 20
    assert [right["expects 25", arm] for arm in ARMS] == [shown, 0, 0]
    assert [right["expects 45", arm] for arm in ARMS] == [0, shown, shown]


def test_pairs_and_estimates_follow_from_the_rows(tmp_path, overlapping):
    original, new = overlapping
    zoo = [entry(tmp_path, BAYES, name="a"), entry(tmp_path, FOREST, name="b", n_estimators=3)]
    result = train_on_new(zoo, new=new, original=original, repeats=3)
    right = {(row["model"], row["repeat"], row["arm"]): row["right"] for row in result.tables["rows"]}
    pairs = result.tables["pairs"]
    assert len(pairs) == len(zoo) * 3 * len(PAIRS)
    for row in pairs:
        gain = right[row["model"], row["repeat"], row["first"]] - right[row["model"], row["repeat"], row["second"]]
        assert row["only_first"] - row["only_second"] == gain
    for first, second in PAIRS:
        by_model = [estimate(result, f"{first}-{second}", model)["value"] for model in "ab"]
        of_a = [right["a", r, first] - right["a", r, second] for r in range(3)]
        assert by_model[0] == pytest.approx(np.mean(of_a) / result.settings["tested"])
        assert estimate(result, f"{first}-{second}")["value"] == pytest.approx(np.mean(by_model))


def test_standard_errors_are_over_images_wherever_a_repetition_tests_them(tmp_path, overlapping):
    original, _ = overlapping
    images = drawn([8], 60)[0]
    new = written(tmp_path, "zeros", images, np.zeros(60, np.int64))
    result = train_on_new([entry(tmp_path, "Dark")], new=new, original=original, repeats=20)
    # Every image is always right or always wrong, so that nothing but their choice matters.
    dark = images[:, 0, 0] < 128
    shares = [row["right"] / row["shown"] for row in result.tables["rows"] if row["arm"] == "untouched"]
    variance = dark.var(ddof=1) / 60 + np.var(shares, ddof=1) / 20
    assert estimate(result, "untouched")["standard_error"] == pytest.approx(variance**0.5)
    assert estimate(result, "new-original") == {
        "model": None, "quantity": "new-original", "value": 0, "standard_error": 0, "low": 0, "high": 0
    }


def test_chance_in_training_is_new_in_every_repetition_and_alike_in_all_arms(tmp_path, overlapping):
    original, _ = overlapping
    new = written(tmp_path, "zeros", drawn([8], 60)[0], np.zeros(60, np.int64))
    result = train_on_new([entry(tmp_path, "Coin")], new=new, original=original, repeats=10)
    assert len({row["right"] for row in result.tables["rows"]}) > 1
    assert {row["only_first"] + row["only_second"] for row in result.tables["pairs"]} == {0}
    folds = cross_validate([entry(tmp_path, "Coin")], original=original, new=new, folds=10)
    assert len({row["right"] for row in folds.tables["rows"] if row["tested"] == "new"}) > 1


def test_a_new_distribution_that_can_be_learned_is(tmp_path):
    written(tmp_path, "training", *drawn([1], 60))
    images, labels = drawn([2], 200)
    original = written(tmp_path, "original", *drawn([3], 200))
    new = written(tmp_path, "new", 255 - images, labels)
    result = train_on_new([entry(tmp_path, "sklearn.neighbors:KNeighborsClassifier")], new=new, original=original)
    assert estimate(result, "new-original")["low"] > 0.1
    assert estimate(result, "original-untouched")["high"] < 0.1


def test_one_distribution_gives_no_difference_but_more_data_helps(tmp_path):
    zoo_of = {"a": BAYES, "b": "sklearn.neighbors:KNeighborsClassifier"}
    scores, gains = [], []
    for seed in range(12):
        folder = tmp_path / str(seed)
        folder.mkdir()
        written(folder, "training", *drawn([4, seed], 40))
        original, new = (written(folder, name, *drawn([k, seed], 150)) for k, name in [(5, "original"), (6, "new")])
        zoo = [entry(folder, code, name=name) for name, code in zoo_of.items()]
        result = train_on_new(zoo, new=new, original=original, repeats=4, seed=seed)
        found = estimate(result, "new-original")
        scores.append(found["value"] / found["standard_error"])
        gains.append(estimate(result, "new-untouched")["value"])
    # Scores have mean 0 and a spread of about 1: their mean of 12 is within 4/√12, none beyond 4 (1 in 16,000 each).
    assert abs(np.mean(scores)) < 4 / len(scores) ** 0.5
    assert np.abs(scores).max() < 4
    assert 0.4 < np.std(scores) < 2
    assert np.mean(gains) > 0.02


# Cross-validation


@pytest.mark.parametrize(("images", "folds"), [(10, 5), (11, 3), (7, 7)])
def test_every_image_is_in_one_fold_and_folds_are_as_equal_as_can_be(images, folds):
    members = dealt(np.array([f"image {i}" for i in range(images)]), folds, key="0")
    assert sorted(np.concatenate(members).tolist()) == list(range(images))
    assert max(map(len, members)) - min(map(len, members)) <= 1


def test_folds_never_test_what_was_learned_and_test_every_image_once(tmp_path, overlapping):
    original, new = overlapping
    result = cross_validate([entry(tmp_path, "Parrot")], original=original, new=new, folds=4)
    rows = result.tables["rows"]
    assert {row["right"] for row in rows} == {0}
    assert sum(row["shown"] for row in rows if row["tested"] == "folds") == 80  # 40 + 50 less 10 in both
    assert {row["shown"] for row in rows if row["tested"] == "new"} == {50}


def test_models_of_the_folds_learn_as_many_images_as_in_the_zoo(tmp_path, overlapping):
    original, new = overlapping
    ones = written(tmp_path, "ones", drawn([8], 60)[0], np.ones(60, np.int64))
    zoo = [entry(tmp_path, "Counter", name="some", images=25, expected=25),
           entry(tmp_path, "Counter", name="all", expected=60)]
    result = cross_validate(zoo, original=original, new=ones, folds=4)
    for model in ("some", "all"):
        assert estimate(result, "new", model)["value"] == 1
    too_many = [entry(tmp_path, BAYES, images=39), zoo[1]]
    result = cross_validate(too_many, original=original, new=new, folds=2)
    assert "model" not in result.failed  # 40 images are in the other fold
    with pytest.raises(InputError, match="every model failed; model: model 'model' is to learn|more folds"):
        cross_validate([entry(tmp_path, BAYES, images=41)], original=original, new=new, folds=2)


def test_a_drop_shows_between_folds_and_new_images_and_is_none_in_one_distribution(tmp_path):
    scores = []
    for seed in range(10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        written(folder, "training", *drawn([4, seed], 100))
        original, same = (written(folder, name, *drawn([k, seed], 150)) for k, name in [(5, "original"), (6, "same")])
        zoo = [entry(folder, BAYES, name="a"), entry(folder, "sklearn.linear_model:RidgeClassifier", name="b")]
        found = estimate(cross_validate(zoo, original=original, new=same, seed=seed), "folds-new")
        scores.append(found["value"] / found["standard_error"])
    assert abs(np.mean(scores)) < 4 / len(scores) ** 0.5
    assert np.abs(scores).max() < 4
    written(tmp_path, "training", *drawn([4], 100))
    original = written(tmp_path, "original", *drawn([5], 150))
    harder = written(tmp_path, "harder", *drawn([9], 400, noise=90))
    found = estimate(cross_validate([entry(tmp_path, BAYES)], original=original, new=harder), "folds-new")
    assert found["low"] > 0.05


# Both


@pytest.mark.parametrize("experiment", [train_on_new, cross_validate])
def test_results_are_byte_equal_and_follow_the_seed(tmp_path, overlapping, experiment):
    original, new = overlapping
    zoo = [entry(tmp_path, FOREST, n_estimators=2, images=30)]
    first, again, other = (experiment(zoo, new=new, original=original, seed=seed).as_json() for seed in (0, 0, 1))
    assert first == again
    assert json.loads(first)["rows"] != json.loads(other)["rows"]


@pytest.mark.parametrize("experiment", [train_on_new, cross_validate])
def test_a_model_that_fails_is_named_and_the_others_go_on(tmp_path, overlapping, experiment):
    original, new = overlapping
    zoo = [entry(tmp_path, "Broken", name="broken"), entry(tmp_path, BAYES, name="sound")]
    result = experiment(zoo, new=new, original=original)
    assert result.failed == {"broken": "ArithmeticError: it diverged"}
    assert {row["model"] for row in result.tables["rows"]} == {"sound"}
    with pytest.raises(InputError, match="every model failed; broken: .*diverged"):
        experiment(zoo[:1], new=new, original=original)


@pytest.mark.parametrize("experiment", [train_on_new, cross_validate])
def test_what_cannot_be_trained_or_compared_is_refused(tmp_path, overlapping, experiment):
    original, new = overlapping
    fitted = EstimatorEntry("fitted", Code(BAYES, tmp_path))
    with pytest.raises(InputError, match="no model of the zoo can be trained"):
        experiment([fitted], new=new, original=original)
    elsewhere = EstimatorEntry("elsewhere", Code(BAYES, tmp_path), train_on=tmp_path / "new")
    with pytest.raises(InputError, match="learn from different images"):
        experiment([entry(tmp_path, BAYES), elsewhere], new=new, original=original)
    with pytest.raises(InputError, match="there are"):
        experiment([entry(tmp_path, BAYES)], new=original, original=original)
    images, labels = drawn([10], 20)
    wide = written(tmp_path, "wide", images.repeat(2, 1), labels)
    with pytest.raises(InputError, match="9 pixels and those of wide 18"):
        experiment([entry(tmp_path, BAYES)], new=wide, original=original)


def test_scores_that_are_no_numbers_are_no_answers(tmp_path, overlapping):
    original, _ = overlapping
    images = images_of(original)[0]
    broken = entry(tmp_path, "NotNumbers")
    with pytest.raises(InputError, match="not numbers"):
        right_answers(broken, learned=images, tested=images, key="0")
