"""All layouts of files: what each says when something is amiss."""

from pathlib import Path

import pytest

from difficulty_model.errors import InputError
from difficulty_model.readers import (
    LAYOUTS,
)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_says_what_it_misses(tmp_path: Path, name: str):
    read = LAYOUTS[name].read
    with pytest.raises(InputError, match="no such file or folder"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match="no path given"):
        read([])
    (tmp_path / "empty.csv").touch()
    (tmp_path / "folder").mkdir()
    for path in ("empty.csv", "folder"):
        with pytest.raises(InputError, match=path):
            read(tmp_path / path)
    assert LAYOUTS[name].description
    assert LAYOUTS[name].example


@pytest.mark.parametrize("name", ["long", "wide", "py-irt", "cifar10.1"])
def test_layouts_of_single_answers_refuse_top_k(tmp_path: Path, name: str):
    with pytest.raises(InputError, match="top_k=5"):
        LAYOUTS[name].read(tmp_path, top_k=5)
