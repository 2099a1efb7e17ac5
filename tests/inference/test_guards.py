"""Guards: what is wrong with answers is told by its name, and good answers are left alone."""
# ruff: noqa: E402 - what the imports need may not be installed

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
from sklearn.datasets import load_digits

from difficulty_inference.guards import remarks
from difficulty_inference.manifest import Manifest
from difficulty_inference.predictions import Answers
from difficulty_inference.test_sets import TestSet

SEEDS = range(20)
AS_TEXT = "sorted as text"
FROM_ONE = "count from 1"
ONE_BEFORE = "class of its own before"
ANY_ORDER = "usually meets"
CHANCE = "near chance"


def told(predicted: ArrayLike, labels: NDArray[np.int64], classes: int, trouble: dict[int, str] | None = None) -> str:
    """All remarks on the first answers of a model."""
    images = len(labels)
    ids = np.array([f"image {i}" for i in range(images)])
    top = np.asarray(predicted, np.int32)[:, None]
    answers = Answers(top, np.where(top[:, 0] < 0, np.nan, 0).astype(np.float32), trouble or {}, classes)
    return "; ".join(remarks(answers, TestSet("drawn", Manifest(ids, ids, labels), Path())))


def model_of(accuracy: float, truth: NDArray[np.int64], classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Answers of a model that knows the class with this probability, and else names any class but the right one."""
    wrong = (truth + rng.integers(1, classes, len(truth))) % classes
    return np.where(rng.random(len(truth)) < accuracy, truth, wrong)


def balanced(images: int, classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.permutation(np.arange(images) % classes)


@pytest.mark.parametrize(("classes", "images", "accuracy"), [
    (2, 40, 0.95), (2, 2000, 0.75), (10, 3, 0.95), (10, 20, 0.8), (10, 2000, 0.4), (100, 10, 0.8), (100, 3000, 0.1),
    (1000, 100, 0.6), (1000, 10_000, 0.05),
])
def test_models_that_know_something_get_no_remark(classes, images, accuracy):
    remarked = 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        truth = balanced(images, classes, rng)
        remarked += bool(told(model_of(accuracy, truth, classes, rng), truth, classes))
    # Only where an accuracy of the sample is at most √(1/classes): of 3 images all wrong (1e-4), of 20 at most 6 right
    # (1e-5), of 40 at most 28 (2e-7), of 10 at most one (4e-6), …: two of 20 seeds have less than 1e-5 at any of them.
    assert remarked <= 1


@pytest.mark.parametrize("most", [0.5, 0.9])
def test_an_uneven_test_set_makes_no_remark_by_itself(most):
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        truth = np.where(rng.random(500) < most, 3, rng.integers(0, 10, 500))
        assert not told(model_of(0.7, truth, 10, rng), truth, 10)


@pytest.mark.parametrize(("classes", "images"), [(2, 200), (10, 50), (10, 5000), (1000, 2000), (1000, 50_000)])
def test_guesses_are_near_chance(classes, images):
    found = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        found.append(told(rng.integers(0, classes, images), balanced(images, classes, rng), classes))
    # By luck each of four explanations, or 2g/(1 + g) instead of g, is significant with probability 1e-4.
    assert sum(CHANCE in remark for remark in found) >= len(found) - 1


def test_one_answer_to_everything_is_near_chance():
    truth = np.arange(1000) % 10
    for answer in range(10):
        assert CHANCE in told(np.full(1000, answer), truth, 10)


def test_networks_of_random_weights_are_near_chance():
    """Their features are of the images, so that they do better than guessing, and any order can be learned a bit."""
    pixels, truth = load_digits(return_X_y=True)
    images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    found = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        network = torch.nn.Sequential(
            torch.nn.Conv2d(1, 16, 3), torch.nn.ReLU(), torch.nn.Conv2d(16, 16, 3), torch.nn.ReLU(),
            torch.nn.Flatten(), torch.nn.Linear(256, 10),
        )
        with torch.no_grad():
            scores = network(images)
        centred = (scores - scores.mean(0)) / scores.std(0) if seed % 2 else scores
        found.append(told(centred.argmax(1).numpy(), np.asarray(truth), 10))
    assert sum(CHANCE in remark for remark in found) >= len(found) - 1, found


def as_text(classes: int) -> NDArray[np.int64]:
    """The label of each class where folders named by numbers are numbered in the order of their names as text."""
    return np.argsort(np.array(sorted(range(classes), key=str)))


@pytest.mark.parametrize("accuracy", [0.45, 0.95])
@pytest.mark.parametrize(("classes", "images"), [(12, 500), (20, 3000), (100, 1000), (1000, 1000), (1000, 10_000)])
def test_labels_numbered_as_text_are_told(classes, images, accuracy):
    """Even though classes 0, 1 and often others keep their places, so that many answers are right."""
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        truth = balanced(images, classes, rng)
        assert AS_TEXT in told(model_of(accuracy, truth, classes, rng), as_text(classes)[truth], classes)


@pytest.mark.parametrize("accuracy", [0.6, 0.95])
@pytest.mark.parametrize(("classes", "images"), [(10, 100), (1000, 2000)])
def test_labels_off_by_one_are_told(classes, images, accuracy):
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        truth = balanced(images, classes - 1, rng)
        answers = model_of(accuracy, truth, classes, rng)
        assert FROM_ONE in told(answers, truth + 1, classes)
        assert ONE_BEFORE in told(answers + 1, truth, classes + 1)


@pytest.mark.parametrize(("classes", "images", "accuracy"), [
    (2, 200, 0.95), (10, 200, 0.75), (10, 2000, 0.7), (100, 2000, 0.5), (1000, 10_000, 0.4), (1000, 2000, 0.8),
])
def test_any_other_order_of_labels_is_told(classes, images, accuracy):
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        truth = balanced(images, classes, rng)
        order = np.roll(rng.permutation(classes), 1) if classes > 2 else np.array([1, 0])
        if (order == np.arange(classes)).mean() > 0.2:
            continue  # not much of another order
        found = told(model_of(accuracy, truth, classes, rng), order[truth], classes)
        # By accident the order may be mostly one of those that occur; of two classes it always is.
        assert ANY_ORDER in found or "in another order" in found and classes <= 10, found


def test_labels_that_belong_to_other_images_are_near_chance():
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        truth = balanced(2000, 10, rng)
        assert CHANCE in told(model_of(0.9, truth, 10, rng), rng.permutation(truth), 10)


def test_images_that_were_not_observed_are_counted_and_named():
    truth = np.arange(100) % 10
    predicted = np.where(np.arange(100) < 4, -1, truth)
    found = told(predicted, truth, 10, {i: f"reason {i}" for i in range(4)})
    assert found.startswith("4 of 100 images were not observed")
    for i in range(3):
        assert f"image {i}: reason {i}" in found
    assert CHANCE not in found


@pytest.mark.parametrize("images", [1, 2, 7])
def test_no_image_observed_is_told(images):
    found = told(np.full(images, -1), np.zeros(images, np.int64), 0, dict.fromkeys(range(images), "gone"))
    assert "no image was observed" in found


@pytest.mark.parametrize("images", [1, 2, 3])
def test_a_handful_of_images_is_no_reason_for_a_remark(images):
    truth = np.arange(images) % 3
    assert not told(truth, truth, 3)
