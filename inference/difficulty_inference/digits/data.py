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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from difficulty_inference.lots import draw
from difficulty_inference.manifest import array_content, content_id

FILLINGS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)
"""The first row of every filling of the form."""

CUT = FILLINGS[7]
"""From this row on, images are by new writers."""

TRAINING = "training"
"""Name of the images that models learn from."""

TEST_SETS = ("original", "new-writers")
"""Names of the test sets: other images by the first writers, and images by the others."""

TRAINING_IMAGES = 500
"""Images before the cut that models may be trained on; the others are the `original` test set."""

INK = 16
"""The darkest pixel in scikit-learn's file; the lightest is 0."""


@dataclass(frozen=True)
class Digits:
    """Images of digits, each content once, in the order of scikit-learn's file.

    Attributes
    ----------
    images : uint8 array, (image, 8, 8)
        Grey pictures, from 0 (paper) to 255 (ink).
    labels : int array, (image,)
        The digit that each image shows.
    rows : int array, (image,)
        The row of each image in scikit-learn's file.
    ids : list of str
        The `content_id` of each image.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    ids: list[str]


def read_digits() -> Digits:
    """Return the digits that come with scikit-learn."""
    ink, labels = load_digits(return_X_y=True)
    images = np.round(np.asarray(ink) * (255 / INK)).astype(np.uint8).reshape(-1, 8, 8)
    return unique_digits(images, np.asarray(labels, np.int64))


def unique_digits(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Digits:
    """Return the digits with repeated images left out: of equal images only the first row stays.

    Parameters
    ----------
    images : (row, 8, 8)
        The images.
    labels : (row,)
        The digit of every row.
    """
    first_row: dict[str, int] = {}
    for row, image in enumerate(images):
        first_row.setdefault(content_id(array_content(image)), row)
    rows = np.array(list(first_row.values()), np.int64)
    return Digits(images[rows], labels[rows], rows, list(first_row))


def split_digits(digits: Digits, *, seed: int) -> dict[str, NDArray[np.int64]]:
    """Return which images are for training, and which in each test set: ascending positions in `digits`.

    The test sets are split by writers at the cut; before it, the images for training are drawn by lot.

    Parameters
    ----------
    digits
        All images.
    seed
        Decides which images of the first writers are for training.
    """
    first = np.flatnonzero(digits.rows < CUT)
    drawn = draw([digits.ids[i] for i in first], TRAINING_IMAGES, f"{seed} training")
    original, new_writers = TEST_SETS
    return {
        TRAINING: first[drawn],
        original: np.delete(first, drawn),
        new_writers: np.flatnonzero(digits.rows >= CUT),
    }
