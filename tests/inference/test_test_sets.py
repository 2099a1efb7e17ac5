"""Test sets: images are read right whatever their format, and what cannot be read is told, always alike."""

import io
import multiprocessing
import os
import pickle
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from difficulty_inference.manifest import Manifest, array_content, content_id, write_manifest
from difficulty_inference.test_sets import (
    TestSet,
    Unreadable,
    load_test_set,
    pixels_and_labels,
    pixels_of,
    read_images_array,
)
from difficulty_model.errors import InputError


def encoded(image: Image.Image, suffix: str, **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, suffix, **options)
    return stream.getvalue()


def file_set(folder: Path, files: dict[str, bytes]) -> TestSet:
    """A test set of files, written and catalogued."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    ids = np.array([content_id(content) for content in files.values()])
    return TestSet("written", Manifest(ids, np.array(list(files)), np.arange(len(files))), folder)


def array_set(folder: Path, images: np.ndarray, name: str = "images.npy") -> TestSet:
    """A test set of the rows of an array."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    np.save(folder / name, images)
    ids = np.array([content_id(array_content(image)) for image in images])
    paths = np.array([f"{name}[{row}]" for row in range(len(images))])
    return TestSet("array", Manifest(ids, paths, np.arange(len(images))), folder)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def reason(test_set: TestSet, index: int = 0) -> str:
    with pytest.raises(Unreadable) as told:
        test_set.image(index)
    return str(told.value)


GREY, COLOUR = noise(0, 6, 5), noise(1, 6, 5, 3)


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff"])
def test_lossless_files_give_their_pixels(tmp_path, pixels, suffix):
    test_set = file_set(tmp_path, {f"a.{suffix}": encoded(Image.fromarray(pixels), suffix)})
    np.testing.assert_array_equal(np.asarray(test_set.image(0)), pixels)


def test_a_palette_gives_its_colours(tmp_path):
    image = Image.fromarray(GREY // 16 * 16)
    palette = image.convert("RGB").quantize(16)
    test_set = file_set(tmp_path, {"a.png": encoded(palette, "png")})
    wanted = np.asarray(palette.convert("RGB"))
    np.testing.assert_array_equal(np.asarray(test_set.image(0).convert("RGB")), wanted)
    np.testing.assert_array_equal(pixels_of(test_set.image(0)), wanted.ravel() / np.float32(255))


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_jpegs_of_any_colours_become_rgb(tmp_path, mode):
    ramp = np.broadcast_to(np.linspace(40, 220, 16)[:, None, None], (16, 16, 3)).astype(np.uint8)
    test_set = file_set(tmp_path, {"a.jpg": encoded(Image.fromarray(ramp).convert(mode), "jpeg", quality=100)})
    shown = np.asarray(test_set.image(0).convert("RGB"), int)
    # At full quality a coefficient is off by half a unit, a smooth ramp by a few; lost colours by a hundred.
    assert np.abs(shown - ramp).max() <= 6


def test_grey_images_of_16_bits_keep_their_shades(tmp_path):
    deep = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    test_set = file_set(tmp_path, {"a.png": encoded(Image.fromarray(deep), "png")})
    image = test_set.image(0)
    np.testing.assert_array_equal(np.asarray(image), deep // 256)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB"))[..., 1], deep // 256)


def test_colours_of_16_bits_are_read_like_greys_of_16_bits(tmp_path):
    deep = np.linspace(0, 65535, 12).astype(">u2")
    lines = b"\0" + np.repeat(deep, 3).tobytes()  # one line of 12 grey pixels, not filtered
    test_set = file_set(tmp_path, {"a.png": png(header=struct.pack(">IIBBBBB", 12, 1, 16, 2, 0, 0, 0), lines=lines)})
    np.testing.assert_array_equal(np.asarray(test_set.image(0))[0, :, 0], deep // 256)


def png(*, header: bytes, lines: bytes) -> bytes:
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def test_pixels_without_a_white_are_told(tmp_path):
    floats = Image.fromarray(np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4))
    assert "mode F" in reason(file_set(tmp_path, {"a.tiff": encoded(floats, "tiff")}))


JPEG = encoded(Image.fromarray(noise(2, 40, 40, 3)), "jpeg")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (JPEG[: len(JPEG) // 2], "cannot be decoded: .*truncated"),
        (encoded(Image.fromarray(COLOUR), "png")[:-30], "cannot be decoded"),
        (b"this is a text\n", "cannot be decoded: .*none of the formats"),
        (b"", "cannot be decoded: .*none of the formats"),
        (png(header=struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0), lines=b""), "decompression bomb"),
    ],
    ids=["truncated jpeg", "truncated png", "text", "nothing", "bomb"],
)
def test_broken_files_are_told_alike_every_time(tmp_path, content, says):
    test_set = file_set(tmp_path, {"a.png": content})
    first = reason(test_set)
    assert "0x" not in first, "an address of memory, another one in every run"
    assert "\n" not in first
    assert reason(test_set) == first
    with pytest.raises(Unreadable, match=says):
        test_set.image(0)


def test_changed_and_deleted_files_are_told_and_the_others_read(tmp_path):
    test_set = file_set(
        tmp_path, {f"{i}.png": encoded(Image.fromarray(noise(i, 4, 4)), "png") for i in range(3)}
    )
    (tmp_path / "0.png").write_bytes((tmp_path / "2.png").read_bytes())
    (tmp_path / "1.png").unlink()
    assert "changed" in reason(test_set, 0)
    assert "No such file" in reason(test_set, 1)
    np.testing.assert_array_equal(np.asarray(test_set.image(2)), noise(2, 4, 4))


def test_a_manifest_may_lead_anywhere_since_only_the_listed_content_is_decoded(tmp_path, monkeypatch):
    secret = encoded(Image.fromarray(GREY), "png")
    (tmp_path / "secret.png").write_bytes(secret)
    (tmp_path / "set").mkdir()
    np.save(tmp_path / "secret.npy", COLOUR[None])
    paths = ["../secret.png", str(tmp_path / "secret.png"), "../secret.npy[0]", "../secret.npy[9]", "../secret.png[0]",
             "/dev/zero", "", ".", "nul\0.png", "x" * 5000, "../secret.npy[" + "9" * 5000 + "]"]
    ids = np.array([content_id(str(i).encode()) for i in range(len(paths))])
    test_set = TestSet("hostile", Manifest(ids, np.array(paths), np.zeros(len(paths), np.int64)), tmp_path / "set")
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("decoded a file that is not listed"))
    for index in range(len(paths)):
        assert reason(test_set, index)


