"""Pictures of images by id: of manifests, arrays, paths and names; and files of others, which may be hostile."""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from difficulty_model.errors import InputError
from difficulty_model.readers import pictures, read_pictures

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n%%EOF\n"
"""A picture that starts a program when it is decoded."""

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder with one picture that is there, beside which others are looked for."""
    made = tmp_path / "images"
    made.mkdir()
    Image.fromarray(GREY).save(made / "there.png")
    return made


def reason(folder: Path, image: str) -> str:
    """Return why an image has no picture, beside one that has."""
    found = read_pictures({image: [folder], "there.png": [folder]})
    assert set(found.found) == {"there.png"}
    return found.absent[image]


def manifest(folder: Path, rows: dict[str, str]) -> None:
    lines = [f'"{image}","{path}",0' for image, path in rows.items()]
    (folder / "manifest.csv").write_text("\n".join(['"image","path","label"', *lines]))


def test_a_manifest_says_where_images_lie(folder: Path) -> None:
    Image.fromarray(255 - GREY).save(folder / "other.png")
    manifest(folder, {"aa": "there.png", "bb": "other.png"})
    found = read_pictures({"bb": [folder], "aa": [folder]}).found
    np.testing.assert_array_equal(found["aa"], GREY)
    np.testing.assert_array_equal(found["bb"], 255 - GREY)


def test_rows_of_arrays_are_pictures(folder: Path) -> None:
    grey, colours = (np.random.default_rng(0).integers(0, 256, (3, 5, 7, *more), np.uint8) for more in ((), (3,)))
    np.save(folder / "grey.npy", grey)
    np.save(folder / "colours.npy", colours)
    manifest(folder, {"g": "grey.npy[2]", "c": "colours.npy[1]", "beyond": "grey.npy[3]"})
    found = read_pictures({"g": [folder], "c": [folder], "beyond": [folder]})
    np.testing.assert_array_equal(found.found["g"], grey[2])
    np.testing.assert_array_equal(found.found["c"], colours[1])
    assert "3 rows" in found.absent["beyond"]


@pytest.mark.parametrize("array", [
    np.zeros((2, 4, 4)), np.zeros((2, 4, 4, 4), np.uint8), np.zeros((2, 4), np.uint8), np.array([{}, {}], object),
    np.zeros((2, 0, 4), np.uint8),
])
def test_arrays_of_anything_else_have_no_pictures(folder: Path, array: np.ndarray) -> None:
    np.save(folder / "images.npy", array, allow_pickle=True)
    assert reason(folder, "images.npy[0]")


def test_without_a_manifest_ids_are_paths_or_names_of_files(folder: Path) -> None:
    # ImageNetV2 as it is unpacked has 0/<hash>.jpeg; the released predictions say <hash>.
    for number in (0, 1):
        (folder / str(number)).mkdir()
        for name in (f"hash{number}.jpeg", "twice.jpeg"):
            Image.fromarray(np.full((20, 30, 3), 100 * number, np.uint8)).save(folder / str(number) / name)
    ids = ["1/hash1.jpeg", "hash1.jpeg", "hash1", "1/twice.jpeg"]
    found = read_pictures({image: [folder] for image in ids}).found
    assert {image: int(found[image].mean()) for image in ids} == dict.fromkeys(ids, 100)
    assert "2 files" in reason(folder, "twice")
    assert "no file" in reason(folder, "hash")


def test_every_folder_of_an_image_is_looked_into(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert read_pictures({"there.png": [empty, folder]}).absent == {}


@pytest.mark.parametrize("listed", [False, True])
def test_no_path_leads_out_of_the_folder(folder: Path, tmp_path: Path, listed: bool) -> None:
    secret = tmp_path / "secret.png"
    Image.fromarray(GREY).save(secret)
    np.save(tmp_path / "secret.npy", GREY[None])
    (folder / "link.png").symlink_to(secret)
    (folder / "up").symlink_to(tmp_path)
    (folder / "circle.png").symlink_to(folder / "circle.png")
    paths = ["../secret.png", str(secret), "link.png", "link", "up/secret.png", "../secret.npy[0]",
             "x/../../secret.png", "circle.png", "long" * 1000, ".", "..", "", "\0"]
    if listed:
        manifest(folder, {f"id{n}": path for n, path in enumerate(paths[:-2])})
        paths = [f"id{n}" for n in range(len(paths) - 2)]
    found = read_pictures({image: [folder] for image in [*paths, "there.png"]})
    assert set(found.found) == {"there.png"}
    assert "out of the folder" in found.absent[paths[0]]
    # A link that stays within is followed, and so is one to the folder itself.
    (folder / "same.png").symlink_to(folder / "there.png")
    (tmp_path / "linked").symlink_to(folder)
    assert "same.png" in read_pictures({"same.png": [tmp_path / "linked"]}).found


def test_pipes_are_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    os.mkfifo(folder / "pipe.npy")
    assert "no file" in reason(folder, "pipe.png")
    assert "no file" in reason(folder, "pipe.npy[0]")


def png(width: int, height: int) -> bytes:
    """Return the head of a picture of any size, and next to no content."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
             for kind, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(("content", "said"), [
    (b"", "no format"), (b"junk" * 100, "no format"), (EPS, "no format"),
    (png(9000, 9000), "9000 × 9000"), (png(60_000, 60_000), "decoded"), (png(800, 800), "decoded"),
])
def test_broken_files_and_bombs_have_no_picture(folder: Path, content: bytes, said: str) -> None:
    (folder / "bad.png").write_bytes(content)
    assert said in reason(folder, "bad.png")


