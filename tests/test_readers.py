import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difficulty_model.errors import InputError
from difficulty_model.readers import (
    LAYOUTS,
    _counting,
    read_cifar10_1,
    read_imagenetv2,
    read_long,
    read_py_irt,
    read_wide,
)
from difficulty_model.responses import NOT_STORED, Responses

CLASSES = 7


def outcome(responses: Responses, model: str, image: str) -> tuple[int, int]:
    """How often right, and how often shown."""
    cell = responses.models.index(model), responses.images.index(image)
    return int(responses.right[cell]), int(responses.shown[cell])


def members(responses: Responses) -> dict[str, list[str]]:
    return {
        name: np.array(responses.images)[mask].tolist()
        for name, mask in zip(responses.test_sets, responses.member, strict=True)
    }


# Every layout ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_says_what_it_misses(tmp_path: Path, name: str):
    read = LAYOUTS[name].read
    with pytest.raises(InputError, match="no such file or folder"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match="no path given"):
        read([])
    (tmp_path / "empty.csv").touch()
    (tmp_path / "folder").mkdir()
    for path in ("empty.csv", "folder"):
        with pytest.raises(InputError, match=path):
            read(tmp_path / path)
    assert LAYOUTS[name].description
    assert LAYOUTS[name].example


@pytest.mark.parametrize("name", ["long", "wide", "py-irt", "cifar10.1"])
def test_layouts_of_single_answers_refuse_top_k(tmp_path: Path, name: str):
    with pytest.raises(InputError, match="top_k=5"):
        LAYOUTS[name].read(tmp_path, top_k=5)


# ImageNetV2 -----------------------------------------------------------------------------------------------


class Release:
    """A small release in the layout of ImageNetV2."""

    def __init__(self, folder: Path, sizes: dict[str, int]):
        self.folder = folder
        self.data = folder / "data"
        for part in ("datasets", "metadata", "predictions"):
            (self.data / part).mkdir(parents=True)
        self.cid_of = {f"n{w}": (3 * w) % CLASSES for w in range(CLASSES)}
        self.write("metadata/class_info.json", [{"wnid": w, "cid": c} for w, c in self.cid_of.items()])
        self.images = {}
        for name, size in sizes.items():
            self.list_images(name, [(f"{name}-{i}", f"n{i % CLASSES}") for i in range(size)])

    def write(self, path: str, content: object) -> None:
        (self.data / path).write_text(json.dumps(content))

    def list_images(self, test_set: str, images: Sequence[tuple[str, str]]) -> None:
        self.images[test_set] = images
        self.write(f"datasets/{test_set}.json", {"image_filenames": images})

    def predict(
        self, test_set: str, model: str, predictions: np.ndarray | None = None, *, seed: int = 0
    ) -> np.ndarray:
        if predictions is None:
            rng = np.random.default_rng(seed)
            predictions = np.array([rng.permutation(CLASSES)[:5] for _ in self.images[test_set]])
        (self.data / "predictions" / test_set).mkdir(exist_ok=True)
        np.save(self.data / "predictions" / test_set / f"{model}.npy", predictions, allow_pickle=True)
        return predictions


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_imagenetv2_is_right_where_the_class_is_among_the_first_k(tmp_path: Path, seed: int, top_k: int):
    release = Release(tmp_path, {"val": 40, "v2": 10})
    stored = {s: release.predict(s, "net", seed=seed) for s in ("val", "v2")}
    responses = read_imagenetv2(tmp_path, top_k=top_k)
    for test_set, predictions in stored.items():
        for (image, wnid), row in zip(release.images[test_set], predictions.tolist(), strict=True):
            cid = release.cid_of[wnid]
            assert outcome(responses, "net", image) == (int(cid in row[:top_k]), 1)
            position = responses.dataset["position"].sel(model="net", image=image)
            assert position == (row.index(cid) if cid in row else NOT_STORED)
            assert responses.dataset["predicted"].sel(model="net", image=image) == row[0]
            assert responses.dataset["label"].sel(image=image) == wnid
    assert responses.scored(1).dataset["right"].equals(read_imagenetv2(tmp_path).dataset["right"])


