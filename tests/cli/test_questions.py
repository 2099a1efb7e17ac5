"""Commands that ask a fit: the law, simulated, predicted and collected test sets."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import mistake, run
from difficulty_model.examples import example_path, load_example
from difficulty_model.responses import Responses, load_responses


def test_law_in_json(folder: Path) -> None:
    done = run("law", "fit.nc", "--from", "original", "--to", "new-writers", "--json", "--plot", "law.png", cwd=folder)
    assert done.returncode == 0, done.stderr
    law = json.loads(done.stdout)
    for q in "uv":
        low, high = law["predicted"][q]["interval"]
        assert low < law["predicted"][q]["mean"] < high
        assert law["predicted"][q]["sd"] > 0
    table = pd.read_csv(example_path("digits"))
    x, y = (table.loc[table["test_set"] == name].drop(columns=["image", "test_set", "label"]).mean()
            for name in ("original", "new-writers"))
    from scipy.stats import norm

    u, v = np.polyfit(norm.ppf(x), norm.ppf(y), 1)
    assert law["observed"]["u"] == pytest.approx(u, abs=1e-9)
    assert law["observed"]["v"] == pytest.approx(v, abs=1e-9)
    assert law["observed"]["r2"] == pytest.approx(np.corrcoef(norm.ppf(x), norm.ppf(y))[0, 1] ** 2, abs=1e-9)
    assert {m["model"]: m["from"]["observed"]["accuracy"] for m in law["models"]} == pytest.approx(x.to_dict())
    assert (folder / "law.png").read_bytes().startswith(b"\x89PNG")


def test_law_in_words(folder: Path) -> None:
    done = run("law", "fit.nc", "--from", "original", "--to", "new-writers", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "predicted by the fit" in done.stdout


def test_observed_line_of_accuracy_tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0.8, 0.4, 20)
    from scipy.stats import norm

    for name, z in {"old": x, "new": 0.9 * x - 0.3}.items():
        frame = pd.DataFrame({"model": [f"m{j}" for j in range(20)], "accuracy": norm.cdf(z)})
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    assert run("import", "accuracies", "old.csv", "new.csv", "-o", "acc.nc", cwd=tmp_path).returncode == 0
    done = run("law", "acc.nc", "--from", "old", "--to", "new", "--json", cwd=tmp_path)
    observed = json.loads(done.stdout)["observed"]
    assert observed["u"] == pytest.approx(0.9, abs=1e-9)
    assert observed["v"] == pytest.approx(-0.3, abs=1e-9)


def test_simulated_test_sets(folder: Path) -> None:
    done = run("simulate", "fit.nc", "--images", 500, "--like", "original=3", "--like", "new-writers", "--harder", 0.3,
               "--json", "--plot", "simulated.png", "--responses", "simulated.nc", cwd=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["plan"]["like"] == {"original": 3.0, "new-writers": 1.0}
    assert told["from"] == "original"
    assert len(told["models"]) == 64
    assert all(model["low"] < model["accuracy"] < model["high"] for model in told["models"])
    assert (folder / "simulated.png").read_bytes().startswith(b"\x89PNG")
    assert run("check", "simulated.nc", "--json", cwd=folder).returncode == 0
    printed = run("simulate", "fit.nc", "--images", 500, "--like", "original", "--sets", 50, cwd=folder).stdout
    assert "between the populations" in printed
    assert "change places" in printed
    mistake(run("simulate", "fit.nc", "--images", 9, "--like", "originl", cwd=folder), "'original'")
    mistake(run("simulate", "fit.nc", "--images", 9, "--like", "original=much", cwd=folder), "NAME=NUMBER")
    mistake(run("simulate", "fit.nc", "--images", 9, "--like", "original", "--class", "3", cwd=folder), "NAME=NUMBER")
    mistake(run("simulate", "fit.nc", "--images", 9, "--like", "original", "--like", "original=2", cwd=folder), "twice")
    mistake(run("simulate", "fit.nc", "--images", 9, "--like", "original", "--against", "no", cwd=folder), "'no'")


def test_a_new_test_set_from_few_models(folder: Path) -> None:
    # Five models run on the new writers' digits, by a fit of the original ones alone.
    both = load_example("digits")
    both.select(test_sets=["original"]).save(folder / "original.nc")
    few = both.select(test_sets=["new-writers"], models=both.models[::13])
    few.save(folder / "few.nc")
    assert run("fit", "original.nc", "-o", "early.nc", "--method", "mode", cwd=folder).returncode == 0
    done = run("predict", "early.nc", "few.nc", "--json", "--plot", "predicted.png", cwd=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["like"] == "original"
    assert (told["test_set"], told["images"]) == ("new-writers", len(few.images))
    assert sum(model["measured"] is not None for model in told["models"]) == 5
    observed = both.accuracies().set_index(["test_set", "model"])["accuracy"]["new-writers"]
    inside = [model["low"] <= observed[model["model"]] <= model["high"] for model in told["models"]]
    assert sum(inside) >= 48
    assert (folder / "predicted.png").read_bytes().startswith(b"\x89PNG")
    printed = run("predict", "early.nc", "few.nc", "--images", 5000, cwd=folder).stdout
    assert "probit units harder than those of original" in printed
    mistake(run("predict", "fit.nc", "few.nc", cwd=folder), "'new-writers' is one that was fitted")
    mistake(run("predict", "early.nc", "few.nc", "--images", 5, cwd=folder), "cannot have 5 only")
    mistake(run("predict", "early.nc", "few.nc", "--like", "orignal", cwd=folder), "'original'")
    mistake(run("predict", "early.nc", "few.nc", "--test-set", "new", cwd=folder), "'new-writers'")


def test_new_models_from_few_images(folder: Path) -> None:
    both = load_example("digits")
    new = both.models[5::20]
    both.select(models=[model for model in both.models if model not in new]).save(folder / "others.nc")
    assert run("fit", "others.nc", "-o", "others-fit.nc", "--method", "mode", cwd=folder).returncode == 0
    assert run("plan", "others-fit.nc", "--images", 90, "-o", "chosen.txt", cwd=folder).returncode == 0
    chosen = (folder / "chosen.txt").read_text().split()
    assert len(set(chosen)) == 90
    whole = both.select(models=new)
    place = np.isin(whole.images, chosen)
    Responses(whole.dataset.isel(image=place)).save(folder / "new.nc")
    done = run("predict", "others-fit.nc", "new.nc", "--json", "--plot", "new.png", cwd=folder)
    assert done.returncode == 0, done.stderr
    observed = whole.accuracies().set_index(["model", "test_set"])["accuracy"]
    told = json.loads(done.stdout)["models"]
    assert sum(row["low"] <= observed[row["model"], row["test_set"]] <= row["high"] for row in told) >= len(told) - 2
    assert (folder / "new.png").read_bytes().startswith(b"\x89PNG")
    assert "new-writers" in run("predict", "others-fit.nc", "new.nc", cwd=folder).stdout
    printed = run("plan", "others-fit.nc", "--images", 3, "--test-set", "original", cwd=folder).stdout.split()
    assert set(printed) < set(both.select(test_sets=["original"]).images)
    mistake(run("plan", "others-fit.nc", "--images", 10**6, cwd=folder), "cannot be chosen")
    mistake(run("plan", "others-fit.nc", "--images", 3, "--test-set", "orignal", cwd=folder), "'original'")
    mistake(run("predict", "others-fit.nc", "new.nc", "--images", 9, cwd=folder), "--like and --images")
    Responses(whole.dataset.isel(image=place)).select(models=new[:1]).save(folder / "one.nc")
    done = run("plan", "others-fit.nc", "--within", 3, "--after", "one.nc", "--json", cwd=folder)
    further = json.loads(done.stdout)["images"]
    assert 0 < len(set(further)) == len(further)
    assert not set(further) & set(chosen)
    printed = run("plan", "others-fit.nc", "--models", 2, "--images", 100, cwd=folder).stdout
    assert sum(model in printed for model in both.models) >= 2
    mistake(run("plan", "others-fit.nc", cwd=folder), "--images", "--within")
    mistake(run("plan", "others-fit.nc", "--images", 9, "--models", 2, "--after", "one.nc", cwd=folder), "--after")


POOL = ("--candidates", 2000, "--reference", 500, "--frequency", "0.7,0.25", "--of-candidates", "0.5,0.3",
        "--dependence", 0.5, "--per-class", 100, "--allow-upward", "--sets", 20)


def test_collected_test_sets(folder: Path) -> None:
    done = run("collect", "fit.nc", *POOL, "--strategy", "matched-frequency", "--strategy", "threshold=0.7", "--json",
               "--plot", "collected.png", cwd=folder)
    assert done.returncode == 0, done.stderr
    told = {(row["strategy"], row["quantity"]): row for row in json.loads(done.stdout)["strategies"]}
    assert told["threshold=0.7", "frequency"]["mean"] < told["threshold=0.7", "seen"]["mean"]
    assert told["matched-frequency", "points"]["mean"] < told["threshold=0.7", "points"]["mean"]
    assert (folder / "collected.png").read_bytes().startswith(b"\x89PNG")
    done = run("collect", "fit.nc", *POOL, "--strategy", "top-images", "--responses", "collected.nc", cwd=folder)
    assert "top-images" in done.stdout
    assert load_responses(folder / "collected.nc").member.sum(1).tolist() == [500, 100]


def test_candidates_that_exist(folder: Path) -> None:
    images = load_example("digits").images
    lines = [f"{image},{i % 11},10\n" for i, image in enumerate(images)]
    (folder / "counts.csv").write_text("image,selected,asked\n" + "".join(lines))
    given = ("--pool", "new-writers", "--strategy", "threshold=0.7", "--per-class", 5, "--sets", 5)
    done = run("collect", "fit.nc", *given, "--counts", "counts.csv", "-o", "kept.txt", cwd=folder)
    assert done.returncode == 0, done.stderr
    kept = (folder / "kept.txt").read_text().split()
    assert kept
    assert all(images.index(name) % 11 >= 7 for name in kept)
    mistake(run("collect", "fit.nc", *given, cwd=folder), "--counts")


@pytest.mark.parametrize(("options", "said"), [
    (("--strategy", "uniform", "--per-class", 5), "--candidates"),
    ((*POOL, "--strategy", "treshold"), "'threshold=0.7'"),
    ((*POOL, "--strategy", "threshold=high"), "threshold=0.7"),
    ((*POOL, "--strategy", "threshold=7"), "from 0 to 1"),
    ((*POOL, "--strategy", "uniform", "--frequency", "0.7"), "MEAN,SD"),
    ((*POOL, "--strategy", "uniform", "--pool", "new-writers"), "--candidates"),
    ((*POOL, "--strategy", "uniform", "-o", "kept.txt"), "--pool"),
])
def test_what_cannot_be_collected(folder: Path, options: tuple[object, ...], said: str) -> None:
    mistake(run("collect", "fit.nc", *options, cwd=folder), said)
