"""The experiments that train: nothing is learned that is tested, and what they find is there, or is not."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from difficulty_inference.adapters import EstimatorEntry
from difficulty_inference.arithmetic import arithmetic_on
from difficulty_inference.experiments.estimates import Estimate, over_images, over_repeats
from difficulty_inference.experiments.folds import cross_validate, dealt
from difficulty_inference.experiments.hyperparameters import compared, parsed, variants
from difficulty_inference.experiments.images import images_of
from difficulty_inference.experiments.new_data import ARMS, PAIRS, train_on_new
from difficulty_inference.experiments.result import Result
from difficulty_inference.experiments.training import right_answers
from difficulty_inference.importing import Code
from difficulty_inference.predictions import path_of, read_predictions
from difficulty_inference.running import Run, run
from difficulty_inference.test_sets import TestSet
from difficulty_model.errors import InputError
from image_arrays import written

CENTRES = np.random.default_rng(7).normal(0, 28, (4, 9))


@pytest.fixture(autouse=True)
def _no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "1")


class Parrot:
    """Right on what it has learned, wrong on everything else; labels must be below 9."""

    classes_ = np.arange(10)

    def fit(self, pixels: np.ndarray, labels: np.ndarray) -> "Parrot":
        self._known = {row.tobytes(): label for row, label in zip(pixels, labels, strict=True)}
        assert len(self._known) == len(labels), "an image is learned twice"
        return self

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        return np.array([self._known.get(row.tobytes(), 9) for row in pixels])


class Counter:
    """Answers 1 if it has learned as many images as expected, else 0."""

    classes_ = np.arange(2)

    def __init__(self, expected: int) -> None:
        self._expected = expected

    def fit(self, pixels: np.ndarray, labels: np.ndarray) -> "Counter":  # noqa: ARG002
        self._answer = int(len(pixels) == self._expected)
        return self

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        return np.full(len(pixels), self._answer)


class Dark:
    """Answers 0 on images whose first pixel is dark, else 1, whatever it has learned."""

    classes_ = np.arange(2)

    def fit(self, pixels: np.ndarray, labels: np.ndarray) -> "Dark":  # noqa: ARG002
        return self

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        return (pixels[:, 0] >= 0.5).astype(int)


class Coin:
    """Guesses 0 or 1, by its random state alone."""

    classes_ = np.arange(2)

    def __init__(self, random_state: int) -> None:
        self._seed = random_state

    def fit(self, pixels: np.ndarray, labels: np.ndarray) -> "Coin":  # noqa: ARG002
        return self

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        return np.random.default_rng(self._seed).integers(0, 2, len(pixels))


class Broken:
    """Cannot be trained."""

    def fit(self, pixels: np.ndarray, labels: np.ndarray) -> "Broken":
        raise ArithmeticError("it diverged\nfar away")


def drawn(seed: Sequence[int], images: int, *, shift: float = 0, noise: float = 45) -> tuple[np.ndarray, np.ndarray]:
    """Images of 3 × 3 pixels around the centres of four classes."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, images)
    pixels = 128 + CENTRES[labels] + shift + random.normal(0, noise, (images, 9))
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8).reshape(images, 3, 3), labels


def entry(
    folder: Path, estimator: str, *, name: str = "model", images: int | None = None, **options: Any
) -> EstimatorEntry:
    code = estimator if ":" in estimator else f"{__name__}:{estimator}"
    return EstimatorEntry(name, Code(code, folder), options, folder / "training", images)


def estimate(result: Result, quantity: str, model: str | None = None) -> Any:
    return next(
        row for row in result.tables["estimates"] if (row["model"], row["quantity"]) == (model, quantity)
    )


BAYES = "sklearn.naive_bayes:GaussianNB"
FOREST = "sklearn.ensemble:RandomForestClassifier"


@pytest.fixture
def overlapping(tmp_path: Path) -> tuple[TestSet, TestSet]:
    """An original and a new test set which share images with each other and with the training set beside them."""
    images, labels = drawn([0], 130)
    written(tmp_path, "training", images[:40], labels[:40])
    original = written(tmp_path, "original", images[30:80], labels[30:80])
    new = np.r_[:5, 35:130]  # the first five are for training alone, the next five also in the original test set
    return original, written(tmp_path, "new", images[new], labels[new])


