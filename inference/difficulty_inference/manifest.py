"""Manifests: which images make up a test set, by content, with their right classes."""

import csv
import errno
import hashlib
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from difficulty_model.errors import InputError
from difficulty_model.files import existing, written_whole

NAME = "manifest.csv"
"""Name of the manifest in the folder of a test set."""

COLUMNS = ["image", "path", "label"]

CLASSES = 10**9
"""Labels are below this: a larger number is a date or an index of something else."""


@dataclass(frozen=True)
class Manifest:
    """The images of a test set, in order.

    Attributes
    ----------
    ids : str array, (image,)
        What each image is known by: its `content_id`, so that an image is the same in every test set.
    paths : str array, (image,)
        Where each image lies, seen from the folder of the manifest; ``images.npy[17]`` is a row of an array.
    labels : int array, (image,)
        The right class of each image, numbered from 0 as the models number their scores.

    Raises
    ------
    InputError
        If there is no image, an id stands twice, a label is negative or absurdly large, or lengths differ.
    """

    ids: NDArray[np.str_]
    paths: NDArray[np.str_]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse what is not a list of different images."""
        if not len(self.ids):
            raise InputError("a manifest must list at least one image; got none")
        if not len(self.ids) == len(self.paths) == len(self.labels):
            raise InputError(f"a manifest needs one path and one label per image; got {len(self.ids)} images, "
                             f"{len(self.paths)} paths and {len(self.labels)} labels")
        names, times = np.unique(self.ids, return_counts=True)
        if (times > 1).any():
            raise InputError(f"image {str(names[times.argmax()])!r} stands {times.max()} times; a manifest lists "
                             "every content once")
        if self.labels.min() < 0:
            raise InputError(f"label {self.labels.min()} of image {str(self.ids[self.labels.argmin()])!r} is "
                             "negative; classes are numbered from 0")
        if self.labels.max() >= CLASSES:
            raise InputError(f"label {self.labels.max()} of image {str(self.ids[self.labels.argmax()])!r} is no class "
                             "of a model; classes are numbered from 0, as in the models' scores")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the images and their labels, wherever they lie."""
        total = hashlib.sha256()
        for image, label in zip(self.ids, self.labels, strict=True):
            total.update(f"{image} {label}\n".encode())
        return total.hexdigest()


def content_id(content: bytes) -> str:
    """Return what an image of this content is known by: 16 hexadecimal digits of its sha256.

    64 bits: among a million different images two of one id have probability 3e-8.
    """
    return hashlib.sha256(content).hexdigest()[:16]


def file_content(path: Path) -> bytes:
    """Return the content of a regular file; a pipe or a device, which may never end, is an `OSError`."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return path.read_bytes()


def array_content(image: NDArray[np.uint8]) -> bytes:
    """Return the content of an image that is a row of an array: its shape and its pixels."""
    return f"{image.shape}".encode() + image.tobytes()


def write_manifest(manifest: Manifest, path: Path | str) -> None:
    """Write a manifest as CSV with the columns image, path and label, whole or not at all."""
    # Names of files may be any bytes, those of UTF-8 or not.
    with (
        written_whole(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        # All text in quotes: csv would leave a carriage return in a path without, and read it as the end of a line.
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(COLUMNS)
        writer.writerows(zip(manifest.ids, manifest.paths, manifest.labels.tolist(), strict=True))


def read_manifest(path: Path | str) -> Manifest:
    """Return the manifest in a file that `write_manifest` wrote.

    Raises
    ------
    InputError
        If the file is not a CSV with these columns, or does not hold a valid manifest.
    """
    path = existing(path, "a manifest, as `difficulty-inference manifest` writes it")
    try:
        # Spreadsheets put a byte-order mark at the head, hence utf-8-sig.
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            rows = list(csv.reader(file, strict=True))
    except (OSError, csv.Error) as error:
        raise InputError(f"{path} is not readable as a manifest: {error}; make it again with "
                         "`difficulty-inference manifest`") from error
    if not rows or rows[0] != COLUMNS:
        start = str(rows[0])[:80] if rows else "nothing"
        raise InputError(f"{path} starts with {start}; expected the columns of a manifest, {','.join(COLUMNS)}: make "
                         "it with `difficulty-inference manifest`")
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(COLUMNS) or not (row[2].isascii() and row[2].isdigit() and len(row[2]) < 19):
            raise InputError(f"line {line} of {path} is {str(row)[:80]}; expected image, path and the number of the "
                             "right class")
    ids, paths, labels = zip(*rows[1:], strict=True) if len(rows) > 1 else ((), (), ())
    try:
        return Manifest(np.array(ids, np.str_), np.array(paths, np.str_), np.array(labels, np.str_).astype(np.int64))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
