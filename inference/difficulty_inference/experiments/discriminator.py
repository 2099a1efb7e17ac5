"""Can a classifier tell the original from the new images? A two-sample test (Lopez-Paz and Oquab 2017).

Where two sets of images come from one distribution, no classifier does better than chance on images that it has not
learned from (Recht et al. 2019, on CIFAR-10 and CIFAR-10.1: at most 53.1%). One that does shows that the
distributions differ, not that the difference makes anything harder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import hypergeom
from tqdm.auto import tqdm

from difficulty_inference.adapters import Entry, EstimatorEntry
from difficulty_inference.arithmetic import Arithmetic, reproducible
from difficulty_inference.experiments.estimates import clopper_pearson
from difficulty_inference.experiments.images import images_of
from difficulty_inference.experiments.result import Record, Result, set_record
from difficulty_inference.importing import Code
from difficulty_inference.lots import draw
from difficulty_inference.predicting import batches
from difficulty_inference.test_sets import TestSet
from difficulty_model.errors import InputError

SUPPORT_VECTORS = Code(f"{__name__}:standardised_support_vectors", Path())


def standardised_support_vectors() -> Any:
    """Return the classifier that is used if no other is given: standardised features, radial support vectors.

    It finds differences that are not linear, such as another spread of the same mean, needs no tuning, learns from few
    images with many features, and has no chance in its training.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), SVC())


@dataclass(frozen=True)
class Features:
    """What the discriminator is shown of every image of a test set.

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


def discriminate(
    original: Features, new: Features, *, estimator: Code = SUPPORT_VECTORS, repeats: int = 5, seed: int = 0
) -> Result:
    """Train a classifier to tell original from new images, and test it on others of both.

    Images that are in both sets are left out. Every split draws by lot equally many images of each set to learn from,
    and equally many to test on, so that chance is one half. Each has its own interval (Clopper–Pearson) and p-value.
    Splits share their images and are never pooled: the interval of the mean has the mean ends, and is thus as wide as
    if all splits said the same; its p-value is twice the median, valid however they depend on each other (Meinshausen,
    Meier and Bühlmann 2009).

    Parameters
    ----------
    original, new
        Features of the images of both sets.
    estimator
        Returns the classifier, with `fit` and `predict`.
    repeats
        How many splits.
    seed
        Decides the lots, and the classifier's `random_state` where it has one.

    Raises
    ------
    InputError
        If features do not fit together, or there are fewer than two images of each set.
    """
    first, second = _own_images(original, new), _own_images(new, original)
    if len(first) < 2 or len(second) < 2:
        raise InputError(f"{original.test_set.name} has {len(first)} images of its own and {new.test_set.name} "
                         f"{len(second)}; expected at least 2 of each, to learn from one and be tested on one")
    values = _together(original, new, first, second)
    ids = np.concatenate([original.test_set.manifest.ids[first], new.test_set.manifest.ids[second]])
    half = min(len(first), len(second)) // 2
    rows = [
        _split(values, ids, len(first), half, estimator, split, seed)
        for split in tqdm(range(repeats), desc="discriminator", unit=" trainings", disable=None)
    ]
    estimate = {
        "model": None, "quantity": "accuracy", **{
            end: float(np.mean([row[column] for row in rows]))
            for end, column in [("value", "accuracy"), ("low", "low"), ("high", "high")]
        },
        "p_value": min(1.0, 2 * float(np.median([row["p_value"] for row in rows]))),
    }
    return Result(
        "discriminator", seed, {"repeats": repeats, "estimator": estimator.name, **new.source},
        [set_record("original", original.test_set, len(first)), set_record("new", new.test_set, len(second))],
        {"rows": rows, "estimates": [estimate]},
    )


def permutation_p_value(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Return the share of all permutations of the true sets under which as many predictions are right, or more.

    Given that k of n images are predicted to be new and m are, the new ones among the k are hypergeometric, which
    counts all permutations at once, with no error of a sample of them.
    """
    both = int((predicted & true).sum())
    return float(hypergeom.sf(both - 1, len(true), int(true.sum()), int(predicted.sum())))


def _own_images(features: Features, other: Features) -> NDArray[np.int64]:
    return np.flatnonzero(~np.isin(features.test_set.manifest.ids, other.test_set.manifest.ids))


def _together(
    original: Features, new: Features, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.floating]:
    values = np.concatenate([original.values[first], new.values[second]])
    # A class that a classifier has never seen scores minus infinity everywhere, which tells nothing.
    values = values[:, ~np.isneginf(values).all(0)]
    if not values.size or not np.isfinite(values).all():
        raise InputError("the model's outputs are not all numbers; take another model for features, or pixels")
    return values


def _split(
    values: NDArray[np.floating], ids: NDArray[np.str_], originals: int, half: int, estimator: Code, split: int,
    seed: int,
) -> Record:
    """Return what the classifier of one split gets right."""
    learned, tested = [], []
    for members in np.split(np.arange(len(ids)), [originals]):
        drawn = members[draw(ids[members].tolist(), 2 * half, f"{seed} {split} drawn")]
        learning = draw(ids[drawn].tolist(), half, f"{seed} {split} learned")
        learned.append(drawn[learning])
        tested.append(np.delete(drawn, learning))
    learned, tested = np.concatenate(learned), np.concatenate(tested)
    is_new = (np.arange(len(ids)) >= originals).astype(np.int64)
    entry = EstimatorEntry("discriminator", estimator, seed=seed, lot=f"discriminator {split}")
    with reproducible():
        predicted = np.asarray(entry.fitted(values[learned].astype(np.float32), is_new[learned]).predict(
            values[tested].astype(np.float32)
        )) == 1
    true = is_new[tested] == 1
    right = int((predicted == true).sum())
    low, high = clopper_pearson(right, len(true))
    return {
        "split": split, "learned": len(learned), "right": right, "shown": len(true), "accuracy": right / len(true),
        "low": low, "high": high, "p_value": permutation_p_value(predicted, true),
    }
