"""Predictions as `difficulty-inference run` writes them: one Parquet file per test set and model."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.readers._paths import Paths, only
from difficulty_model.responses import NOT_STORED, Responses, combine
from difficulty_model.types import BoolArray, IntArray

_FOLDER = "the folder that `difficulty-inference run` writes, with <test set>/<model>.parquet in it"
_METADATA = b"difficulty_inference"
_AGAIN = "write it again with `difficulty-inference run`"
_MOST_CLASSES = 5
_REASONS = 3


def read_predictions(paths: Paths, *, test_sets: Sequence[str] | None = None, top_k: int = 1) -> Responses:
    """Read predictions in the layout of `difficulty-inference run`.

    ``<test set>/<model>.parquet`` has one row per image: its id, which is a hash of its content, its label, the
    classes of the highest scores, best first, the margin of the right class, and why the image was not observed,
    if it was not. Images of the same id are one image in whichever test set. The position of the right class is
    kept, so that responses can be scored by another k afterwards, and so is the first class; labels are class numbers.
    The history says how many images a model did not observe, and repeats what the files remark on themselves. Hidden
    files, such as a killed run leaves, are not read.

    Parameters
    ----------
    paths
        The folder of predictions.
    test_sets
        Names of the test sets to read, in this order, the first becoming the reference. If not given: all, the
        largest first, those of one size by name.
    top_k
        Number of leading classes that count as right, at most as many as every file stores.

    Raises
    ------
    InputError
        If there are no predictions, a file is broken or contradicts itself or its place, or the files of a test
        set do not have the same images with the same labels in the same order.
    """
    folder = only(paths, _FOLDER)
    files = _prediction_files(folder)
    for name in test_sets or ():
        if name not in files:
            raise unknown_name(f"test set in {folder}", name, files)
    headers = {name: [_header(path) for path in files[name]] for name in test_sets or sorted(files)}
    _require_stored(top_k, [header for of_set in headers.values() for header in of_set])
    parts = [_read(name, of_set, top_k=top_k) for name, of_set in headers.items()]
    if not test_sets:
        parts.sort(key=lambda part: -len(part.images))  # stable: those of one size stay sorted by name
    return combine(*parts) if len(parts) > 1 else parts[0]


@dataclass(frozen=True)
class _Header:
    """What a predictions file says of itself.

    Attributes
    ----------
    path : Path
        Where it lies, hence its test set and model.
    images : int
        How many rows it has.
    stored : int
        How many of the best classes it has of every image.
    classes : int
        How many classes the model tells apart; 0 if it never answered.
    remarks : list of str
        What is to be known about the answers.
    """

    path: Path
    images: int
    stored: int
    classes: int
    remarks: list[str]

    @property
    def model(self) -> str:
        return self.path.stem


def _prediction_files(folder: Path) -> dict[str, list[Path]]:
    """Return the files of every test set, hidden ones left out."""
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("[!.]*/[!.]*.parquet")):
        files.setdefault(path.parent.name, []).append(path)
    if not files:
        raise InputError(f"{folder} holds no predictions; expected {_FOLDER}")
    return files


def _header(path: Path) -> _Header:
    if not path.is_file():  # a pipe would be waited for
        raise InputError(f"{path} is no regular file; expected predictions, as `difficulty-inference run` writes them")
    try:
        with parquet.ParquetFile(path) as file:
            schema, images = file.schema_arrow, file.metadata.num_rows
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    stored = _stored(path, schema)
    # No two ids are alike, so rows take bytes; a file that declares more rows than it has bytes is made to fill memory.
    if not 0 < images <= path.stat().st_size:
        raise InputError(f"{path} declares {images} rows in {path.stat().st_size} bytes; expected one row per image: "
                         f"{_AGAIN}")
    about = _metadata(path, schema)
    model, test_set, classes, remarks = (about.get(key) for key in ("model", "test_set", "classes", "remarks"))
    if (test_set, model) != (path.parent.name, path.stem):
        raise InputError(f"{path} says that it holds the predictions of model {model!r} on test set {test_set!r}; "
                         f"expected those of {path.stem!r} on {path.parent.name!r}, from where it lies: move it to "
                         "<test set>/<model>.parquet")
    if type(classes) is not int or classes < 0:
        raise InputError(f"{path} gives {classes!r} as the number of classes; expected a whole number: {_AGAIN}")
    if not isinstance(remarks, list) or not all(isinstance(remark, str) for remark in remarks):
        raise InputError(f"{path} gives {str(remarks)[:60]!r} as remarks; expected a list of sentences: {_AGAIN}")
    return _Header(path, images, stored, classes, remarks)


def _stored(path: Path, schema: pa.Schema) -> int:
    """Return how many of the best classes a file has, if its columns are those of predictions."""
    stored = min(max(sum(name.startswith("class_") for name in schema.names), 1), _MOST_CLASSES)
    expected = ["image string", "label int32", *(f"{name} int32" for name in _class_columns(stored)),
                "margin float", "trouble string"]
    found = [f"{field.name} {field.type}" for field in schema]
    for number, (is_, should) in enumerate(zip_longest(found, expected), start=1):
        if is_ != should:
            raise InputError(f"column {number} of {path} is {_quoted(is_)}; expected {_quoted(should)}, as "
                             "`difficulty-inference run` writes it")
    return stored


def _quoted(column: str | None) -> str:
    return "nothing" if column is None else repr(column[:60])


def _class_columns(stored: int) -> list[str]:
    return [f"class_{rank}" for rank in range(1, stored + 1)]


def _metadata(path: Path, schema: pa.Schema) -> dict[str, Any]:
    try:
        about = json.loads((schema.metadata or {})[_METADATA])
    except (KeyError, ValueError, RecursionError) as error:
        raise InputError(f"{path} does not say whose predictions it holds: its schema has no JSON under the key "
                         f"{_METADATA.decode()!r}; {_AGAIN}") from error
    if not isinstance(about, dict):
        raise InputError(f"{path} has {str(about)[:60]!r} under the key {_METADATA.decode()!r} of its schema; expected "
                         f"a JSON object: {_AGAIN}")
    return about


def _require_stored(top_k: int, headers: Sequence[_Header]) -> None:
    """Raise unless every model that answered has the first `top_k` classes stored."""
    fewest = min((h for h in headers if h.classes), key=lambda h: h.stored, default=None)
    if fewest is not None and not 1 <= top_k <= fewest.stored:
        raise InputError(f"top_k={top_k} was asked for, but {fewest.path} stores the best {fewest.stored} classes of "
                         f"every image, the fewest of all; give 1 to {fewest.stored}")


def _read(test_set: str, headers: Sequence[_Header], *, top_k: int) -> Responses:
    first = headers[0]
    reference = _table(first)
    images, labels = _images(first, reference)
    position = np.full((len(headers), len(images)), NOT_STORED, np.int8)
    shown = np.zeros(position.shape, np.uint8)
    predicted = np.full(position.shape, NOT_STORED, np.int32)
    history = [f"read {len(headers)} models on {len(images)} images of {test_set} from {first.path.parent}"]
    for row, header in enumerate(headers):
        # One table at a time: all of them together would need many times the memory of the responses.
        table = reference if header is first else _table(header)
        if not all(table[name].equals(reference[name]) for name in ("image", "label")):
            raise _difference(header, table, first, reference)
        position[row], predicted[row], shown[row] = _answers(header, table, labels)
        history += _notes(header, test_set, table)
    try:
        return Responses.from_arrays(
            (position != NOT_STORED) & (position < top_k), models=[header.model for header in headers], images=images,
            member={test_set: np.ones(len(images), bool)}, shown=shown, position=position, predicted=predicted,
            top_k=top_k, labels=[str(label) for label in labels], history=history,
        )
    except InputError as error:  # for instance that no model observed anything
        raise InputError(f"{first.path.parent}: {error}") from error


def _table(header: _Header) -> pa.Table:
    try:
        with parquet.ParquetFile(header.path) as file:
            table = file.read()
        table.validate(full=True)  # text that is no UTF-8
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unreadable(header.path, error) from error
    return table


def _images(header: _Header, table: pa.Table) -> tuple[list[str], IntArray]:
    """Return the ids of the images, each once, and their right classes."""
    for name in ("image", "label"):
        if table[name].null_count:
            raise InputError(f"column {name!r} of {header.path} has empty cells; expected none: {_AGAIN}")
    images, labels = table["image"].to_pylist(), table["label"].to_numpy()
    names, times = np.unique(images, return_counts=True)
    if times.max() > 1:
        raise InputError(f"image {str(names[times.argmax()])!r} stands {times.max()} times in {header.path}; expected "
                         f"every image once: {_AGAIN}")
    if labels.min() < 0:
        raise InputError(f"label {labels.min()} in {header.path} is negative; expected the number of a class: {_AGAIN}")
    return images, labels


def _difference(header: _Header, table: pa.Table, first: _Header, reference: pa.Table) -> InputError:
    """Return the error for two files of one test set that are not about the same images."""
    ours, theirs = (
        dict(zip(*_images(*pair), strict=True)) for pair in ((first, reference), (header, table))
    )
    differing = sum(ours.get(image) != theirs.get(image) for image in ours.keys() | theirs.keys())
    how = f"in {differing} images or their labels" if differing else "in the order of the images"
    return InputError(f"{header.path} ({len(theirs)} images) differs from {first.path} ({len(ours)} images) {how}; "
                      "expected the same test set for every model: run `difficulty-inference run` again for all "
                      "models, or delete the older file")


def _answers(header: _Header, table: pa.Table, labels: IntArray) -> tuple[IntArray, IntArray, BoolArray]:
    """Return the rank from 0 of the right class among those stored, the first class, and which images were observed."""
    columns = [table[name] for name in _class_columns(header.stored)]
    top = np.column_stack([column.fill_null(-1).to_numpy() for column in columns])
    given = np.column_stack([column.is_valid().to_numpy() for column in columns])
    margin = table["margin"].fill_null(np.nan).to_numpy()
    observed = given[:, 0]
    first_is_right = top[:, 0] == labels
    # A margin of 0 is a tie, in which either class may come first.
    for wrong, what in [
        ((given != observed[:, None]).any(1), "has some of the best classes but not all"),
        (np.isnan(margin) == observed, "must have a margin if and only if it has classes"),
        (table["trouble"].is_valid().to_numpy() == observed, "must have trouble if and only if it has no classes"),
        (observed & ((top < 0) | (top >= header.classes)).any(1), f"has a class outside 0 to {header.classes - 1}"),
        (observed & (labels >= header.classes), f"has a label outside 0 to {header.classes - 1}"),
        (observed & (np.diff(np.sort(top, 1), axis=1) == 0).any(1), "has the same class twice"),
        (np.where(first_is_right, margin < 0, margin > 0), "has a margin that contradicts its first class"),
    ]:
        if wrong.any():
            raise InputError(f"row {int(wrong.argmax()) + 1} of {header.path} {what}; {_AGAIN}")
    hit = top == labels[:, None]
    return np.where(hit.any(1), hit.argmax(1), NOT_STORED), top[:, 0], observed


def _notes(header: _Header, test_set: str, table: pa.Table) -> Iterator[str]:
    """Give the lines of history for one model: what it did not observe and why, and the remarks."""
    reasons = table["trouble"].drop_null()
    if len(reasons):
        different = dict.fromkeys(" ".join(reason.split()) for reason in reasons.to_pylist())
        more = "; …" if len(different) > _REASONS else ""
        yield (f"model {header.model!r} did not observe {len(reasons)} of {header.images} images of {test_set}: "
               f"{'; '.join(list(different)[:_REASONS])}{more}")
    yield from (f"model {header.model!r} on {test_set}: {' '.join(remark.split())}" for remark in header.remarks)


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} is not a readable Parquet file: {' '.join(str(error).split())}; {_AGAIN}")
