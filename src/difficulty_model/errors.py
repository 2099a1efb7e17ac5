"""The one exception for what a user can mend: bad files, bad names, bad combinations."""

import difflib
import sys
from collections.abc import Callable, Iterable


class InputError(ValueError):
    """Something given is not what is needed: says what was given, what was expected, what to do."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for a name that does not exist, with the nearest ones that do."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[:8]
    more = f" (of {len(names)})" if len(names) > len(near) else ""
    return InputError(f"no {kind} named {name!r}; nearest{more}: {', '.join(map(repr, near))}")


def run_command(command: Callable[[], None]) -> None:
    """Run a command of the terminal; a mistake of the user is one sentence on the error output, and exit code 2."""
    try:
        command()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
