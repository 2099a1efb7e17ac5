"""Test sets: the images that a manifest lists, read and checked one by one."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from difficulty_inference.manifest import NAME, Manifest, array_content, content_id, file_content, read_manifest
from difficulty_model.errors import InputError
from difficulty_model.files import existing, read_npy

ROW_OF_ARRAY = re.compile(r"(?P<array>.+\.npy)\[(?P<row>[0-9]{1,18})\]", re.DOTALL)
"""A path of a manifest that is a row of an array."""

FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Formats of pictures that are decoded. Others that Pillow knows start programs (EPS) or are rare and little tried."""


class Unreadable(Exception):  # noqa: N818 - a state of an image, which is recorded, rather than an error
    """An image that cannot be shown to a model; says why."""


@dataclass(frozen=True)
class TestSet:
    """A named test set, of which images can be read.

    Attributes
    ----------
    name : str
        What the test set is called.
    manifest : Manifest
        Its images.
    folder : Path
        Where the paths of the manifest start.
    """

    __test__ = False  # not a test, whatever pytest thinks of the name

    name: str
    manifest: Manifest
    folder: Path
    _arrays: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.manifest)

    def __reduce__(self) -> tuple[type["TestSet"], tuple[str, Manifest, Path]]:
        """Leave mapped arrays behind when sent to another process, which would be sent all their pixels."""
        return TestSet, (self.name, self.manifest, self.folder)

    def image(self, index: int) -> Image.Image:
        """Return an image of at most 8 bits for each pixel and colour, after its content has been compared with its id.

        Since nothing is decoded that has another content, the paths of a manifest may lead anywhere.

        Raises
        ------
        Unreadable
            If the file is absent, has changed since the manifest was made, or cannot be decoded.
        """
        path = str(self.manifest.paths[index])
        row = ROW_OF_ARRAY.fullmatch(path)
        if row:
            pixels = self._row(row["array"], int(row["row"]))
            self._require_unchanged(index, array_content(pixels))
            return Image.fromarray(pixels)
        content = _content(self.folder / path)
        self._require_unchanged(index, content)
        return _decoded(content)

    def _require_unchanged(self, index: int, content: bytes) -> None:
        if content_id(content) != self.manifest.ids[index]:
            raise Unreadable("its content has changed since the manifest was made")

    def _row(self, array: str, row: int) -> NDArray[np.uint8]:
        """Return a row of an array, which stays on disk: its pages are the system's to keep or drop."""
        if array not in self._arrays:
            try:
                self._arrays[array] = read_images_array(self.folder / array)
            except InputError as error:
                raise Unreadable(str(error)) from error
        images = self._arrays[array]
        if row >= len(images):
            raise Unreadable(f"{array} has {len(images)} rows")
        return np.ascontiguousarray(images[row])


def load_test_set(name: str, path: Path | str) -> TestSet:
    """Return a test set by the path of its manifest, or of the folder in which it is called manifest.csv.

    Raises
    ------
    InputError
        If there is no manifest, or it is not valid.
    """
    path = existing(path, "a manifest, or a folder with one")
    manifest = path / NAME if path.is_dir() else path
    if not manifest.exists():
        raise InputError(f"{path} has no {NAME}; make it with: difficulty-inference manifest {path}")
    if manifest.suffix != ".csv":
        raise InputError(f"{path} is not a manifest; make one with: difficulty-inference manifest {path}")
    return TestSet(name, read_manifest(manifest), manifest.parent)


def read_images_array(path: Path) -> NDArray[np.uint8]:
    """Return the images of a `.npy` file, (image, height, width) or (image, height, width, 3), left on disk.

    Raises
    ------
    InputError
        If the file holds anything else.
    """
    images = read_npy(path, mapped=True)
    shaped = images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)
    if images.dtype != np.uint8 or not shaped or not images.size:
        raise InputError(f"{path} has shape {images.shape} and type {images.dtype}; expected at least one image, "
                         "as uint8 shaped (image, height, width) or (image, height, width, 3)")
    return images


def pixels_and_labels(
    test_set: TestSet, indices: Sequence[int] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return images as the rows that scikit-learn wants, and their labels.

    Parameters
    ----------
    test_set
        The images, all of one size and mode.
    indices
        Which of them; all if not given.

    Returns
    -------
    pixels : (image, pixel)
        From 0 to 1.
    labels : (image,)

    Raises
    ------
    InputError
        If an image cannot be read, or has another size than the first one.
    """
    chosen = range(len(test_set)) if indices is None else indices
    rows = []
    for i in chosen:
        try:
            rows.append(pixels_of(test_set.image(i)))
        except Unreadable as error:
            raise InputError(f"image {str(test_set.manifest.paths[i])!r} of {test_set.name}, to be learned from, is "
                             f"unreadable: {error}") from error
    if len({len(row) for row in rows}) > 1:
        raise InputError(f"images of {test_set.name} have different sizes; scikit-learn needs one size and one mode")
    return np.array(rows), test_set.manifest.labels[np.asarray(chosen, np.int64)]


def pixels_of(image: Image.Image) -> NDArray[np.float32]:
    """Return the pixels of an image in one row, from 0 to 1: of a grey image as they are, of any other in RGB."""
    return np.asarray(image if image.mode == "L" else image.convert("RGB"), np.float32).ravel() / np.float32(255)


def _content(path: Path) -> bytes:
    try:
        return file_content(path)
    except (OSError, ValueError) as error:  # a ValueError for a path that no file can have
        raise Unreadable(getattr(error, "strerror", None) or str(error)) from error


def _decoded(content: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.load()
    except UnidentifiedImageError as error:  # which would tell an address of memory, another one in every run
        raise Unreadable("it cannot be decoded: it is in none of the formats that are read") from error
    except Exception as error:  # decoders of broken files raise whatever they stumble over
        raise Unreadable(f"it cannot be decoded: {error or type(error).__name__}".replace("\n", " ")) from error
    return _in_eight_bits(image)


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Return the image with the upper 8 of 16 bits, which is how Pillow reads those that have colours.

    Its conversion of grey ones cuts off at 255, which leaves them white.
    """
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise Unreadable(f"its pixels are of mode {image.mode}, which does not say how large white is; save it with 8 "
                         "or 16 bits")
    return image
