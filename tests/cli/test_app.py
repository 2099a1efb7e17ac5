"""What all commands have in common: help with an example, and mistakes told in a sentence."""

from pathlib import Path

import pytest

from commands import mistake, run


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


@pytest.mark.parametrize("command", [(), ("import",), ("check",), ("fit",), ("law",), ("fetch",), ("simulate",),
                                     ("predict",), ("plan",), ("collect",), ("compare",), ("calibrate",), ("explain",),
                                     ("gallery",), ("rivals",), ("robustness",)])
def test_help_shows_an_example(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    if command:
        assert f"Example: difficulty-model {command[0]}" in done.stdout
