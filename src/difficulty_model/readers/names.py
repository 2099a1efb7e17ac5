"""Lists of names, such as images or models: a text file with one name per line."""

from pathlib import Path

from difficulty_model.errors import InputError
from difficulty_model.files import existing

_EXPECTED = "a text file with one name per line"


def read_names(path: Path | str) -> list[str]:
    """Return the names in a text file, in their order; blank lines, and blanks around a name, are left aside.

    Raises
    ------
    InputError
        If the file cannot be read, is no UTF-8 text, has no name in it, or the same name twice.
    """
    path = existing(path, _EXPECTED)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # spreadsheets begin a file with a mark of order
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not readable as text: {error}; expected {_EXPECTED}, in UTF-8") from error
    line_of: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        name = line.strip()
        if name in line_of:
            raise InputError(f"{path} has {name!r} in lines {line_of[name]} and {number}; expected every name once")
        if name:
            line_of[name] = number
    if not line_of:
        raise InputError(f"{path} has no names in it; expected {_EXPECTED}")
    return list(line_of)
