"""Commands that get responses and look at them: `import`, `check`, `fetch`."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from difficulty_model.cli.app import AsJson, Output, TestSets, app, drawing, write_figure
from difficulty_model.cli.printing import err, out, print_checks, print_findings
from difficulty_model.errors import InputError, unknown_name


class Release(StrEnum):
    """Published predictions that can be fetched."""

    IMAGENETV2 = "imagenetv2"
    CIFAR = "cifar10.1"


@app.command("import", epilog="Example: `difficulty-model import wide data/digits/responses.csv -o responses.nc`")
def import_(
    layout: Annotated[
        str, typer.Argument(help="predictions, imagenetv2, cifar10.1, cifar10h, long, wide, py-irt or accuracies.")
    ],
    paths: Annotated[list[Path], typer.Argument(help="Files, or the folder of a release.")],
    output: Output,
    test_set: TestSets = None,
    top_k: Annotated[int, typer.Option(help="Right is: the right class is among the first k stored.")] = 1,
) -> None:
    """Read predictions in one of several layouts into a responses file."""
    from difficulty_model.readers import LAYOUTS

    if layout not in LAYOUTS:
        raise unknown_name("layout", layout, LAYOUTS)
    read = LAYOUTS[layout].read(paths, test_sets=test_set, top_k=top_k)
    read.save(output)
    for line in read.history:
        err.print(line, style="dim", highlight=False)
    out.print(f"{output}: {len(read.models)} models, test sets {', '.join(read.test_sets)}", highlight=False)


@app.command(epilog="Example: `difficulty-model check responses.nc --fix -o fixed.nc`; of a fit: "
             "`difficulty-model check fit.nc --plot misfit.png`")
def check(
    path: Annotated[Path, typer.Argument(help="Responses, as `import` writes them; or a fit, as `fit` writes it.")],
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything is found.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Apply every remedy that needs no other data.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where --fix writes to.")] = None,
    plot: Annotated[Path | None, drawing("the checks of a fit")] = None,
    seed: Annotated[int, typer.Option(help="Of a fit: of the replicated data sets.")] = 0,
) -> None:
    """Say what a careful colleague would notice in responses before fitting, or where a fit does not hold."""
    from difficulty_model.checking import check_responses, fix_responses
    from difficulty_model.fitting import holds_fit
    from difficulty_model.responses import load_responses

    if holds_fit(path):
        if fix or output is not None:
            raise InputError(f"{path} holds a fit, of which nothing can be mended; --fix and -o are for responses")
        _check_fit(path, as_json=as_json, strict=strict, plot=plot, seed=seed)
        return
    if plot is not None:
        raise InputError(f"{path} holds responses; --plot draws the checks of a fit")
    if fix != (output is not None):
        raise InputError("--fix and -o FILE go together: give both, or neither")
    loaded = load_responses(path)
    findings = check_responses(loaded)
    if as_json:
        print(json.dumps({"findings": [finding.as_dict() for finding in findings]}, indent=2))
    else:
        print_findings(findings)
    if output is not None:
        fixed = fix_responses(loaded, findings)
        fixed.save(output)
        for line in fixed.history[len(loaded.history) :]:
            err.print(line, highlight=False)
        err.print(f"{output}: {len(fixed.history) - len(loaded.history)} remedies applied", highlight=False)
    if strict and findings:
        raise typer.Exit(1)


def _check_fit(path: Path, *, as_json: bool, strict: bool, plot: Path | None, seed: int) -> None:
    from difficulty_model.fitting import load_fit
    from difficulty_model.misfit import check_fit
    from difficulty_model.plots import plot_misfit

    checks = check_fit(load_fit(path), random_seed=seed)
    if plot is not None:
        write_figure(plot, lambda figure: plot_misfit(checks, figure))
    if as_json:
        print(json.dumps({"checks": [found.as_dict() for found in checks]}, indent=2))
    else:
        print_checks(checks)
    if strict and any(found.verdict == "misfit" for found in checks):
        raise typer.Exit(1)


@app.command(epilog="Example: `difficulty-model fetch cifar10.1 -o cifar10.1`")
def fetch(
    release: Annotated[Release, typer.Argument(help="imagenetv2 (185 MB) or cifar10.1 (2 MB).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to put it in.")],
) -> None:
    """Download published predictions from their publisher, checked against checksums."""
    from difficulty_model.fetching import fetch as fetch_release

    folder = fetch_release(release.value, output)
    out.print(f"{folder}: complete. Next: difficulty-model import {release.value} {folder} -o responses.nc",
              highlight=False)
