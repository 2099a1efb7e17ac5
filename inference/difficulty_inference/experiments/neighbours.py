"""Which training image is nearest to every image of the test sets? Those that are all but the same are looked at.

Recht et al. (2018, on CIFAR-10.1) found near-duplicates of CIFAR-10's test images among its training images by their
nearest neighbours, and then looked at these. Images of the new test set, which nobody has learned from, show how near
an image comes without being a near-duplicate.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from tqdm.auto import tqdm

from difficulty_inference.arithmetic import reproducible
from difficulty_inference.experiments.features import Features, numbers_of
from difficulty_inference.experiments.result import Record, Result, set_record

AT_ONCE = 256
"""Images whose neighbours are looked for between two steps of the bar; as many as the search takes at once anyway."""


def nearest_in_training(original: Features, new: Features, training: Features) -> Result:
    """Find the training image that is nearest to every original and every new image.

    By Euclidean distance between features, compared with all training images. An image that is in the training set
    itself is its own neighbour, at distance 0. Distances are computed from differences in double precision, so that
    images of equal features are at 0, and never in a matrix of all pairs.

    Parameters
    ----------
    original, new
        Features of the images of both test sets.
    training
        The same features of the images that models have learned from.

    Raises
    ------
    InputError
        If features are not numbers.
    """
    first, second, learned = numbers_of(original.values, new.values, training.values)
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(np.ascontiguousarray(learned))
    rows: list[Record] = []
    with tqdm(total=len(first) + len(second), desc="neighbours", unit=" images", disable=None) as bar, reproducible():
        for features, values in ((original, first), (new, second)):
            nearest = _nearest(values, search, bar)
            distances = _distances(values, learned, nearest)
            rows += _rows(features, nearest, distances, training)
    sets = {"training": training, "original": original, "new": new}
    return Result(
        "neighbours", 0, training.source,
        [set_record(role, own.test_set, len(own.values)) for role, own in sets.items()], {"rows": rows},
    )


def _nearest(values: NDArray[np.floating], search: NearestNeighbors, bar: tqdm) -> NDArray[np.int64]:
    """Return the row of the nearest training image of each image."""
    found = []
    for start in range(0, len(values), AT_ONCE):
        some = np.ascontiguousarray(values[start : start + AT_ONCE])
        found.append(search.kneighbors(some)[1][:, 0])
        bar.update(len(some))
    return np.concatenate(found)


def _distances(
    values: NDArray[np.floating], learned: NDArray[np.floating], nearest: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how far each image is from its neighbour; the search, by products, is off where that is next to 0."""
    differences = (own.astype(np.float64) - learned[row] for own, row in zip(values, nearest, strict=True))
    return np.fromiter(map(np.linalg.norm, differences), np.float64)


def _rows(
    features: Features, nearest: NDArray[np.int64], distances: NDArray[np.float64], training: Features
) -> list[Record]:
    ids, theirs = features.test_set.manifest.ids, training.test_set.manifest.ids
    same = np.isin(ids, theirs)
    return [
        {"test_set": features.test_set.name, "image": image, "nearest": neighbour, "distance": distance}
        for image, neighbour, distance in zip(
            ids.tolist(), np.where(same, ids, theirs[nearest]).tolist(), np.where(same, 0.0, distances).tolist(),
            strict=True,
        )
    ]
