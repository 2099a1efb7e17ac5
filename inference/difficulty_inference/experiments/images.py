"""Images as learners see them: rows of pixels with ids and labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from difficulty_inference.test_sets import TestSet, pixels_and_labels
from difficulty_model.errors import InputError


@dataclass(frozen=True)
class Images:
    """Images in memory.

    Attributes
    ----------
    ids : str array, (image,)
        What each image is known by.
    pixels : float array, (image, pixel)
        From 0 to 1.
    labels : int array, (image,)
        Right classes.
    """

    ids: NDArray[np.str_]
    pixels: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Images":
        return Images(self.ids[rows], self.pixels[rows], self.labels[rows])

    def without(self, other: "Images") -> "Images":
        """Return those that are not in the other images."""
        return self[~np.isin(self.ids, other.ids)]

    def joined(self, other: "Images") -> "Images":
        """Return these images, then the others."""
        return Images(
            np.concatenate([self.ids, other.ids]), np.concatenate([self.pixels, other.pixels]),
            np.concatenate([self.labels, other.labels]),
        )


def images_of(*test_sets: TestSet) -> list[Images]:
    """Return all images of every test set.

    Raises
    ------
    InputError
        If an image cannot be read, or they are not all of one size and mode.
    """
    bar = tqdm(test_sets, desc="reading", unit=" test sets", disable=None, leave=False, delay=2)
    read = [Images(test_set.manifest.ids, *pixels_and_labels(test_set)) for test_set in bar]
    for test_set, images in zip(test_sets, read, strict=True):
        if images.pixels.shape[1] != read[0].pixels.shape[1]:
            raise InputError(f"images of {test_sets[0].name} have {read[0].pixels.shape[1]} pixels and those of "
                             f"{test_set.name} {images.pixels.shape[1]}; a learner needs one size and one mode: bring "
                             "them to it first")
    return read