def test_rows_of_endless_arrays_have_no_picture(folder: Path) -> None:
    # A sparse file: 10 GB, of which nothing is on disk.
    images = np.lib.format.open_memmap(folder / "huge.npy", "w+", np.uint8, (1, 100_000, 100_000))
    del images
    assert "100000 × 100000" in reason(folder, "huge.npy[0]")


def test_large_pictures_are_made_small_and_keep_their_shape(folder: Path) -> None:
    Image.fromarray(np.zeros((600, 1200, 3), np.uint8)).save(folder / "wide.jpeg")
    assert read_pictures({"wide": [folder]}).found["wide"].shape == (pictures.SIDE // 2, pictures.SIDE, 3)


@pytest.mark.parametrize(("mode", "shape"), [
    ("1", ()), ("L", ()), ("LA", ()), ("P", (3,)), ("RGB", (3,)), ("RGBA", (3,)), ("CMYK", (3,)),
])
def test_every_kind_of_picture_is_grey_or_in_three_colours(folder: Path, mode: str, shape: Sequence[int]) -> None:
    Image.new("RGB", (8, 4), "white").convert(mode).save(folder / "kind.tiff")
    found = read_pictures({"kind": [folder]}).found["kind"]
    assert found.shape == (4, 8, *shape)
    assert found.dtype == np.uint8
    assert (found == 255).all()


def test_of_16_bits_the_upper_8_are_drawn(folder: Path) -> None:
    Image.new("I;16", (8, 4), 0x40FF).save(folder / "deep.png")
    assert (read_pictures({"deep": [folder]}).found["deep"] == 0x40).all()


def test_pictures_whose_white_is_not_known_are_not_drawn(folder: Path) -> None:
    Image.new("F", (8, 4), 3.0).save(folder / "float.tiff")
    assert "how large white is" in reason(folder, "float.tiff")


def test_what_cannot_be_used_at_all_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of 2 images .*'first'.*no file.*expected manifest\.csv"):
        read_pictures({"first": [folder], "second": [folder]})
    with pytest.raises(InputError, match="no such file or folder"):
        read_pictures({"first": [tmp_path / "nowhere"]})
    with pytest.raises(InputError, match="is a file"):
        read_pictures({"first": [folder / "there.png"]})
    (folder / "manifest.csv").write_text("image,where\na,there.png\n")
    with pytest.raises(InputError, match="no column 'path'"):
        read_pictures({"a": [folder]})
