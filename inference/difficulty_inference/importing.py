"""Code that a zoo names: `package.module:function`."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from difficulty_model.errors import InputError


@dataclass(frozen=True)
class Code:
    """A function or class by its name.

    Attributes
    ----------
    name : str
        ``package.module:function``.
    folder : Path
        Where modules may lie that are not installed.
    """

    name: str
    folder: Path

    def __post_init__(self) -> None:
        """Refuse what does not name a function."""
        module, colon, function = self.name.partition(":")
        if not (colon and all(part.isidentifier() for part in (*module.split("."), *function.split(".")))):
            raise InputError(f"{self.name!r} does not name a function; expected package.module:function")

    def resolve(self) -> Callable[..., Any]:
        """Return the function.

        Raises
        ------
        InputError
            If it cannot be imported.
        """
        module, _, function = self.name.partition(":")
        if str(self.folder) not in sys.path:
            sys.path.append(str(self.folder))  # at the end: files beside a zoo must not hide installed modules
        try:
            found: Any = importlib.import_module(module)
            for part in function.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise InputError(f"{self.name} cannot be imported: {error}; it must be installed, or lie in "
                             f"{self.folder}") from error
        if not callable(found):
            raise InputError(f"{self.name} is a {type(found).__name__}; expected a function or a class")
        return found

    def fingerprint(self) -> str:
        """Return a hash of the file that defines the function."""
        function = self.resolve()
        try:
            source = inspect.getsourcefile(inspect.unwrap(function))
        except TypeError:  # defined in C
            source = None
        return file_hash(Path(source)) if source else ""

    def call(self, options: Mapping[str, Any]) -> Any:
        """Return what the function makes of the options.

        Raises
        ------
        InputError
            If it does not take such options.
        """
        function = self.resolve()
        try:
            inspect.signature(function).bind(**options)
        except TypeError as error:
            raise InputError(f"{self.name} does not take the options {dict(options)}: {error}") from error
        except ValueError:  # a function defined in C tells nothing; calling it will
            pass
        return function(**options)


def file_hash(path: Path) -> str:
    """Return the sha256 of a file.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
