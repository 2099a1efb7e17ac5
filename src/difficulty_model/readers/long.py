"""Long tables: one row per response, with columns model, image, correct."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from difficulty_model.errors import InputError
from difficulty_model.readers._counting import counted
from difficulty_model.readers._paths import Paths, refuse_top_k
from difficulty_model.readers._tables import Column, read_columns, read_tables, require_columns
from difficulty_model.responses import Responses
from difficulty_model.types import BoolArray, IntArray


def read_long(paths: Paths, *, test_sets: Sequence[str] | None = None, top_k: int = 1) -> Responses:
    """Read tables with one row per response.

    CSV or Parquet with the columns `model`, `image`, `correct`, and optionally `test_set` and `label`. A cell
    of `correct` is 1 or true, 0 or false, or empty (also NA, NaN) for a response that was not observed. Rows
    that repeat model, image and test set are repeated showings, and are counted. An image is known by its id,
    wherever it stands: the same response in two test sets or two files is one response. An image in several
    test sets may also name them in one cell, separated by ``;``.

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
        If a file cannot be read, a column is missing or stands twice, or a cell is not what its column needs.
    """
    refuse_top_k(top_k, "a long table")
    expected = "a table with columns model, image, correct"
    return read_tables(paths, _read, expected=expected, test_sets=test_sets)


def _read(path: Path, found: Sequence[str], name: str | None) -> list[Responses]:
    """Return the responses of one table, apart for every distinct cell of `test_set`."""
    require_columns(path, found, ("model", "image", "correct"))
    optional = [column for column in ("test_set", "label") if column in found]
    columns = read_columns(path, ["model", "image", "correct", *optional])
    model, image = columns["model"].filled(), columns["image"].filled()
    right, observed = columns["correct"].outcomes()
    labels = _label_of_image(image, columns["label"].filled()) if "label" in columns else None
    if name is not None:
        return [_counted_responses(path, [name], model, image, right, observed, labels)]
    cell = columns["test_set"].filled()
    parts = []
    for code, text in enumerate(cell.texts):
        rows = cell.codes == code
        parts.append(_counted_responses(
            path, [part.strip() for part in text.split(";")],
            replace(model, codes=model.codes[rows]), replace(image, codes=image.codes[rows]),
            right[rows], observed[rows], labels,
        ))
    return parts


def _label_of_image(image: Column, label: Column) -> list[str]:
    of_image = np.empty(len(image.texts), np.int64)
    of_image[image.codes] = label.codes
    differ = of_image[image.codes] != label.codes
    if differ.any():
        row = int(np.argmax(differ))
        i = image.codes[row]
        raise InputError(f"{label.title} gives image {image.texts[i]!r} both "
                         f"{label.texts[label.codes[row]]!r} and {label.texts[of_image[i]]!r}; expected one "
                         "right class per image")
    return [label.texts[code] for code in of_image]


def _counted_responses(
    path: Path, test_sets: list[str], model: Column, image: Column, right: BoolArray, observed: BoolArray,
    labels: list[str] | None,
) -> Responses:
    row, models = _present(model.codes, len(model.texts))
    column, images = _present(image.codes, len(image.texts))
    counts, shown = counted(row, column, right, observed, shape=(len(models), len(images)))
    everywhere = np.ones(len(images), bool)
    return Responses.from_arrays(
        counts, models=[model.texts[m] for m in models], images=[image.texts[i] for i in images],
        member=dict.fromkeys(test_sets, everywhere), shown=shown,
        labels=None if labels is None else [labels[i] for i in images],
        history=[
            f"read {len(models)} models on {len(images)} images of {' and '.join(test_sets)} from {path}"
        ],
    )


def _present(codes: IntArray, size: int) -> tuple[IntArray, IntArray]:
    """Return the codes numbered among those that occur, and which those are."""
    present = np.bincount(codes, minlength=size) > 0
    return (np.cumsum(present, dtype=np.int32) - 1)[codes], np.flatnonzero(present)
