"""Lists of names."""

from pathlib import Path

import pytest

from difficulty_model.errors import InputError
from difficulty_model.readers import read_names


def test_names_are_one_a_line(tmp_path: Path):
    path = tmp_path / "names.txt"
    path.write_bytes("\ufeffa b\r\n\r\n  ö \nlast".encode())
    assert read_names(path) == ["a b", "ö", "last"]


@pytest.mark.parametrize(("content", "said"), [
    (b"", "no names"), (b" \n\n", "no names"), (b"a\xff", "not readable as text"), (b"a\nb\n\na\n", "in lines 1 and 4"),
])
def test_lists_that_are_none_are_refused(tmp_path: Path, content: bytes, said: str):
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_names(tmp_path / "names")
