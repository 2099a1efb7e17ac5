"""Tables of accuracies, with nothing known image by image: enough for the observed line, not for a fit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from difficulty_model.errors import InputError
from difficulty_model.files import existing, written_whole
from difficulty_model.readers._paths import Paths, listed, test_set_of_each
from difficulty_model.readers._tables import column_names, read_columns, require_columns
from difficulty_model.types import MODEL, TEST_SET, FloatArray, IntArray

_EXPECTED = "a table with columns model, accuracy (as a share) or model, top1 (in percent)"


@dataclass(frozen=True)
class Accuracies:
    """Accuracies of models on test sets, validated on construction.

    Attributes
    ----------
    dataset : xarray.Dataset
        `accuracy` (model, test_set): shares in [0, 1], not a number where a model is not in a table; `images`
        (test_set): number of images in the test set, 0 if unknown. Attribute `top_k`: the number of best
        classes among which the right one counts.

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

    def save(self, path: Path | str) -> None:
        """Write the accuracies to a netCDF4 file, whole or not at all."""
        with written_whole(path) as temporary:
            self.dataset.to_netcdf(temporary, engine="h5netcdf")


def read_accuracies(paths: Paths, *, test_sets: Sequence[str] | None = None, top_k: int = 1) -> Accuracies:
    """Read tables of accuracies, one test set each, joined by the names of the models.

    A table is CSV or Parquet with the columns `model` and `accuracy`, a share in [0, 1], and optionally
    `images`, the number of images of the test set; or one as the timm library publishes it, with `model` and
    `top1`, `top5` in percent. Where a model stands several times in a table that has a column `img_size`, it
    was run at several sizes: in all tables its name becomes ``model@img_size``.

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
        raise InputError(f"{len(files)} tables given for the test sets {sorted(set(names))}; expected one "
                         "name for each table, in order")
    tables = [_read(file, top_k) for file in files]
    several_sizes = {model for table in tables if table.sizes for model in _repeated(table.models)}
    of_model = [_accuracy_of_model(table, several_sizes) for table in tables]
    models = list(dict.fromkeys(model for accuracies in of_model for model in accuracies))
    return Accuracies(xr.Dataset(
        {
            "accuracy": (
                (MODEL, TEST_SET), [[table.get(model, np.nan) for table in of_model] for model in models]
            ),
            "images": (TEST_SET, [table.images for table in tables]),
        },
        {MODEL: np.asarray(models, np.str_), TEST_SET: np.asarray(names, np.str_)},
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


@dataclass(frozen=True)
class _Table:
    path: Path
    models: list[str]
    accuracy: list[float]
    sizes: list[str]
    """Image size of every row, or nothing where the table has no such column."""
    images: int


def _read(path: Path, top_k: int) -> _Table:
    found = column_names(path)
    column, whole = (f"top{top_k}", 100) if f"top{top_k}" in found or top_k != 1 else ("accuracy", 1)
    require_columns(path, found, (MODEL, column))
    used = [name for name in (MODEL, column, "img_size", "images") if name in found]
    cells = {name: read.cells() for name, read in read_columns(path, used).items()}
    return _Table(
        path, cells[MODEL], [
            _share(text, whole, f"column {column!r} of {path}, model {model!r}")
            for model, text in zip(cells[MODEL], cells[column], strict=True)
        ],
        cells.get("img_size", []), _images(cells.get("images", []), path),
    )


def _share(text: str, whole: int, where: str) -> float:
    try:
        share = float(text) / whole
    except ValueError:
        share = np.nan
    if not 0 <= share <= 1:
        raise InputError(f"{where}: {text!r} is no accuracy; expected a number from 0 to {whole}")
    return share


def _images(texts: Sequence[str], path: Path) -> int:
    """Return the number of images that a table gives, or 0."""
    numbers = sorted(set(texts) - {""})
    if not numbers:
        return 0
    if len(numbers) > 1 or not numbers[0].isdecimal():
        raise InputError(f"column 'images' of {path} must hold one whole number, the size of the test set; "
                         f"found {numbers[:4]}")
    return int(numbers[0])


def _repeated(names: Sequence[str]) -> set[str]:
    return {name for name, times in Counter(names).items() if times > 1}


def _accuracy_of_model(table: _Table, several_sizes: set[str]) -> dict[str, float]:
    models = table.models
    if table.sizes:
        models = [f"{model}@{size}" if model in several_sizes else model
                  for model, size in zip(models, table.sizes, strict=True)]
    for model in sorted(_repeated(models)):
        raise InputError(f"model {model!r} stands several times in {table.path}; expected one row per model "
                         "(or a column `img_size` that tells its rows apart)")
    return dict(zip(models, table.accuracy, strict=True))


def _validate(dataset: xr.Dataset) -> None:
    for name, dims in {"accuracy": (MODEL, TEST_SET), "images": (TEST_SET,)}.items():
        if name not in dataset or dataset[name].dims != dims:
            found = dataset[name].dims if name in dataset else "nothing"
            raise InputError(f"accuracies need a variable `{name}` with dims {dims}; got {found}")
    for dim in (MODEL, TEST_SET):
        if dim not in dataset.coords or not dataset.sizes[dim]:
            raise InputError(f"accuracies need names along `{dim}`, at least one")
        names = dataset[dim].values.tolist()
        if "" in names or _repeated(names):
            raise InputError(f"{dim} names must be unique and not empty; found "
                             f"{[*sorted(_repeated(names)), ''][0]!r} several times, or empty")
    accuracy, images = dataset["accuracy"].values, dataset["images"].values
    if accuracy.dtype.kind != "f" or ((accuracy < 0) | (accuracy > 1)).any():
        raise InputError("`accuracy` must be shares from 0 to 1")
    unknown = np.isnan(accuracy).all(0)
    if unknown.any():
        test_set = str(dataset[TEST_SET].values[unknown][0])
        raise InputError(f"test set {test_set!r} has no accuracy of any model")
    if images.dtype.kind not in "iu" or (images < 0).any():
        raise InputError("`images` must be whole numbers, 0 where unknown")
