"""The folder of predictions is the only contact with inference: written by it or by hand, it reads alike."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from difficulty_inference.predictions import Answers, Predictions, path_of, write_predictions
from difficulty_model.cli import main
from difficulty_model.errors import InputError
from difficulty_model.readers import read_predictions
from difficulty_model.responses import NOT_STORED, Responses, load_responses

CLASSES = 8


def answered(
    labels: np.ndarray, *, seed: int, classes: int = CLASSES, unobserved: Mapping[int, str] | None = None
) -> Answers:
    """Answers of a model of random scores that knows a little."""
    scores = np.random.default_rng(seed).standard_normal((len(labels), classes)).astype(np.float32)
    rows, trouble = np.arange(len(labels)), dict(unobserved or {})
    scores[rows, labels] += 1
    others = scores.copy()
    others[rows, labels] = -np.inf
    top = np.argsort(-scores, axis=1)[:, :5].astype(np.int32)
    margin = scores[rows, labels] - others.max(1)
    top[list(trouble)], margin[list(trouble)] = -1, np.nan
    return Answers(top, margin, trouble, classes)


def a_test_set(name: str, size: int) -> tuple[list[str], np.ndarray]:
    """Ids and labels of images."""
    return [f"{name}-{i}" for i in range(size)], np.arange(size) * 5 % CLASSES


def write(
    folder: Path, model: str, test_set: str, answers: Answers, images: Sequence[str], labels: np.ndarray,
    remarks: Sequence[str] = (),
) -> Path:
    path = path_of(folder, model, test_set)
    path.parent.mkdir(parents=True, exist_ok=True)
    predictions = Predictions(
        model, test_set, np.array(images, np.str_), labels.astype(np.int64), answers, {"weights": model}, remarks
    )
    write_predictions(predictions, path)
    return path


def by_hand(
    path: Path, columns: Mapping[str, Sequence[Any]] | None = None, types: Mapping[str, pa.DataType] | None = None,
    about: object = None, **settings: Any,
) -> Path:
    """Write predictions of 3 images and 3 classes, with some columns, types or metadata exchanged."""
    plain = {
        "image": ["a", "b", "c"], "label": [0, 1, 2], "class_1": [0, 2, None], "class_2": [1, 1, None],
        "margin": [0.5, -0.5, None], "trouble": [None, None, "cannot be decoded"],
    } | dict(columns or {})
    type_of = dict.fromkeys(plain, pa.int32()) | {
        "image": pa.string(), "trouble": pa.string(), "margin": pa.float32()
    } | dict(types or {})
    described = {"model": path.stem, "test_set": path.parent.name, "classes": 3, "remarks": []}
    if isinstance(about, dict):
        about = json.dumps(described | about)
    table = pa.table({name: pa.array(values, type_of[name]) for name, values in plain.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"difficulty_inference": json.dumps(described) if about is None else about}
    parquet.write_table(table.replace_schema_metadata(metadata), path, **settings)
    return path


def cell(responses: Responses, name: str, model: str, image: str) -> int:
    return int(responses.dataset[name].sel(model=model, image=image))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("top_k", [1, 3, 5])
def test_right_is_the_label_among_the_first_k(tmp_path: Path, seed: int, top_k: int):
    images, labels = a_test_set("old", 60)
    answers = {
        f"m{j}": answered(labels, seed=10 * seed + j, unobserved={7 * j: "gone", 7 * j + 1: "gone"}) for j in range(4)
    }
    for model, of_model in answers.items():
        write(tmp_path, model, "old", of_model, images, labels)
    responses = read_predictions(tmp_path, top_k=top_k)
    assert (responses.models, responses.images, responses.test_sets) == (list(answers), images, ["old"])
    assert responses.dataset["label"].values.tolist() == [str(label) for label in labels]
    assert responses.member.all()
    for j, of_model in enumerate(answers.values()):
        for i, label in enumerate(labels):
            top = of_model.top[i].tolist()
            assert responses.shown[j, i] == (i not in of_model.trouble)
            assert responses.right[j, i] == (label in top[:top_k])
            assert responses.dataset["position"].values[j, i] == (top.index(label) if label in top else NOT_STORED)
            assert responses.dataset["predicted"].values[j, i] == top[0]  # -1 where it was not observed
    again = read_predictions(tmp_path).scored(top_k)
    np.testing.assert_array_equal(again.right, responses.right)


def test_a_file_written_by_hand_reads_as_one_of_inference(tmp_path: Path):
    top = np.array([[0, 1], [2, 1], [-1, -1]], np.int32)
    answers = Answers(top, np.array([0.5, -0.5, np.nan], np.float32), {2: "cannot be decoded"}, 3)
    write(tmp_path / "theirs", "m", "new", answers, ["a", "b", "c"], np.arange(3))
    by_hand(tmp_path / "ours" / "new" / "m.parquet")
    theirs, ours = (read_predictions(tmp_path / name).dataset for name in ("theirs", "ours"))
    assert theirs.drop_attrs().identical(ours.drop_attrs())


def test_files_may_be_cut_into_row_groups_as_they_like(tmp_path: Path):
    by_hand(tmp_path / "new" / "a.parquet", row_group_size=1)
    by_hand(tmp_path / "new" / "b.parquet", row_group_size=2, use_dictionary=False)
    by_hand(tmp_path / "new" / "c.parquet", version="1.0", compression="none")
    responses = read_predictions(tmp_path)
    np.testing.assert_array_equal(responses.right, [[1, 0, 0]] * 3)
    np.testing.assert_array_equal(responses.shown, [[1, 1, 0]] * 3)


def test_the_largest_test_set_is_the_reference_or_the_first_asked_for(tmp_path: Path):
    for name, size in {"b": 5, "a": 5, "c": 9, "shift=3": 2}.items():
        images, labels = a_test_set(name, size)
        write(tmp_path, "m.a1_in1k", name, answered(labels, seed=size), images, labels)
    assert read_predictions(tmp_path).test_sets == ["c", "a", "b", "shift=3"]
    two = read_predictions(tmp_path, test_sets=["b", "c"])
    assert two.test_sets == ["b", "c"]
    assert len(two.images) == 14
    assert two.models == ["m.a1_in1k"]
    with pytest.raises(InputError, match="no test set in .* named 'shift=4'; nearest.*: 'shift=3'"):
        read_predictions(tmp_path, test_sets=["shift=4"])


def test_a_model_without_a_file_is_not_observed_in_that_test_set(tmp_path: Path):
    for name, models in {"old": ["a", "b"], "new": ["b", "c"]}.items():
        images, labels = a_test_set(name, 10 if name == "old" else 6)
        for model in models:
            write(tmp_path, model, name, answered(labels, seed=0), images, labels)
    responses = read_predictions(tmp_path)
    assert responses.models == ["a", "b", "c"]
    shown = {name: responses.shown[:, mask].all(1) for name, mask in zip(["old", "new"], responses.member, strict=True)}
    assert shown["old"].tolist() == [True, True, False]
    assert shown["new"].tolist() == [False, True, True]
    assert responses.shown.sum() == 2 * 10 + 2 * 6


def test_an_image_answered_differently_in_two_test_sets_is_not_observed(tmp_path: Path):
    by_hand(tmp_path / "old" / "m.parquet")
    by_hand(tmp_path / "old" / "n.parquet")
    by_hand(tmp_path / "new" / "m.parquet", {"class_1": [1, 2, None], "class_2": [0, 1, None],
                                            "margin": [-1e-6, -0.5, None]})
    by_hand(tmp_path / "new" / "n.parquet", {"class_1": [0, 2, 2], "class_2": [1, 1, 0], "margin": [0.5, -0.5, 1],
                                            "trouble": [None] * 3})
    responses = read_predictions(tmp_path, top_k=2)
    assert responses.images == ["a", "b", "c"]
    assert responses.member.all()
    np.testing.assert_array_equal(responses.shown, [[0, 1, 0], [1, 1, 1]])
    differing = [line for line in responses.history if "differ between" in line]
    assert len(differing) == 1
    assert differing[0].startswith("1 responses of model 'm' ")


def test_the_history_says_what_was_not_observed_and_why(tmp_path: Path):
    images, labels = a_test_set("new", 20)
    reasons = {1: "first\nreason", 4: "first reason", 5: "second", 8: "third", 9: "fourth"}
    write(tmp_path, "whole", "new", answered(labels, seed=0), images, labels)
    write(tmp_path, "holed", "new", answered(labels, seed=1, unobserved=reasons), images, labels,
          remarks=["8 of 20 answers are right,\nwhich is chance"])
    assert read_predictions(tmp_path).history == [
        f"read 2 models on 20 images of new from {tmp_path / 'new'}",
        "model 'holed' did not observe 5 of 20 images of new: first reason; second; third; …",
        "model 'holed' on new: 8 of 20 answers are right, which is chance",
    ]


def test_what_a_killed_run_leaves_is_not_read(tmp_path: Path):
    by_hand(tmp_path / "new" / "m.parquet")
    for name in [".locks/m.parquet", "new/.m-x1y2z3w4.parquet", "new/notes.txt", "log.parquet"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no table")
    (tmp_path / "empty").mkdir()
    responses = read_predictions(tmp_path)
    assert (responses.models, responses.test_sets) == (["m"], ["new"])


def test_k_is_bounded_by_the_model_with_the_fewest_classes(tmp_path: Path):
    images, labels = a_test_set("new", 12)
    labels = labels % 3
    write(tmp_path, "eight", "new", answered(labels, seed=0), images, labels)
    few = write(tmp_path, "three", "new", answered(labels, seed=1, classes=3), images, labels)
    assert read_predictions(tmp_path, top_k=3).right[1].all()  # of three classes, the right one is among three
    with pytest.raises(InputError, match=rf"top_k=4.*{few} stores the best 3 classes .*; give 1 to 3"):
        read_predictions(tmp_path, top_k=4)
    with pytest.raises(InputError, match="top_k=0"):
        read_predictions(tmp_path, top_k=0)


def test_a_model_that_never_answered_bounds_nothing(tmp_path: Path):
    images, labels = a_test_set("new", 4)
    write(tmp_path, "answers", "new", answered(labels, seed=0), images, labels)
    silent = Answers(np.full((4, 1), -1, np.int32), np.full(4, np.nan, np.float32), dict.fromkeys(range(4), "gone"), 0)
    write(tmp_path, "silent", "new", silent, images, labels)
    assert read_predictions(tmp_path, top_k=5).shown.tolist() == [[1] * 4, [0] * 4]
    path_of(tmp_path, "answers", "new").unlink()
    with pytest.raises(InputError, match=f"{tmp_path / 'new'}: all responses are missing"):
        read_predictions(tmp_path)


def test_the_command_imports_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("old", "new"):
        images, labels = a_test_set(name, 9)
        write(tmp_path / "predictions", "m", name, answered(labels, seed=0), images, labels)
    output = tmp_path / "responses.nc"
    monkeypatch.setattr("sys.argv", ["difficulty-model", "import", "predictions", str(tmp_path / "predictions"),
                                     "--test-set", "old", "--test-set", "new", "--top-k", "5", "-o", str(output)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code
    loaded = load_responses(output)
    direct = read_predictions(tmp_path / "predictions", test_sets=["old", "new"], top_k=5)
    assert loaded.dataset.equals(direct.dataset)


@pytest.mark.parametrize(("columns", "images", "how"), [
    ({"image": ["a", "b", "d"]}, 3, "differs from .*a.parquet.* in 2 images"),  # c is missing, d is new
    ({"label": [0, 0, 2]}, 3, "in 1 images or their labels"),
    ({"image": ["b", "a", "c"], "label": [1, 0, 2]}, 3, "in the order of the images"),
    ({"image": ["a", "b"], "label": [0, 1]}, 2, r"\(2 images\) differs from .*a.parquet \(3 images\) in 1 images"),
])
def test_the_models_of_a_test_set_saw_the_same_images(
    tmp_path: Path, columns: dict[str, list[Any]], images: int, how: str
):
    by_hand(tmp_path / "new" / "a.parquet")
    shown = {
        "class_1": [None] * images, "class_2": [None] * images, "margin": [None] * images, "trouble": ["gone"] * images
    }
    by_hand(tmp_path / "new" / "b.parquet")
    path = by_hand(tmp_path / "new" / "c.parquet", shown | columns)
    with pytest.raises(InputError, match=f"^{path} .*{how}.*run `difficulty-inference run` again"):
        read_predictions(tmp_path)


@pytest.mark.parametrize(("columns", "message"), [
    ({"image": ["a", "a", "c"]}, "image 'a' stands 2 times"),
    ({"image": ["a", None, "c"]}, "'image' .* has empty cells"),
    ({"label": [0, 1, None]}, "'label' .* has empty cells"),
    ({"label": [0, -1, 2]}, "label -1"),
    ({"label": [0, 3, 2]}, "row 2 .* label outside 0 to 2"),
    ({"class_2": [1, None, None]}, "row 2 .* some of the best classes but not all"),
    ({"class_1": [0, None, None]}, "row 2 .* some of the best classes but not all"),
    ({"class_1": [0, -1, None]}, "row 2 .* class outside 0 to 2"),
    ({"class_2": [1, 3, None]}, "row 2 .* class outside 0 to 2"),
    ({"class_2": [1, 2, None]}, "row 2 .* same class twice"),
    ({"margin": [float("nan"), -1, None]}, "row 1 .* must have a margin"),
    ({"margin": [None, -1, None]}, "row 1 .* must have a margin"),
    ({"margin": [1, -1, 0]}, "row 3 .* must have a margin"),
    ({"margin": [-1, -1, None]}, "row 1 .* contradicts its first class"),
    ({"margin": [1, 1, None]}, "row 2 .* contradicts its first class"),
    ({"trouble": [None, None, None]}, "row 3 .* must have trouble"),
    ({"trouble": [None, "why", "why"]}, "row 2 .* must have trouble"),
    ({"class_4": [2, 0, None]}, "column 5 of .* is 'margin float'; expected 'class_3 int32'"),
    ({"weight": [1, 1, 1]}, "column 7 of .* is 'weight int32'; expected nothing"),
])
def test_contradictions_are_refused(tmp_path: Path, columns: dict[str, list[Any]], message: str):
    path = by_hand(tmp_path / "new" / "m.parquet", columns)
    with pytest.raises(InputError, match=message) as refused:
        read_predictions(tmp_path)
    assert str(path) in str(refused.value)


def test_a_class_stands_once_among_the_best(tmp_path: Path):
    answers = Answers(np.array([[0, 1, 2], [0, 2, 0]], np.int32), np.array([1, 1], np.float32), {}, 3)
    path = write(tmp_path, "m", "new", answers, ["a", "b"], np.zeros(2))
    with pytest.raises(InputError, match=f"row 2 of {path} has the same class twice"):
        read_predictions(tmp_path)


def test_a_tie_may_go_either_way(tmp_path: Path):
    by_hand(tmp_path / "new" / "m.parquet", {"margin": [0, -0.0, None]})
    assert read_predictions(tmp_path).right.tolist() == [[1, 0, 0]]


@pytest.mark.parametrize(("name", "values", "type_"), [
    ("image", [1, 2, 3], pa.int64()),
    ("image", ["a", "b", "c"], pa.large_string()),
    ("label", [0.0, 1.0, float("nan")], pa.float64()),
    ("class_1", [0, 2, None], pa.int64()),
    ("class_2", [1.0, float("nan"), None], pa.float32()),
    ("margin", ["much", "little", None], pa.string()),
    ("trouble", [[], [], ["why"]], pa.list_(pa.string())),
])
def test_columns_have_one_type(tmp_path: Path, name: str, values: list[Any], type_: pa.DataType):
    path = by_hand(tmp_path / "new" / "m.parquet", {name: values}, {name: type_})
    with pytest.raises(InputError, match=rf"column \d of {path} is '{name} .*'; expected '{name} "):
        read_predictions(tmp_path)


@pytest.mark.parametrize(("about", "message"), [
    ("{not JSON", "no JSON"),
    (b"\xff\xfe\x00", "no JSON"),
    ("[" * 100_000, "no JSON"),
    ("[1, 2]", "expected a JSON object"),
    ({"model": "other"}, "says that it holds the predictions of model 'other' on test set 'new'.*'m' on 'new'"),
    ({"test_set": "old"}, "says that it holds the predictions of model 'm' on test set 'old'"),
    ({"model": None}, "model None"),
    ({"classes": "3"}, "gives '3' as the number of classes"),
    ({"classes": True}, "gives True as the number of classes"),
    ({"classes": -1}, "gives -1 as the number of classes"),
    ({"classes": float("nan")}, "gives nan as the number of classes"),
    ({"remarks": "one"}, "as remarks"),
    ({"remarks": [1]}, "as remarks"),
])
def test_metadata_say_whose_predictions_they_are(tmp_path: Path, about: object, message: str):
    path = by_hand(tmp_path / "new" / "m.parquet", about=about)
    with pytest.raises(InputError, match=message) as refused:
        read_predictions(tmp_path)
    assert str(path) in str(refused.value)


def no_metadata(path: Path) -> None:
    parquet.write_table(parquet.ParquetFile(path).read().replace_schema_metadata(None), path)


def no_rows(path: Path) -> None:
    parquet.write_table(parquet.ParquetFile(path).read().slice(0, 0), path)


def no_text(path: Path) -> None:
    table = parquet.ParquetFile(path).read()
    bytes_ = pa.array([b"\xff\xfe", b"b", b"c"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), 3, bytes_.buffers())
    parquet.write_table(table.set_column(0, "image", text), path)


def too_many_rows(path: Path) -> None:
    """A million copies of three rows, which take less than a million bytes."""
    table = parquet.ParquetFile(path).read()
    parquet.write_table(table.take(pa.array(np.zeros(1_000_000, np.int64))), path)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def two_columns_of_one_name(path: Path) -> None:
    table = parquet.ParquetFile(path).read()
    parquet.write_table(table.rename_columns(["image", "label", "class_1", "class_1", "margin", "trouble"]), path)


@pytest.mark.parametrize(("break_", "message"), [
    (no_metadata, "no JSON under the key 'difficulty_inference'"),
    (no_rows, "declares 0 rows"),
    (no_text, "is not a readable Parquet file"),
    (too_many_rows, "declares 1000000 rows in"),
    (a_folder, "is no regular file"),
    (two_columns_of_one_name, "column 4 of .* is 'class_1 int32'; expected 'class_2 int32'"),
    (lambda path: path.write_bytes(b""), "is not a readable Parquet file"),
    (lambda path: path.write_bytes(path.read_bytes()[:-9]), "is not a readable Parquet file"),
    (lambda path: path.write_text("image,label"), "is not a readable Parquet file"),
])
def test_files_that_are_none_are_refused(tmp_path: Path, break_: Callable[[Path], object], message: str):
    path = by_hand(tmp_path / "new" / "m.parquet")
    break_(path)
    with pytest.raises(InputError, match=message) as refused:
        read_predictions(tmp_path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_raise_nothing_else(tmp_path: Path, seed: int):
    path = by_hand(tmp_path / "new" / "m.parquet")
    whole, rng = np.frombuffer(path.read_bytes(), np.uint8), np.random.default_rng(seed)
    refused = 0
    for _ in range(100):
        damaged = whole.copy()
        damaged[rng.integers(len(whole), size=3)] ^= rng.integers(1, 256, size=3).astype(np.uint8)
        path.write_bytes(damaged.tobytes())
        try:
            read_predictions(tmp_path)
        except InputError:
            refused += 1
    assert refused > 50


def test_a_folder_of_one_test_set_is_not_one_of_predictions(tmp_path: Path):
    by_hand(tmp_path / "new" / "m.parquet")
    with pytest.raises(InputError, match="holds no predictions; expected .*<test set>/<model>.parquet"):
        read_predictions(tmp_path / "new")
    with pytest.raises(InputError, match="2 paths given"):
        read_predictions([tmp_path, tmp_path])
