"""The command line, run as people run it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from difficulty_model.examples import example_path, load_example
from difficulty_model.explanations import missed_images
from difficulty_model.family import logistic, losing, skew_normal, slopes, with_unlearnable, with_unmissable
from difficulty_model.fitting import load_fit
from difficulty_model.responses import Responses, load_responses
from difficulty_model.specification import Specification


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "difficulty_model.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the embedded example imported and fitted."""
    folder = tmp_path_factory.mktemp("cli")
    for arguments in [
        ("import", "wide", example_path("digits"), "-o", "responses.nc"),
        ("fit", "responses.nc", "-o", "fit.nc", "--method", "laplace"),
        ("fit", "responses.nc", "-o", "atom.nc", "--method", "laplace", "--unlearnable"),
    ]:
        done = run(*arguments, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def mistake(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """Assert that a user's mistake got one sentence, exit code 2, and no stack trace."""
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for words in said:
        assert words in done.stderr


def test_the_estimate_and_the_verdict_are_told(folder: Path) -> None:
    done = run("fit", "responses.nc", "-o", "again.nc", "--method", "laplace", cwd=folder)
    assert "This takes about" in done.stderr
    assert "Pareto k" in done.stdout
    assert (folder / "again.nc").read_bytes() == (folder / "fit.nc").read_bytes()


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


def test_check_in_json_and_strict(folder: Path) -> None:
    done = run("check", "responses.nc", "--json", cwd=folder)
    assert done.returncode == 0
    findings = json.loads(done.stdout)["findings"]
    assert all({"kind", "model", "test_set", "message"} <= set(f) for f in findings)
    assert run("check", "responses.nc", "--strict", cwd=folder).returncode == (1 if findings else 0)


def test_mistakes_get_one_sentence(folder: Path) -> None:
    mistake(run("fit", "nowhere.nc", "-o", "x.nc", cwd=folder), "nowhere.nc", "responses.nc")
    mistake(run("fit", "responses.nc", "-o", "x.nc", "--test-set", "orginal", cwd=folder), "orginal", "'original'")
    mistake(run("fit", "responses.nc", "-o", "x.nc", "--exclude", "knn", cwd=folder), "knn")
    mistake(run("fit", "responses.nc", "-o", "no/such/x.nc", cwd=folder), "no/such/x.nc")
    mistake(run("fit", "fit.nc", "-o", "x.nc", cwd=folder), "fit.nc")
    mistake(run("law", "responses.nc", "--from", "original", "--to", "new-writers", cwd=folder), "responses.nc")
    mistake(run("law", "fit.nc", "--from", "original", "--to", "original", cwd=folder), "original")
    mistake(run("law", "fit.nc", "--from", "original", "--to", "new-writer", cwd=folder), "'new-writers'")
    mistake(run("law", "fit.nc", "--from", "original", "--to", "new-writers", "--plot", "law.xyz", cwd=folder), ".xyz")
    mistake(run("import", "wdie", "x.csv", "-o", "x.nc", cwd=folder), "wdie", "'wide'")
    mistake(run("check", "responses.nc", "--fix", cwd=folder), "-o")
    assert not (folder / "x.nc").exists()


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


def test_robustness(folder: Path) -> None:
    done = run("robustness", "responses.nc", "--from", "original", "--to", "new-writers", "--json", cwd=folder)
    found = json.loads(done.stdout)
    points = [row["points"] for row in found["models"]]
    assert points == sorted(points, reverse=True)
    assert found["dominance"][0]["weaker_alone"] < found["dominance"][0]["independent"]
    printed = run("robustness", "responses.nc", "--from", "original", "--to", "new-writers", cwd=folder).stdout
    assert found["models"][0]["model"] in printed
    assert found["agreement"] is None
    assert "No agreement: these responses keep no predicted classes" in printed
    mistake(run("robustness", "responses.nc", "--from", "original", "--to", "old", cwd=folder), "'original'")


def test_every_explanation_of_a_gap(folder: Path) -> None:
    (folder / "names.txt").write_text(f"{load_example('digits').images[0]}\n")
    done = run("explain", "fit.nc", "--from", "original", "--to", "new-writers", "--json", "--plot", "why.png",
               "--file", "duplicates=names.txt", "--file", "counts=missing.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)["explanations"]}
    assert rows["near-duplicates"]["verdict"] == "cannot"
    assert "no such file" in rows["selection frequency"]["text"]
    assert "--skill-loss" in rows["adaptive overfitting"]["text"]
    assert (folder / "why.png").read_bytes().startswith(b"\x89PNG")
    printed = run("explain", "fit.nc", "--from", "original", "--to", "new-writers", cwd=folder).stdout
    assert "not told apart" in printed
    assert "Wrong file" not in printed
    asked = ("explain", "fit.nc", "--from", "original", "--to")
    alone = (*asked, "new-writers", "--only", "class imbalance")
    of_classes = json.loads(run(*alone, "--json", "--plot", "classes.png", cwd=folder).stdout)
    assert of_classes == rows["class imbalance"]
    assert (folder / "classes.png").read_bytes().startswith(b"\x89PNG")
    printed = run(*alone, cwd=folder).stdout
    assert of_classes["text"] in printed
    assert printed.count("│") >= len(of_classes["table"])
    mistake(run(*asked, "new-writers", "--only", "class imbalances", cwd=folder), "'class imbalance'")
    undrawn = run(*asked, "new-writers", "--only", "humans", "--plot", "none.png", cwd=folder)
    mistake(undrawn, "nothing to draw of 'humans'")
    mistake(run(*asked, "new-writers", "--file", "counts.csv", cwd=folder), "NAME=PATH")
    mistake(run(*asked, "new-wrters", cwd=folder), "'new-writers'")
    mistake(run(*asked, "original", cwd=folder), "twice")


def test_a_page_of_the_images_that_all_models_miss(folder: Path, tmp_path: Path) -> None:
    first, second = missed_images(load_example("digits"))["image"]
    np.save(tmp_path / "images.npy", np.full((3, 8, 8), 200, np.uint8))
    (tmp_path / "manifest.csv").write_text(f'image,path,label\n"{first}",images.npy[2],4\n')
    asked = ("gallery", "responses.nc", "-o", "missed.png", "--images")
    done = run(*asked, f"new-writers={tmp_path}", "--images", f"original={tmp_path}", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "missed.png: 2 of 2 images that no model gets right\n"
    assert f"1 of 2 images have no picture, such as '{second}': there is no file" in done.stderr
    assert (folder / "missed.png").read_bytes().startswith(b"\x89PNG")
    (folder / "missed.png").unlink()
    (tmp_path / "manifest.csv").unlink()
    mistake(run(*asked, f"new-writers={tmp_path}", cwd=folder), "none of 2 images", repr(first), "manifest.csv")
    mistake(run(*asked, f"original={tmp_path}", cwd=folder), "none that all models miss")
    mistake(run(*asked, f"new-writer={tmp_path}", cwd=folder), "'new-writers'")
    mistake(run(*asked, str(tmp_path), cwd=folder), "NAME=PATH", "--images")
    mistake(run(*asked, f"new-writers={tmp_path}", "--page", 2, cwd=folder), "page 2")
    assert not (folder / "missed.png").exists()


@pytest.mark.parametrize("command", [(), ("import",), ("check",), ("fit",), ("law",), ("fetch",), ("simulate",),
                                     ("predict",), ("plan",), ("collect",), ("compare",), ("calibrate",), ("explain",),
                                     ("gallery",), ("rivals",), ("robustness",)])
def test_help_shows_an_example(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    if command:
        assert f"Example: difficulty-model {command[0]}" in done.stdout


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
