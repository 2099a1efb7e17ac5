"""Simulated predictions: class ids, best guess first, of models that follow the probit law."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.special import ndtr

from difficulty_model.responses import Responses


@dataclass(frozen=True)
class Predictions:
    """Class ids (model, image, column) that models predicted, and where the images belong."""

    classes: np.ndarray
    labels: np.ndarray
    member: dict[str, np.ndarray]
    shown: np.ndarray

    def changed(self, model: int, test_set: str, change: Callable[[np.ndarray], np.ndarray]) -> "Predictions":
        """Put the predictions of one model in one test set, (image, column), through `change`."""
        classes = self.classes.copy()
        mask = self.member[test_set]
        classes[model, mask] = change(classes[model, mask])
        return replace(self, classes=classes)

    def responses(self, *, top_k: int = 1, positions: bool = True, labelled: bool = True) -> Responses:
        hit = self.classes == self.labels[:, None]
        position = np.where(hit.any(2) & (self.shown > 0), hit.argmax(2), -1)
        return Responses.from_arrays(
            ((position >= 0) & (position < top_k)).astype(np.uint8),
            models=[f"m{j}" for j in range(len(position))],
            images=[f"i{i}" for i in range(len(self.labels))],
            member=self.member, shown=self.shown, top_k=top_k,
            position=position if positions else None, labels=self.labels if labelled else None,
        )


@pytest.fixture(scope="session")
def simulate() -> Callable[..., Predictions]:
    """Return the function that simulates predictions."""
    return _simulate


def _simulate(
    seed: int,
    *,
    models: int = 15,
    images: tuple[int, ...] = (1500, 1000),
    skills: tuple[float, float] = (-1.0, 3.0),
    overlap: int = 0,
    missing: float = 0.0,
    classes: int = 10,
    columns: int = 5,
) -> Predictions:
    """Simulate test sets, each harder than the one before; neighbours share `overlap` images.

    The first guess is right with probability Phi(skill - difficulty); every later one, where none before was,
    with a smaller and smaller part of that. Wrong guesses are any of the other classes.
    """
    rng = np.random.default_rng(seed)
    n = sum(images) - overlap * (len(images) - 1)
    starts = np.cumsum([0, *images[:-1]]) - overlap * np.arange(len(images))
    member = {
        f"set{k}": (np.arange(n) >= start) & (np.arange(n) < start + size)
        for k, (start, size) in enumerate(zip(starts, images, strict=True))
    }
    home = np.array(list(member.values())).argmax(0)
    labels = rng.integers(classes, size=n)
    # Half of the variance of difficulty lies between classes, as a careless choice of classes would have it.
    between, within = rng.normal(size=classes)[labels], rng.normal(size=n)
    difficulty = 0.5 * home + (1.4 + 0.2 * home) * (between + within)
    first = ndtr(np.linspace(*skills, models)[:, None] - difficulty)
    position = np.full((models, n), columns)
    for c in reversed(range(columns)):
        position[rng.random((models, n)) < first * 0.4**c] = c
    return Predictions(
        _guesses(labels, position, classes, columns, rng), labels, member,
        (rng.random((models, n)) >= missing).astype(np.uint8),
    )


def _guesses(
    labels: np.ndarray, position: np.ndarray, classes: int, columns: int, rng: np.random.Generator
) -> np.ndarray:
    """Put the right class at its position and other classes, all different, around it."""
    lottery = rng.random((*position.shape, classes))
    np.put_along_axis(lottery, np.broadcast_to(labels[None, :, None], (*position.shape, 1)), 2.0, axis=2)
    wrong = np.argsort(lottery, axis=2)
    place = np.arange(columns)
    before = place - (place > position[..., None])  # later columns hold one wrong guess fewer before them
    return np.where(
        place == position[..., None], labels[None, :, None], np.take_along_axis(wrong, before, axis=2)
    )
