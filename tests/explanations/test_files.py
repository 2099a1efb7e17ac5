"""Explanations that need a file: without it, and with a file of something else."""

from pathlib import Path

import pytest

from difficulty_model.explanations import Evidence, examine
from explained import FILES, found


@pytest.mark.parametrize("name", FILES)
def test_without_its_file_an_explanation_says_what_it_needs(shifted: Evidence, name: str):
    untested = examine(FILES[name], shifted)
    assert untested.verdict == "not testable"
    assert untested.text.startswith("Needs ")
    assert f"--file {name}=" in untested.text


@pytest.mark.parametrize("name", FILES)
def test_files_of_something_else_are_refused(shifted: Evidence, tmp_path: Path, name: str):
    (tmp_path / "noise").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    for path in ("noise", "empty", "folder", "none"):
        wrong = found(FILES[name], shifted, tmp_path / path)
        assert wrong.verdict == "not testable"
        assert wrong.text.startswith("Wrong file: ")
        assert str(tmp_path / path) in wrong.text
