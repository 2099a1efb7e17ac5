"""Wide tables: one row per image, one column per model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from difficulty_model.errors import InputError
from difficulty_model.readers._paths import Paths, refuse_top_k
from difficulty_model.readers._tables import read_columns, read_tables, require_columns
from difficulty_model.responses import Responses

_NOT_MODELS = ("image", "test_set", "label")


def read_wide(paths: Paths, *, test_sets: Sequence[str] | None = None, top_k: int = 1) -> Responses:
    """Read tables with one row per image and one column per model.

    CSV or Parquet with the column `image`, optionally `test_set` and `label`; every other column is a model.
    Its cells are 1 or true, 0 or false, or empty (also NA, NaN) where the model was not shown the image. An
    image stands in one row; one that belongs to several test sets names them in one cell, separated by ``;``.

    Parameters
    ----------
    paths
        One table or several.
    test_sets
        With a column `test_set`: the test sets to keep, in this order, the first becoming the reference.
        Without: the names of the files' test sets in order, or one name for all; file names without suffix if
        not given.
    top_k
        Must be 1: the tables say right or wrong only.

    Raises
    ------
    InputError
        If a file cannot be read, a column is missing or stands twice, an image stands in two rows, or a cell
        is not what its column needs.
    """
    refuse_top_k(top_k, "a wide table")
    expected = "a table with a column image and one column per model"
    return read_tables(paths, _read, expected=expected, test_sets=test_sets)


def _read(path: Path, found: Sequence[str], name: str | None) -> list[Responses]:
    require_columns(path, found, ("image",))
    models = [column for column in found if column not in _NOT_MODELS]
    if not models:
        raise InputError(f"{path} has no column of a model; found {', '.join(map(repr, found))}, expected "
                         "one column per model beside them")
    columns = read_columns(path, found)
    image = columns["image"].filled()
    twice = np.bincount(image.codes) > 1
    if twice.any():
        raise InputError(f"{path} has several rows for image {image.texts[int(np.argmax(twice))]!r}; "
                         "expected one row per image (name several test sets in one cell, separated by ;)")
    outcomes = [columns[model].outcomes() for model in models]
    if name is not None:
        member = {name: np.ones(len(image.codes), bool)}
    else:
        cell = columns["test_set"].filled()
        sets_of_code = [[part.strip() for part in text.split(";")] for text in cell.texts]
        member = {
            test_set: np.array([test_set in sets for sets in sets_of_code])[cell.codes]
            for test_set in dict.fromkeys(part for sets in sets_of_code for part in sets)
        }
    label = columns["label"].filled() if "label" in columns else None
    return [Responses.from_arrays(
        np.array([right for right, _ in outcomes]),
        shown=np.array([observed for _, observed in outcomes]),
        models=models, images=[image.texts[code] for code in image.codes], member=member,
        labels=None if label is None else [label.texts[code] for code in label.codes],
        history=[
            f"read {len(models)} models on {len(image.codes)} images of {' and '.join(member)} from {path}"
        ],
    )]
