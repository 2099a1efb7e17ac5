"""The commands `difficulty-inference experiment …`: parse, call, write, print."""
# ruff: noqa: FBT002 - options of a command are its parameters

import os
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from difficulty_inference.console import AsJson, err, logging_above_bars, needing_inference, out, pairs
from difficulty_model.errors import InputError

if TYPE_CHECKING:
    from difficulty_inference.experiments.features import Features
    from difficulty_inference.experiments.result import Result
    from difficulty_inference.test_sets import TestSet

app = typer.Typer(
    help="Experiments on the gap between two test sets that need images, and most of them training.",
    no_args_is_help=True, rich_markup_mode="markdown",
)

Zoo = Annotated[Path, typer.Argument(help="Zoo file; models with `estimator` and `train_on` are trained.")]
Original = Annotated[str, typer.Option("--original", help="The original test set, NAME=FOLDER.")]
New = Annotated[str, typer.Option("--new", help="The new test set, NAME=FOLDER.")]
FeatureZoo = Annotated[Path | None, typer.Option("--zoo", help="Zoo file, for features instead of pixels.")]
FeatureModel = Annotated[str | None, typer.Option("--model", help="Which model of the zoo makes the features; of timm "
                                                  "with num_classes = 0, for instance.")]
Seed = Annotated[int, typer.Option(help="Decides all lots.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where to write the result, as JSON.")]

NEAREST = (0.01, 0.1, 0.5)
"""Parts of a test set whose distances are printed."""


@app.command("new-data", epilog="Example: `difficulty-inference experiment new-data digits/zoo.toml "
             "--original original=digits/original --new new-writers=digits/new-writers -o new-data.json`")
