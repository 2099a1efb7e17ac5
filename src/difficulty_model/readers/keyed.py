"""Tables of one thing that is known of each model or each test set: a column of names, and a column beside it."""

from pathlib import Path

import numpy as np

from difficulty_model.errors import InputError
from difficulty_model.readers._tables import column_names, read_columns, require_columns


def read_families(path: Path | str) -> dict[str, str]:
    """Return the family of every model named in a CSV or Parquet table; `Responses.with_families` takes it.

    Raises
    ------
    InputError
        If the file cannot be read, has no columns `model` and `family`, a cell is empty, or a model stands twice.
    """
    return _keyed(Path(path), "model", "family")


def read_numbers(path: Path | str, key: str, value: str) -> dict[str, float]:
    """Return the number that a CSV or Parquet table has beside every name.

    Parameters
    ----------
    path
        Of the table.
    key, value
        Its columns of names and of numbers, such as `model` and `year`.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, a cell is empty or no finite number, or a name stands twice.
    """
    numbers: dict[str, float] = {}
    for name, cell in _keyed(Path(path), key, value).items():
        try:
            numbers[name] = float(cell)
        except ValueError:
            numbers[name] = np.nan
        if not np.isfinite(numbers[name]):
            raise InputError(f"{path} has {cell!r} as {value} of {key.replace('_', ' ')} {name!r}; expected a number")
    return numbers


def _keyed(path: Path, key: str, value: str) -> dict[str, str]:
    require_columns(path, column_names(path), [key, value])
    columns = read_columns(path, [key, value])
    known: dict[str, str] = {}
    for name, cell in zip(*(columns[column].filled().cells() for column in (key, value)), strict=True):
        if name in known:
            what = key.replace("_", " ")
            raise InputError(f"{path} has {what} {name!r} more than once; expected one row per {what}")
        known[name] = cell
    return known
