"""The JSON lines of py-irt: one line per subject, a mapping of items to 0 and 1."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from difficulty_model.errors import InputError
from difficulty_model.readers._counting import counted
from difficulty_model.readers._paths import Paths, listed, refuse_top_k, test_set_of_each
from difficulty_model.responses import Responses, combine

_EXPECTED = 'expected {"subject_id": "a model", "responses": {"an image": 0 or 1, ...}}'


def read_py_irt(paths: Paths, *, test_sets: Sequence[str] | None = None, top_k: int = 1) -> Responses:
    """Read the JSON lines that py-irt trains on.

    Every line is ``{"subject_id": "model", "responses": {"image": 0, "another": 1}}``; null is not observed.
    A subject on several lines was shown the images they share several times, and the showings are counted.

    Parameters
    ----------
    paths
        One file or several.
    test_sets
        Names of the files' test sets in order, or one name for all; file names without suffix if not given.
    top_k
        Must be 1: the files say right or wrong only.

    Raises
    ------
    InputError
        If a line is not such an object, with the number of the line.
    """
    refuse_top_k(top_k, "a py-irt file")
    files = listed(paths, "JSON lines as py-irt reads them")
    names = test_set_of_each(files, test_sets)
    parts = [_read(file, name) for file, name in zip(files, names, strict=True)]
    return combine(*parts) if len(parts) > 1 else parts[0]


def _read(path: Path, name: str) -> Responses:
    row_of: dict[str, int] = {}
    column_of: dict[str, int] = {}
    rows: list[int] = []
    columns: list[int] = []
    outcomes: list[int | None] = []
    for model, responses in _lines(path):
        columns += [column_of.setdefault(image, len(column_of)) for image in responses]
        rows += [row_of.setdefault(model, len(row_of))] * len(responses)
        outcomes += responses.values()
    if not outcomes:
        raise InputError(f"{path} holds no responses; {_EXPECTED} on every line")
    observed = np.array([outcome is not None for outcome in outcomes])
    right = np.array([outcome == 1 for outcome in outcomes])
    shape = len(row_of), len(column_of)
    counts, shown = counted(np.array(rows), np.array(columns), right, observed, shape=shape)
    return Responses.from_arrays(
        counts, models=list(row_of), images=list(column_of), member={name: np.ones(len(column_of), bool)},
        shown=shown, history=[f"read {len(row_of)} models on {len(column_of)} images of {name} from {path}"],
    )


def _lines(path: Path) -> list[tuple[str, dict[str, int | None]]]:
    """Return the subject and the responses of every line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not readable as UTF-8 text: {error}; expected JSON lines") from error
    return [
        _subject(f"line {number} of {path}", line)
        for number, line in enumerate(text.split("\n"), start=1) if line.strip()
    ]


def _subject(where: str, line: str) -> tuple[str, dict[str, int | None]]:
    try:
        content = json.loads(line, object_pairs_hook=_without_repeats)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{where} is not readable as JSON: {error}; {_EXPECTED}") from error
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    responses = content.get("responses") if isinstance(content, dict) else None
    if not isinstance(responses, dict) or not isinstance(content.get("subject_id"), str):
        raise InputError(f"{where} is not a subject with responses: {line[:60]!r}; {_EXPECTED}")
    for image, outcome in responses.items():
        if outcome is not None and (isinstance(outcome, str | list | dict) or outcome not in (0, 1)):
            raise InputError(f"{where} answers {outcome!r} on image {image!r}; expected 0, 1 or null")
    return content["subject_id"], responses


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the name {twice!r} stands {names.count(twice)} times in one object; expected "
                         "every name once")
    return content
