"""Results of experiments, in the JSON that `difficulty-inference experiment` writes."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from difficulty_model.errors import InputError
from difficulty_model.files import read_json
from difficulty_model.types import MODEL, BoolArray

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
        number where an experiment has no standard error; no row where it estimates nothing.
    rows : pandas.DataFrame
        What was counted: `right` of `shown`, and columns of the experiment's own. Of ``neighbours`` what was measured:
        the training image `nearest` to every `image` of a `test_set`, and its `distance`.
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

    def mean_of(self, quantity: str, models: Collection[str]) -> tuple[float, float]:
        """Return the mean of a quantity over some models, and its standard error.

        That of the mean of all models is in the file. Of a part of them it is at most the mean of their own, which it
        reaches if they err alike.

        Raises
        ------
        InputError
            If the file has no estimate for one of them, or for the mean of all if it is of these.
        """
        of_models = self.of_models(quantity)
        if missing := set(models) - set(of_models.index):
            raise InputError(f"{self.path} has no estimate of {quantity!r} for model {min(missing)!r}; expected what "
                             f"`difficulty-inference experiment {self.name}` writes")
        if len(models) == len(of_models):
            mean = self.mean(quantity)
            return mean.value, mean.standard_error
        value, error = of_models.loc[list(models), ["value", _ERROR]].to_numpy(float).mean(0)
        return float(value), float(error)

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
        Which one is expected: ``new-data``, ``folds``, ``discriminator`` or ``neighbours``.

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
    layouts = {"sets": _Layout(_SETS, _impossible_sets)} | _TABLES[experiment]
    tables = {name: _table(path, content, name, layout) for name, layout in layouts.items()}
    estimates = tables.get("estimates", pd.DataFrame()).reindex(columns=[MODEL, "quantity", "value", _ERROR, *_ENDS])
    return Experiment(path, experiment, settings, tables["sets"], estimates, tables["rows"])


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
_COUNTS: _Columns = {"right": _COUNT, "shown": _COUNT}
_NEIGHBOURS: _Columns = {"test_set": _TEXT, "image": _TEXT, "nearest": _TEXT, "distance": _NUMBER}

_Impossible: TypeAlias = Iterator[tuple[str, BoolArray]]
"""What is expected of records, in words, and those of which it does not hold."""


def _impossible_sets(sets: pd.DataFrame) -> _Impossible:
    yield "every role once", sets.duplicated("role").to_numpy()


def _impossible_counts(rows: pd.DataFrame) -> _Impossible:
    right, shown = rows["right"].to_numpy(), rows["shown"].to_numpy()
    yield "right at most as often as shown, and shown once at least", (right > shown) | (shown == 0)


def _impossible_estimates(estimates: pd.DataFrame) -> _Impossible:
    value, low, high = (estimates[name].to_numpy() for name in ("value", *_ENDS))
    yield "a value from -1 to 1", np.abs(value) > 1
    if _ERROR in estimates:
        yield "a standard error from 0 to 1", ~estimates[_ERROR].between(0, 1).to_numpy()
    yield "a value between low and high", (value < low) | (value > high)
    yield "low and high from -3 to 3", (low < -3) | (high > 3)  # two errors from any value
    yield "every quantity once for a model", estimates.duplicated([MODEL, "quantity"]).to_numpy()


def _impossible_neighbours(rows: pd.DataFrame) -> _Impossible:
    yield "a distance that is not negative", rows["distance"].to_numpy() < 0
    yield "every image once in a test set", rows.duplicated(["test_set", "image"]).to_numpy()


@dataclass(frozen=True)
class _Layout:
    """What the cells of a table must be, and which of its records are impossible."""

    columns: _Columns
    impossible: Callable[[pd.DataFrame], _Impossible]


def _trained(estimates: _Columns, rows: _Columns) -> dict[str, _Layout]:
    """Return the tables of an experiment that trains, with columns of its own."""
    return {
        "estimates": _Layout(_ESTIMATES | estimates, _impossible_estimates),
        "rows": _Layout(_COUNTS | rows, _impossible_counts),
    }


_TABLES: dict[str, dict[str, _Layout]] = {
    "new-data": _trained({_ERROR: _NUMBER}, {MODEL: _TEXT, "repeat": _COUNT, "arm": _TEXT}),
    "folds": _trained({_ERROR: _NUMBER}, {MODEL: _TEXT, "fold": _COUNT, "tested": _TEXT}),
    "discriminator": _trained({}, {"split": _COUNT, "p_value": _NUMBER, **dict.fromkeys(_ENDS, _NUMBER)}),
    "neighbours": {"rows": _Layout(_NEIGHBOURS, _impossible_neighbours)},
}


def _table(path: Path, content: Mapping[str, Any], name: str, layout: _Layout) -> pd.DataFrame:
    """Return these columns of a list of records; every cell and every record is checked."""
    records = content.get(name)
    if not isinstance(records, list) or not records:
        raise InputError(f"`{name}` of {path} is {_short(records)}; expected a list of records")
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise InputError(f"record {number} of `{name}` of {path} is {_short(record)}; expected an object")
        for column, kind in layout.columns.items():
            if column not in record or not kind.holds(record[column]):
                given = _short(record[column]) if column in record else "missing"
                raise InputError(f"`{column}` in record {number} of `{name}` of {path} is {given}; expected "
                                 f"{kind.words}")
    table = pd.DataFrame({column: [record[column] for record in records] for column in layout.columns})
    for words, wrong in layout.impossible(table):
        if wrong.any():
            raise InputError(f"record {int(wrong.argmax()) + 1} of `{name}` of {path} is impossible; expected {words}")
    return table


def _short(value: object) -> str:
    """Return what was given, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
