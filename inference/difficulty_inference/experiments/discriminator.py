"""Can a classifier tell the original from the new images? A two-sample test (Lopez-Paz and Oquab 2017).

Where two sets of images come from one distribution, no classifier does better than chance on images that it has not
learned from (Recht et al. 2019, on CIFAR-10 and CIFAR-10.1: at most 53.1%). One that does shows that the
distributions differ, not that the difference makes anything harder.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom
from tqdm.auto import tqdm

from difficulty_inference.adapters import EstimatorEntry
from difficulty_inference.arithmetic import reproducible
from difficulty_inference.experiments.estimates import clopper_pearson
from difficulty_inference.experiments.features import Features, numbers_of
from difficulty_inference.experiments.result import Record, Result, set_record
from difficulty_inference.importing import Code
from difficulty_inference.lots import draw
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
    values = np.concatenate(numbers_of(original.values[first], new.values[second]))
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
