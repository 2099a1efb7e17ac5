"""The release of CIFAR-10.1: one predicted class per image, on CIFAR-10 and the new test sets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.files import read_json, read_npy
from difficulty_model.readers._paths import Paths, only, refuse_top_k
from difficulty_model.responses import Responses, combine
from difficulty_model.types import IntArray

_RELEASE = "the folder of the CIFAR-10.1 release, with model_predictions, datasets and original_test_labels"
_CLASSES = 10
_SUFFIX = "_predictions.json"

# Test set: folder under model_predictions, pattern of the file of its labels.
_TEST_SETS = {
    "cifar10": ("original_predictions", "original_test_labels/cifar10_*labels.npy"),
    "cifar10.1-v4": ("v4_predictions", "datasets/cifar10.1_v4_labels.npy"),
    "cifar10.1-v6": ("v6_predictions", "datasets/cifar10.1_v6_labels.npy"),
}


def read_cifar10_1(paths: Paths, *, test_sets: Sequence[str] | None = None, top_k: int = 1) -> Responses:
    """Read predictions in the layout of the CIFAR-10.1 release.

    ``model_predictions/{original,v4,v6}_predictions/<model>_predictions.json`` is a list of the classes that
    a model predicted, in the order of the test set; its labels are in
    ``datasets/cifar10.1_<version>_labels.npy``, those of CIFAR-10 itself in
    ``original_test_labels/cifar10_*labels.npy``. The release has no ids for images, so an id is the test set
    and the place in it (``cifar10.1-v6-00003``); images that v4 and v6 share are therefore not recognised as
    the same.

    Parameters
    ----------
    paths
        The folder of the release.
    test_sets
        Some of ``cifar10``, ``cifar10.1-v4`` and ``cifar10.1-v6``, in this order, the first becoming the
        reference; if not given, those of which predictions are there.
    top_k
        Must be 1: the release has one class per image.

    Raises
    ------
    InputError
        If a file is missing, broken, of another length than the labels, or holds something else than classes.
    """
    refuse_top_k(top_k, "the CIFAR-10.1 release")
    folder = only(paths, _RELEASE)
    there = [name for name, (part, _) in _TEST_SETS.items() if (folder / "model_predictions" / part).is_dir()]
    if not there:
        raise InputError(f"{folder} has no predictions; expected {_RELEASE}")
    for name in test_sets or ():
        if name not in there:
            raise unknown_name("test set", name, there)
    parts = [_read(folder, name) for name in test_sets or there]
    return combine(*parts) if len(parts) > 1 else parts[0]


def _read(folder: Path, test_set: str) -> Responses:
    part, pattern = _TEST_SETS[test_set]
    source = folder / "model_predictions" / part
    files = sorted(source.glob(f"*{_SUFFIX}"))
    if not files:
        raise InputError(f"{source} holds no files <model>{_SUFFIX}; expected one per model")
    labels = _labels(folder, pattern)
    predicted = np.array([_classes(file, len(labels)) for file in files])
    return Responses.from_arrays(
        predicted == labels, models=[file.name.removesuffix(_SUFFIX) for file in files],
        images=[f"{test_set}-{i:05d}" for i in range(len(labels))],
        member={test_set: np.ones(len(labels), bool)}, predicted=predicted, labels=labels.astype(str).tolist(),
        history=[f"read {len(files)} models on {len(labels)} images of {test_set} from {source}"],
    )


def _labels(folder: Path, pattern: str) -> IntArray:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise InputError(f"expected one file of labels {folder / pattern}; found {len(found)}")
    labels = read_npy(found[0])
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not labels.size:
        raise InputError(f"{found[0]} has shape {labels.shape} and type {labels.dtype}; expected one whole "
                         "number, the right class, per image")
    if labels.min() < 0 or labels.max() >= _CLASSES:
        raise InputError(f"{found[0]} holds labels from {labels.min()} to {labels.max()}; expected 0 to "
                         f"{_CLASSES - 1}")
    return labels


def _classes(path: Path, size: int) -> IntArray:
    values = read_json(path)
    if not isinstance(values, list) or len(values) != size:
        found = f"a list of {len(values)}" if isinstance(values, list) else f"a {type(values).__name__}"
        raise InputError(f"{path} holds {found}; expected a list of {size} classes, one per image")
    for row, value in enumerate(values):
        if type(value) is not int or not 0 <= value < _CLASSES:
            raise InputError(f"{path} holds {str(value)[:40]} in row {row}; expected a class from 0 to "
                             f"{_CLASSES - 1}")
    return np.array(values)