def test_imagenetv2_takes_the_largest_test_set_as_reference_or_the_first_asked_for(tmp_path: Path):
    release = Release(tmp_path, {"b": 5, "a": 5, "whole": 9, "unpredicted": 20})
    for name in ("a", "b", "whole"):
        release.predict(name, "net")
    assert read_imagenetv2(tmp_path).test_sets == ["whole", "a", "b"]
    assert read_imagenetv2(tmp_path / "data", test_sets=["b", "whole"]).test_sets == ["b", "whole"]
    with pytest.raises(InputError, match=r"no test set .*named 'unpredicted'; nearest.*'whole'"):
        read_imagenetv2(tmp_path, test_sets=["unpredicted"])
    with pytest.raises(InputError, match="2 paths given"):
        read_imagenetv2([tmp_path, tmp_path])


def test_imagenetv2_images_of_one_id_are_one_image(tmp_path: Path):
    release = Release(tmp_path, {"a": 6})
    release.list_images("b", [*release.images["a"][:2], ("only-b", "n0")])
    predictions = release.predict("a", "net")
    release.predict("b", "net", predictions[:3])
    responses = read_imagenetv2(tmp_path)
    assert members(responses) == {"a": [f"a-{i}" for i in range(6)], "b": ["a-0", "a-1", "only-b"]}
    assert len(responses.images) == 7
    assert responses.shown.all()


def spelt(folder: Path, files: dict[str, list[str]]) -> Responses:
    release = Release(folder, dict.fromkeys(files, 4))
    for test_set, models in files.items():
        for model in models:
            release.predict(test_set, model)
    return read_imagenetv2(folder)


def test_a_model_spelt_otherwise_in_one_test_set_is_one_model(tmp_path: Path):
    files = {"a": ["fv_64k_model", "net"], "b": ["fv_64k", "net"], "c": ["fv_64k", "net"]}
    responses = spelt(tmp_path, files)
    assert sorted(responses.models) == ["fv_64k", "net"]
    assert responses.shown.all()
    assert "model 'fv_64k' is spelt 'fv_64k_model' in a: read as one model" in responses.history
    alone = read_imagenetv2(tmp_path, test_sets=["a"])  # so that it can be combined with the others later
    assert sorted(alone.models) == ["fv_64k", "net"]
    assert not any("is spelt" in line for line in read_imagenetv2(tmp_path, test_sets=["b"]).history)


@pytest.mark.parametrize("files", [
    {"a": ["vgg", "vgg_bn"], "b": ["vgg"], "c": ["vgg"]},  # both in one test set
    {"a": ["vgg_bn", "net"], "b": ["vgg"], "c": ["net"]},  # not exactly where the other is missing
    {"a": ["vgg11"], "b": ["vgg1"], "c": ["vgg1"]},  # not a further part of the name
    {"a": ["vgg_bn", "vgg_tf"], "b": ["vgg"], "c": ["vgg"]},  # two candidates
])
def test_models_that_may_differ_stay_apart(tmp_path: Path, files: dict[str, list[str]]):
    responses = spelt(tmp_path, files)
    assert set(responses.models) == {model for models in files.values() for model in models}
    assert not any("one model" in line for line in responses.history)


def test_with_no_usual_spelling_models_stay_apart_and_the_history_says_so(tmp_path: Path):
    responses = spelt(tmp_path, {"a": ["net_v2"], "b": ["net"]})
    assert sorted(responses.models) == ["net", "net_v2"]
    assert any("'net' and 'net_v2'" in line and "perhaps one model" in line for line in responses.history)


GOOD = np.zeros((4, 5), int)


@pytest.mark.parametrize(("predictions", "message"), [
    (GOOD[:3], r"'net' on val .* shape \(3, 5\); expected 4 rows"),
    (GOOD[None], "expected 4 rows"),
    (GOOD[:, :0], "store 0"),
    (GOOD.astype(float), "float64"),
    (np.full((4, 5), np.nan), "nan"),
    (GOOD.astype(str), "whole numbers"),
    (GOOD + [0, 0, CLASSES, 0, 0], "hold 7 in row 0, column 2; expected class ids from 0 to 6"),
    (GOOD - [[0], [0], [0], [1]], "hold -1 in row 3, column 0"),
    (GOOD.astype(object), "pickled objects are refused"),
])
def test_imagenetv2_refuses_predictions_that_are_none(tmp_path: Path, predictions: np.ndarray, message: str):
    release = Release(tmp_path, {"val": 4})
    release.predict("val", "net", predictions)
    with pytest.raises(InputError, match=message):
        read_imagenetv2(tmp_path)


