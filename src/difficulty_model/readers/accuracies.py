"""Tables of accuracies, one test set each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from difficulty_model.accuracies import Accuracies
from difficulty_model.errors import InputError
from difficulty_model.readers._paths import Paths, listed, test_set_of_each
from difficulty_model.readers._tables import column_names, read_columns, require_columns
from difficulty_model.records import as_history
from difficulty_model.types import MODEL, TEST_SET

_EXPECTED = "a table with columns model, accuracy (as a share) or model, top1 (in percent)"


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
    history = [
        f"read the top-{top_k} accuracies of {len(table.models)} models on {name} from {table.path}"
        for table, name in zip(tables, names, strict=True)
    ]
    if several_sizes:
        history.append(f"models run at several image sizes are named model@img_size: "
                       f"{_some(several_sizes)}")
    return Accuracies(xr.Dataset(
        {
            "accuracy": (
                (MODEL, TEST_SET), [[table.get(model, np.nan) for table in of_model] for model in models]
            ),
            "images": (TEST_SET, [table.images for table in tables]),
        },
        {MODEL: np.asarray(models, np.str_), TEST_SET: np.asarray(names, np.str_)},
        {"top_k": top_k, "history": as_history(history)},
    ))


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


def _some(names: set[str]) -> str:
    """Return the first names of many, and how many more there are."""
    first = ", ".join(map(repr, sorted(names)[:4]))
    return first + (f" and {len(names) - 4} more" if len(names) > 4 else "")


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
