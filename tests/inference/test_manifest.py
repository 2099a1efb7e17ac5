"""Manifests: written and read back, whatever files are called; refused where they are no list of different images."""

import csv
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difficulty_inference.manifest import (
    COLUMNS,
    Manifest,
    array_content,
    content_id,
    file_content,
    read_manifest,
    write_manifest,
)
from difficulty_model.errors import InputError


def manifest_of(*rows: tuple[str, str, int]) -> Manifest:
    ids, paths, labels = zip(*rows, strict=True)
    return Manifest(np.array(ids, np.str_), np.array(paths, np.str_), np.array(labels, np.int64))


TWO = (("0" * 16, "a.png", 0), ("1" * 16, "b.png", 1))

# What a file may be called: any bytes but NUL, of which Python makes text with surrogates where they are not UTF-8.
awkward = st.text(st.sampled_from(list('a,"\n\r\t \'\\;\u2028é漢\ufeff#=')), min_size=1, max_size=12)
paths = st.binary(min_size=1, max_size=20).map(os.fsdecode).filter(lambda path: "\0" not in path) | awkward


@settings(deadline=None)
@given(st.lists(st.tuples(paths, st.integers(0, 10**9 - 1)), min_size=1, max_size=6))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, images: list[tuple[str, int]]):
    manifest = manifest_of(*((content_id(bytes([i])), path, label) for i, (path, label) in enumerate(images)))
    file = tmp_path_factory.mktemp("odd") / "manifest.csv"
    write_manifest(manifest, file)
    again = read_manifest(file)
    assert again.ids.tolist() == manifest.ids.tolist()
    assert again.paths.tolist() == manifest.paths.tolist()
    assert again.labels.tolist() == manifest.labels.tolist()
    assert again.fingerprint == manifest.fingerprint


def test_a_path_that_is_not_utf8_leads_to_its_file(tmp_path):
    (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(b"content")
    write_manifest(manifest_of((content_id(b"content"), os.fsdecode(b"\xff.png"), 0)), tmp_path / "manifest.csv")
    path = str(read_manifest(tmp_path / "manifest.csv").paths[0])
    assert (tmp_path / path).read_bytes() == b"content"


def test_a_manifest_from_a_spreadsheet_is_read(tmp_path):
    file = tmp_path / "manifest.csv"
    with file.open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream, lineterminator="\r\n").writerows([COLUMNS, *TWO])
    assert read_manifest(file).paths.tolist() == ["a.png", "b.png"]


def test_the_fingerprint_is_of_images_and_labels_in_order_but_not_of_paths():
    first, second = TWO
    fingerprint = manifest_of(first, second).fingerprint
    assert manifest_of((first[0], "elsewhere.png", 0), second).fingerprint == fingerprint
    others = [
        manifest_of(second, first),
        manifest_of(first),
        manifest_of((first[0], "a.png", 1), second),
        manifest_of(("2" * 16, "a.png", 0), second),
    ]
    assert len({fingerprint, *(other.fingerprint for other in others)}) == 5


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([TWO[0], ("0" * 16, "c.png", 0)], "stands 2 times"),
        ([TWO[0], ("1" * 16, "b.png", -1)], "label -1 .* is negative"),
        ([TWO[0], ("1" * 16, "b.png", 20_240_101_000)], "label 20240101000 .* is no class"),
    ],
)
def test_what_is_no_list_of_different_images_is_refused(rows, says):
    with pytest.raises(InputError, match=says):
        manifest_of(*rows)


def test_no_images_and_uneven_columns_are_refused():
    empty = np.array([], np.str_)
    with pytest.raises(InputError, match="at least one image"):
        Manifest(empty, empty, np.array([], np.int64))
    with pytest.raises(InputError, match="2 images, 2 paths and 1 labels"):
        Manifest(np.array(["a", "b"]), np.array(["a", "b"]), np.array([0]))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "starts with nothing"),
        (b"name,path,label\n", "starts with .*'name'"),
        (b"image,path,label\n", "at least one image"),
        (b"image,path,label\na,a.png\n", "line 2"),
        (b"image,path,label\na,a.png,0\nb,b.png,1.5\n", "line 3"),
        (b"image,path,label\na,a.png,-1\n", "line 2"),
        ("image,path,label\na,a.png,²\n".encode(), "line 2"),
        (b"image,path,label\na,a.png,99999999999999999999\n", "line 2"),
        (b'image,path,label\na,"a.png,0\n', "not readable as a manifest"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "starts with|not readable"),
    ],
)
def test_other_files_are_refused_by_what_they_hold(tmp_path, content, says):
    file = tmp_path / "manifest.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_manifest(file)


def test_an_absent_manifest_and_a_folder_are_told(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_manifest(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="not readable"):
        read_manifest(tmp_path)


def test_arrays_of_the_same_bytes_but_another_shape_have_another_content():
    pixels = np.arange(24, dtype=np.uint8)
    contents = {array_content(pixels.reshape(shape)) for shape in [(4, 6), (6, 4), (2, 4, 3), (4, 2, 3)]}
    assert len(contents) == 4


def test_the_content_of_an_array_is_not_of_its_layout_in_memory():
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    assert array_content(np.asfortranarray(pixels)) == array_content(pixels)


def test_an_id_is_the_start_of_the_sha256():
    assert content_id(b"") == "e3b0c44298fc1c14"  # the known sha256 of nothing


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "image.png")
    with pytest.raises(OSError, match="no regular file"):
        file_content(tmp_path / "image.png")