def new_data(
    zoo: Zoo,
    original: Original,
    new: New,
    output: Output,
    repeats: Annotated[int, typer.Option(min=2, help="How often the new test set is divided.")] = 10,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Train on part of the new test set and test on the rest, beside as many more original images.

    What helps more than as many original images is something of the new ones that can be learned. All models of the
    zoo are trained three times in every repetition.
    """
    with needing_inference():
        from difficulty_inference.experiments.new_data import train_on_new
        from difficulty_inference.zoo import read_zoo
    _require_place(output)
    first, second = _test_sets(original, new)
    with logging_above_bars():
        result = train_on_new(read_zoo(zoo), new=second, original=first, repeats=repeats, seed=seed)
    arms, differences = ("untouched", "new", "original"), ("new-untouched", "original-untouched", "new-original")
    table = Table(
        Column("model", overflow="fold"), *arms, *(name.replace("-", " − ") for name in differences),
        title=f"Right in % on {result.settings['tested']} images of {second.name}, with "
              f"{result.settings['added']} more to learn from, ± standard error",
    )
    for model, own in _by_model(result).items():
        table.add_row(model, *(_share(own[name]) for name in arms), *(_points(own[name]) for name in differences))
    _finish(result, table, output, as_json=as_json)


@app.command(epilog="Example: `difficulty-inference experiment folds digits/zoo.toml --original "
             "original=digits/original --new new-writers=digits/new-writers -o folds.json`")
def folds(
    zoo: Zoo,
    original: Original,
    new: New,
    output: Output,
    folds: Annotated[int, typer.Option(min=2, help="How many.")] = 5,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Cross-validate over training and original images together, and test on the new test set too.

    Were the drop a matter of which images happened to be for testing, accuracies would spread as far over the folds.
    """
    with needing_inference():
        from difficulty_inference.experiments.folds import cross_validate
        from difficulty_inference.zoo import read_zoo
    _require_place(output)
    first, second = _test_sets(original, new)
    with logging_above_bars():
        result = cross_validate(read_zoo(zoo), original=first, new=second, folds=folds, seed=seed)
    table = Table(
        Column("model", overflow="fold"), "folds", "lowest to highest", "new", "folds − new",
        title=f"Right in % on the folds and on {second.name}, ± standard error",
    )
    ranges = _ranges(result)
    for model, own in _by_model(result).items():
        table.add_row(
            model, _share(own["folds"]), ranges.get(model, ""), _share(own["new"]), _points(own["folds-new"])
        )
    _finish(result, table, output, as_json=as_json)


@app.command(epilog="Example: `difficulty-inference experiment hyperparameters digits/zoo.toml --model svm-rbf-n500 "
             "--vary C=0.5,5,50 --test-set original=digits/original --test-set new-writers=digits/new-writers "
             "-o variants`")
def hyperparameters(
    zoo: Zoo,
    model: Annotated[str, typer.Option(help="Name of the model.")],
    vary: Annotated[list[str], typer.Option(help="OPTION=VALUE,VALUE,… as in TOML. Repeatable: all combinations.")],
    test_set: Annotated[list[str], typer.Option(help="NAME=FOLDER. Repeatable.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of predictions; what is there is kept.")],
    as_json: AsJson = False,
) -> None:
    """Train one model with other options, and run all variants into an ordinary folder of predictions."""
    with needing_inference():
        from difficulty_inference.arithmetic import arithmetic_on
        from difficulty_inference.experiments.hyperparameters import compared, parsed, variants
        from difficulty_inference.running import Run, run
        from difficulty_inference.test_sets import load_test_set
        from difficulty_inference.zoo import read_zoo, require_safe_name
    entries = variants(read_zoo(zoo), model, parsed(vary))
    test_sets = [load_test_set(require_safe_name(name, "test set"), path) for name, path in pairs(test_set)]
    with logging_above_bars():
        failed = run(Run(entries, test_sets, output, arithmetic_on("cpu", reference=True)))
    result = compared(entries, test_sets, output, failed)
    table = Table(
        Column("variant", overflow="fold"),
        *(column for test in test_sets for column in (test.name, "− unchanged")),
        title="Right in %, with its interval of 95%; less the unchanged model, ± standard error",
    )
    for entry in entries:
        own = [row for row in result.tables["rows"] if row["model"] == entry.name]
        table.add_row(entry.name, *(
            cell for row in own
            for cell in (_interval(row["right"] / row["shown"], row), _points(row, key="difference"))
        ))
    _print(result, table, as_json=as_json)
    if not as_json:
        out.print(f"{output}: the predictions. Next: difficulty-model import predictions {output} -o responses.nc",
                  highlight=False, soft_wrap=True)
    _report_failures(result)


@app.command(epilog="Example: `difficulty-inference experiment discriminator --original original=digits/original "
             "--new new-writers=digits/new-writers -o discriminator.json`")
def discriminator(
    original: Original,
    new: New,
    output: Output,
    zoo: FeatureZoo = None,
    model: FeatureModel = None,
    estimator: Annotated[str | None, typer.Option(help="package.module:function that returns the classifier; "
                                                  "standardised radial support vectors if not given.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How many splits into learned and tested images.")] = 5,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Train a classifier to tell original from new images; on others it does better than chance if they differ."""
    with needing_inference():
        from difficulty_inference.experiments.discriminator import SUPPORT_VECTORS, discriminate
        from difficulty_inference.importing import Code
    _require_place(output)
    code = SUPPORT_VECTORS if estimator is None else Code(estimator, Path.cwd())
    with logging_above_bars():
        first, second = _features(_test_sets(original, new), zoo, model)
        result = discriminate(first, second, estimator=code, repeats=repeats, seed=seed)
    table = Table(
        "split", "right", "accuracy", "p",
        title=f"{first.test_set.name} told from {second.test_set.name} in %, with its interval of 95%; "
              "chance is 50%",
    )
    for row in result.tables["rows"]:
        table.add_row(
            str(row["split"]), f"{row['right']} of {row['shown']}", _interval(row["accuracy"], row),
            f"{row['p_value']:.2g}",
        )
    mean = result.tables["estimates"][0]
    table.add_row("mean", "", _interval(mean["value"], mean), f"{mean['p_value']:.2g}")
    _finish(result, table, output, as_json=as_json)


@app.command(epilog="Example: `difficulty-inference experiment neighbours --original original=digits/original "
             "--new new-writers=digits/new-writers --training training=digits/training -o neighbours.json`")
def neighbours(
    original: Original,
    new: New,
    training: Annotated[str, typer.Option(help="The images that models have learned from, NAME=FOLDER.")],
    output: Output,
    zoo: FeatureZoo = None,
    model: FeatureModel = None,
    as_json: AsJson = False,
) -> None:
    """Find the training image nearest to every original and new image, to see which original ones are near-duplicates.

    New images are the control: how near an image comes that nobody has learned from.
    """
    with needing_inference():
        from difficulty_inference.experiments.neighbours import nearest_in_training
    _require_place(output)
    with logging_above_bars():
        result = nearest_in_training(*_features(_test_sets(original, new, training), zoo, model))
    table = Table(
        Column("test set", overflow="fold"), "images", "at distance 0", *(f"nearest {part:.0%}" for part in NEAREST),
        title="Distances to the nearest training images: the largest among so many of the images",
    )
    for name, distances in _distances(result).items():
        table.add_row(
            name, str(len(distances)), str(distances.count(0)),
            *(f"{distances[ceil(part * len(distances)) - 1]:.3g}" for part in NEAREST),
        )
    _finish(result, table, output, as_json=as_json)


def _require_place(output: Path) -> None:
    """Refuse before the work what could not be written after it."""
    if output.is_dir() or not os.access(output.parent, os.W_OK):
        raise InputError(f"cannot write {output}; give the name of a file in a folder that exists and can be "
                         "written to")


def _test_sets(*named: str) -> "list[TestSet]":
    from difficulty_inference.test_sets import load_test_set

    return [load_test_set(name, path) for name, path in pairs(named)]


def _features(test_sets: "list[TestSet]", zoo: Path | None, model: str | None) -> "list[Features]":
    """Return the pixels, or what a model of a zoo makes of them, on the first device here."""
    from difficulty_inference.arithmetic import arithmetic_on, devices_here
    from difficulty_inference.experiments.features import model_features, pixel_features
    from difficulty_inference.experiments.training import named
    from difficulty_inference.zoo import read_zoo

    if zoo is None and model is None:
        return pixel_features(*test_sets)
    if zoo is None or model is None:
        raise InputError("features of a model need both --zoo and --model; give both, or none for pixels")
    entry = named(read_zoo(zoo), model)
    arithmetic = arithmetic_on(devices_here()[0], reference=True)
    return model_features(entry, *test_sets, arithmetic=arithmetic, workers=min(16, os.cpu_count() or 1))


def _by_model(result: "Result") -> dict[str, dict[str, Mapping[str, Any]]]:
    """Return the estimates by the title of a row and the quantity."""
    models: dict[str, dict[str, Mapping[str, Any]]] = {}
    count = len({row["model"] for row in result.tables["rows"]})
    for estimate in result.tables["estimates"]:
        title = f"mean of {count} models" if estimate["model"] is None else estimate["model"]
        models.setdefault(title, {})[estimate["quantity"]] = estimate
    return models


def _ranges(result: "Result") -> dict[str, str]:
    """Return each model's accuracies on the lowest and the highest fold."""
    shares: dict[str, list[float]] = {}
    for row in result.tables["rows"]:
        if row["tested"] == "folds":
            shares.setdefault(row["model"], []).append(100 * row["right"] / row["shown"])
    return {model: f"{min(own):.1f} to {max(own):.1f}" for model, own in shares.items()}


def _distances(result: "Result") -> dict[str, list[float]]:
    """Return the distances of each test set, in order."""
    distances: dict[str, list[float]] = {}
    for row in result.tables["rows"]:
        distances.setdefault(row["test_set"], []).append(row["distance"])
    return {name: sorted(own) for name, own in distances.items()}


def _share(estimate: Mapping[str, Any]) -> str:
    return f"{100 * estimate['value']:.1f} ± {100 * estimate['standard_error']:.1f}"


def _points(record: Mapping[str, Any], *, key: str = "value") -> str:
    return f"{100 * record[key]:+.1f} ± {100 * record['standard_error']:.1f}"


def _interval(share: float, record: Mapping[str, Any]) -> str:
    return f"{100 * share:.1f} \\[{100 * record['low']:.1f}, {100 * record['high']:.1f}]"


def _finish(result: "Result", table: Table, output: Path, *, as_json: bool) -> None:
    from difficulty_inference.experiments.result import write_result

    write_result(result, output)
    _print(result, table, as_json=as_json)
    if not as_json:
        out.print(f"{output}: the numbers behind the table", highlight=False, soft_wrap=True)
    _report_failures(result)


def _print(result: "Result", table: Table, *, as_json: bool) -> None:
    if as_json:
        print(result.as_json(), end="")
    else:
        out.print(table)


def _report_failures(result: "Result") -> None:
    for name, reason in result.failed.items():
        err.print(f"{name} failed: {reason}", highlight=False, soft_wrap=True)
    if result.failed:
        raise typer.Exit(1)
