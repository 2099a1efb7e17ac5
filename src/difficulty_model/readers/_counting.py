"""Rows of (model, image, outcome) to counts of right and of shown."""

import numpy as np

from difficulty_model.types import BoolArray, IntArray

_BLOCK = 1 << 22
"""Rows counted at once: the indices of all rows together would need more memory than the tables."""


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
    one = np.uint32(1)  # of the type of the counts: `add.at` is slow where it has to convert
    counts, shown = (np.zeros(shape[0] * shape[1], np.uint32) for _ in range(2))
    for start in range(0, len(model), _BLOCK):
        rows = slice(start, start + _BLOCK)
        cell = model[rows].astype(np.int64) * shape[1] + image[rows]
        np.add.at(counts, cell[right[rows]], one)
        np.add.at(shown, cell[observed[rows]], one)
    return counts.reshape(shape), shown.reshape(shape)
