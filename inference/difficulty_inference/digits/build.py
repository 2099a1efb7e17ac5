"""The digits as test sets and a zoo, and the one file in which all its answers end."""

import csv
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from difficulty_inference.digits.data import Digits, read_digits, split_digits
from difficulty_inference.manifest import NAME, Manifest, write_manifest
from difficulty_inference.predictions import Predictions, path_of, read_predictions
from difficulty_model.errors import InputError
from difficulty_model.files import written_whole

ZOO = "zoo.toml"
"""Name of the zoo, beside this file and in the folder that `write_digits` fills."""

IMAGES = "images.npy"


def write_digits(folder: Path, *, seed: int) -> None:
    """Write the images for training and the test sets, each a folder with a manifest, and the zoo that is trained.

    Parameters
    ----------
    folder
        Where to; made if it does not exist.
    seed
        Decides who is trained on what, and all randomness of the training.

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """
    digits = read_digits()
    for name, members in split_digits(digits, seed=seed).items():
        _write_test_set(digits, members, _made(folder / name))
    with written_whole(folder / ZOO) as temporary:
        temporary.write_text(packaged_zoo().replace("seed = 0", f"seed = {seed}"), encoding="utf-8")


def write_wide(predictions: Path, models: Sequence[str], test_sets: Sequence[str], path: Path) -> None:
    """Write a row per image and a column per model: 1 where it is right, 0 where wrong, empty where not observed.

    Parameters
    ----------
    predictions
        Folder with the answers of every model to every test set.
    models, test_sets
        Their names, in the order of the columns and of the rows.
    path
        The CSV file to write.

    Raises
    ------
    InputError
        If a file of predictions is absent or no such file, or two tell of different images.
    """
    with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "test_set", "label", *models])
        for test_set in test_sets:
            answers = [read_predictions(path_of(predictions, model, test_set)) for model in models]
            first = answers[0]
            for model, other in zip(models, answers, strict=True):
                if not (np.array_equal(other.images, first.images) and np.array_equal(other.labels, first.labels)):
                    raise InputError(f"{path_of(predictions, model, test_set)} tells of other images than "
                                     f"{path_of(predictions, models[0], test_set)}; run both again")
            cells = np.array([_cells(each) for each in answers]).T
            for image, label, row in zip(first.images, first.labels.tolist(), cells.tolist(), strict=True):
                writer.writerow([image, test_set, label, *row])


def packaged_zoo() -> str:
    """Return the zoo as it comes with the package, where every seed is 0."""
    return resources.files("difficulty_inference.digits").joinpath(ZOO).read_text(encoding="utf-8")


def _write_test_set(digits: Digits, members: NDArray[np.int64], folder: Path) -> None:
    with written_whole(folder / IMAGES) as temporary:
        np.save(temporary, digits.images[members])
    rows = [f"{IMAGES}[{row}]" for row in range(len(members))]
    ids = np.array(digits.ids)[members]
    write_manifest(Manifest(ids, np.array(rows), digits.labels[members]), folder / NAME)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}; give a folder that can be written "
                         "to") from error
    return folder


def _cells(predictions: Predictions) -> NDArray[np.str_]:
    return np.where(predictions.answers.observed, predictions.right.astype(int).astype(str), "")
