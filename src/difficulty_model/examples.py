"""Responses that come with the package, to learn and to try things on."""

from pathlib import Path

from difficulty_model.errors import unknown_name
from difficulty_model.files import existing
from difficulty_model.readers.wide import read_wide
from difficulty_model.responses import Responses

EXAMPLES = ("digits",)
"""The names of the examples."""


def load_example(name: str) -> Responses:
    """Return the responses of an example.

    ``digits``: right and wrong answers of some sixty classifiers to handwritten digits, by the writers they
    learned from (`original`, the reference) and by writers they never saw (`new-writers`).

    Parameters
    ----------
    name
        One of `EXAMPLES`.

    Raises
    ------
    InputError
        If there is no such example.

    Examples
    --------
    >>> load_example("digits").test_sets
    ['original', 'new-writers']
    """
    return read_wide(example_path(name))


def example_path(name: str) -> Path:
    """Return where the CSV file of an example lies, for commands that take a file.

    Raises
    ------
    InputError
        If there is no such example.
    """
    if name not in EXAMPLES:
        raise unknown_name("example", name, EXAMPLES)
    packaged = Path(__file__).parent / "example_data" / f"{name}.csv"
    checkout = Path(__file__).parents[2] / "data" / name / "responses.csv"
    return existing(packaged if packaged.exists() else checkout, f"the responses of the example {name!r}")
