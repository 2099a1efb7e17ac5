"""The counts of people's answers to CIFAR-10's test set."""

from pathlib import Path

import numpy as np
import pytest

from difficulty_model.errors import InputError
from difficulty_model.explanations import gather, humans
from difficulty_model.readers import LAYOUTS, read_cifar10_1, read_cifar10h
from difficulty_model.responses import combine
from explained import found, saved


def released(folder: Path, counts: object = ((3, 1, 0), (0, 2, 5))) -> list[Path]:
    """Two images of the classes 0 and 2, with one model, and counts of people."""
    for name, labels in {"original_test_labels/cifar10_labels": [0, 2], "datasets/cifar10.1_v6_labels": [1]}.items():
        (folder / name).parent.mkdir()
        np.save(folder / f"{name}.npy", np.array(labels))
    part = folder / "model_predictions" / "original_predictions"
    part.mkdir(parents=True)
    (part / "net_predictions.json").write_text("[0, 1]")
    np.save(folder / "counts.npy", np.array(counts))
    return [folder / "counts.npy", folder]


def test_cifar10h_counts_how_often_people_name_the_right_class(tmp_path: Path):
    paths = released(tmp_path)
    read = read_cifar10h(paths)
    assert read.models == ["people"]
    assert read.right.tolist() == [[3, 5]]
    assert read.shown.tolist() == [[4, 7]]
    together = combine(read_cifar10_1(tmp_path), read)
    assert together.shown.tolist() == [[1, 1], [4, 7]]
    assert read_cifar10h(paths, test_sets=["cifar10"]).test_sets == ["cifar10"]
    assert LAYOUTS["cifar10h"].read(paths).history == read.history


@pytest.mark.parametrize(("counts", "said"), [
    ([[1, 0, 0]], r"shape \(1, 3\).* each of the 2 images"), ([[1.0, 0, 0]] * 2, "float64"), ([1, 2], r"shape \(2,\)"),
    ([[1, 1]] * 2, "2 columns"), ([[1, 0, -1]] * 2, "from -1"), ([[2**62, 0, 0]] * 2, "counts of people"),
    ([[0, 0, 0]] * 2, "all responses are missing"),
])
def test_counts_that_are_none_are_refused(tmp_path: Path, counts: object, said: str):
    with pytest.raises(InputError, match=said):
        read_cifar10h(released(tmp_path, counts))


def test_cifar10h_needs_two_paths_and_has_one_test_set_and_one_answer(tmp_path: Path):
    paths = released(tmp_path)
    with pytest.raises(InputError, match="counts.npy given; expected two paths"):
        read_cifar10h(paths[0])
    with pytest.raises(InputError, match="no test set named 'cifar10.1-v6'"):
        read_cifar10h(paths, test_sets=["cifar10.1-v6"])
    with pytest.raises(InputError, match="top_k=2"):
        read_cifar10h(paths, top_k=2)


def test_the_released_counts_have_the_order_of_the_labels(real_data: Path, tmp_path: Path):
    path, release = real_data / "cifar10h" / "data" / "cifar10h-counts.npy", real_data / "cifar10.1"
    if not path.exists():
        pytest.skip("the counts of CIFAR-10H are not on this machine")
    read = read_cifar10h([path, release])
    assert read.right.sum() / read.shown.sum() == pytest.approx(0.952, abs=5e-4)  # another order would give a tenth
    assert int(read.shown.sum()) == 511_000
    evidence = gather(read_cifar10_1(release), "cifar10", "cifar10.1-v6")
    text = found(humans, evidence, saved(tmp_path, read)).text
    assert "Needs responses of people to 'cifar10.1-v6' too" in text
    assert "people are right in 95.23%, models in 93.08%" in text
    assert "correlation of 0.42" in text
