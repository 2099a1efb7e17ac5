"""A world with a gap, and explanations examined with a file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from difficulty_model.explanations import (
    Evidence,
    Examination,
    Explanation,
    cross_validation,
    discriminator,
    examine,
    humans,
    hyperparameter_tuning,
    learning_the_new,
    near_duplicates,
)
from difficulty_model.responses import Responses
from worlds import World, simulate

FILES: dict[str, Explanation] = {
    "duplicates": near_duplicates, "variants": hyperparameter_tuning, "new-data": learning_the_new,
    "folds": cross_validation, "discriminator": discriminator, "humans": humans,
}
"""Explanations by the name of the file that they take."""

SKILL = np.linspace(0.5, 2.0, 5)
SIZES = {"original": 3000, "new": 2500}


def world(seed: int = 0, *, mean: float = 0.7) -> World:
    return simulate(seed, skill=SKILL, images=SIZES, mean=(0.0, mean), sd=(1.5, 1.5))


def found(explanation: Explanation, evidence: Evidence, path: Path) -> Examination:
    name = next(name for name, one in FILES.items() if one is explanation)
    with_file = replace(evidence, files={name: path})
    with_file.__dict__["gap"] = evidence.gap  # which no file changes
    return examine(explanation, with_file)


def none_but_by_chance(examination: Examination) -> bool:
    """Whether a mean effect is within four standard errors of none, beyond which it is once in 16,000 times."""
    assert examination.effect is not None, examination.text
    return abs(examination.effect.points.mean()) < 4 * examination.effect.draws.mean(1).std()


def points(examination: Examination) -> tuple[float, float, float]:
    assert examination.effect is not None, examination.text
    average = examination.effect.average()
    return average.low, average.value, average.high


def saved(folder: Path, responses: Responses, name: str = "given.nc") -> Path:
    responses.save(folder / name)
    return folder / name


def estimates(values: Mapping[str, tuple[float, float]], models: Sequence[str]) -> list[dict[str, Any]]:
    """The same of every model and of their mean, as shares."""
    return [
        {"model": model, "quantity": quantity, "value": value, "standard_error": error,
         "low": value - 1.96 * error, "high": value + 1.96 * error}
        for model in (*models, None) for quantity, (value, error) in values.items()
    ]


def experiment(name: str, **tables: Any) -> dict[str, Any]:
    used = {"training": 4000, "original": 3000, "new": 2500}
    sets = [{"role": role, "name": role, "fingerprint": "ab", "images": of, "used": of} for role, of in used.items()]
    return {"experiment": name, "version": 1, "seed": 0, "settings": {}, "sets": sets, **tables, "failed": {}}


def stored(folder: Path, content: object) -> Path:
    (folder / "experiment.json").write_text(json.dumps(content))
    return folder / "experiment.json"
