"""Wide tables: one row per image, one column per model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from difficulty_model.errors import InputError
from difficulty_model.readers import (
    read_long,
    read_wide,
)
from outcomes import members
from tables import write


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
