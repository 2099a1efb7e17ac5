"""Commands that fit, check and compare."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import mistake, run
from difficulty_model.examples import example_path
from difficulty_model.family import logistic, losing, skew_normal, slopes, with_unlearnable, with_unmissable
from difficulty_model.fitting import load_fit
from difficulty_model.specification import Specification


def test_the_estimate_and_the_verdict_are_told(folder: Path) -> None:
    done = run("fit", "responses.nc", "-o", "again.nc", "--method", "laplace", cwd=folder)
    assert "This takes about" in done.stderr
    assert "Pareto k" in done.stdout
    assert (folder / "again.nc").read_bytes() == (folder / "fit.nc").read_bytes()


def test_check_in_json_and_strict(folder: Path) -> None:
    done = run("check", "responses.nc", "--json", cwd=folder)
    assert done.returncode == 0
    findings = json.loads(done.stdout)["findings"]
    assert all({"kind", "model", "test_set", "message"} <= set(f) for f in findings)
    assert run("check", "responses.nc", "--strict", cwd=folder).returncode == (1 if findings else 0)


def test_compare_in_json_and_in_words(folder: Path) -> None:
    done = run("compare", "fit.nc", "atom.nc", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    compared = json.loads(done.stdout)
    assert {row["fit"] for row in compared["fits"]} == {"fit", "atom"}
    best, other = compared["fits"]
    assert best["rank"] == 0
    assert best["difference"] == 0 > other["difference"]
    assert other["elpd"] - best["elpd"] == pytest.approx(other["difference"])
    assert [error["test_set"] for error in best["errors"]] == ["original", "new-writers"]
    words = run("compare", "fit.nc", "atom.nc", cwd=folder)
    assert words.returncode == 0, words.stderr
    assert "Leave-one-image-out" in words.stdout
    for row in compared["fits"]:  # whole figures, although there is no terminal
        assert {row["fit"], f"{row['elpd']:.1f}", f"{row['u']:.3f}", f"{row['v']:.3f}"} <= set(words.stdout.split())


def test_check_of_a_fit_in_json_and_in_a_picture(folder: Path) -> None:
    done = run("check", "fit.nc", "--json", "--plot", "misfit.png", cwd=folder)
    assert done.returncode == 0, done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert {"accuracy", "agreement", "calibration", "local-dependence", "image-fit"} <= set(checks)
    assert all(check["verdict"] in ("fits", "misfit", "not testable") for check in checks.values())
    assert (folder / "misfit.png").read_bytes().startswith(b"\x89PNG")


def test_covariates_of_a_file_are_regressed_on(folder: Path) -> None:
    images = pd.read_csv(example_path("digits"))["image"]
    rng = np.random.default_rng(0)
    pd.DataFrame({"image": images, "ink": rng.normal(size=len(images))}).to_csv(folder / "ink.csv", index=False)
    done = run("fit", "responses.nc", "-o", "ink.nc", "--method", "laplace", "--covariates", "ink.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    import xarray as xr

    with xr.open_dataset(folder / "ink.nc", group="posterior", engine="h5netcdf") as posterior:
        coefficient = posterior["population.coefficient"]
        assert coefficient["covariate"].values.tolist() == ["ink"]
        # Random numbers: the coefficient is within five of its standard deviations of 0.
        assert abs(float(coefficient.mean())) < 5 * float(coefficient.std())


def test_families_of_a_file_have_effects(folder: Path) -> None:
    import xarray as xr

    table = pd.read_csv(example_path("digits"))
    few = [name for name in table if name.startswith(("image", "test_set", "label", "cnn", "ridge", "knn9"))]
    table[few].to_csv(folder / "few.csv", index=False)
    assert run("import", "wide", "few.csv", "-o", "few.nc", cwd=folder).returncode == 0
    models = few[3:]
    families = pd.DataFrame({"model": models, "family": [model.split("-")[0] for model in models]})
    families.to_csv(folder / "families.csv", index=False)
    done = run("fit", "few.nc", "-o", "in.nc", "--method", "mode", "--families", "families.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    with xr.open_dataset(folder / "in.nc", group="posterior", engine="h5netcdf") as posterior:
        # Classifiers of one kind make the same mistakes.
        assert float(posterior["skill.spread"].mean()) > 5 * float(posterior["skill.spread"].std())
    families.assign(family=models).to_csv(folder / "ones.csv", index=False)
    mistake(run("fit", "few.nc", "-o", "x.nc", "--families", "ones.csv", cwd=folder), "of one model only")


def test_options_make_the_specification(folder: Path) -> None:
    table = pd.read_csv(example_path("digits"))
    table[["image", "test_set", "label", *table.columns[3:9]]].to_csv(folder / "six.csv", index=False)
    assert run("import", "wide", "six.csv", "-o", "six.nc", cwd=folder).returncode == 0
    done = run(
        "fit", "six.nc", "-o", "six-fit.nc", "--method", "mode", "--curve", "logistic", "--slopes", "--skill-loss",
        "--population", "skew-normal", "--unmissable", "--unlearnable", cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    population = with_unlearnable(with_unmissable(skew_normal()))
    fitted = load_fit(folder / "six-fit.nc")
    assert fitted.specification == Specification(losing(), slopes(logistic()), population)
    assert set(fitted.difficulty) == {"mean", "sd", "quantiles", "unlearnable", "unmissable"}
    # An image that all get right may be unmissable and cannot be unlearnable; one that none gets right the reverse.
    number = fitted.responses.right.sum(0)
    for of, other, all_alike in (("unmissable", "unlearnable", 6), ("unlearnable", "unmissable", 0)):
        assert float(fitted.difficulty[of].values[number == all_alike].min()) > 0.01
        assert float(fitted.difficulty[other].values[number == all_alike].max()) < 1e-9


def test_mistakes_about_the_family_get_one_sentence(folder: Path) -> None:
    images = pd.read_csv(example_path("digits"))["image"]
    pd.DataFrame({"image": images[:-1], "ink": np.arange(len(images) - 1)}).to_csv(folder / "short.csv", index=False)
    pd.DataFrame({"image": images, "ink": 1}).to_csv(folder / "constant.csv", index=False)
    pd.DataFrame({"image": images, "ink": "dark"}).to_csv(folder / "words.csv", index=False)
    for table, said in [("short.csv", "missing for 1 of"), ("constant.csv", "is 1 for all images"),
                        ("words.csv", "holds 'dark' in row 1")]:
        mistake(run("fit", "responses.nc", "-o", "x.nc", "--covariates", table, cwd=folder), said)
    for options, said in [
        (("--test-set", "original", "--skill-loss"), "one test set"), (("--guess", "2"), "guess rate"),
    ]:
        mistake(run("fit", "responses.nc", "-o", "x.nc", *options, cwd=folder), said)
    mistake(run("compare", "fit.nc", cwd=folder), "at least two fits")
    mistake(run("check", "fit.nc", "--fix", "-o", "y.nc", cwd=folder), "holds a fit")
    mistake(run("check", "responses.nc", "--plot", "y.png", cwd=folder), "holds responses")
    assert not (folder / "x.nc").exists()
