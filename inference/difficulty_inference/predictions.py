"""The predictions file: the answers of one model to one test set, and all that they depend on.

A Parquet table with one row per image, in the order of the manifest:

========  =======  =====================================================================================
column    type     what
========  =======  =====================================================================================
image     string   the id of the image: a hash of its content
label     int32    its right class
class_1   int32    the class of the highest score; then class_2, and so on, at most to class_5. Null where
                   the image was not observed
margin    float32  the score of the right class less the highest of the others, in the model's own units;
                   near 0 the answer is a near tie. Null where the image was not observed
trouble   string   why the image was not observed; else null
========  =======  =====================================================================================

The schema's metadata hold, as JSON under the key ``difficulty_inference``: ``model``, ``test_set``,
``classes`` (how many the model tells apart), ``configuration`` (all that decides the answers), ``hash`` (of the
configuration), ``remarks`` and ``made_with`` (versions and device).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from difficulty_model.errors import InputError
from difficulty_model.files import written_whole

METADATA = b"difficulty_inference"
SUFFIX = ".parquet"
FORMAT = 1

ROWS = 16_384
"""Rows that are packed together: few enough that packing takes little memory."""

TOP = 5
"""How many of the best classes are stored, where there are as many."""


@dataclass(frozen=True)
class Answers:
    """The answers of a model to images.

    Attributes
    ----------
    top : int array, (image, k)
        The classes of the k highest scores, best first; -1 where not observed.
    margin : float array, (image,)
        Score of the right class less the highest of the others; not a number where not observed.
    trouble : dict of int to str
        Why an image, by its row, was not observed.
    classes : int
        How many classes the model tells apart.
    """

    top: NDArray[np.int32]
    margin: NDArray[np.float32]
    trouble: dict[int, str]
    classes: int

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Which images were observed, (image,)."""
        return self.top[:, 0] >= 0


@dataclass(frozen=True)
class Predictions:
    """What a predictions file holds.

    Attributes
    ----------
    model, test_set
        Their names.
    images : str array, (image,)
        Ids.
    labels : int array, (image,)
        Right classes.
    answers
        What the model answered.
    configuration
        All that decides the answers, as JSON.
    remarks
        What is to be known about the answers, one sentence each.
    made_with
        Versions and device.
    """

    model: str
    test_set: str
    images: NDArray[np.str_]
    labels: NDArray[np.int64]
    answers: Answers
    configuration: Mapping[str, Any]
    remarks: Sequence[str] = ()
    made_with: Mapping[str, str] | None = None

    @property
    def right(self) -> NDArray[np.bool_]:
        """On which images the model's first answer is right, (image,); false where not observed."""
        return self.answers.top[:, 0] == self.labels


def path_of(folder: Path, model: str, test_set: str) -> Path:
    """Return where the predictions of a model on a test set lie in a folder of predictions."""
    return folder / test_set / f"{model}{SUFFIX}"


def hash_of(configuration: Mapping[str, Any]) -> str:
    """Return the hash of a configuration: equal if and only if all that decides the answers is."""
    plain = json.dumps({"format": FORMAT, **configuration}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write a predictions file, whole or not at all; the same predictions give the same bytes.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    answers, observed = predictions.answers, predictions.answers.observed
    columns: dict[str, pa.Array] = {
        "image": pa.array(predictions.images, pa.string()),
        "label": pa.array(predictions.labels, pa.int32()),
    }
    for rank, classes in enumerate(answers.top.T, start=1):
        columns[f"class_{rank}"] = pa.array(classes, pa.int32(), mask=~observed)
    columns["margin"] = pa.array(answers.margin, pa.float32(), mask=~observed)
    columns["trouble"] = pa.array(map(answers.trouble.get, range(len(observed))), pa.string(), size=len(observed))
    about = {
        "model": predictions.model, "test_set": predictions.test_set, "classes": answers.classes,
        "configuration": predictions.configuration, "hash": hash_of(predictions.configuration),
        "remarks": list(predictions.remarks), "made_with": dict(predictions.made_with or {}),
    }
    table = pa.table(columns).replace_schema_metadata({METADATA: json.dumps(about, sort_keys=True)})
    with written_whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=ROWS)


def hash_in(path: Path) -> str | None:
    """Return the hash of the configuration in a predictions file, or nothing if it is not one."""
    about = _about(path)
    return None if about is None else about.get("hash")


def read_predictions(path: Path) -> Predictions:
    """Return what a predictions file holds.

    Raises
    ------
    InputError
        If the file is not one.
    """
    about = _about(path)
    if about is None:
        raise InputError(f"{path} is not a predictions file, as `difficulty-inference run` writes it")
    table = pq.read_table(path)
    ranks = [name for name in table.column_names if name.startswith("class_")]
    top = np.column_stack([table[name].fill_null(-1).to_numpy() for name in ranks])
    trouble = {i: reason for i, reason in enumerate(table["trouble"].to_pylist()) if reason is not None}
    margin = table["margin"].fill_null(float("nan")).to_numpy()
    return Predictions(
        about["model"], about["test_set"], np.array(table["image"].to_pylist(), np.str_),
        table["label"].to_numpy().astype(np.int64), Answers(top, margin, trouble, about["classes"]),
        about["configuration"], about["remarks"], about["made_with"],
    )


def _about(path: Path) -> dict[str, Any] | None:
    try:
        metadata = pq.read_schema(path).metadata or {}
        about = json.loads(metadata[METADATA])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None
    return about if isinstance(about, dict) else None
