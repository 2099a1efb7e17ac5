"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the released predictions; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("DIFFICULTY_MODEL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "imagenetv2").is_dir():
        pytest.skip("the released predictions are not on this machine; set DIFFICULTY_MODEL_DATA to their folder")
    return folder
