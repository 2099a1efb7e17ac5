"""Results of experiments that train, in the JSON that `difficulty-inference experiment` writes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from difficulty_model.errors import InputError
from difficulty_model.files import read_json
from difficulty_model.types import MODEL

VERSION = 1
"""Of the format."""

_LARGEST = 2**53
"""The largest whole number that other programs read exactly."""

_ERROR = "standard_error"
_ENDS = ("low", "high")


@dataclass(frozen=True)
class Estimate:
    """A share of images, or a difference of shares, with its standard error and the ends of its interval of 95%."""

    value: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Experiment:
    """What an experiment found.

    Attributes
    ----------
    path : Path
        Of the file.
    name : str
        Which experiment it is.
    settings : dict
        What decided the result, as the experiment describes it.
    sets : pandas.DataFrame
        The sets of images: `role`, `name`, how many `images`, and how many were `used`.
    estimates : pandas.DataFrame
        `model` (missing for the mean of all), `quantity`; `value`, `standard_error`, `low`, `high` as shares. Not a
        number where an experiment has no standard error.
    rows : pandas.DataFrame
        What was counted: `right` of `shown`, and columns of the experiment's own.
    """

    path: Path
    name: str
    settings: dict[str, Any]
    sets: pd.DataFrame
    estimates: pd.DataFrame
    rows: pd.DataFrame

    def between(self, original: str, new: str) -> "Experiment":
        """Return the experiment itself, once it is on these two test sets.

        Raises
        ------
        InputError
            If it is on others.
        """
        names = dict(zip(self.sets["role"], self.sets["name"], strict=True))
        for role, name in {"original": original, "new": new}.items():
            if names.get(role) != name:
                raise InputError(f"{self.path} is on the {role} test set {names.get(role)!r}; expected {name!r}: run "
                                 f"`difficulty-inference experiment {self.name}` on it")
        return self

    def mean(self, quantity: str) -> Estimate:
        """Return the estimate of a quantity for the mean of all models.

        Raises
        ------
        InputError
            If the file has none.
        """
        found = self._of(quantity)
        found = found[found[MODEL].isna()]
        if found.empty:
            raise InputError(f"{self.path} has no estimate of {quantity!r} for the mean of all models; expected what "
                             f"`difficulty-inference experiment {self.name}` writes")
        return Estimate(*(float(found.iloc[0][column]) for column in ("value", _ERROR, *_ENDS)))

    def of_models(self, quantity: str) -> pd.DataFrame:
        """Return the estimates of a quantity for every model, under its name."""
        found = self._of(quantity)
        return found[found[MODEL].notna()].set_index(MODEL)

    def _of(self, quantity: str) -> pd.DataFrame:
        return self.estimates.loc[self.estimates["quantity"] == quantity]


def read_experiment(path: Path | str, experiment: str) -> Experiment:
    """Return the result of an experiment.

    Parameters
    ----------
    path
        The file that ``difficulty-inference experiment`` wrote.
    experiment
        Which one is expected: ``new-data``, ``folds`` or ``discriminator``.

    Raises
    ------
    InputError
        If the file cannot be read, is of another experiment or version, or lacks anything or holds something
        senseless in the parts that are described here.
    """
    path = Path(path)
    content = read_json(path)
    command = f"`difficulty-inference experiment {experiment}`"
    if not isinstance(content, dict) or "experiment" not in content:
        raise InputError(f"{path} is not the result of an experiment; expected the file that {command} writes")
    for key, expected in {"experiment": experiment, "version": VERSION}.items():
        if type(content.get(key)) is not type(expected) or content[key] != expected:
            raise InputError(f"{path} has the {key} {_short(content.get(key))}; expected {expected!r}, as {command} "
                             "writes it")
    settings = content.get("settings")
    if not isinstance(settings, dict):
        raise InputError(f"`settings` of {path} is {_short(settings)}; expected an object")
    estimates = _table(path, content, "estimates", _ESTIMATES | _ESTIMATES_OF[experiment])
    rows = _table(path, content, "rows", _ROWS | _ROWS_OF[experiment])
    _require_sense(path, estimates, rows)
    return Experiment(path, experiment, settings, _table(path, content, "sets", _SETS), estimates, rows)


@dataclass(frozen=True)
class _Kind:
    """What a cell must be: the check, and the same in words."""

    holds: Callable[[Any], bool]
    words: str


_Columns: TypeAlias = dict[str, _Kind]


def _is_number(value: object) -> bool:
    if type(value) is float:
        return math.isfinite(value)
    return type(value) is int and abs(value) <= _LARGEST


_TEXT = _Kind(lambda value: isinstance(value, str) and value != "" and value.isprintable(), "a printable text")
_TEXT_OR_NULL = _Kind(lambda value: value is None or _TEXT.holds(value), "a printable text or null")
_COUNT = _Kind(lambda value: type(value) is int and 0 <= value <= _LARGEST, "a whole number, not negative")
_NUMBER = _Kind(_is_number, "a number")

_SETS: _Columns = {"role": _TEXT, "name": _TEXT, "images": _COUNT, "used": _COUNT}
_ESTIMATES: _Columns = {MODEL: _TEXT_OR_NULL, "quantity": _TEXT, "value": _NUMBER, **dict.fromkeys(_ENDS, _NUMBER)}
_ESTIMATES_OF: dict[str, _Columns] = {
    "new-data": {_ERROR: _NUMBER}, "folds": {_ERROR: _NUMBER}, "discriminator": {},
}
_ROWS: _Columns = {"right": _COUNT, "shown": _COUNT}
_ROWS_OF: dict[str, _Columns] = {
    "new-data": {MODEL: _TEXT, "repeat": _COUNT, "arm": _TEXT},
    "folds": {MODEL: _TEXT, "fold": _COUNT, "tested": _TEXT},
    "discriminator": {"split": _COUNT, "p_value": _NUMBER, **dict.fromkeys(_ENDS, _NUMBER)},
}


def _table(path: Path, content: Mapping[str, Any], name: str, columns: _Columns) -> pd.DataFrame:
    """Return these columns of a list of records; every cell is checked."""
    records = content.get(name)
    if not isinstance(records, list) or not records:
        raise InputError(f"`{name}` of {path} is {_short(records)}; expected a list of records")
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise InputError(f"record {number} of `{name}` of {path} is {_short(record)}; expected an object")
        for column, kind in columns.items():
            if column not in record or not kind.holds(record[column]):
                given = _short(record[column]) if column in record else "missing"
                raise InputError(f"`{column}` in record {number} of `{name}` of {path} is {given}; expected "
                                 f"{kind.words}")
    return pd.DataFrame({column: [record[column] for record in records] for column in columns})


def _require_sense(path: Path, estimates: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Raise unless counts and estimates are possible ones; give estimates that lack one a standard error."""
    if _ERROR not in estimates:
        estimates[_ERROR] = np.nan
    right, shown = (rows[name].to_numpy() for name in ("right", "shown"))
    value, error, low, high = (estimates[name].to_numpy() for name in ("value", _ERROR, *_ENDS))
    for table, words, wrong in [
        ("rows", "right at most as often as shown, and shown once at least", (right > shown) | (shown == 0)),
        ("estimates", "a value from -1 to 1", np.abs(value) > 1),
        ("estimates", "a standard error from 0 to 1", (error < 0) | (error > 1)),
        ("estimates", "a value between low and high", (value < low) | (value > high)),
        ("estimates", "low and high from -3 to 3", (low < -3) | (high > 3)),  # two errors from any value
        ("estimates", "every quantity once for a model", estimates.duplicated([MODEL, "quantity"]).to_numpy()),
    ]:
        if wrong.any():
            raise InputError(f"record {int(wrong.argmax()) + 1} of `{table}` of {path} is impossible; expected {words}")


def _short(value: object) -> str:
    """Return what was given, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
