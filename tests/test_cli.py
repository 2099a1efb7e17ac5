"""The command line, run as people run it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from difficulty_model.examples import example_path


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


@pytest.mark.parametrize("command", [(), ("import",), ("check",), ("fit",), ("law",), ("fetch",)])
def test_help_shows_an_example(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    if command:
        assert f"Example: difficulty-model {command[0]}" in done.stdout
