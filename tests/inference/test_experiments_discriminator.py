"""The discriminator: chance where two sets are one, near certainty where they plainly differ."""
# ruff: noqa: E402 - what the imports need may not be installed

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import hypergeom

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch

from difficulty_inference.adapters import ModuleEntry
from difficulty_inference.arithmetic import arithmetic_on
from difficulty_inference.experiments.discriminator import discriminate, permutation_p_value
from difficulty_inference.experiments.features import Features, model_features, pixel_features
from difficulty_inference.importing import Code
from difficulty_inference.manifest import Manifest
from difficulty_inference.test_sets import TestSet
from difficulty_model.errors import InputError
from image_arrays import written

QUICK = Code("sklearn.neighbors:NearestCentroid", Path())
NOWHERE = {"features": "made up"}


@pytest.fixture(autouse=True)
def _no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "1")


def features(name: str, ids: Sequence[str], values: np.ndarray) -> Features:
    """Features of images that lie nowhere."""
    manifest = Manifest(np.array(ids), np.array(ids), np.zeros(len(ids), np.int64))
    return Features(TestSet(name, manifest, Path()), values, NOWHERE)


def simulated(name: str, seed: Sequence[int], images: int, *, mean: float = 0, sd: float = 1) -> Features:
    values = np.random.default_rng(seed).normal(mean, sd, (images, 5))
    return features(name, [f"{name} {i}" for i in range(images)], values)


class Parrot:
    """Right on what it has learned, and else always `original`."""

    def fit(self, values: np.ndarray, labels: np.ndarray) -> "Parrot":
        self._known = {row.tobytes(): label for row, label in zip(values, labels, strict=True)}
        return self

    def predict(self, values: np.ndarray) -> np.ndarray:
        return np.array([self._known.get(row.tobytes(), 0) for row in values])


def test_p_values_are_uniform_where_both_sets_are_one_distribution():
    # Only the first split of each world: splits of one world depend on each other.
    p_values = np.array([
        discriminate(simulated("a", [0, seed], 120), simulated("b", [1, seed], 120), estimator=QUICK, repeats=1,
                     seed=seed).tables["rows"][0]["p_value"]
        for seed in range(300)
    ])
    # A test of 120 images has steps of p as large as the most probable count, when half are predicted to be new.
    step = hypergeom.pmf(30, 120, 60, 60)
    for level in (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9):
        error = 4 * (level * (1 - level) / len(p_values)) ** 0.5
        assert level - step - error < (p_values <= level).mean() < level + error


def test_the_p_value_is_that_of_permutations():
    random = np.random.default_rng(0)
    true = np.arange(40) < 20
    for skill in (0.5, 0.6, 0.7):
        predicted = np.where(random.random(40) < skill, true, ~true)
        right = (predicted == true).sum()
        permuted = np.array([(predicted == random.permutation(true)).sum() for _ in range(10_000)])
        exact = permutation_p_value(predicted, true)
        assert abs((permuted >= right).mean() - exact) < 5 * (exact * (1 - exact) / 10_000) ** 0.5
    assert permutation_p_value(true, true) == pytest.approx(1 / 137_846_528_820)  # one choice of 20 among 40
    assert permutation_p_value(np.ones(40, bool), true) == 1


@pytest.mark.parametrize("difference", [{"mean": 1.5}, {"sd": 4.0}], ids=["another mean", "another spread"])
def test_sets_that_differ_are_told_apart(difference):
    result = discriminate(simulated("a", [2], 200), simulated("b", [3], 200, **difference))
    mean = result.tables["estimates"][0]
    assert mean["low"] > 0.8
    assert mean["p_value"] < 1e-10


def test_brightened_images_are_told_apart_and_two_halves_are_not(tmp_path):
    images = np.random.default_rng(4).integers(0, 150, (300, 4, 4), np.uint8)
    a, b, bright = (written(tmp_path, name, pixels) for name, pixels in [
        ("a", images[:150]), ("b", images[150:]), ("bright", images[150:] + np.uint8(100))
    ])
    assert discriminate(*pixel_features(a, bright)).tables["estimates"][0]["value"] > 0.98
    found = discriminate(*pixel_features(a, b)).tables["estimates"][0]
    assert found["low"] < 0.5 < found["high"]
    assert found["p_value"] > 0.01


