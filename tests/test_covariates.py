"""Tables of what is known of images, from files to responses."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from difficulty_model.errors import InputError
from difficulty_model.fitting.images import standardized
from difficulty_model.readers import read_covariates
from difficulty_model.responses import Responses
from worlds import simulate


@pytest.fixture
def responses() -> Responses:
    return simulate(0, skill=np.zeros(3), images={"a": 4, "b": 3}).responses


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_numbers_come_back_and_empty_cells_are_missing(tmp_path: Path, suffix: str):
    table = pd.DataFrame({"image": ["i1", "i2", "i3"], "frequency": [0.5, np.nan, 1e-3], "size": [1.0, 2.0, -3.0]})
    path = tmp_path / f"known.{suffix}"
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    pd.testing.assert_frame_equal(read_covariates(path), table.set_index("image"))


@pytest.mark.parametrize(("text", "said"), [
    ("image\ni1\n", "the column 'image' only"), ("picture,x\ni1,1\n", "no column 'image'"),
    ("image,x\ni1,1\ni1,2\n", "'i1' more than once"), ("image,x\ni1,1\ni2,two\n", "holds 'two' in row 2"),
    ("image,x\n", "no rows"), ("image,x\n,1\n", "is empty in row 1"),
])
def test_other_tables_are_refused(tmp_path: Path, text: str, said: str):
    (tmp_path / "known.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_covariates(tmp_path / "known.csv")


def test_they_find_their_images_whatever_the_order(responses: Responses):
    numbers = np.arange(7.0)[::-1]
    table = pd.DataFrame({"x": [*numbers, 99.0]}, index=[*responses.images[::-1], "elsewhere"])
    known = responses.with_covariates(table)
    np.testing.assert_array_equal(known.dataset["x"], np.arange(7.0))
    standard = standardized(known, ("x",))[:, 0]
    assert standard.mean() == pytest.approx(0, abs=1e-12)
    assert standard.std() == pytest.approx(1)
    assert (np.diff(standard) > 0).all()


def test_tables_that_do_not_belong_are_refused(responses: Responses):
    with pytest.raises(InputError, match="none of the 1 images"):
        responses.with_covariates(pd.DataFrame({"x": [1.0]}, index=["elsewhere"]))
    with pytest.raises(InputError, match="cannot be called 'right'"):
        responses.with_covariates(pd.DataFrame({"right": np.ones(7)}, index=responses.images))


@pytest.mark.parametrize(("columns", "said"), [
    ({"x": [np.nan, *np.arange(6.0)]}, "missing for 1 of 7 images, the first 'i0'"),
    ({"x": np.full(7, 3.0)}, "is 3 for all images"),
    ({"x": np.arange(7.0), "y": 5 - 2 * np.arange(7.0)}, "linearly dependent"),
    ({"y": np.arange(7.0)}, "no covariate of the images named 'x'"),
])
def test_covariates_that_tell_nothing_are_refused(responses: Responses, columns: dict, said: str):
    known = responses.with_covariates(pd.DataFrame(columns, index=responses.images))
    with pytest.raises(InputError, match=said):
        standardized(known, ("x", "y") if "x" in columns and "y" in columns else ("x",))
