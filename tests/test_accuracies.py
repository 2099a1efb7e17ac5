from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from difficulty_model.accuracies import Accuracies, holds_accuracies, load_accuracies
from difficulty_model.errors import InputError
from difficulty_model.readers import read_accuracies

TIMM = "model,img_size,top1,top1_err,top5,top5_err,param_count\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def by_name(accuracies: Accuracies) -> dict[str, list[float]]:
    return dict(zip(accuracies.models, accuracies.accuracy.tolist(), strict=True))


def test_tables_are_joined_by_model(tmp_path: Path):
    old = write(tmp_path / "old.csv", "model,accuracy,images\nx,0.75,1000\ny,1,1000\n")
    new = write(tmp_path / "new.csv", "accuracy,model\n0.5,z\n0.25,x\n")
    accuracies = read_accuracies([old, new])
    assert accuracies.test_sets == ["old", "new"]
    assert accuracies.models == ["x", "y", "z"]
    np.testing.assert_array_equal(accuracies.accuracy, [[0.75, 0.25], [1, np.nan], [np.nan, 0.5]])
    assert accuracies.images.tolist() == [1000, 0]
    assert read_accuracies([old, new], test_sets=["a", "b"]).test_sets == ["a", "b"]


def test_tables_of_timm_are_in_percent_and_tell_sizes_apart(tmp_path: Path):
    rows = 'x,224,80.5,19.5,95,5,"1,014.45"\nx,288,81,19,96,4,2\ny,224,0,100,100,0,1\n'
    old = write(tmp_path / "old.csv", TIMM + rows)
    new = write(tmp_path / "new.csv", TIMM + "y,224,1,99,2,98,1\nx,224,70,30,90,10,1\n")
    assert by_name(read_accuracies([old, new], top_k=5)) == {
        "x@224": [0.95, 0.9], "x@288": [0.96, pytest.approx(np.nan, nan_ok=True)], "y": [1, 0.02]}
    np.testing.assert_array_equal(read_accuracies(old).accuracy[:, 0], [0.805, 0.81, 0])


def test_the_history_says_what_was_read_and_renamed(tmp_path: Path):
    old = write(tmp_path / "old.csv", "model,img_size,top1\nx,224,80\nx,288,81\ny,224,0\n")
    new = write(tmp_path / "new.csv", "model,accuracy\ny,1\n")
    *read, renamed = read_accuracies([old, new]).history
    assert read == [f"read the top-1 accuracies of 3 models on old from {old}",
                    f"read the top-1 accuracies of 1 models on new from {new}"]
    assert renamed.endswith("named model@img_size: 'x'")
    assert read_accuracies(new).history == [read[1]]
    rows = "".join(f"x{i},{size},50\n" for i in range(6) for size in (224, 288))
    many = write(tmp_path / "many.csv", "model,img_size,top1\n" + rows)
    assert read_accuracies(many).history[1].endswith("'x0', 'x1', 'x2', 'x3' and 2 more")


@pytest.mark.parametrize(("text", "message"), [
    ("", "not a readable"),
    ("model,accuracy\n", "no rows"),
    ("model,score\nx,1\n", "no column 'accuracy'; found 'model', 'score'"),
    ("name,accuracy\nx,1\n", "no column 'model'"),
    ("model,accuracy\nx,82.9\n", r"model 'x': '82.9' is no accuracy; expected a number from 0 to 1"),
    ("model,accuracy\nx,\n", "model 'x': ''"),
    ("model,accuracy\nx,nan\n", "model 'x': 'nan'"),
    ("model,accuracy\nx,good\n", "model 'x': 'good'"),
    ("model,top1\nx,100.1\n", "model 'x': '100.1' .* from 0 to 100"),
    ("model,top1\nx,-1\n", "model 'x': '-1'"),
    ("model,accuracy\nx,0.5\nx,0.6\n", "model 'x' stands several times"),
    ("model,img_size,top1\nx,224,50\nx,224,60\n", "model 'x@224' stands several times"),
    ("model,accuracy,images\nx,0.5,10\ny,0.5,11\n", r"one whole number.*'10', '11'"),
    ("model,accuracy,images\nx,0.5,1e4\n", r"one whole number.*'1e4'"),
    ("model,accuracy\n,0.5\n", "must not be empty"),
    ("model,accuracy,accuracy\nx,1,0\n", "2 columns named 'accuracy'"),
])
def test_what_is_no_table_of_accuracies_is_refused(tmp_path: Path, text: str, message: str):
    with pytest.raises(InputError, match=message):
        read_accuracies(write(tmp_path / "t.csv", text))


