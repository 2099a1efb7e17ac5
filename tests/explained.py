"""A world with a gap, and explanations examined with a file: good ones of experiments, and all that may be wrong."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
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


def experiment(name: str, *, original: str = "original", new: str = "new", **tables: Any) -> dict[str, Any]:
    """Return the content of the file of an experiment."""
    used = {("training", "training"): 4000, ("original", original): 3000, ("new", new): 2500}
    sets = [
        {"role": role, "name": test_set, "fingerprint": "ab", "images": of, "used": of}
        for (role, test_set), of in used.items()
    ]
    return {"experiment": name, "version": 1, "seed": 0, "settings": {}, "sets": sets, **tables, "failed": {}}


def neighbours(evidence: Evidence, distance: np.ndarray) -> dict[str, Any]:
    """Return the content of the file that has the distance of every image of the responses to its neighbour."""
    rows = [
        {"test_set": name, "image": image, "nearest": f"like {image}", "distance": float(of)}
        for name, mask in zip(evidence.responses.test_sets, evidence.responses.member, strict=True)
        for image, of in zip(np.array(evidence.responses.images)[mask].tolist(), distance[mask], strict=True)
    ]
    return experiment("neighbours", original=evidence.original, new=evidence.new, rows=rows)


def stored(folder: Path, content: object) -> Path:
    (folder / "experiment.json").write_text(json.dumps(content))
    return folder / "experiment.json"


HOSTILE = [None, True, -1, 10**30, 1e308, float("nan"), float("inf"), "", "x", "\ud800", [], {}]


def places(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield at
    for key in content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ():
        yield from places(content[key], (*at, key))


def changed(content: Any, at: tuple[Any, ...], value: object) -> Any:
    """Return a JSON value with another value in a place, or without it."""
    if not at:
        return value
    content = copy.deepcopy(content)
    inner = content
    for key in at[:-1]:
        inner = inner[key]
    if value is Ellipsis:
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return content


def wherever_it_is_wrong(
    explanation: Explanation, evidence: Evidence, content: Any, folder: Path, *, rows: Sequence[int] | None = None
) -> int:
    """Put every hostile value in every place of a file, or of these of its `rows`; return how often it was refused.

    What is not refused has to have a finite effect; what is, to be told of with the file.
    """
    refused = 0
    for at in places(content):
        if rows is not None and at[:1] == ("rows",) and len(at) > 1 and at[1] not in rows:
            continue
        for value in [*HOSTILE, ...] if at else HOSTILE:
            examination = found(explanation, evidence, stored(folder, changed(content, at, value)))
            if examination.effect is None:
                refused += 1
                assert examination.text.startswith("Wrong file: ")
                assert "experiment.json" in examination.text
                examination.text.encode()
            else:
                assert np.isfinite(points(examination)).all()
    return refused