def test_imagenetv2_refuses_more_than_is_stored(tmp_path: Path):
    release = Release(tmp_path, {"val": 4})
    release.predict("val", "net", GOOD[:, 0])  # one class per image needs no columns
    assert read_imagenetv2(tmp_path).right.sum() == 1
    for top_k in (0, 2):
        with pytest.raises(InputError, match=f"top_k={top_k} .* give 1 to 1"):
            read_imagenetv2(tmp_path, top_k=top_k)


@pytest.mark.parametrize(("images", "message"), [
    ([["x", "n0"], ["x", "n1"]], "image 'x' stands twice"),
    ([["x", "n0"], ["y", "n99"]], "wnid 'n99'"),
    ([["x", "n0"], ["y"]], "entry 1 of `image_filenames`"),
    ([["x", "n0"], ["y", 3]], "entry 1 of `image_filenames`"),
    ([], "no list `image_filenames`"),
    ({"x": "n0"}, "no list `image_filenames`"),
])
def test_imagenetv2_refuses_lists_of_images_that_are_none(tmp_path: Path, images: object, message: str):
    release = Release(tmp_path, {"val": 2})
    release.predict("val", "net")
    release.write("datasets/val.json", {"image_filenames": images})
    with pytest.raises(InputError, match=message):
        read_imagenetv2(tmp_path)


@pytest.mark.parametrize("content", [{"n0": 1}, [1], [{"wnid": "n0"}], [{"wnid": "n0", "cid": "1"}], []])
def test_imagenetv2_refuses_classes_that_are_none(tmp_path: Path, content: object):
    release = Release(tmp_path, {"val": 2})
    release.predict("val", "net")
    release.write("metadata/class_info.json", content)
    with pytest.raises(InputError, match="class_info"):
        read_imagenetv2(tmp_path)


def test_the_released_imagenetv2_predictions_give_the_published_accuracies(real_data: Path):
    responses = read_imagenetv2(real_data / "imagenetv2")
    val, threshold, matched = responses.test_sets
    assert (val, matched) == ("imagenet-validation-original", "imagenetv2-b-33")
    assert responses.dataset.sizes["model"] == 67
    assert (responses.member[1] & responses.member[2]).sum() == 3186
    assert responses.dataset.sizes["image"] == 50_000 + 20_000 - 3186
    assert responses.shown.all()  # the model spelt in two ways is one, and shared images agree
    assert sum("read as one model" in line for line in responses.history) == 1
    accuracy = responses.accuracies().set_index(["model", "test_set"])["accuracy"]
    published = {"pnasnet_large_tf": (82.9, 72.2), "alexnet": (56.5, 44.0)}  # Recht et al. (2019)
    for model, percents in published.items():
        assert tuple(round(100 * float(accuracy.loc[(model, s)]), 1) for s in (val, matched)) == percents
    assert threshold == "imagenetv2-a-44"


# CIFAR-10.1 -----------------------------------------------------------------------------------------------


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


# Long tables ----------------------------------------------------------------------------------------------


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from(["csv", "parquet"]))
def test_long_counts_every_row(tmp_path_factory: pytest.TempPathFactory, seed: int, suffix: str):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({
        "model": [f"m{j}" for j in rng.integers(0, 4, 80)],
        "image": [f"{i:03d}" for i in rng.integers(0, 9, 80)],
        "correct": rng.choice([0.0, 1.0, np.nan], 80, p=[0.4, 0.5, 0.1]),
    })
    path = tmp_path_factory.mktemp("long") / f"t.{suffix}"
    if suffix == "csv":
        rows.to_csv(path, index=False)
    else:
        rows.to_parquet(path, index=False)
    responses = read_long(path)
    assert responses.test_sets == ["t"]
    assert responses.models == list(dict.fromkeys(rows["model"]))
    assert responses.images == list(dict.fromkeys(rows["image"]))
    for model in responses.models:
        for image in responses.images:
            cell = rows["correct"].to_numpy()[(rows["model"] == model) & (rows["image"] == image)]
            assert outcome(responses, model, image) == (np.nansum(cell), np.isfinite(cell).sum())


