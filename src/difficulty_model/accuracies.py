"""Accuracies of models on test sets, with nothing known image by image: enough for a line, not for a fit."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from difficulty_model.errors import InputError
from difficulty_model.files import written_whole
from difficulty_model.records import (
    history_of,
    holds_variable,
    load_record,
    require_provenance,
    require_variables,
)
from difficulty_model.types import MODEL, TEST_SET, FloatArray, IntArray


@dataclass(frozen=True)
class Accuracies:
    """Accuracies of models on test sets, validated on construction.

    Attributes
    ----------
    dataset : xarray.Dataset
        `accuracy` (model, test_set): shares in [0, 1], not a number where unknown; `images` (test_set):
        number of images in the test set, 0 if unknown. Attributes: `top_k`, the number of best classes among
        which the right one counts, and `history`, one line for everything that was done to the accuracies.

    Raises
    ------
    InputError
        If dimensions or values are not as described, a name stands twice, or a test set has no accuracy at
        all.
    """

    dataset: xr.Dataset

    def __post_init__(self) -> None:
        """Refuse anything that is not a table of accuracies."""
        _validate(self.dataset)

    @property
    def models(self) -> list[str]:
        """Names of the models."""
        return self.dataset[MODEL].values.tolist()

    @property
    def test_sets(self) -> list[str]:
        """Names of the test sets; the first is the reference."""
        return self.dataset[TEST_SET].values.tolist()

    @property
    def accuracy(self) -> FloatArray:
        """Accuracies as shares, (model, test_set); not a number where unknown."""
        return self.dataset["accuracy"].values

    @property
    def images(self) -> IntArray:
        """Number of images of every test set; 0 if unknown."""
        return self.dataset["images"].values

    @property
    def history(self) -> list[str]:
        """What was done to these accuracies since they were read, one line each."""
        return history_of(self.dataset)

    def save(self, path: Path | str) -> None:
        """Write the accuracies to a netCDF4 file, whole or not at all."""
        with written_whole(path) as temporary:
            self.dataset.to_netcdf(temporary, engine="h5netcdf")


def load_accuracies(path: Path | str) -> Accuracies:
    """Read accuracies that `Accuracies.save` wrote.

    Raises
    ------
    InputError
        If the file does not exist, is not netCDF4, or does not hold valid accuracies.
    """
    return load_record(path, "accuracy", "accuracies, as `difficulty-model import` writes them", Accuracies)


def holds_accuracies(path: Path | str) -> bool:
    """Return whether a path is a file of accuracies, for commands that take another kind too."""
    return holds_variable(path, "accuracy")


def _validate(dataset: xr.Dataset) -> None:
    require_variables(dataset, {"accuracy": (MODEL, TEST_SET), "images": (TEST_SET,)})
    require_provenance(dataset)
    accuracy, images = dataset["accuracy"].values, dataset["images"].values
    if accuracy.dtype.kind != "f" or ((accuracy < 0) | (accuracy > 1)).any():
        raise InputError("`accuracy` must be shares from 0 to 1")
    unknown = np.isnan(accuracy).all(0)
    if unknown.any():
        test_set = str(dataset[TEST_SET].values[unknown][0])
        raise InputError(f"test set {test_set!r} has no accuracy of any model")
    if images.dtype.kind not in "iu" or (images < 0).any():
        raise InputError("`images` must be whole numbers, 0 where unknown")
