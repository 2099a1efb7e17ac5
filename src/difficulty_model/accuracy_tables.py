"""Tables of accuracies, where nothing is known image by image: enough for the observed line, not for a fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from difficulty_model.errors import InputError
from difficulty_model.files import existing, written_whole
from difficulty_model.readers._paths import Paths, listed, test_set_of_each
from difficulty_model.types import MODEL, TEST_SET, FloatArray, IntArray

_EXPECTED = "a CSV table with columns model, accuracy (as a share) or model, top1 (in percent)"


@dataclass(frozen=True)
class Accuracies:
    """Accuracies of models on test sets, validated on construction.

    Attributes
    ----------
    dataset : xarray.Dataset
        `accuracy` (model, test_set): shares in [0, 1], not a number where a model is not in a table; `images`
        (test_set): number of images in the test set, 0 if unknown. Attribute `top_k`: the number of best classes
        among which the right one counts.

    Raises
    ------
    InputError
        If dimensions or values are not as described, a name stands twice, or a test set has no accuracy at all.
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

    def save(self, path: Path | str) -> None:
        """Write the accuracies to a netCDF4 file, whole or not at all."""
        with written_whole(path) as temporary:
            self.dataset.to_netcdf(temporary, engine="h5netcdf")


def read_accuracies(paths: Paths, *, test_sets: Sequence[str] | None = None, top_k: int = 1) -> Accuracies:
    """Read tables of accuracies, one test set each, joined by the names of the models.

    A table is CSV with the columns `model` and `accuracy`, a share in [0, 1], and optionally `images`, the number of
    images of the test set; or one as the timm library publishes it, with `model` and `top1`, `top5` in percent.
    Where a model stands several times in a table that has a column `img_size`, it was run at several sizes: in all
    tables its name becomes ``model@img_size``.

    Parameters
    ----------
    paths
        One table per test set.
    test_sets
        Names of the tables' test sets, in order; file names without suffix if not given.
    top_k
        Which accuracy to read of a table that has several: the column ``top<k>``.

    Raises
    ------
    InputError
        If a table cannot be read, a column is missing, a model stands twice, or an accuracy is out of range.
    """
    files = listed(paths, _EXPECTED)
    names = test_set_of_each(files, test_sets)
    if len(set(names)) < len(files):
        raise InputError(f"{len(files)} tables are given for the test sets {sorted(set(names))}; expected one name "
                         "for each table, in order")
    tables = [_read(file, top_k) for file in files]
    series = [_accuracy_of_model(table, file, _run_at_several_sizes(tables))
              for table, file in zip(tables, files, strict=True)]
    joined = pd.concat(series, axis=1, keys=names, sort=False)
    return Accuracies(xr.Dataset(
        {"accuracy": ((MODEL, TEST_SET), joined.to_numpy(float)),
         "images": (TEST_SET, [_images(table, file) for table, file in zip(tables, files, strict=True)])},
        {MODEL: np.asarray(joined.index, np.str_), TEST_SET: np.asarray(names, np.str_)},
        {"top_k": top_k},
    ))


def load_accuracies(path: Path | str) -> Accuracies:
    """Read accuracies that `Accuracies.save` wrote.

    Raises
    ------
    InputError
        If the file does not exist, is not netCDF4, or does not hold valid accuracies.
    """
    path = existing(path, "a file that `Accuracies.save` wrote")
    try:
        dataset = xr.load_dataset(path, engine="h5netcdf")
    except Exception as error:  # h5py raises whatever a broken file leads it to
        raise InputError(f"{path} is not a readable netCDF4 file: {error}; save accuracies with "
                         "`Accuracies.save`") from error
    try:
        return Accuracies(dataset)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read(path: Path, top_k: int) -> pd.DataFrame:
    """Return columns `model`, `accuracy` as a share, and `images`, `img_size` where the table has them."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a readable CSV table: {error}; expected {_EXPECTED}") from error
    percent = f"top{top_k}"
    column, whole = (percent, 100.0) if percent in table else ("accuracy", 1.0)
    if MODEL not in table or column not in table or (column == "accuracy" and top_k != 1):
        wanted = f"`{percent}`" + (" or `accuracy`" if top_k == 1 else "")
        raise InputError(f"{path} needs the columns `model` and {wanted}; found "
                         f"{', '.join(map(repr, table.columns[:12]))}")
    if table.empty:
        raise InputError(f"{path} has column names but no rows; expected at least one model")
    if (table[MODEL] == "").any():
        raise InputError(f"column 'model' of {path} is empty in row {int((table[MODEL] == '').argmax()) + 1}")
    share = pd.to_numeric(table[column], errors="coerce") / whole
    senseless = ~share.between(0, 1)
    if senseless.any():
        row = int(senseless.argmax())
        raise InputError(f"column {column!r} of {path} holds {table[column].iloc[row]!r} for model "
                         f"{table[MODEL].iloc[row]!r}; expected a number from 0 to {whole:g}")
    kept = [name for name in ("images", "img_size") if name in table]
    return table[[MODEL, *kept]].assign(accuracy=share)


def _run_at_several_sizes(tables: Sequence[pd.DataFrame]) -> set[str]:
    return {
        model for table in tables if "img_size" in table
        for model in table[MODEL][table[MODEL].duplicated()]
    }


def _accuracy_of_model(table: pd.DataFrame, path: Path, several_sizes: set[str]) -> pd.Series:
    names = table[MODEL]
    if "img_size" in table:
        names = names.where(~names.isin(several_sizes), names + "@" + table["img_size"])
    twice = names.duplicated()
    if twice.any():
        raise InputError(f"model {names[twice].iloc[0]!r} stands several times in {path}; expected one row per model "
                         "(or a column `img_size` that tells its rows apart)")
    return pd.Series(table["accuracy"].to_numpy(), index=names.to_numpy())


def _images(table: pd.DataFrame, path: Path) -> int:
    """Return the number of images that a table gives, or 0."""
    numbers = set(table["images"]) - {""} if "images" in table else set()
    if not numbers:
        return 0
    if len(numbers) > 1 or not (number := numbers.pop()).isdecimal():
        raise InputError(f"column 'images' of {path} must hold one whole number, the size of the test set, in every "
                         f"row; found {sorted(set(table['images']))[:4]}")
    return int(number)


def _validate(dataset: xr.Dataset) -> None:
    for name, dims in {"accuracy": (MODEL, TEST_SET), "images": (TEST_SET,)}.items():
        if name not in dataset or dataset[name].dims != dims:
            found = dataset[name].dims if name in dataset else "nothing"
            raise InputError(f"accuracies need a variable `{name}` with dims {dims}; got {found}")
    for dim in (MODEL, TEST_SET):
        if dim not in dataset.coords or not dataset.sizes[dim]:
            raise InputError(f"accuracies need names along `{dim}`, at least one")
        if not dataset.indexes[dim].is_unique:
            twice = dataset.indexes[dim][dataset.indexes[dim].duplicated()][0]
            raise InputError(f"{dim} names must be unique; {twice!r} stands several times")
    accuracy, images = dataset["accuracy"].values, dataset["images"].values
    if accuracy.dtype.kind != "f" or ((accuracy < 0) | (accuracy > 1)).any():
        raise InputError("`accuracy` must be shares from 0 to 1")
    unknown = np.isnan(accuracy).all(0)
    if unknown.any():
        raise InputError(f"test set {dataset[TEST_SET].values[unknown][0]!r} has no accuracy of any model")
    if images.dtype.kind not in "iu" or (images < 0).any():
        raise InputError("`images` must be whole numbers, 0 where unknown")