def test_long_understands_how_people_write_right_and_wrong(tmp_path: Path):
    right, wrong = ["1", "true", "True", "TRUE", "1.0"], ["0", "false", "False", "0.0"]
    cells = dict.fromkeys(right, 1) | dict.fromkeys(wrong, 0)
    missing = ["", "NA", "nan", "NaN"]
    rows = [f"m,{n},{cell}" for n, cell in enumerate([*cells, *missing])]
    responses = read_long(write(tmp_path / "t.csv", "\n".join(["model,image,correct", *rows])))
    assert responses.right[0].tolist() == [*cells.values(), 0, 0, 0, 0]
    assert responses.shown[0].tolist() == [1] * len(cells) + [0] * len(missing)


@pytest.mark.parametrize("values", [[True, False, None], pd.array([1, 0, None], "Int8"), ["1", "0", ""]])
def test_long_takes_any_type_of_parquet(tmp_path: Path, values: object):
    table = pd.DataFrame({"model": "m", "image": [10, 11, 12], "correct": values})
    table.to_parquet(tmp_path / "t.parquet")
    responses = read_long(tmp_path / "t.parquet")
    assert responses.images == ["10", "11", "12"]
    assert (responses.right.tolist(), responses.shown.tolist()) == ([[1, 0, 0]], [[1, 1, 0]])


def test_long_reads_test_sets_and_labels(tmp_path: Path):
    path = write(tmp_path / "t.csv", "\n".join([
        "label,model,image,correct,test_set", "cat,x,i,1,a", "cat,x,i,1,b", "dog,x,j,0,a ; b", "dog,y,j,1,b",
        "cow,y,k,1,b", "cow,y,k,0,b",
    ]))
    responses = read_long(path, test_sets=["b", "a"])
    assert {name: sorted(images) for name, images in members(responses).items()} == {
        "b": ["i", "j", "k"], "a": ["i", "j"]}
    assert list(members(responses)) == ["b", "a"]
    assert outcome(responses, "x", "i") == (1, 1)  # one response, though it stands in two test sets
    assert outcome(responses, "y", "k") == (1, 2)  # shown twice in one
    assert outcome(responses, "x", "k") == (0, 0)
    assert responses.dataset["label"].sel(image=["i", "j", "k"]).values.tolist() == ["cat", "dog", "cow"]
    with pytest.raises(InputError, match="no test set named 'c'"):
        read_long(path, test_sets=["c"])


def test_several_long_tables_are_combined_under_the_names_given(tmp_path: Path):
    first = write(tmp_path / "first.csv", "model,image,correct\nx,i,1\n")
    second = write(tmp_path / "second.csv", "model,image,correct\ny,i,0\ny,j,1\n")
    files = [first, second]
    assert members(read_long(files)) == {"first": ["i"], "second": ["i", "j"]}
    assert members(read_long(files, test_sets=["new", "old"])) == {"new": ["i"], "old": ["i", "j"]}
    assert members(read_long(files, test_sets=["all"])) == {"all": ["i", "j"]}
    with pytest.raises(InputError, match="3 test sets named for 2 files"):
        read_long(files, test_sets=["a", "b", "c"])
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="2 files are named 'first'"):
        read_long([first, write(tmp_path / "other" / "first.csv", first.read_text())])


