"""What the command line may give as paths, and how files are named after test sets."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from difficulty_model.errors import InputError
from difficulty_model.files import existing

Paths: TypeAlias = Path | str | Sequence[Path | str]
"""One path or several."""


def listed(paths: Paths, expected: str) -> list[Path]:
    """Return the paths as a list of files that exist; `expected` says what they should be."""
    several = [paths] if isinstance(paths, Path | str) else paths
    if not several:
        raise InputError(f"no path given; expected {expected}")
    return [existing(path, expected) for path in several]


def only(paths: Paths, expected: str) -> Path:
    """Return the one folder given."""
    several = listed(paths, expected)
    if len(several) > 1:
        raise InputError(f"{len(several)} paths given; expected one, {expected}")
    if not several[0].is_dir():
        raise InputError(f"{several[0]} is a file; expected {expected}")
    return several[0]


def test_set_of_each(files: Sequence[Path], test_sets: Sequence[str] | None) -> list[str]:
    """Name the test set of every file that does not name its own.

    One name given is that of all files together, several are those of the files in order, and without any a
    file is named by its stem.
    """
    if test_sets is None:
        stems = [file.stem for file in files]
        stem, times = max(Counter(stems).items(), key=lambda item: item[1], default=("", 0))
        if times > 1:
            raise InputError(f"{times} files are named {stem!r}, so their test sets cannot be told apart; "
                             "name the test sets, one for each file in order, or one for all of them "
                             "together")
        return stems
    if len(test_sets) not in (1, len(files)):
        raise InputError(f"{len(test_sets)} test sets named for {len(files)} files; expected one name for "
                         "each file in order, or one for all of them together")
    return list(test_sets) * (len(files) if len(test_sets) == 1 else 1)


def refuse_top_k(top_k: int, layout: str) -> None:
    """Raise unless `top_k` is 1, for a layout that stores no more than right and wrong."""
    if top_k != 1:
        raise InputError(f"top_k={top_k} needs the k best classes of every image; {layout} keeps one answer "
                         "per image only: leave top_k at 1")
