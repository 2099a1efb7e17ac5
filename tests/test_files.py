import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.files import existing, json_values, read_json, read_npy, written_whole


def test_values_for_json_are_plain_and_finite():
    values = {"a": (np.float32(0.5), float("nan")), 1: [np.int64(3), np.inf, None, "x", np.True_]}
    assert json_values(values) == {"a": [0.5, None], "1": [3, None, None, "x", True]}


def test_what_is_written_stands_under_its_name_and_nothing_else_does(tmp_path: Path):
    target = tmp_path / "result.nc"
    with written_whole(target) as temporary:
        assert temporary.suffix == ".nc"
        assert temporary.parent == tmp_path
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_writer_that_fails_changes_nothing(tmp_path: Path):
    target = tmp_path / "result.nc"
    target.write_text("old")

    def write_half() -> None:
        with written_whole(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_an_input_error_and_changes_nothing(tmp_path: Path):
    target = tmp_path / "result.nc"

    def fill_the_disk() -> None:
        with written_whole(target):
            raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="No space left on device"):
        fill_the_disk()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_results_are_as_public_as_any_file_of_the_user(tmp_path: Path, umask: int):
    before = os.umask(umask)
    try:
        with written_whole(tmp_path / "a") as temporary:
            temporary.write_text("")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask
        assert os.umask(umask) == umask  # the user's own setting is left as it was
    finally:
        os.umask(before)


def test_a_folder_cannot_be_written_over_nor_a_file_put_into_none(tmp_path: Path):
    for target in (tmp_path, tmp_path / "none" / "result.nc"):
        with pytest.raises(InputError, match="cannot write"), written_whole(target):
            pytest.fail("the block must not start")


def test_a_missing_file_is_told_with_what_lies_beside(tmp_path: Path):
    (tmp_path / "responses.csv").touch()
    with pytest.raises(InputError, match=r"response\.csv \(expected a table\).*responses\.csv"):
        existing(tmp_path / "response.csv", "a table")


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1,}', b"\xff\xfe", b"[" * 100_000])
def test_broken_json_is_an_input_error(tmp_path: Path, content: bytes):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.json"):
        read_json(path)


def test_json_comes_back(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"é": [1, None]}), encoding="utf-8")
    assert read_json(path) == {"é": [1, None]}


class Explosive:
    """Says so if it is ever unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_arrays_are_read_and_pickles_never(tmp_path: Path):
    np.save(tmp_path / "plain.npy", np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(read_npy(tmp_path / "plain.npy"), [[0, 1, 2], [3, 4, 5]])
    np.save(tmp_path / "pickled.npy", np.array([Explosive()], object), allow_pickle=True)
    with pytest.raises(InputError, match="pickled objects are refused"):
        read_npy(tmp_path / "pickled.npy")


@pytest.mark.parametrize("kept", [0, 5, 80, 200])
def test_truncated_arrays_are_input_errors(tmp_path: Path, kept: int):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(100))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"a\.npy is not a readable"):
        read_npy(path)


def test_archives_are_not_arrays(tmp_path: Path):
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    with pytest.raises(InputError, match="several arrays"):
        read_npy(tmp_path / "a.npz")


def test_unknown_names_come_with_the_nearest():
    error = unknown_name("model", "resnet5", ["resnet50", "alexnet", "resnet152"])
    assert "no model named 'resnet5'" in str(error)
    assert "'resnet50'" in str(error)