@pytest.mark.parametrize(("text", "message"), [
    ("", "Empty CSV"),
    ("model,image,correct\n", "no rows"),
    ("model,image\nx,i\n", "no column 'correct'; found 'model', 'image'"),
    ("model,correct,image,model\nx,1,i,y\n", "2 columns named 'model'"),
    (",model,image,correct\n0,x,i,1\n", "column 1 of .* has no name"),
    ("model,image,correct\nx,i,1\nx,j,0.5\n", "'correct' .* holds '0.5' in row 2"),
    ("model,image,correct\nx,i,2\n", "holds '2' in row 1"),
    ("model,image,correct\nx,i,yes\n", "holds 'yes' in row 1"),
    ("model,image,correct\nx,,1\n", "'image' .* is empty in row 1"),
    ("model,image,correct\nx,i,1\n,j,1\n", "'model' .* is empty in row 2"),
    ("model,image,correct\nx,i,1\nx,j\n", "Expected 3 columns, got 2"),
    ("model,image,correct,label\nx,i,1,cat\ny,i,1,dog\n", "image 'i' both 'cat' and 'dog'"),
    ("model,image,correct,test_set\nx,i,1,\n", "'test_set' .* is empty in row 1"),
    ("model,image,correct,test_set\nx,i,1,a;\n", "test_set names must not be empty"),
    ("model,image,correct\nx,i,\n", "all responses are missing"),
])
def test_long_refuses_what_is_none(tmp_path: Path, text: str, message: str):
    with pytest.raises(InputError, match=message):
        read_long(write(tmp_path / "t.csv", text))


@pytest.mark.parametrize("content", [
    "modèle,image,correct\nx,i,1\n".encode("latin-1"), b"model,image,correct\n\xff\xfe,i,1\n",
    b"PAR1 and no more", b"\x00\x01\x02",
])
def test_tables_that_cannot_be_read_are_input_errors(tmp_path: Path, content: bytes):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    for read in (read_long, read_wide):
        with pytest.raises(InputError, match=r"t\.csv"):
            read(path)


def test_truncated_parquet_is_an_input_error(tmp_path: Path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"model": "x", "image": [f"i{i}" for i in range(1000)], "correct": 1}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a readable CSV or Parquet table"):
        read_long(path)


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_counted_block_by_block(monkeypatch: pytest.MonkeyPatch, seed: int):
    monkeypatch.setattr(_counting, "_BLOCK", 7)
    rng = np.random.default_rng(seed)
    model, image, state = rng.integers(0, [[3], [4], [3]], (3, 50))  # states: wrong, right, not observed
    counts, shown = _counting.counted(model, image, state == 1, state < 2, shape=(3, 4))
    for j, i in np.ndindex(3, 4):
        here = (model == j) & (image == i)
        assert counts[j, i] == (here & (state == 1)).sum()
        assert shown[j, i] == (here & (state < 2)).sum()


def test_a_million_rows_are_counted_alike_in_any_order(tmp_path: Path):
    rng = np.random.default_rng(0)
    model, image = (grid.ravel() for grid in np.meshgrid(np.arange(50), np.arange(20_000)))
    right = rng.random(model.size) < 0.7
    order = rng.permutation(model.size)
    table = pd.DataFrame({"model": model[order], "image": image[order], "correct": right[order] * 1})
    table.to_csv(tmp_path / "t.csv", index=False)  # read in blocks, each with its own dictionary
    dataset = read_long(tmp_path / "t.csv").dataset
    models, images = [str(j) for j in range(50)], [str(i) for i in range(20_000)]
    ordered = dataset["right"].sel(model=models, image=images)
    np.testing.assert_array_equal(ordered.values, right.reshape(20_000, 50).T)
    assert (dataset["shown"] == 1).all()


# Wide tables ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_wide_is_the_matrix_of_responses(tmp_path: Path, suffix: str):
    rng = np.random.default_rng(1)
    matrix = rng.choice([0, 1, np.nan], (30, 5))
    table = pd.DataFrame(matrix, columns=[f"m{j}" for j in range(5)])
    table.insert(2, "image", [f"{i:02d}" for i in range(30)])
    path = tmp_path / f"t.{suffix}"
    if suffix == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    responses = read_wide(path, test_sets=["named"])
    assert responses.test_sets == ["named"]
    assert responses.images == table["image"].tolist()
    np.testing.assert_array_equal(responses.right, np.nan_to_num(matrix).T)
    np.testing.assert_array_equal(responses.shown, ~np.isnan(matrix).T)


def test_wide_reads_test_sets_and_labels(tmp_path: Path):
    path = write(tmp_path / "t.csv", "image,label,test_set,x\ni,cat,a,1\nj,dog,a;b,0\nk,cat,b,1\n")
    responses = read_wide(path)
    assert members(responses) == {"a": ["i", "j"], "b": ["j", "k"]}
    assert responses.dataset["label"].values.tolist() == ["cat", "dog", "cat"]
    assert members(read_wide(path, test_sets=["b"])) == {"b": ["j", "k"]}


