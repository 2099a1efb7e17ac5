"""Files of responses: everything is kept, and files of anything else are refused."""

import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_of_responses import build, random_responses
from difficulty_model.errors import InputError
from difficulty_model.responses import Responses, load_responses


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32), st.sampled_from([(), ("position",), ("classes",), ("position", "classes"), ("counts",)]))
def test_files_keep_everything(tmp_path_factory: pytest.TempPathFactory, seed: int, parts: tuple[str, ...]):
    path = tmp_path_factory.mktemp("saved") / "r.nc"
    responses = random_responses(
        seed, with_position="position" in parts, with_classes="classes" in parts, counts="counts" in parts
    )
    responses.save(path)
    assert load_responses(path).dataset.identical(responses.dataset)


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("model,image,correct\n")


def folder(path: Path) -> None:
    path.mkdir()


def truncated(path: Path) -> None:
    random_responses(0).save(path)
    path.write_bytes(path.read_bytes()[:-500])


def other_netcdf(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = [1.0]


def tree_of_groups(path: Path) -> None:
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"skill": 1.0}), "observed_data": build().dataset})
    tree.to_netcdf(path, engine="h5netcdf")


def unfilled(path: Path) -> None:
    """Declare a thousand million images, and store none."""
    with h5py.File(path, "w") as file:
        for name in ("right", "shown"):
            file.create_dataset(name, (1, 10**9), np.uint8, chunks=(1, 10**6), compression="gzip")


def many_unfilled(path: Path) -> None:
    """Declare more bytes than 64 bits can count, and store none."""
    with h5py.File(path, "w") as file:
        file.create_dataset("right", (2**40, 2**40), np.uint8, chunks=(1, 10**6))


def unfilled_names(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["right"] = np.zeros((1, 2), np.uint8)
        file.create_dataset("image", (10**9,), h5py.string_dtype(), chunks=(10**6,))


@pytest.mark.parametrize(("write", "message"), [
    (empty, "not a readable netCDF4 file"),
    (text, "not a readable netCDF4 file"),
    (folder, "is a folder; expected responses"),
    (truncated, "not a readable netCDF4 file"),
    (other_netcdf, r"no `right`; found \['x'\]"),
    (tree_of_groups, r"no `right`; found \['observed_data', 'posterior'\]"),
    (unfilled, "declares 1,907 MiB of values, but the file has 0.0"),
    (many_unfilled, "declares .* MiB of values, but the file has 0.0"),
    (unfilled_names, "declares .* MiB of values, but the file has 0.0"),
])
def test_files_of_anything_else_are_refused(tmp_path: Path, write: Callable[[Path], None], message: str):
    write(tmp_path / "r.nc")
    assert_refused(tmp_path / "r.nc", message)


def assert_refused(path: Path, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_responses(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    assert "np." not in said


@pytest.mark.parametrize(("name", "values", "message"), [
    ("right", np.array([[1.0, 0.0]]), "whole numbers; got float64"),
    ("right", np.array([[1.0, np.nan]]), "whole numbers; got float64"),
    ("right", np.array([["1", "0"]], object), "whole numbers; got (object|<U1)"),
    ("right", np.array([[-1, 0]]), "must not be negative; got -1"),
    ("shown", np.array([[1, 0]], np.float32), "whole numbers; got uint8 and float32"),
    ("member", np.array([[1, 1]]), "true or false; got int64"),
    ("position", np.array([[0, 200]]), "ranks from 0 to 127"),
    ("predicted", np.array([[0, 2**33]]), "classes from 0 to"),
    ("predicted", np.array([[0.0, np.nan]]), "whole numbers, of classes; got float64"),
    ("predicted", np.array([["7", "8"]], object), "whole numbers, of classes; got (object|<U1)"),
    ("model", np.array([7]), "model names must be text; got int64, the first 7"),
    ("image", np.array([0.5, 1.5]), "image names must be text; got float64, the first 0.5"),
    ("image", np.array([b"a", b"\xff"], "S1"), r"image names must be text; got \|S1, the first b'a'"),
    ("image", np.array([b"a", b"b"], object), "image names must be text|not a readable"),
    ("image", np.array(["a", "a"]), "'a' stands 2 times"),
])
def test_variables_of_another_kind_are_refused(
    tmp_path: Path, name: str, values: np.ndarray, message: str
):
    dataset = build(position=np.array([[0, 1]]), predicted=np.array([[3, 4]])).dataset
    dims = dataset[name].dims
    dataset.drop_vars(name).assign({name: (dims, values)}).to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    assert_refused(tmp_path / "r.nc", message)


@pytest.mark.parametrize(("name", "message"), [
    ("right", "no `right`"),
    ("shown", "a variable `shown` with dims .* is needed; got nothing"),
    ("member", "a variable `member` with dims .* is needed; got nothing"),
    ("model", "names along `model` are needed; got none"),
    ("image", "names along `image` are needed; got none"),
    ("test_set", "names along `test_set` are needed; got none"),
    ("top_k", r"an attribute `top_k` is needed; found \['history'\]"),
    ("history", r"an attribute `history` is needed; found \['top_k'\]"),
])
def test_files_that_lack_something_are_refused(tmp_path: Path, name: str, message: str):
    dataset = build().dataset.copy()
    if name in dataset.attrs:
        del dataset.attrs[name]
    else:
        dataset = dataset.drop_vars(name)
    dataset.to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    assert_refused(tmp_path / "r.nc", message)


@pytest.mark.parametrize(("attributes", "message"), [
    ({"top_k": 1.5}, "`top_k` must be a whole number of at least 1; got 1.5"),
    ({"top_k": 0}, "`top_k` must be a whole number of at least 1; got 0"),
    ({"top_k": "1"}, "`top_k` must be a whole number"),
    ({"top_k": [1, 5]}, "`top_k` must be a whole number"),
    ({"history": "made by hand"}, "JSON list"),
    ({"history": "[1, 2]"}, "JSON list"),
    ({"history": "[" * 100_000}, "JSON list"),
    ({"history": 3}, "JSON list"),
])
def test_attributes_of_another_kind_are_refused(
    tmp_path: Path, attributes: dict[str, object], message: str
):
    build().dataset.assign_attrs(attributes).to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    assert_refused(tmp_path / "r.nc", message)


def test_the_best_compressed_responses_are_no_declaration_without_content(tmp_path: Path):
    images = 300_000
    responses = Responses.from_arrays(
        np.ones((40, images), bool), models=[f"m{j}" for j in range(40)],
        images=np.arange(images).astype(str).tolist(), member={"t": np.ones(images, bool)})
    responses.save(tmp_path / "r.nc")
    assert load_responses(tmp_path / "r.nc").dataset.identical(responses.dataset)


def test_the_same_responses_make_the_same_file(tmp_path: Path):
    responses = random_responses(0, with_position=True, with_classes=True)
    responses.save(tmp_path / "one.nc")
    time.sleep(1.1)  # times in HDF5 files are whole seconds
    responses.save(tmp_path / "other.nc")
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "other.nc").read_bytes()
    load_responses(tmp_path / "one.nc").save(tmp_path / "again.nc")
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "again.nc").read_bytes()
