"""Reading files that others made, safely; writing files whole or not at all."""

import glob
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from difficulty_model.errors import InputError


@contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it there only if the block succeeds.

    The temporary file keeps the suffix of `path`, since writers choose formats by it.

    Raises
    ------
    InputError
        If the folder does not exist or cannot be written to.
    """
    path = Path(path)
    require_place(path)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; give a file in a folder that exists "
                         "and can be written to") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes files private; a result is as public as any other
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; nothing was changed") from error
    finally:
        temporary.unlink(missing_ok=True)


def require_place(path: Path) -> None:
    """Refuse a path that nothing can be written to, before what is to be written has taken its time.

    Raises
    ------
    InputError
        If it is a folder, or is in none.
    """
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}; give a file in a folder that exists "
                         "and can be written to")


def remove_leftovers(path: Path | str) -> None:
    """Remove what a killed process left of its `written_whole(path)`; call it where nobody else writes `path`."""
    path = Path(path)
    for entry in path.parent.glob(f".{glob.escape(path.stem)}-????????{glob.escape(path.suffix)}"):
        if re.fullmatch(r"[a-z0-9_]{8}", entry.name[len(path.stem) + 2 :].removesuffix(path.suffix)):
            entry.unlink(missing_ok=True)


def existing(path: Path | str, expected: str) -> Path:
    """Return `path`, or raise an `InputError` that says what was `expected` there."""
    path = Path(path)
    if not path.exists():
        beside = sorted(p.name for p in path.parent.iterdir())[:8] if path.parent.is_dir() else []
        there = f"; in {path.parent}: {', '.join(beside)}" if beside else ""
        raise InputError(f"no such file or folder: {path} (expected {expected}){there}")
    return path


def read_json(path: Path | str) -> Any:
    """Return the content of a JSON file; anything else in it is an `InputError`."""
    path = existing(path, "a JSON file")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON, a number too long
        raise InputError(f"{path} is not readable as JSON: {error}; is the file complete?") from error


def json_values(value: Any) -> Any:  # noqa: ANN401
    """Return the same as values that JSON can hold: plain numbers, and None for those that are not finite."""
    if isinstance(value, dict):
        return {str(key): json_values(of) for key, of in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(of) for of in value]
    if isinstance(value, np.generic):
        return json_values(value.item())
    return None if isinstance(value, float) and not np.isfinite(value) else value


def read_npy(path: Path | str, *, mapped: bool = False) -> np.ndarray:
    """Return the array of a `.npy` file, never unpickling anything; `mapped` leaves it on disk until it is read."""
    path = existing(path, "a .npy array")
    try:
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path} is not a readable .npy array: {error}; expected plain numbers (pickled objects are "
            "refused, since they can run code) and a complete file: download or export it again"
        ) from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} holds several arrays (.npz); expected one .npy array")
    return array
