"""Scikit-learn's handwritten digits, split into training, `original` and `new-writers` images.

What is known of the writers. The 1,797 images are the test part of the UCI optical digits, by 13 writers.
No writer is named, but each copied the same printed form of 130 digits, and the labels still follow it:
three times 0 to 9, then 100 digits in a fixed order. Aligned to the form, the labels are exactly 14
fillings (in all 23 digits are absent, and one is labelled otherwise); they start at the rows `FILLINGS`. So
one of the 13 writers filled the form twice, and the labels cannot say who. The handwriting hardly can: a
classifier (support vectors, five folds) tells any two fillings apart on 82% or more of their images, and
the two on either side of the cut, the seventh and the eighth, on 92%. Should the writer of two fillings be
on both sides of the cut, then one of the seven fillings in `new-writers` is not by a new writer.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

FILLINGS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)
"""The first row of every filling of the form."""

CUT = FILLINGS[7]
"""From this row on, images are by new writers."""

TRAINING_IMAGES = 500
"""Images before the cut that models may be trained on; the others are the `original` test set."""


@dataclass(frozen=True)
class Digits:
    """Images of digits, each content once, in the order of scikit-learn's file.

    Attributes
    ----------
    images : float array, (image, 64)
        Pixels of the 8 × 8 images, row by row, from 0 (paper) to 1 (ink).
    labels : int array, (image,)
        The digit that each image shows.
    rows : int array, (image,)
        The row of each image in scikit-learn's file.
    ids : list of str
        The start of the sha256 of each image's pixels.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    ids: list[str]


@dataclass(frozen=True)
class Split:
    """Which images do what: positions in `Digits`, ascending.

    Attributes
    ----------
    training : int array
        Images by the first writers that models may be trained on.
    test_sets : dict of str to int array
        `original`: the other images by the first writers; `new-writers`: all images by the others.
    """

    training: NDArray[np.int64]
    test_sets: dict[str, NDArray[np.int64]]


def read_digits() -> Digits:
    """Return the digits that come with scikit-learn."""
    pixels, labels = load_digits(return_X_y=True)
    return unique_digits(np.asarray(pixels, np.uint8), np.asarray(labels, np.int64))


def unique_digits(pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> Digits:
    """Return the digits with repeated images left out: of equal images only the first row stays.

    Parameters
    ----------
    pixels : (row, 64)
        Ink of every pixel, from 0 to 16.
    labels : (row,)
        The digit of every row.
    """
    first_row: dict[str, int] = {}
    for row, image in enumerate(pixels):
        first_row.setdefault(hashlib.sha256(image.tobytes()).hexdigest()[:12], row)
    rows = np.array(list(first_row.values()), np.int64)
    return Digits((pixels[rows] / 16).astype(np.float32), labels[rows], rows, list(first_row))


def split_digits(digits: Digits, *, seed: int) -> Split:
    """Return the split: by writers at the cut, and before it by lot.

    Parameters
    ----------
    digits
        All images.
    seed
        Decides which images of the first writers are for training.
    """
    first = np.flatnonzero(digits.rows < CUT)
    drawn = draw([digits.ids[i] for i in first], TRAINING_IMAGES, f"{seed} training")
    return Split(
        training=first[drawn],
        test_sets={
            "original": np.delete(first, drawn),
            "new-writers": np.flatnonzero(digits.rows >= CUT),
        },
    )


def draw(ids: Sequence[str], size: int, key: str) -> NDArray[np.int64]:
    """Return the ascending positions of `size` ids, drawn without replacement.

    The order of hashes is the lot, so that a draw is the same with every version of every library.
    """
    lots = [hashlib.sha256(f"{key} {name}".encode()).digest() for name in ids]
    return np.sort(np.array(sorted(range(len(ids)), key=lots.__getitem__)[:size], np.int64))
