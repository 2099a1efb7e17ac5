"""The release of CIFAR-10H: how many people named each class for each image of CIFAR-10's test set."""

from collections.abc import Sequence

import numpy as np

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.files import read_npy
from difficulty_model.readers._paths import Paths, listed, refuse_top_k
from difficulty_model.readers.cifar10_1 import read_cifar10_1
from difficulty_model.responses import Responses

PEOPLE = "people"
"""Name under which all of them are one model, shown every image many times."""

_EXPECTED = ("two paths: the file cifar10h-counts.npy, and the folder of the CIFAR-10.1 release, which has the right "
             "classes of CIFAR-10's test set")
_TEST_SET = "cifar10"
_MOST = np.iinfo(np.int32).max


def read_cifar10h(paths: Paths, *, test_sets: Sequence[str] | None = None, top_k: int = 1) -> Responses:
    """Read the counts of CIFAR-10H (Peterson et al., 2019, "Human uncertainty makes classification more robust").

    All people are one model, which was shown an image as often as anyone was asked, and was right as often as the
    right class was named. Counts have the order of CIFAR-10's test set; its name and image ids are those that
    `read_cifar10_1` gives them, so that people and models can be put together.

    Parameters
    ----------
    paths
        The file ``cifar10h-counts.npy``, (image, class), and the folder of the CIFAR-10.1 release: counts do not say
        which class is right.
    test_sets
        Nothing but ``cifar10``.
    top_k
        Must be 1: people named one class.

    Raises
    ------
    InputError
        If there are not two paths, or a file is missing, broken, or does not fit the other.
    """
    refuse_top_k(top_k, "CIFAR-10H")
    files = listed(paths, _EXPECTED)
    if len(files) != 2:
        raise InputError(f"{', '.join(map(str, files))} given; expected {_EXPECTED}")
    for name in test_sets or ():
        if name != _TEST_SET:
            raise unknown_name("test set", name, [_TEST_SET])
    path, release = files
    models = read_cifar10_1(release, test_sets=[_TEST_SET])
    labels = models.dataset["label"].values.astype(np.int64)
    counts = read_npy(path)
    if counts.dtype.kind not in "iu" or counts.ndim != 2 or len(counts) != len(labels):
        raise InputError(f"{path} has shape {counts.shape} and type {counts.dtype}; expected whole numbers, a row for "
                         f"each of the {len(labels)} images and a column per class")
    if labels.max() >= counts.shape[1]:
        raise InputError(f"{path} has {counts.shape[1]} columns; expected one per class, and labels go to "
                         f"{labels.max()}")
    if counts.min() < 0 or counts.max() > _MOST:
        raise InputError(f"{path} holds numbers from {counts.min()} to {counts.max()}; expected counts of people")
    right, shown = counts[np.arange(len(labels)), labels], counts.sum(1, dtype=np.int64)
    return Responses.from_arrays(
        right[None], models=[PEOPLE], images=models.images, member={_TEST_SET: np.ones(len(labels), bool)},
        shown=shown[None], labels=labels.astype(str).tolist(),
        history=[f"read {shown.sum()} answers of people to {len(labels)} images of {_TEST_SET} from {path}"],
    )