@pytest.mark.parametrize("name", ["images.npy", "deep/er/images.npy", "od\nd [1]/im,ages.npy"])
@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4, 4, 3)], ids=["grey", "colour"])
def test_rows_of_arrays_are_images(tmp_path, name, shape):
    images = noise(3, *shape)
    test_set = array_set(tmp_path, images, name)
    for row in range(5):
        np.testing.assert_array_equal(np.asarray(test_set.image(row)), images[row])


def test_an_array_that_changed_shrank_or_vanished_is_told(tmp_path):
    images = noise(4, 3, 4, 4)
    manifest = array_set(tmp_path, images).manifest
    np.save(tmp_path / "images.npy", images[:2][::-1])
    changed = TestSet("array", manifest, tmp_path)
    assert "changed" in reason(changed, 0)
    assert "has 2 rows" in reason(changed, 2)
    (tmp_path / "images.npy").unlink()
    assert "no such file" in reason(TestSet("array", manifest, tmp_path), 0)
    (tmp_path / "images.npy").write_bytes(b"text")
    assert "not a readable .npy" in reason(TestSet("array", manifest, tmp_path), 0)


def test_pickled_objects_are_never_run(tmp_path):
    np.save(tmp_path / "images.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(InputError, match="refused"):
        read_images_array(tmp_path / "images.npy")


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 4, 4), np.float32), np.zeros((2, 4, 4, 4), np.uint8), np.zeros((2, 4), np.uint8),
     np.zeros((0, 4, 4), np.uint8), np.zeros((2, 0, 4), np.uint8)],
    ids=["floats", "four channels", "no height", "no images", "no pixels"],
)
def test_arrays_that_are_no_images_are_refused(tmp_path, images):
    np.save(tmp_path / "images.npy", images)
    with pytest.raises(InputError, match="expected at least one image"):
        read_images_array(tmp_path / "images.npy")