def test_another_k_needs_its_column(tmp_path: Path):
    with pytest.raises(InputError, match="no column 'top5'"):
        read_accuracies(write(tmp_path / "t.csv", "model,accuracy\nx,0.5\n"), top_k=5)


def test_one_table_is_one_test_set(tmp_path: Path):
    paths = [write(tmp_path / f"{name}.csv", "model,accuracy\nx,0.5\n") for name in "ab"]
    for names in (["t"], ["t", "t"]):
        with pytest.raises(InputError, match="one name for each table"):
            read_accuracies(paths, test_sets=names)
    with pytest.raises(InputError, match="no such file"):
        read_accuracies(tmp_path / "none.csv")


def test_files_keep_everything(tmp_path: Path):
    table = write(tmp_path / "t.csv", "model,accuracy,images\nx,0.5,10\nÿ,0.25,10\n")
    accuracies = read_accuracies([table, write(tmp_path / "u.csv", "model,accuracy\nx,1\n")])
    accuracies.save(tmp_path / "a.nc")
    assert load_accuracies(tmp_path / "a.nc").dataset.identical(accuracies.dataset)
    assert holds_accuracies(tmp_path / "a.nc")
    table.rename(tmp_path / "no.nc")
    for path in ("no.nc", "none.nc"):
        with pytest.raises(InputError, match=path):
            load_accuracies(tmp_path / path)
        assert not holds_accuracies(tmp_path / path)
    xr.Dataset({"right": ("model", [1])}).to_netcdf(tmp_path / "responses.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"responses\.nc has no `accuracy`"):
        load_accuracies(tmp_path / "responses.nc")
    assert not holds_accuracies(tmp_path / "responses.nc")


@pytest.mark.parametrize(("accuracy", "images", "models", "message"), [
    ([[1.5]], [0], ["x"], "shares from 0 to 1"),
    ([[1]], [0], ["x"], "shares from 0 to 1"),
    ([[np.nan]], [0], ["x"], "test set 't' has no accuracy"),
    ([[0.5]], [-1], ["x"], "`images`"),
    ([[0.5]], [1.5], ["x"], "`images`"),
    ([[0.5], [0.5]], [1], ["x", "x"], "'x' stands 2 times"),
    ([0.5], [1], ["x"], "variable `accuracy` with dims"),
])
def test_accuracies_are_validated(accuracy: list, images: list, models: list[str], message: str):
    dims = ("model", "test_set")[:np.ndim(accuracy)]
    with pytest.raises(InputError, match=message):
        Accuracies(xr.Dataset(
            {"accuracy": (dims, accuracy), "images": ("test_set", images)},
            {"model": models, "test_set": ["t"]}, {"top_k": 1, "history": "[]"},
        ))


def test_the_tables_that_timm_published(real_data: Path):
    folder = real_data / "timm" / "results"
    accuracies = read_accuracies(
        [folder / "results-imagenet.csv", folder / "results-imagenetv2-matched-frequency.csv"],
        test_sets=["imagenet", "matched"])
    assert accuracies.accuracy.shape == (1556, 2)
    assert not np.isnan(accuracies.accuracy).any()  # both tables have the same models at the same sizes
    assert ((accuracies.accuracy[:, 0] - accuracies.accuracy[:, 1]) > 0.05).all()
    best = by_name(accuracies)["eva02_large_patch14_448.mim_m38m_ft_in22k_in1k"]
    assert best == pytest.approx([0.90056, 0.8271])