@pytest.mark.parametrize(("text", "message"), [
    ("picture,x\ni,1\n", "no column 'image'; found 'picture', 'x'"),
    ("image,test_set,label\ni,a,cat\n", "no column of a model"),
    ("image,x,x\ni,1,0\n", "2 columns named 'x'"),
    ("image,x\n", "no rows"),
    ("image,x\ni,1\ni,0\n", "several rows for image 'i'"),
    ("image,x,y\ni,1,0\nj,1,0.3\n", "'y' .* holds '0.3' in row 2"),
    ("image,x\n,1\n", "'image' .* is empty in row 1"),
    ("image,x,label\ni,1,\n", "'label' .* is empty in row 1"),
])
def test_wide_refuses_what_is_none(tmp_path: Path, text: str, message: str):
    with pytest.raises(InputError, match=message):
        read_wide(write(tmp_path / "t.csv", text))


def test_long_and_wide_agree(tmp_path: Path):
    long = write(tmp_path / "long.csv", "model,image,correct\nx,i,1\nx,j,0\ny,i,0\ny,j,\n")
    wide = write(tmp_path / "wide.csv", "image,x,y\ni,1,0\nj,0,\n")
    one, other = read_long(long, test_sets=["t"]), read_wide(wide, test_sets=["t"])
    assert one.dataset.drop_attrs().identical(other.dataset.drop_attrs())


# py-irt ---------------------------------------------------------------------------------------------------


def test_py_irt_reads_lines_of_subjects(tmp_path: Path):
    path = write(tmp_path / "t.jsonlines", "\n".join([
        '{"subject_id": "x", "responses": {"i": 1, "j": 0}}', "",
        '{"subject_id": "y", "responses": {"j": true, "k": null, "i": 0.0}}',
        '{"subject_id": "x", "responses": {"i": 0}}',
    ]))
    responses = read_py_irt(path)
    assert members(responses) == {"t": ["i", "j", "k"]}
    assert responses.models == ["x", "y"]
    assert responses.right.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert responses.shown.tolist() == [[2, 1, 0], [1, 1, 0]]
    twice = read_py_irt([path, path], test_sets=["a", "b"])
    assert members(twice) == {"a": ["i", "j", "k"], "b": ["i", "j", "k"]}


GOOD_LINE = '{"subject_id": "x", "responses": {"i": 1}}\n'


@pytest.mark.parametrize(("line", "message"), [
    ('{"subject_id": "x", "responses": {"i": 1', "not readable as JSON"),
    ("[" * 100_000, "not readable as JSON"),
    ('["x"]', "not a subject with responses"),
    ('{"subject_id": 3, "responses": {"i": 1}}', "not a subject with responses"),
    ('{"subject_id": "x", "responses": [1]}', "not a subject with responses"),
    ('{"subject_id": "x", "responses": {"i": 2}}', "answers 2 on image 'i'"),
    ('{"subject_id": "x", "responses": {"i": 0.5}}', "answers 0.5 on image 'i'"),
    ('{"subject_id": "x", "responses": {"i": NaN}}', "answers nan on image 'i'"),
    ('{"subject_id": "x", "responses": {"i": "1"}}', "answers '1' on image 'i'"),
    ('{"subject_id": "x", "responses": {"i": [1]}}', "answers .* on image 'i'"),
    ('{"subject_id": "x", "responses": {"i": 1, "i": 0}}', "'i' stands 2 times"),
])
def test_py_irt_names_the_line_that_is_none(tmp_path: Path, line: str, message: str):
    path = write(tmp_path / "t.jsonl", GOOD_LINE + line + "\n" + GOOD_LINE)
    with pytest.raises(InputError, match=rf"line 2 of {re.escape(str(path))}.*{message}"):
        read_py_irt(path)


def test_py_irt_refuses_bytes_that_are_no_text(tmp_path: Path):
    (tmp_path / "t.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not readable as UTF-8"):
        read_py_irt(tmp_path / "t.jsonl")
