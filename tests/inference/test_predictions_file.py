"""The predictions file: it gives back what was written, in the same bytes always, whole or not at all."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from difficulty_inference.predictions import (
    METADATA,
    Answers,
    Predictions,
    hash_in,
    hash_of,
    path_of,
    read_predictions,
    write_predictions,
)
from difficulty_model.errors import InputError

CONFIGURATION = {"model": {"module": "a:b", "options": {"x": 1, "y": [1, 2]}}, "images": "f00", "precision": "float32"}


def drawn(seed: int, images: int = 50, classes: int = 10, troubled: tuple[int, ...] = (3, 7)) -> Predictions:
    rng = np.random.default_rng(seed)
    top = rng.permuted(np.tile(np.arange(classes, dtype=np.int32), (images, 1)), axis=1)[:, :5]
    margin = rng.normal(size=images).astype(np.float32)
    top[list(troubled)], margin[list(troubled)] = -1, np.nan
    answers = Answers(top, margin, {i: f"reason {i}" for i in troubled}, classes)
    ids = np.array([f"{seed}-{i}" for i in range(images)])
    return Predictions("m", "t", ids, rng.integers(0, classes, images), answers, CONFIGURATION, ["a remark"],
                       {"torch": "2"})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [1, 2, 10])
def test_what_is_written_is_read(tmp_path, seed, classes):
    wanted, path = drawn(seed, classes=classes), tmp_path / "m.parquet"
    write_predictions(wanted, path)
    found = read_predictions(path)
    for name in ("model", "test_set", "configuration", "remarks", "made_with"):
        assert getattr(found, name) == getattr(wanted, name)
    for name in ("images", "labels", "right"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    for name in ("top", "margin", "observed"):
        np.testing.assert_array_equal(getattr(found.answers, name), getattr(wanted.answers, name))
    assert found.answers.trouble == wanted.answers.trouble
    assert found.answers.classes == classes


def test_the_same_predictions_give_the_same_bytes(tmp_path):
    contents = set()
    for name in ("a.parquet", "b.parquet"):
        write_predictions(drawn(0), tmp_path / name)
        contents.add((tmp_path / name).read_bytes())
    assert len(contents) == 1


def test_images_that_were_not_observed_are_null(tmp_path):
    write_predictions(drawn(0), tmp_path / "m.parquet")
    table = pq.read_table(tmp_path / "m.parquet")
    for name in ("class_1", "class_5", "margin"):
        assert np.flatnonzero(table[name].is_null()).tolist() == [3, 7]
    assert np.flatnonzero(table["trouble"].is_valid()).tolist() == [3, 7]
    assert not table["label"].null_count
    assert not table["image"].null_count


def test_no_image_observed_is_a_file_too(tmp_path):
    nothing = Answers(np.full((2, 1), -1, np.int32), np.full(2, np.nan, np.float32), {0: "gone", 1: "gone"}, 0)
    ids, labels = np.array(["a", "b"]), np.zeros(2, np.int64)
    write_predictions(Predictions("m", "t", ids, labels, nothing, {}), tmp_path / "m.parquet")
    found = read_predictions(tmp_path / "m.parquet")
    assert not found.answers.observed.any()
    assert not found.right.any()


def test_the_hash_is_that_of_the_configuration_alone(tmp_path):
    path = tmp_path / "m.parquet"
    write_predictions(drawn(0), path)
    assert hash_in(path) == hash_of(CONFIGURATION) == hash_of(dict(reversed(CONFIGURATION.items())))
    others = [
        CONFIGURATION | {"precision": "reference"}, CONFIGURATION | {"images": "f01"}, CONFIGURATION | {"more": None},
        CONFIGURATION | {"model": {"module": "a:b", "options": {"x": 1.5, "y": [1, 2]}}},
        CONFIGURATION | {"model": {"module": "a:b", "options": {"x": "1", "y": [1, 2]}}},
        CONFIGURATION | {"model": {"module": "a:b", "options": {"x": 1, "y": [2, 1]}}},
    ]
    assert len({hash_of(other) for other in [CONFIGURATION, *others]}) == len(others) + 1


def test_something_else_has_no_hash_and_is_not_read(tmp_path):
    paths = {
        name: tmp_path / f"{name}.parquet"
        for name in ("absent", "empty", "text", "cut", "folder", "bare", "list", "words")
    }
    write_predictions(drawn(0), tmp_path / "whole.parquet")
    content = (tmp_path / "whole.parquet").read_bytes()
    paths["empty"].write_bytes(b"")
    paths["text"].write_text("image,label\n")
    paths["cut"].write_bytes(content[: len(content) // 2])
    paths["folder"].mkdir()
    pq.write_table(pa.table({"image": ["a"]}), paths["bare"])
    pq.write_table(pa.table({"image": ["a"]}).replace_schema_metadata({METADATA: json.dumps([1])}), paths["list"])
    pq.write_table(pa.table({"image": ["a"]}).replace_schema_metadata({METADATA: "words"}), paths["words"])
    for path in paths.values():
        assert hash_in(path) is None, path
        with pytest.raises(InputError, match="not a predictions file"):
            read_predictions(path)


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "m.parquet"
    write_predictions(drawn(0), path)
    before = path.read_bytes()

    def fails(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", fails)
    with pytest.raises(InputError, match=f"cannot write {path}: No space left on device"):
        write_predictions(drawn(1), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_files_are_named_after_test_set_and_model(tmp_path):
    assert path_of(tmp_path, "resnet50.a1_in1k", "val") == tmp_path / "val" / "resnet50.a1_in1k.parquet"
