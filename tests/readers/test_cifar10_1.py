"""The layout of the CIFAR-10.1 release."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from difficulty_model.errors import InputError
from difficulty_model.readers import (
    read_cifar10_1,
)
from outcomes import members


def write_cifar(
    folder: Path, predictions: object = (0, 1, 2), *, labels: Sequence[float] = (0, 1, 1)
) -> Path:
    for part in ("datasets", "original_test_labels"):
        (folder / part).mkdir()
    old_labels = np.array([3, 4], np.uint16)
    np.save(folder / "original_test_labels" / "cifar10_test_set_original_labels.npy", old_labels)
    np.save(folder / "datasets" / "cifar10.1_v6_labels.npy", np.array(labels))
    for version, content in (("original", [3, 3]), ("v6", predictions)):
        part = folder / "model_predictions" / f"{version}_predictions"
        part.mkdir(parents=True)
        (part / "net_predictions.json").write_text(json.dumps(content))
    return folder


def test_cifar10_1_compares_with_the_labels_of_each_version(tmp_path: Path):
    responses = read_cifar10_1(write_cifar(tmp_path))
    assert members(responses) == {
        "cifar10": ["cifar10-00000", "cifar10-00001"],
        "cifar10.1-v6": ["cifar10.1-v6-00000", "cifar10.1-v6-00001", "cifar10.1-v6-00002"],
    }
    assert responses.right.tolist() == [[1, 0, 1, 1, 0]]
    assert responses.dataset["predicted"].values.tolist() == [[3, 3, 0, 1, 2]]
    assert responses.dataset["label"].values.tolist() == ["3", "4", "0", "1", "1"]
    assert read_cifar10_1(tmp_path, test_sets=["cifar10.1-v6"]).right.tolist() == [[1, 1, 0]]
    with pytest.raises(InputError, match=r"'cifar10.1-v4'; nearest.*v6"):
        read_cifar10_1(tmp_path, test_sets=["cifar10.1-v4"])


@pytest.mark.parametrize(("predictions", "message"), [
    ((0, 1), "a list of 2; expected a list of 3"),
    ({"a": 1}, "holds a dict"),
    ((0, 10, 2), "holds 10 in row 1"),
    ((0, 1, -1), "holds -1 in row 2"),
    ((0, 1.0, 2), "holds 1.0 in row 1"),
    ((0, "1", 2), "in row 1"),
    ((True, 1, 2), "holds True in row 0"),
    ((0, float("nan"), 2), "nan in row 1"),
    (((0,), (1,), (2,)), "in row 0"),
    ((0, 10**40, 2), "in row 1"),
])
def test_cifar10_1_refuses_predictions_that_are_none(tmp_path: Path, predictions: object, message: str):
    write_cifar(tmp_path, predictions)
    with pytest.raises(InputError, match=message):
        read_cifar10_1(tmp_path)


@pytest.mark.parametrize("labels", [(0, 1, 10), (0, 1, -1), (0.0, 1.0, 1.0), ()])
def test_cifar10_1_refuses_labels_that_are_none(tmp_path: Path, labels: Sequence[float]):
    write_cifar(tmp_path, labels=labels)
    with pytest.raises(InputError, match="labels"):
        read_cifar10_1(tmp_path)


def test_cifar10_1_needs_labels(tmp_path: Path):
    (write_cifar(tmp_path) / "datasets" / "cifar10.1_v6_labels.npy").unlink()
    with pytest.raises(InputError, match=r"cifar10\.1_v6_labels\.npy; found 0"):
        read_cifar10_1(tmp_path)


def test_the_released_cifar10_1_predictions_are_no_shuffled_ones(real_data: Path):
    responses = read_cifar10_1(real_data / "cifar10.1")
    assert responses.test_sets == ["cifar10", "cifar10.1-v6"]
    assert responses.member.sum(1).tolist() == [10_000, 2_000]
    accuracy = responses.accuracies().pivot(index="model", columns="test_set", values="accuracy")
    assert len(accuracy) == 30
    shares = accuracy.to_numpy()  # (model, test set)
    assert shares.min() > 0.6  # ten classes: labels in another order would give a tenth
    assert (shares[:, 0] > shares[:, 1]).all()
