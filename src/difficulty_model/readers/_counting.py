"""Rows of (model, image, outcome) to counts of right and of shown."""

import numpy as np

from difficulty_model.types import BoolArray, IntArray


def counted(
    model: IntArray, image: IntArray, right: BoolArray, observed: BoolArray, *, shape: tuple[int, int]
) -> tuple[IntArray, IntArray]:
    """Return how often each model was right on, and was shown, each image.

    Parameters
    ----------
    model, image
        Index of the model and of the image of every row.
    right, observed
        Outcome of every row; rows that are not observed count for nothing.
    shape
        Numbers of models and images.
    """
    cell = model.astype(np.int64) * shape[1] + image
    size = shape[0] * shape[1]
    shown = np.bincount(cell[observed], minlength=size).reshape(shape)
    return np.bincount(cell[right], minlength=size).reshape(shape), shown