def test_nothing_is_tested_that_was_learned_and_shared_images_are_left_out():
    values = np.random.default_rng(5).normal(0, 1, (90, 5))
    ids = [f"image {i}" for i in range(90)]
    original, new = features("a", ids[:50], values[:50]), features("b", ids[30:], values[30:])
    result = discriminate(original, new, estimator=Code(f"{__name__}:Parrot", Path()), repeats=8)
    assert [record["used"] for record in result.sets] == [30, 40]
    for row in result.tables["rows"]:
        # Known images would be told right: more than the half that are original.
        assert (row["learned"], row["shown"], row["right"], row["p_value"]) == (30, 30, 15, 1)


def test_sets_of_unequal_size_leave_chance_at_one_half():
    big, small = simulated("a", [6], 500), simulated("b", [7], 61)
    always_original = discriminate(big, small, estimator=Code(f"{__name__}:Parrot", Path()), repeats=2)
    for row in always_original.tables["rows"]:
        assert (row["learned"], row["shown"], row["accuracy"]) == (60, 60, 0.5)


def test_splits_are_reported_each_and_never_pooled():
    result = discriminate(simulated("a", [8], 100), simulated("b", [9], 100, mean=0.4), repeats=6)
    rows, mean = result.tables["rows"], result.tables["estimates"][0]
    assert len({row["right"] for row in rows}) > 1
    assert mean["value"] == pytest.approx(np.mean([row["accuracy"] for row in rows]))
    narrowest = min(row["high"] - row["low"] for row in rows)
    assert mean["high"] - mean["low"] >= narrowest
    assert mean["p_value"] == pytest.approx(min(1, 2 * np.median([row["p_value"] for row in rows])))


def test_results_are_byte_equal_and_follow_the_seed():
    sets = simulated("a", [10], 80), simulated("b", [11], 80, mean=0.5)
    forest = Code("sklearn.ensemble:RandomForestClassifier", Path())
    first, again, other = (discriminate(*sets, estimator=forest, repeats=2, seed=seed).as_json() for seed in (0, 0, 1))
    assert first == again
    assert first != other.replace('"seed": 1', '"seed": 0')


def brightness() -> torch.nn.Module:
    """A network of one output: the mean of all pixels."""
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), Averaged())


class Averaged(torch.nn.Module):
    """The mean of the colours."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values.mean(1, keepdim=True)


def test_features_are_what_a_model_makes_of_every_image_in_order(tmp_path):
    images = np.random.default_rng(12).integers(0, 256, (7, 4, 4), np.uint8)
    entry = ModuleEntry("brightness", Code(f"{__name__}:brightness", Path()))
    arithmetic = arithmetic_on("cpu", reference=True)
    sets = [written(tmp_path, "a", images[:4]), written(tmp_path, "b", images[4:])]
    found = model_features(entry, *sets, arithmetic=arithmetic, batch_size=3)
    values = np.concatenate([each.values for each in found])
    np.testing.assert_allclose(values[:, 0], images.mean((1, 2)) / 255, rtol=1e-6)
    assert found[0].source["features"] == "brightness"
    np.save(tmp_path / "b" / "images.npy", images[:3])
    with pytest.raises(InputError, match=r"images.npy\[0\].* of b is unreadable: .*changed"):
        model_features(entry, *sets, arithmetic=arithmetic)


def test_outputs_that_are_no_numbers_are_refused_but_classes_never_seen_are_not():
    a, b = simulated("a", [13], 40), simulated("b", [14], 40, mean=3)
    for each in (a, b):
        each.values[:, 2] = -np.inf  # as a classifier scores a class that it has not learned
    assert discriminate(a, b).tables["estimates"][0]["low"] > 0.8
    b.values[3, 0] = np.nan
    with pytest.raises(InputError, match="not all numbers"):
        discriminate(a, b)


def test_too_few_images_are_refused():
    a = simulated("a", [15], 10)
    with pytest.raises(InputError, match="a has 0 images of its own and b 0"):
        discriminate(a, features("b", a.test_set.manifest.ids.tolist(), a.values))


def test_a_classifier_may_be_any_function(tmp_path):
    (tmp_path / "own_classifiers.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n\ndef sparse():\n    return LogisticRegression(C=0.1)\n"
    )
    code = Code("own_classifiers:sparse", tmp_path)
    result = discriminate(simulated("a", [16], 60), simulated("b", [17], 60, mean=2), estimator=code)
    assert result.settings["estimator"] == "own_classifiers:sparse"
    assert result.tables["estimates"][0]["low"] > 0.8
