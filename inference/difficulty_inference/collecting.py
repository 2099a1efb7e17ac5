"""Responses of classifiers to the test images, and the file that holds them."""

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from difficulty_inference.digits import Digits, Split, draw
from difficulty_inference.training import reproducible
from difficulty_inference.zoo import Classifier


def is_right(classifier: Classifier, digits: Digits, split: Split, *, seed: int) -> NDArray[np.bool_]:
    """Train a classifier, and return whether it is right on each image of `digits`.

    Its training images and its randomness depend on `seed` and on its name alone: a classifier answers the
    same whichever others are in the zoo.
    """
    key = f"{seed} {classifier.name}"
    ids = [digits.ids[i] for i in split.training]
    shown = split.training[draw(ids, classifier.training_images, key)]
    own_seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4])
    with reproducible():
        predict = classifier.train(digits.images[shown], digits.labels[shown], own_seed)
        return predict(digits.images) == digits.labels


def write_responses(path: Path, right: Mapping[str, NDArray[np.bool_]], digits: Digits, split: Split) -> None:
    """Write a row per test image, in file order, and a column per model: 1 where it is right, 0 where wrong.

    Parameters
    ----------
    path
        The CSV file to write.
    right : mapping of str to (image,)
        For each model by name, whether it is right on each image of `digits`.
    digits, split
        The images and what they are for.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "test_set", "label", *right])
        writer.writerows(_rows(list(right.values()), digits, split))


def _rows(right: Sequence[NDArray[np.bool_]], digits: Digits, split: Split) -> Iterable[list[str | int]]:
    placed = sorted((i, name) for name, images in split.test_sets.items() for i in images.tolist())
    for i, test_set in placed:
        yield [digits.ids[i], test_set, int(digits.labels[i]), *(int(answers[i]) for answers in right)]
