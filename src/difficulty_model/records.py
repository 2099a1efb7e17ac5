"""What the records have in common: named rows and columns, provenance, and safe loading from netCDF files."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np
import xarray as xr

from difficulty_model.errors import InputError
from difficulty_model.files import existing

Record = TypeVar("Record")

_DENSEST = 1032
"""Deflate, which compresses netCDF4, makes nothing smaller than by this factor."""


def require_variables(dataset: xr.Dataset, dims_of: Mapping[str, tuple[str, ...]]) -> None:
    """Raise unless a dataset has these variables with these dims, and unique names along every dim."""
    for variable, dims in dims_of.items():
        found = dataset[variable].dims if variable in dataset else "nothing"
        if found != dims:
            raise InputError(f"a variable `{variable}` with dims {dims} is needed; got {found}")
    for dim in dict.fromkeys(dim for dims in dims_of.values() for dim in dims):
        _require_names(dataset, dim)


def require_provenance(dataset: xr.Dataset) -> None:
    """Raise unless a dataset says which k it counts by (`top_k`), and what was done to it (`history`)."""
    missing = [name for name in ("top_k", "history") if name not in dataset.attrs]
    if missing:
        raise InputError(f"an attribute `{missing[0]}` is needed; found {sorted(map(str, dataset.attrs))}")
    top_k = dataset.attrs["top_k"]
    if not isinstance(top_k, int | np.integer) or top_k < 1:
        raise InputError(f"`top_k` must be a whole number of at least 1; got {top_k}")
    try:
        lines = history_of(dataset)
    except (TypeError, ValueError, RecursionError):
        lines = None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise InputError("`history` must be a JSON list of lines")


def history_of(dataset: xr.Dataset) -> list[str]:
    """Return what was done to a dataset, one line each."""
    return json.loads(dataset.attrs["history"])


def as_history(lines: Sequence[str]) -> str:
    """Return lines as the attribute that `history_of` reads."""
    return json.dumps(list(lines))


def load_record(path: Path | str, variable: str, expected: str, record: Callable[[xr.Dataset], Record]) -> Record:
    """Return the record of the dataset in a netCDF4 file that somebody made; otherwise as `load_tree`.

    Parameters
    ----------
    path, variable, expected
        As `load_tree` takes them.
    record
        The record of a dataset; what is wrong with the dataset it says by an `InputError`, to which the path is added.
    """
    dataset = load_tree(path, variable, expected).to_dataset()
    try:
        return record(dataset)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def load_tree(path: Path | str, member: str, expected: str) -> xr.DataTree:
    """Read the groups of a netCDF4 file that somebody made.

    Parameters
    ----------
    path
        Where it should be.
    member
        A variable or group that it has, if it is the right kind of file.
    expected
        What the file should be and how to get one, for messages.

    Raises
    ------
    InputError
        If there is no such file, it is not netCDF4, not complete, or has no such variable or group.
    """
    path = existing(path, expected)
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected {expected}")
    try:
        with h5py.File(path) as file:
            found, declared = sorted(file), _declared_bytes(file)
    except Exception as error:  # h5py raises whatever a broken file leads it to
        raise _unreadable(path, error, expected) from error
    if member not in found:
        raise InputError(f"{path} has no `{member}`; found {found[:8]}, expected {expected}")
    stored = path.stat().st_size
    if declared > _DENSEST * stored:  # loading would fill the memory with values that nobody stored
        raise InputError(f"{path} declares {declared / 2**20:,.0f} MiB of values, but the file has "
                         f"{stored / 2**20:,.2f} MiB, fewer than any compression could make of them; "
                         f"expected {expected}")
    try:
        with xr.open_datatree(path, engine="h5netcdf", decode_times=False) as opened:
            return opened.load()
    except Exception as error:  # and so does xarray
        raise _unreadable(path, error, expected) from error


def holds_variable(path: Path | str, variable: str) -> bool:
    """Return whether a path is a netCDF4 file with this variable; `load_record` says why it is not."""
    try:
        with h5py.File(path) as file:
            return variable in file
    except OSError:
        return False


def _unreadable(path: Path, error: Exception, expected: str) -> InputError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{path} is not a readable netCDF4 file: {reason}; expected {expected}")


def _declared_bytes(file: h5py.File) -> int:
    sizes: list[int] = []

    def add(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            sizes.append(math.prod(item.shape or ()) * item.dtype.itemsize)

    file.visititems(add)
    return sum(sizes)


def _require_names(dataset: xr.Dataset, dim: str) -> None:
    if dataset.sizes[dim] == 0:
        raise InputError(f"at least one {dim} is needed; got none")
    if dim not in dataset.coords:
        raise InputError(f"names along `{dim}` are needed; got none")
    values = dataset[dim].values
    if values.dtype.kind != "U" and not all(isinstance(name, str) for name in values):
        raise InputError(f"{dim} names must be text; got {values.dtype}, the first {values.tolist()[0]!r}")
    names, times = np.unique(values.astype(np.str_), return_counts=True)
    if (times > 1).any():
        raise InputError(f"{dim} names must be unique; {str(names[times > 1][0])!r} stands "
                         f"{times[times > 1][0]} times ({int((times > 1).sum())} such names)")
    if "" in names:
        raise InputError(f"{dim} names must not be empty")
