"""The command `difficulty-inference`: parse, call, print."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from difficulty_inference.console import AsJson, err, logging_above_bars, needing_inference, out, pairs
from difficulty_inference.experiments import commands
from difficulty_model.errors import run_command
from difficulty_model.files import written_whole

if TYPE_CHECKING:
    from difficulty_inference.arithmetic import Arithmetic
    from difficulty_inference.predictions import Predictions
    from difficulty_inference.ranks import Ranks
    from difficulty_inference.running import Run

app = typer.Typer(
    help="Run classifiers on images and write their answers to files for `difficulty-model`.",
    add_completion=False, no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False,
)
app.add_typer(commands.app, name="experiment")

Zoo = Annotated[Path, typer.Argument(help="Zoo file: which models, in TOML.")]
TestSets = Annotated[
    list[str], typer.Option("--test-set", help="NAME=FOLDER, or NAME=FILE of the manifest. Repeatable.")
]


@app.command(epilog="Example: `difficulty-inference manifest imagenetv2-matched-frequency-format-val`")
def manifest(
    source: Annotated[Path, typer.Argument(help="A folder of class folders, a folder of images, or an array (.npy).")],
    labels: Annotated[Path | None, typer.Option(help="Classes of images that are not in class folders: lines of "
                                                "image and class, or classes in order; for an array a .npy.")] = None,
    classes: Annotated[Path | None, typer.Option(help="Names of the classes, one per line, in the order of the models' "
                                                 "scores.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write; manifest.csv in the folder if "
                                                "not given.")] = None,
) -> None:
    """List the images of a test set by content, with their right classes.

    Folders named by numbers are classes by number, others by their place in sorted order, as torchvision has it.
    """
    with needing_inference():
        from difficulty_inference.cataloguing import catalogue
        from difficulty_inference.manifest import NAME, write_manifest
    target = output or (source / NAME if source.is_dir() else source.with_suffix(".manifest.csv"))
    with written_whole(target) as temporary:  # around the work, so that a bad path is told before it
        made = catalogue(source, labels=labels, classes=classes, root=target.parent)
        write_manifest(made.manifest, temporary)
    for remark in made.remarks:
        err.print(remark, highlight=False, soft_wrap=True)
    highest = int(made.manifest.labels.max())
    out.print(f"{target}: {len(made.manifest)} images, classes up to {highest}", highlight=False, soft_wrap=True)


@app.command(epilog="Example: `difficulty-inference run zoo.toml --test-set val=imagenet/val --test-set "
             "new=imagenetv2 -o predictions`")
def run(
    zoo: Zoo,
    test_set: TestSets,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of predictions; what is there is kept.")],
    device: Annotated[list[str] | None, typer.Option(help="Where to run: cuda:0, cpu, … All GPUs if not given. "
                                                     "Repeatable: models are shared out.")] = None,
    reference: Annotated[bool, typer.Option("--reference", help="Deterministic, float32 throughout, slower.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at once; halved where memory runs out.")] = 64,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that load images, per device.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first remark or failure.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run every model of a zoo on every test set: one file each, with the five best classes and the margin.

    A run that was stopped goes on where it was, and only what changed is run again. Under `torchrun`, all processes
    share every test set.
    """
    with needing_inference():
        from difficulty_inference.ranks import joined_ranks
        from difficulty_inference.running import Run, run
        from difficulty_inference.test_sets import load_test_set
        from difficulty_inference.zoo import read_zoo, require_safe_name
    test_sets = [load_test_set(require_safe_name(name, "test set"), path) for name, path in pairs(test_set)]
    entries = read_zoo(zoo)
    with joined_ranks() as ranks, logging_above_bars():
        arithmetics = _arithmetics(device, reference=reference, ranks=ranks)
        processes = len(arithmetics) * int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        plan = Run(
            entries, test_sets, output, arithmetics[0], batch_size=batch_size, strict=strict,
            workers=min(16, (os.cpu_count() or 1) // processes) if workers is None else workers,
        )
        failed = run(plan, devices=arithmetics, ranks=ranks)
        if ranks.rank == 0:
            _report(plan, failed, as_json=as_json)
    if failed:
        raise typer.Exit(1)


@app.command(epilog="Example: `difficulty-inference digits digits-zoo`")
def digits(
    folder: Annotated[Path, typer.Argument(help="Folder to put images, zoo, predictions and responses in.")],
    seed: Annotated[int, typer.Option(help="Decides who is trained on what, and all randomness.")] = 0,
) -> None:
    """Train a zoo of classifiers on scikit-learn's handwritten digits, run it, and write its responses.

    They are tested on other images by the writers they learned from (`original`) and on images by writers
    they never saw (`new-writers`). Takes some 20 seconds on one processor and downloads nothing.
    """
    with needing_inference():
        from difficulty_inference.arithmetic import arithmetic_on
        from difficulty_inference.digits.build import ZOO, write_digits, write_wide
        from difficulty_inference.digits.data import TEST_SETS
        from difficulty_inference.running import Run, run
        from difficulty_inference.test_sets import load_test_set
        from difficulty_inference.zoo import read_zoo
    write_digits(folder, seed=seed)
    plan = Run(
        read_zoo(folder / ZOO), [load_test_set(name, folder / name) for name in TEST_SETS], folder / "predictions",
        arithmetic_on("cpu", reference=True), batch_size=256,
    )
    with logging_above_bars():
        failed = run(plan)
    _report(plan, failed, as_json=False)
    if failed:
        raise typer.Exit(1)
    responses = folder / "responses.csv"
    write_wide(plan.folder, [entry.name for entry in plan.zoo], list(TEST_SETS), responses)
    out.print(f"{responses}: right and wrong, one column per model", highlight=False, soft_wrap=True)


def _arithmetics(devices: Sequence[str] | None, *, reference: bool, ranks: "Ranks") -> "list[Arithmetic]":
    """Return where to run: one device for a rank of several, all that were named, or all that are here."""
    from difficulty_inference.arithmetic import arithmetic_on, devices_here
    from difficulty_inference.ranks import local_rank

    names = list(devices or devices_here())
    if ranks.size > 1:
        names = [names[(local_rank() or 0) % len(names)]]
    return [arithmetic_on(name, reference=reference) for name in names]


def _report(plan: "Run", failed: dict[str, str], *, as_json: bool) -> None:
    """Say what every model got right, from the files."""
    from difficulty_inference.predictions import path_of, read_predictions

    rows = [
        _row(read_predictions(path_of(plan.folder, entry.name, test_set.name)))
        for entry in plan.zoo if entry.name not in failed for test_set in plan.test_sets
    ]
    if as_json:
        print(json.dumps({"predictions": rows, "failed": failed}, indent=2))
        return
    table = Table("model", *(test_set.name for test_set in plan.test_sets), title="Right answers in %")
    for entry in plan.zoo:
        own = [row for row in rows if row["model"] == entry.name]
        table.add_row(entry.name, *(_share(row) for row in own) if own else ("failed",))
    out.print(table)
    for row in rows:
        for remark in row["remarks"]:
            err.print(f"{row['model']} on {row['test_set']}: {remark}", highlight=False, soft_wrap=True)
    for name, reason in failed.items():
        err.print(f"{name} failed: {reason}", highlight=False, soft_wrap=True)
    if not rows:
        return
    order = " ".join(f"--test-set {test_set.name}" for test_set in plan.test_sets)
    out.print(f"{plan.folder}: {len(rows)} files of {len(plan.zoo) - len(failed)} models. Next: difficulty-model "
              f"import predictions {plan.folder} {order} -o responses.nc", highlight=False, soft_wrap=True)


def _row(predictions: "Predictions") -> dict[str, Any]:
    observed = predictions.answers.observed
    return {
        "model": predictions.model, "test_set": predictions.test_set, "images": len(observed),
        "observed": int(observed.sum()), "right": int(predictions.right.sum()), "remarks": list(predictions.remarks),
    }


def _share(row: dict[str, Any]) -> str:
    mark = " *" if row["remarks"] else ""
    return f"{row['right'] / row['observed']:.1%}{mark}" if row["observed"] else "none"


def main() -> None:
    """Run `difficulty-inference`."""
    run_command(app)


if __name__ == "__main__":
    main()
