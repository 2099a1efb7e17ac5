"""What all commands share: where they print, and what they say when something is missing."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from difficulty_model.errors import InputError

# Names are the user's, and no markup: `net[lr=0.1]` is to be printed as it is.
out = Console(markup=False, emoji=False)
err = Console(stderr=True, markup=False, emoji=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def pairs(named: Sequence[str]) -> list[tuple[str, str]]:
    """Return the name and the path of every NAME=PATH.

    Raises
    ------
    InputError
        If one has no name or no path, or two have the same name.
    """
    split = [tuple(text.split("=", 1)) for text in named]
    for pair, text in zip(split, named, strict=True):
        if len(pair) < 2 or not all(pair):
            raise InputError(f"test set {text!r} has no name or no path; expected NAME=FOLDER")
    names = [pair[0] for pair in split]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"several test sets are named {', '.join(map(repr, twice))}; names must differ")
    return [(name, path) for name, path in split]


@contextmanager
def logging_above_bars() -> Iterator[None]:
    """Say what goes on above the progress bars."""
    from tqdm.contrib.logging import logging_redirect_tqdm

    logger = logging.getLogger("difficulty_inference")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with logging_redirect_tqdm([logger]):
            yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def needing_inference() -> Iterator[None]:
    """Name what is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(f"the module {error.name!r} is not installed: "
                         "pip install 'difficulty-model[inference]'") from error
