"""Tables of text cells from CSV or Parquet, as codes into the distinct texts of each column.

Benchmarks have tens of millions of rows but few distinct cells, so every column is read as a dictionary.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from difficulty_model.errors import InputError
from difficulty_model.files import existing
from difficulty_model.readers._paths import Paths, listed, test_set_of_each
from difficulty_model.responses import Responses, combine
from difficulty_model.types import BoolArray, IntArray

EMPTY = -1
"""Code of a cell without content."""

_TEXT = pa.dictionary(pa.int32(), pa.string())
_WRONG, _RIGHT, _UNOBSERVED, _SENSELESS = range(4)
_MEANING = {
    "0": _WRONG, "0.0": _WRONG, "false": _WRONG,
    "1": _RIGHT, "1.0": _RIGHT, "true": _RIGHT,
    "": _UNOBSERVED, "na": _UNOBSERVED, "nan": _UNOBSERVED,  # as pandas and R write what is missing
}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    title : str
        Where the column stands, for messages: file and name.
    codes : int array, (row,)
        Index into `texts`, or `EMPTY`.
    texts : list of str
        The distinct cells, by first appearance.
    """

    title: str
    codes: IntArray
    texts: list[str]

    def cells(self) -> list[str]:
        """Return the text of every row."""
        texts = [*self.texts, ""]  # the code -1 picks the last
        return [texts[code] for code in self.codes]

    def filled(self) -> "Column":
        """Return the column itself, once no cell is empty."""
        empty = self.codes == EMPTY
        if "" in self.texts:
            empty |= self.codes == self.texts.index("")
        if empty.any():
            raise InputError(f"{self.title} is empty in row {_first(empty)}; expected a name in every row")
        return self

    def outcomes(self) -> tuple[BoolArray, BoolArray]:
        """Return which rows are right and which are observed at all, of a column of 0, 1 and empty cells."""
        meanings = [_MEANING.get(text.strip().casefold(), _SENSELESS) for text in self.texts]
        meaning = np.array([*meanings, _UNOBSERVED], np.int8)[self.codes]  # the code -1 picks the last
        senseless = meaning == _SENSELESS
        if senseless.any():
            row = _first(senseless)
            raise InputError(f"{self.title} holds {self.texts[self.codes[row - 1]]!r} in row {row}; "
                             "expected 1 or true for right, 0 or false for wrong, or an empty cell for not "
                             "observed")
        return meaning == _RIGHT, meaning != _UNOBSERVED


def read_tables(
    paths: Paths,
    read: Callable[[Path, Sequence[str], str | None], Sequence[Responses]],
    *,
    expected: str,
    test_sets: Sequence[str] | None,
) -> Responses:
    """Return the responses of all tables together.

    Parameters
    ----------
    paths
        One table or several.
    read
        Given a table, its columns, and the name of its test set (`None` if it has a column `test_set`),
        returns the responses in it.
    expected
        What the tables should be, for messages.
    test_sets
        Names of test sets to keep, in this order; where no table names its own, the names of the tables' test
        sets.
    """
    files = listed(paths, expected)
    columns = {file: column_names(file) for file in files}
    unnamed = [file for file in files if "test_set" not in columns[file]]
    given = test_sets if len(unnamed) == len(files) else None
    name_of = dict(zip(unnamed, test_set_of_each(unnamed, given), strict=True))
    parts = [part for file in files for part in read(file, columns[file], name_of.get(file))]
    responses = combine(*parts) if len(parts) > 1 else parts[0]
    return responses if test_sets is None else responses.select(test_sets=test_sets)


def column_names(path: Path) -> list[str]:
    """Return the names of a table's columns, which are unique and not empty."""
    path = existing(path, "a CSV or Parquet table")
    try:
        names = list((parquet.read_schema if _is_parquet(path) else _csv_schema)(path).names)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path} has {names.count(twice)} columns named {twice!r}; expected every name once")
    if "" in names:
        raise InputError(f"column {names.index('') + 1} of {path} has no name; give every column one")
    return names


def require_columns(path: Path, found: Sequence[str], required: Sequence[str]) -> None:
    """Raise unless all `required` columns are among those found."""
    missing = [name for name in required if name not in found]
    if missing:
        shown = ", ".join(map(repr, found[:8])) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
        raise InputError(f"{path} has no column {' and '.join(map(repr, missing))}; found {shown}")


def read_columns(path: Path, names: Sequence[str]) -> dict[str, Column]:
    """Return columns of a CSV or Parquet table that has at least one row."""
    try:
        if _is_parquet(path):
            table = parquet.read_table(path, columns=list(names), read_dictionary=list(names))
        else:
            options = csv.ConvertOptions(
                column_types=dict.fromkeys(names, _TEXT), include_columns=list(names),
                strings_can_be_null=True, null_values=[""],
            )
            table = csv.read_csv(path, convert_options=options)
        columns = {name: _column(f"column {name!r} of {path}", table.column(name)) for name in names}
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    if table.num_rows == 0:
        raise InputError(f"{path} has column names but no rows; expected at least one row")
    return columns


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _csv_schema(path: Path) -> pa.Schema:
    return csv.open_csv(path).schema


def _column(title: str, values: pa.ChunkedArray) -> Column:
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    chunks = values.unify_dictionaries().chunks
    if not chunks:
        return Column(title, np.empty(0, np.int32), [])
    codes = [chunk.indices.fill_null(EMPTY).to_numpy(zero_copy_only=False) for chunk in chunks]
    return Column(title, np.concatenate(codes), [str(text) for text in chunks[0].dictionary.to_pylist()])


def _first(rows: BoolArray) -> int:
    """Return the number of the first row marked, counted from 1 after the column names."""
    return int(np.argmax(rows)) + 1


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} is not a readable CSV or Parquet table: {' '.join(str(error).split())}; "
                      "expected UTF-8 text with one line per row and as many cells as columns, or a "
                      "complete Parquet file")
