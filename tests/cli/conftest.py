"""What tests of the commands share."""

from pathlib import Path

import pytest

from commands import run
from difficulty_model.examples import example_path


@pytest.fixture(scope="session")
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
