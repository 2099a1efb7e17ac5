"""The command itself, and what several of its commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from difficulty_model.errors import InputError
from difficulty_model.files import require_place, written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

app = typer.Typer(
    help="When classifiers lose accuracy on a new test set, why? Image difficulties and model skills from "
    "per-image responses, and the line between accuracies that they predict.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


Output = Annotated[Path, typer.Option("--output", "-o", help="File to write, whole or not at all.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
TestSets = Annotated[
    list[str] | None, typer.Option("--test-set", help="Only this test set; the first is the reference. Repeatable.")
]


def drawing(what: str, *names: str) -> Any:  # noqa: ANN401
    """Return the option of a picture, which is refused before anything is computed if it cannot be written."""
    return typer.Option(*names, callback=_drawable, help=f"Draw {what} to this file (.png, .pdf, .svg).")


def _drawable(path: Path | None) -> Path | None:
    if path is not None:
        from matplotlib.figure import Figure

        if path.suffix.lstrip(".").lower() not in Figure().canvas.get_supported_filetypes():
            raise InputError(f"cannot draw to {path}: no picture format {path.suffix!r}; use .png, .pdf or .svg")
        require_place(path)
    return path


def write_figure(path: Path, plot: Callable[["Figure"], None], *, size: tuple[float, float] = (15, 7.5)) -> None:
    """Draw a figure and write it to a file, whole or not at all; in the format that the file's name ends with."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Names are the user's, and no formulas: `net $a` is to be drawn as it is.
    with rc_context({"text.parse_math": False}), written_whole(path) as temporary:
        figure = Figure(figsize=size, layout="constrained")
        plot(figure)
        figure.savefig(temporary, dpi=150)
