"""Features: what an experiment sees of an image, its pixels or what a model makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from difficulty_inference.adapters import Entry
from difficulty_inference.arithmetic import Arithmetic
from difficulty_inference.experiments.images import images_of
from difficulty_inference.predicting import batches
from difficulty_inference.test_sets import TestSet
from difficulty_model.errors import InputError


@dataclass(frozen=True)
class Features:
    """What is seen of every image of a test set.

    Attributes
    ----------
    test_set : TestSet
        The images.
    values : float array, (image, feature)
        In the order of its manifest.
    source : dict
        Where they come from, as JSON.
    """

    test_set: TestSet
    values: NDArray[np.floating]
    source: Mapping[str, Any]


def pixel_features(*test_sets: TestSet) -> list[Features]:
    """Return the pixels of every image, all of one size."""
    images = images_of(*test_sets)
    return [
        Features(test_set, own.pixels, {"features": "pixels"})
        for test_set, own in zip(test_sets, images, strict=True)
    ]


def model_features(
    entry: Entry, *test_sets: TestSet, arithmetic: Arithmetic, batch_size: int = 64, workers: int = 0
) -> list[Features]:
    """Return what a model makes of every image: its scores, or features where it ends in these.

    Parameters
    ----------
    entry
        The model; one of timm with the option ``num_classes = 0`` ends in features.
    test_sets
        The images.
    arithmetic
        Where and how exactly it computes.
    batch_size
        How many images it is shown at once.
    workers
        Processes that load images.

    Raises
    ------
    InputError
        If an image cannot be read.
    """
    predictor = entry.load(arithmetic)
    found = []
    for test_set in test_sets:
        values = []
        loaded = batches(
            predictor, test_set, range(len(test_set)), arithmetic, batch_size=batch_size, workers=workers
        )
        bar = tqdm(total=len(test_set), desc=f"features of {test_set.name}", unit=" images", disable=None, leave=False)
        with bar, torch.inference_mode(), arithmetic.applied():
            for batch in loaded:
                for position, reason in batch.trouble.items():
                    raise InputError(f"image {str(test_set.manifest.paths[position])!r} of {test_set.name} is "
                                     f"unreadable: {reason}; mend it or leave it out of the manifest")
                assert batch.images is not None  # there is none only where all are in trouble
                values.append(predictor.scores(batch.images).flatten(1).float().cpu().numpy())
                bar.update(len(batch.positions))
        source = {"features": entry.name, "configuration": entry.configuration()}
        found.append(Features(test_set, np.concatenate(values), source))
    return found


def numbers_of(*values: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    """Return those features of several test sets that are numbers, the same ones of each.

    A class that a classifier has never seen scores minus infinity everywhere, which tells nothing.

    Raises
    ------
    InputError
        If others are not numbers, or none is left.
    """
    empty = np.all([np.isneginf(own).all(0) for own in values], axis=0)
    kept = [own[:, ~empty] if empty.any() else own for own in values]
    if empty.all() or not all(np.isfinite(own).all() for own in kept):
        raise InputError("the model's outputs are not all numbers; take another model for features, or pixels")
    return kept
