"""Classifiers that show what they have learned, and images for them to learn and to be tested on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from difficulty_inference.adapters import EstimatorEntry
from difficulty_inference.importing import Code
from difficulty_inference.test_sets import TestSet
from image_arrays import written

CENTRES = np.random.default_rng(7).normal(0, 28, (4, 9))
BAYES = "sklearn.naive_bayes:GaussianNB"
FOREST = "sklearn.ensemble:RandomForestClassifier"


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


class NotNumbers:
    """Has no scores."""

    classes_ = np.arange(4)

    def fit(self, pixels: np.ndarray, labels: np.ndarray) -> "NotNumbers":  # noqa: ARG002
        return self

    def decision_function(self, pixels: np.ndarray) -> np.ndarray:
        return np.full((len(pixels), 4), np.nan)


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


def overlapping_sets(folder: Path) -> tuple[TestSet, TestSet]:
    """Return an original and a new test set, which share images with each other and with the training set beside."""
    images, labels = drawn([0], 130)
    written(folder, "training", images[:40], labels[:40])
    original = written(folder, "original", images[30:80], labels[30:80])
    new = np.r_[:5, 35:130]  # the first five are for training alone, the next five also in the original test set
    return original, written(folder, "new", images[new], labels[new])
