"""Long tables: one row per response."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difficulty_model.errors import InputError
from difficulty_model.readers import (
    _counting,
    read_long,
    read_wide,
)
from outcomes import members, outcome
from tables import write


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
