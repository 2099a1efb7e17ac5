"""Were hyperparameters tuned to the original test set? Variants of one model, to be tested on all test sets.

Tuning would show as variants that do worse than the default on the original test set and better on the new one (Recht
et al. 2019, vgg16 on CIFAR-10.1: 85.3% by default, 85.8% with the best of many settings).
"""

import inspect
import itertools
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from difficulty_inference.adapters import Entry, EstimatorEntry
from difficulty_inference.experiments.estimates import clopper_pearson
from difficulty_inference.experiments.result import Record, Result, set_record
from difficulty_inference.experiments.training import named
from difficulty_inference.predictions import path_of, read_predictions
from difficulty_inference.test_sets import TestSet
from difficulty_inference.zoo import require_safe_name
from difficulty_model.errors import InputError


def parsed(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values of every option that is to be varied, from texts such as ``C=0.1,1,10``.

    Raises
    ------
    InputError
        If a text is not a name and values as in TOML, or names an option again.
    """
    varied: dict[str, list[Any]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        try:
            varied_values = tomllib.loads(f"values = [{values}]")["values"]
        except tomllib.TOMLDecodeError:
            varied_values = []
        if "\n" in values or not varied_values or not name.isidentifier() or name in varied:
            raise InputError(f"{text!r} does not name an option and its values; expected each option once, as "
                             "C=0.1,1,10 or, with text in quotes, 'kernel=\"linear\",\"rbf\"'")
        varied[name] = varied_values
    return varied


def variants(zoo: Sequence[Entry], model: str, varied: Mapping[str, Sequence[Any]]) -> list[EstimatorEntry]:
    """Return a model of a zoo, and the same with every combination of the varied options.

    All learn from the same images with the same chance, so that nothing but their options differs. They are called
    after the options: ``svm[C=0.1,gamma=1]``.

    Parameters
    ----------
    zoo
        The models.
    model
        Which one.
    varied
        The values of every option.

    Raises
    ------
    InputError
        If there is no such model, it cannot be trained or has no such option, or two combinations are the same.
    """
    entry = named(zoo, model)
    if not isinstance(entry, EstimatorEntry) or entry.train_on is None:
        raise InputError(f"model {model!r} comes fitted; only a model with `estimator` and `train_on` can be trained "
                         "with other options")
    _require_parameters(entry, varied)
    made = [entry]
    for values in itertools.product(*varied.values()):
        options = dict(zip(varied, values, strict=True))
        name = f"{model}[{','.join(f'{key}={_text(value)}' for key, value in options.items())}]"
        made.append(replace(
            entry, name=require_safe_name(name, "variant"), options={**entry.options, **options},
            lot=entry.lot or entry.name,
        ))
    names = [variant.name for variant in made]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{', '.join(twice)} stands for several combinations; give every value once")
    return made


def compared(
    entries: Sequence[EstimatorEntry], test_sets: Sequence[TestSet], folder: Path, failed: Mapping[str, str]
) -> Result:
    """Return the accuracies of variants, from their predictions, and the differences from the first, the unchanged one.

    A difference is paired: its standard error comes of the images on which just one of the two is right.

    Parameters
    ----------
    entries
        As `variants` returns them.
    test_sets
        What they were tested on.
    folder
        Where their predictions lie.
    failed
        Why a variant has none.
    """
    rows = [
        _row(entry, entries[0], test_set, folder)
        for entry in entries if entry.name not in failed and entries[0].name not in failed for test_set in test_sets
    ]
    return Result(
        "hyperparameters", entries[0].seed, {"model": entries[0].name},
        [set_record("test", test_set, len(test_set)) for test_set in test_sets], {"rows": rows}, failed,
    )


def _require_parameters(entry: EstimatorEntry, varied: Mapping[str, Sequence[Any]]) -> None:
    parameters = inspect.signature(entry.estimator.resolve()).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return  # it takes options that it does not name
    for name in varied:
        if name not in parameters:
            raise InputError(f"{entry.estimator.name} has no parameter {name!r}; it has {', '.join(parameters)}")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)


def _row(entry: EstimatorEntry, unchanged: EstimatorEntry, test_set: TestSet, folder: Path) -> Record:
    own = read_predictions(path_of(folder, entry.name, test_set.name))
    other = read_predictions(path_of(folder, unchanged.name, test_set.name))
    shown = own.answers.observed & other.answers.observed
    right = own.right[shown]
    gain = right.astype(float) - other.right[shown]
    low, high = clopper_pearson(int(right.sum()), len(right))
    return {
        "model": entry.name, "test_set": test_set.name, "right": int(right.sum()), "shown": len(right), "low": low,
        "high": high, "difference": float(gain.mean()),
        "standard_error": float(np.sqrt(gain.var() / len(gain))),
    }
