"""Pictures of images by their ids, small enough for a page: files of a folder, or rows of arrays in it.

Ids, manifests and files are from others: no path leads out of its folder, nothing but regular files is opened, nothing
is unpickled, and no picture takes more memory than `MOST_PIXELS` do.
"""

import os
import re
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from difficulty_model.errors import InputError
from difficulty_model.files import read_npy
from difficulty_model.readers._paths import only
from difficulty_model.readers._tables import column_names, read_columns, require_columns

MANIFEST = "manifest.csv"
"""Name of the table in a folder that says where each image lies, as `difficulty-inference manifest` writes it."""

SIDE = 256
"""Pixels; a larger picture is made so wide or so high."""

MOST_PIXELS = 2**26
"""Of a picture, before it is made smaller: 200 MB in three colours. A picture of more counts as unreadable."""

_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
# Others that Pillow knows start programs (EPS), or are rare and little tried.

_ROW_OF_ARRAY = re.compile(r"(?P<array>.+\.npy)\[(?P<row>[0-9]{1,18})\]", re.DOTALL)

Picture: TypeAlias = NDArray[np.uint8]
"""(height, width) in grey, from black at 0, or (height, width, 3) in colours."""


class _UnreadableError(Exception):
    """Why an image has no picture."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of some images.

    Attributes
    ----------
    found : mapping of str to Picture
        By the images' ids.
    absent : mapping of str to str
        Why the other images have none.
    """

    found: Mapping[str, Picture]
    absent: Mapping[str, str]


def read_pictures(folders_of: Mapping[str, Sequence[Path]]) -> Pictures:
    """Return the pictures of images, at most `SIDE` pixels wide and high.

    A `MANIFEST` in a folder says where images lie, with its columns `image` and `path`; ``images.npy[17]`` is a row of
    an array. The id of an image that no manifest lists is its path within the folder, or the name of its file, with or
    without the ending, in whichever subfolder.

    Parameters
    ----------
    folders_of
        For the id of each image the folders that it may lie in.

    Raises
    ------
    InputError
        If a folder or its manifest cannot be read, or not one picture was found.
    """
    paths = dict.fromkeys(path for several in folders_of.values() for path in several)
    folders = {path: _Folder(only(path, "the folder of a test set's images").resolve()) for path in paths}
    found: dict[str, Picture] = {}
    absent: dict[str, str] = {}
    for image, several in folders_of.items():
        for path in several:
            try:
                found[image] = folders[path].picture(image)
                break
            except _UnreadableError as error:
                absent[image] = str(error)
    if not found:
        image, reason = next(iter(absent.items()))
        raise InputError(
            f"none of {len(absent)} images has a picture in {', '.join(map(str, paths))}: of {image!r}, {reason}; "
            f"expected {MANIFEST} in the folder, which says where each image lies (difficulty-inference manifest makes "
            "it), or files named like the images"
        )
    return Pictures(found, {image: reason for image, reason in absent.items() if image not in found})


@dataclass(frozen=True)
class _Folder:
    """A folder with pictures; `path` has no links in it."""

    path: Path

    @cached_property
    def listed(self) -> dict[str, str]:
        """Where the manifest says that images lie."""
        manifest = self.path / MANIFEST
        if not manifest.is_file():
            return {}
        require_columns(manifest, column_names(manifest), ["image", "path"])
        columns = read_columns(manifest, ["image", "path"])
        return dict(zip(columns["image"].cells(), columns["path"].cells(), strict=True))

    @cached_property
    def named(self) -> dict[str, set[str]]:
        """Paths of all files by their names, with and without the ending."""
        paths = defaultdict(set)
        for parent, _, names in os.walk(self.path):
            for name in names:
                for known in (name, Path(name).stem):
                    paths[known].add(os.path.join(parent, name))
        return paths

    def picture(self, image: str) -> Picture:
        """Return the picture of an image."""
        path = self.listed.get(image, image)
        row = _ROW_OF_ARRAY.fullmatch(path)
        return _row(self.file(row["array"]), int(row["row"])) if row else _decoded(self.file(path))

    def file(self, path: str) -> Path:
        """Return the file at a path within this folder, or the only one that is named so in any subfolder."""
        file = self.within(path)
        if file is not None:
            return file
        named = self.named.get(path, set())
        if len(named) > 1:
            raise _UnreadableError(f"{len(named)} files have its name")
        file = self.within(*named) if named else None
        if file is None:
            raise _UnreadableError("there is no file")
        return file

    def within(self, path: str) -> Path | None:
        """Return the regular file at a path, if there is one, once it does not lead out of this folder."""
        try:
            file = (self.path / path).resolve()
            regular = file.is_file()  # a pipe or a device may never end
        except (OSError, RuntimeError, ValueError) as error:  # links in a circle, names that no file can have
            raise _UnreadableError("the path is none that can be read") from error
        if not file.is_relative_to(self.path):
            raise _UnreadableError("the path leads out of the folder")
        return file if regular else None


def _row(path: Path, row: int) -> Picture:
    """Return the picture in a row of an array, of which no other row is read."""
    try:
        images = read_npy(path, mapped=True)
    except InputError as error:
        raise _UnreadableError(str(error)) from error
    if images.dtype != np.uint8 or not (images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)):
        raise _UnreadableError(f"{path.name} has shape {images.shape} and type {images.dtype}, and not uint8 and "
                               "(image, height, width) or (image, height, width, 3)")
    if row >= len(images):
        raise _UnreadableError(f"{path.name} has {len(images)} rows")
    height, width = images.shape[1:3]
    _require_size(width, height)
    return _small(Image.fromarray(np.ascontiguousarray(images[row])))


def _decoded(path: Path) -> Picture:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of decoders about odd files, of which those that fail are told
            with Image.open(path, formats=_FORMATS) as image:  # reads no more than its size
                _require_size(*image.size)
                return _small(image)
    except _UnreadableError:
        raise
    except UnidentifiedImageError as error:
        raise _UnreadableError("the file is in no format of pictures that is read") from error
    except Exception as error:  # decoders of broken files raise whatever they stumble over
        raise _UnreadableError(f"the file cannot be decoded ({error or type(error).__name__})") from error


def _require_size(width: int, height: int) -> None:
    if not 0 < width * height <= MOST_PIXELS:
        raise _UnreadableError(f"the picture has {width} × {height} pixels")


def _small(image: Image.Image) -> Picture:
    """Return the pixels of a picture, made smaller before anything else is done with it."""
    if image.mode.startswith("I;16"):  # the upper 8 of 16 bits, which is how Pillow reads those that have colours
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise _UnreadableError(f"pixels of mode {image.mode} do not say how large white is")
    image.thumbnail((SIDE, SIDE))
    return np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