# Estimates


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("chance", [0.0, 0.05], ids=["images alone", "with luck in training"])
def test_the_variance_over_repeats_is_that_of_the_mean_over_worlds(seed, chance):
    random, images, repeats, worlds = np.random.default_rng(seed), 60, 8, 1500
    found: list[Estimate] = []
    for _ in range(worlds):
        values = random.normal(0, 1, images) + random.normal(0, chance * 60**0.5, (repeats, 1))
        for row in values:
            row[random.permutation(images)[: images // 2]] = np.nan
        found.append(over_repeats(values))
    true = np.var([each.value for each in found])
    stated = np.mean([each.standard_error**2 for each in found])
    # A variance of 1,500 normal values is known to √(2/1500) = 3.7%. Tested images are counted once more with
    # 1/repeats of their part: the mean of half has variance 1/images about that of all.
    assert true * (1 - 4 * 0.037) < stated < true * (1 + 1 / repeats + 0.05 + 4 * 0.037)


def test_the_more_repeats_the_less_luck_but_never_less_than_the_images_allow():
    random = np.random.default_rng(0)
    values = np.broadcast_to(random.normal(0, 1, 400), (200, 400)).copy()
    for row in values:
        row[random.permutation(400)[:200]] = np.nan
    assert over_repeats(values).standard_error == pytest.approx(over_images(values[0][~np.isnan(values[0])])
                                                                .standard_error / 2**0.5, rel=0.15)


def test_an_image_that_is_never_tested_does_not_count():
    values = np.array([[1.0, np.nan, 0.0], [0.0, np.nan, 0.0]])
    assert over_repeats(values).value == 0.25


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


class NotNumbers:
    """Has no scores."""

    classes_ = np.arange(4)

    def fit(self, pixels: np.ndarray, labels: np.ndarray) -> "NotNumbers":  # noqa: ARG002
        return self

    def decision_function(self, pixels: np.ndarray) -> np.ndarray:
        return np.full((len(pixels), 4), np.nan)


# Hyperparameters


def test_options_are_read_as_toml():
    varied = parsed(["C=0.1,1,10", 'kernel="linear","rbf"', "shrinking=true", "layers=[8,8],[16]"])
    assert varied == {"C": [0.1, 1, 10], "kernel": ["linear", "rbf"], "shrinking": [True], "layers": [[8, 8], [16]]}


@pytest.mark.parametrize("text", ["C", "C=", "=1", "C=0.1;2", "kernel=rbf", "C=1]\nx=[2", "a b=1"])
def test_what_is_not_an_option_with_values_is_refused(text):
    with pytest.raises(InputError, match="does not name an option"):
        parsed([text])
    with pytest.raises(InputError, match="each option once"):
        parsed(["C=1", "C=2"])


def test_every_combination_is_a_variant_beside_the_unchanged_model(tmp_path):
    zoo = [entry(tmp_path, "sklearn.svm:SVC", name="svm", C=5)]
    made = variants(zoo, "svm", {"C": [0.1, 1], "kernel": ["rbf", "linear"]})
    assert [variant.name for variant in made] == [
        "svm", "svm[C=0.1,kernel=rbf]", "svm[C=0.1,kernel=linear]", "svm[C=1,kernel=rbf]", "svm[C=1,kernel=linear]"
    ]
    assert made[2].options == {"C": 0.1, "kernel": "linear"}
    assert made[0] is zoo[0]
    assert variants(zoo, "svm", {"kernel": ["linear"]})[1].options == {"C": 5, "kernel": "linear"}


def test_variants_that_cannot_be_are_refused(tmp_path):
    zoo = [entry(tmp_path, "sklearn.svm:SVC", name="svm"), EstimatorEntry("fitted", Code(BAYES, tmp_path))]
    with pytest.raises(InputError, match="no parameter 'gama'; it has C, kernel, degree, gamma"):
        variants(zoo, "svm", {"gama": [1]})
    with pytest.raises(InputError, match="'svm'"):
        variants(zoo, "svn", {"C": [1]})
    with pytest.raises(InputError, match="comes fitted"):
        variants(zoo, "fitted", {"priors": [1]})
    with pytest.raises(InputError, match="several combinations"):
        variants(zoo, "svm", {"C": [1, 1]})
    with pytest.raises(InputError, match="cannot name a file"):
        variants(zoo, "svm", {"kernel": ["a/b"]})


def test_a_variant_with_the_default_value_gives_the_answers_of_the_unchanged_model(tmp_path, overlapping):
    original, new = overlapping
    zoo = [entry(tmp_path, FOREST, name="forest", images=20, n_estimators=4)]
    made = variants(zoo, "forest", {"n_estimators": [4, 9]})
    plan = Run(made, [original, new], tmp_path / "predictions", arithmetic_on("cpu", reference=True))
    assert run(plan) == {}
    for test_set in (original, new):
        unchanged, same, other = (
            read_predictions(path_of(plan.folder, variant.name, test_set.name)).answers.margin for variant in made
        )
        np.testing.assert_array_equal(same, unchanged)  # the same images by lot, the same chance in the trees
        assert (other != unchanged).any()
    rows = compared(made, [original, new], plan.folder, {}).tables["rows"]
    assert [row["difference"] for row in rows[:4]] == [0, 0, 0, 0]
    for row, base in zip(rows[4:], rows[:2], strict=True):
        assert row["difference"] == pytest.approx((row["right"] - base["right"]) / row["shown"])
        assert row["low"] < row["right"] / row["shown"] < row["high"]
