"""The digits, their split, the zoo and the file, where scikit-learn and torch are installed."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
torch = pytest.importorskip("torch")

from difficulty_inference import cli  # noqa: E402
from difficulty_inference.collecting import is_right, write_responses  # noqa: E402
from difficulty_inference.digits import (  # noqa: E402
    CUT,
    FILLINGS,
    TRAINING_IMAGES,
    Digits,
    draw,
    read_digits,
    split_digits,
    unique_digits,
)
from difficulty_inference.training import network, perceptron, reproducible  # noqa: E402
from difficulty_inference.zoo import ZOO  # noqa: E402

SHIPPED = Path(__file__).parents[2] / "data" / "digits" / "responses.csv"

QUICK = ("gaussian-bayes-n500", "bernoulli-bayes-n60", "knn1-n150")
"""Classifiers without random parts or iterations: they answer alike with every version of a library."""


@pytest.fixture(scope="module")
def digits() -> Digits:
    return read_digits()


@pytest.fixture(scope="module")
def shipped() -> list[list[str]]:
    with SHIPPED.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_every_filling_follows_the_form(digits: Digits) -> None:
    form = digits.labels[: FILLINGS[1]].tolist()  # the first filling is whole
    assert form[:30] == 3 * list(range(10))
    assert len(form) == 130
    otherwise = 0
    for filling in np.split(digits.labels, FILLINGS[1:]):
        rest = iter(form)
        otherwise += sum(digit not in rest for digit in filling.tolist())  # `in` consumes up to the match
    assert len(FILLINGS) == 14
    assert otherwise == 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_image_is_in_training_and_test(digits: Digits, seed: int) -> None:
    split = split_digits(digits, seed=seed)
    parts = [split.training, *split.test_sets.values()]
    assert len(split.training) == TRAINING_IMAGES
    together = np.concatenate(parts)
    assert sorted(together.tolist()) == list(range(len(digits.ids)))  # each once: disjoint, none lost
    assert all((np.diff(part) > 0).all() for part in parts)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_new_writers_are_never_trained_on(digits: Digits, seed: int) -> None:
    split = split_digits(digits, seed=seed)

    def fillings(images: np.ndarray) -> set[int]:
        return set(np.searchsorted(FILLINGS, digits.rows[images], side="right").tolist())

    assert CUT in FILLINGS
    assert fillings(split.training) == fillings(split.test_sets["original"])
    assert not fillings(split.training) & fillings(split.test_sets["new-writers"])


def test_the_lot_is_uniform_and_follows_the_seed() -> None:
    names = [str(i) for i in range(20)]
    draws = [draw(names, 5, f"{seed}") for seed in range(2000)]
    drawn = np.bincount(np.concatenate(draws), minlength=20)
    expected = 2000 * 5 / 20
    assert abs(drawn - expected).max() < 5 * np.sqrt(expected * (1 - 5 / 20))
    assert len({tuple(positions.tolist()) for positions in draws}) > 1800  # of 15,504; some meet by chance
    assert (draw(names, 5, "0") == draws[0]).all()


def test_equal_images_are_one_image() -> None:
    a, b = np.zeros((1, 64), np.uint8), np.full((1, 64), 16, np.uint8)
    digits = unique_digits(np.concatenate([a, b, a, b, a]), np.array([0, 1, 2, 3, 4]))
    assert digits.rows.tolist() == [0, 1]
    assert digits.labels.tolist() == [0, 1]
    assert len(set(digits.ids)) == 2
    assert digits.images.max(1).tolist() == [0, 1]


def test_names_of_classifiers_are_unique_and_say_the_training_images() -> None:
    names = [classifier.name for classifier in ZOO]
    assert len(set(names)) == len(names)
    for classifier in ZOO:
        assert classifier.name.endswith(f"-n{classifier.training_images}")
        assert classifier.training_images <= TRAINING_IMAGES


def test_a_network_learns_the_labels_it_is_shown(digits: Digits) -> None:
    images, labels = digits.images[:200], digits.labels[:200]
    train = network(lambda: perceptron(width=64, depth=1), epochs=40)
    with reproducible():
        # 200 images are easily learned by heart, with whatever labels.
        assert (train(images, labels, 3)(images) == labels).mean() > 0.95
        renamed = (labels + 1) % 10
        assert (train(images, renamed, 3)(images) == renamed).mean() > 0.95


def test_training_leaves_the_random_state_and_settings_of_torch_alone(digits: Digits) -> None:
    before = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with reproducible():
        network(lambda: perceptron(width=4, depth=1), epochs=1)(digits.images[:40], digits.labels[:40], 0)
    after = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_a_run_is_the_same_bytes_twice_and_other_bytes_with_another_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("knn1-n30", "tree-n50", "forest-t5-n100", "mlp-w64-d2-n50", "cnn-w8-d2-n60")
    monkeypatch.setattr("difficulty_inference.zoo.ZOO", tuple(c for c in ZOO if c.name in few))

    def run(seed: int) -> bytes:
        path = tmp_path / "responses.csv"
        monkeypatch.setattr(
            sys, "argv", ["difficulty-inference", "digits", "-o", str(path), "--seed", str(seed)]
        )
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code == 0
        return path.read_bytes()

    first = run(0)
    assert run(0) == first
    assert run(1) != first
    assert "5 models" in capsys.readouterr().err


def test_a_classifier_answers_the_same_whichever_others_run(digits: Digits) -> None:
    split = split_digits(digits, seed=0)
    zoo = {c.name: c for c in ZOO}
    alone = is_right(zoo["mlp-w64-d2-n50"], digits, split, seed=0)
    is_right(zoo["cnn-w8-d2-n60"], digits, split, seed=0)
    assert (is_right(zoo["mlp-w64-d2-n50"], digits, split, seed=0) == alone).all()


def test_the_file_has_test_images_only_and_in_file_order(digits: Digits, tmp_path: Path) -> None:
    split = split_digits(digits, seed=0)
    right = {"a": digits.labels == 3, "b": digits.rows % 2 == 0}
    write_responses(tmp_path / "responses.csv", right, digits, split)
    with (tmp_path / "responses.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    position = {name: i for i, name in enumerate(digits.ids)}
    images = [position[row["image"]] for row in rows]
    assert images == sorted(np.concatenate(list(split.test_sets.values())).tolist())
    for i, row in zip(images, rows, strict=True):
        assert i in split.test_sets[row["test_set"]]
        assert int(row["label"]) == digits.labels[i]
        assert (row["a"] == "1", row["b"] == "1") == (digits.labels[i] == 3, digits.rows[i] % 2 == 0)


def test_the_shipped_file_has_the_columns_and_rows_of_the_split(
    digits: Digits, shipped: list[list[str]]
) -> None:
    split = split_digits(digits, seed=0)
    assert shipped[0] == ["image", "test_set", "label", *(classifier.name for classifier in ZOO)]
    expected = {
        (digits.ids[i], name, str(digits.labels[i]))
        for name, images in split.test_sets.items() for i in images
    }
    assert {(row[0], row[1], row[2]) for row in shipped[1:]} == expected


@pytest.mark.parametrize("name", QUICK)
def test_the_shipped_responses_are_those_of_a_fresh_run(
    digits: Digits, shipped: list[list[str]], name: str
) -> None:
    classifier = next(c for c in ZOO if c.name == name)
    fresh = is_right(classifier, digits, split_digits(digits, seed=0), seed=0)
    column = shipped[0].index(name)
    stored = {row[0]: row[column] == "1" for row in shipped[1:]}
    assert stored == {image: bool(fresh[digits.ids.index(image)]) for image in stored}


@pytest.mark.parametrize("absent", ["sklearn", "torch"])
def test_absent_libraries_are_named(tmp_path: Path, absent: str) -> None:
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
sys.argv = ["difficulty-inference", "digits", "-o", {str(tmp_path / "responses.csv")!r}]
from difficulty_inference.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"module '{absent}" in done.stderr
    assert "pip install 'difficulty-model[inference]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_loads_neither_torch_nor_scikit_learn() -> None:
    code = """
import sys
sys.argv = ["difficulty-inference", "digits", "--help"]
from difficulty_inference.cli import main
try:
    main()
finally:
    assert not {"torch", "sklearn"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "difficulty-inference digits -o responses.csv" in " ".join(done.stdout.split())


def test_a_bad_path_is_told_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("difficulty_inference.collecting.is_right", lambda *_, **__: pytest.fail("trained"))
    path = tmp_path / "no" / "file.csv"
    monkeypatch.setattr(sys, "argv", ["difficulty-inference", "digits", "-o", str(path)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert "cannot write" in capsys.readouterr().err