def test_a_test_set_goes_to_another_process_without_its_pixels(tmp_path):
    images = noise(5, 2, 500, 500)
    test_set = array_set(tmp_path, images)
    test_set.image(0)  # maps the array
    sent = pickle.dumps(test_set)
    assert len(sent) < images.nbytes / 50
    np.testing.assert_array_equal(np.asarray(pickle.loads(sent).image(1)), images[1])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
def test_forked_processes_read_one_mapped_array(tmp_path):
    images = noise(6, 40, 8, 8, 3)
    test_set = array_set(tmp_path, images)
    test_set.image(0)  # maps the array before the processes start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12: threads of libraries, none of which is used
        with multiprocessing.get_context("fork").Pool(3) as pool:
            seen = pool.map(test_set.image, range(40), chunksize=1)
    np.testing.assert_array_equal(np.array([np.asarray(image) for image in seen]), images)


def test_a_loader_of_torch_reads_through_its_workers(tmp_path):
    torch = pytest.importorskip("torch")
    images = noise(7, 11, 4, 4)
    test_set = array_set(tmp_path, images)
    test_set.image(0)

    class Pixels(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(test_set)

        def __getitem__(self, index: int) -> np.ndarray:
            return np.array(test_set.image(index))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        batches = list(torch.utils.data.DataLoader(Pixels(), 3, num_workers=2, multiprocessing_context="fork"))
    np.testing.assert_array_equal(torch.cat(batches).numpy(), images)


def test_a_test_set_is_loaded_by_its_folder_or_its_manifest(tmp_path):
    written = file_set(tmp_path / "set", {"a/b.png": encoded(Image.fromarray(GREY), "png")})
    for file in ["manifest.csv", "other.csv"]:
        write_manifest(written.manifest, tmp_path / "set" / file)
    for path in [tmp_path / "set", tmp_path / "set" / "manifest.csv", tmp_path / "set" / "other.csv"]:
        loaded = load_test_set("named", path)
        assert loaded.name == "named"
        np.testing.assert_array_equal(np.asarray(loaded.image(0)), GREY)


def test_what_is_no_test_set_is_told(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_test_set("a", tmp_path / "absent")
    with pytest.raises(InputError, match=r"has no manifest\.csv; make it with"):
        load_test_set("a", tmp_path)
    np.save(tmp_path / "images.npy", GREY[None])
    with pytest.raises(InputError, match="is not a manifest; make one with"):
        load_test_set("a", tmp_path / "images.npy")


def test_rows_of_pixels_and_labels(tmp_path):
    images = noise(8, 6, 3, 3)
    test_set = array_set(tmp_path, images)
    pixels, labels = pixels_and_labels(test_set)
    np.testing.assert_array_equal(pixels, images.reshape(6, 9) / np.float32(255))
    assert pixels.dtype == np.float32
    assert labels.tolist() == list(range(6))
    some, their_labels = pixels_and_labels(test_set, [4, 1])
    np.testing.assert_array_equal(some, pixels[[4, 1]])
    assert their_labels.tolist() == [4, 1]


def test_black_and_white_pixels_are_0_and_1():
    image = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert pixels_of(image).tolist() == [0, 0, 0, 1, 1, 1]


def test_images_to_be_learned_from_must_be_readable_and_of_one_size(tmp_path):
    small, large = (encoded(Image.fromarray(noise(9, side, 4)), "png") for side in (3, 4))
    with pytest.raises(InputError, match="different sizes"):
        pixels_and_labels(file_set(tmp_path, {"a.png": small, "b.png": large}))
    with pytest.raises(InputError, match=r"'b\.png' of written.*unreadable"):
        pixels_and_labels(file_set(tmp_path, {"a.png": small, "b.png": b"text"}))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_file_that_may_not_be_read_is_told(tmp_path):
    test_set = file_set(tmp_path, {"a.png": JPEG})
    (tmp_path / "a.png").chmod(0)
    assert "Permission denied" in reason(test_set)


def test_pictures_that_start_programs_are_not_opened(tmp_path: Path) -> None:
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(hostile) run\n%%EOF\n"
    (tmp_path / "a.png").write_bytes(program)
    manifest = Manifest(np.array([content_id(program)]), np.array(["a.png"]), np.array([0]))
    with pytest.raises(Unreadable, match="decoded"):
        TestSet("new", manifest, tmp_path).image(0)
