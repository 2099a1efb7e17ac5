"""The command `difficulty-inference`: parse, call, print."""

import sys
from pathlib import Path
from statistics import NormalDist, fmean, linear_regression
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from difficulty_model.errors import InputError
from difficulty_model.files import written_whole

app = typer.Typer(
    help="Run classifiers on images and write their responses to a file for `difficulty-model`.",
    add_completion=False, no_args_is_help=True, rich_markup_mode="markdown",
)

console = Console(stderr=True)


@app.callback()
def _commands() -> None:
    """Keep `digits` a command of its own: typer would drop the name of an only command."""


@app.command(epilog="Example: `difficulty-inference digits -o responses.csv`")
def digits(
    output: Annotated[Path, typer.Option("--output", "-o", help="The CSV file to write.")],
    seed: Annotated[int, typer.Option(help="Decides who is trained on what, and all randomness.")] = 0,
) -> None:
    """Train a zoo of classifiers on scikit-learn's handwritten digits and write their responses.

    They are tested on other images by the writers they learned from (`original`) and on images by writers
    they never saw (`new-writers`). Takes well under a minute on one processor and downloads nothing.
    """
    try:
        from difficulty_inference.collecting import is_right, write_responses
        from difficulty_inference.digits import read_digits, split_digits
        from difficulty_inference.zoo import ZOO
    except ModuleNotFoundError as error:
        raise InputError(f"the module {error.name!r} is not installed, and classifiers are trained with "
                         "scikit-learn and torch: pip install 'difficulty-model[inference]'") from error
    images = read_digits()
    split = split_digits(images, seed=seed)
    with written_whole(output) as temporary:  # around the training, so that a bad path is told at once
        right = {
            classifier.name: is_right(classifier, images, split, seed=seed)
            for classifier in track(ZOO, "Training", console=console)
        }
        write_responses(temporary, right, images, split)
    _print_accuracies({
        name: [float(answers[members].mean()) for members in split.test_sets.values()]
        for name, answers in right.items()
    }, list(split.test_sets))
    console.print(f"Responses of {len(right)} models written to {output}")


def _print_accuracies(accuracies: dict[str, list[float]], test_sets: list[str]) -> None:
    table = Table("model", *test_sets)
    for name, shares in sorted(accuracies.items(), key=lambda item: item[1]):
        table.add_row(name, *(f"{share:.1%}" for share in shares))
    console.print(table)
    old, new = zip(*accuracies.values(), strict=True)
    console.print(f"Mean accuracy {fmean(old):.1%} on {test_sets[0]}, {fmean(new):.1%} on {test_sets[1]}")
    if all(0 < share < 1 for share in (*old, *new)):
        probit = NormalDist().inv_cdf
        line = linear_regression([probit(share) for share in old], [probit(share) for share in new])
        console.print(f"Probit line: slope {line.slope:.3f}, intercept {line.intercept:+.3f}")


def main() -> None:
    """Run the command; a mistake of the user is one sentence and exit code 2."""
    try:
        app()
    except InputError as error:
        console.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
