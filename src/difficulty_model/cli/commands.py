"""The commands of `difficulty-model`: parse, call, hand on to be printed."""

import json
import logging
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.logging import RichHandler

from difficulty_model.cli.options import (
    Classes,
    CurveOption,
    CurveShape,
    Discriminations,
    Guess,
    Lapses,
    LapsesOption,
    Population,
    Shape,
    SkillLoss,
    Slopes,
    Unlearnable,
    Unmissable,
    specification_of,
)
from difficulty_model.cli.printing import (
    err,
    observed_rows,
    out,
    print_checks,
    print_comparison,
    print_findings,
    print_fit,
    print_law,
    print_lines,
    print_simulation,
    table_of,
)
from difficulty_model.errors import InputError, run_command, unknown_name

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
class Method(StrEnum):
    """How to sample the posterior."""

    NUTS = "nuts"
    LAPLACE = "laplace"
    MODE = "mode"
    JOINT = "joint"


class Release(StrEnum):
    """Published predictions that can be fetched."""

    IMAGENETV2 = "imagenetv2"
    CIFAR = "cifar10.1"


Output = Annotated[Path, typer.Option("--output", "-o", help="File to write, whole or not at all.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
TestSets = Annotated[
    list[str] | None, typer.Option("--test-set", help="Only this test set; the first is the reference. Repeatable.")
]


@app.command("import", epilog="Example: `difficulty-model import wide data/digits/responses.csv -o responses.nc`")
def import_(
    layout: Annotated[
        str, typer.Argument(help="predictions, imagenetv2, cifar10.1, long, wide, py-irt or accuracies.")
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
        err.print(line, style="dim", markup=False, highlight=False)
    out.print(f"{output}: {len(read.models)} models, test sets {', '.join(read.test_sets)}", highlight=False)


@app.command(epilog="Example: `difficulty-model check responses.nc --fix -o fixed.nc`; of a fit: "
             "`difficulty-model check fit.nc --plot misfit.png`")
def check(
    path: Annotated[Path, typer.Argument(help="Responses, as `import` writes them; or a fit, as `fit` writes it.")],
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything is found.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Apply every remedy that needs no other data.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where --fix writes to.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Of a fit: draw the checks to this file (.png, .svg).")] = None,
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
            err.print(line, markup=False, highlight=False)
        err.print(f"{output}: {len(fixed.history) - len(loaded.history)} remedies applied", highlight=False)
    if strict and findings:
        raise typer.Exit(1)


@app.command(epilog="Example: `difficulty-model fit responses.nc -o fit.nc --seed 1`; with better models: "
             "`difficulty-model fit responses.nc -o better.nc --curve logistic --slopes --unmissable --unlearnable`")
def fit(
    responses: Annotated[Path, typer.Argument(help="Responses file, as `import` writes it.")],
    output: Output,
    test_set: TestSets = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave this model out. Repeatable.")] = None,
    draws: Annotated[int, typer.Option(help="Draws per chain.")] = 250,
    chains: Annotated[int, typer.Option(help="Chains.")] = 4,
    seed: Annotated[int, typer.Option(help="Of all randomness: same seed and machine, same file.")] = 0,
    curve: CurveOption = CurveShape.PROBIT,
    slopes: Slopes = False,
    lapses: LapsesOption = Lapses.NONE,
    guess: Guess = 0.0,
    population: Population = Shape.NORMAL,
    unmissable: Unmissable = False,
    unlearnable: Unlearnable = False,
    discriminations: Discriminations = False,
    classes: Classes = False,
    covariates: Annotated[
        Path | None, typer.Option(help="Table of numbers per image (CSV or Parquet, column image): difficulty is "
                                  "regressed on all its columns.")
    ] = None,
    skill_loss: SkillLoss = False,
    families: Annotated[
        Path | None, typer.Option(help="Table with columns model and family (CSV or Parquet): models of one family are "
                                  "right and wrong on the same images more often than by chance.")
    ] = None,
    method: Annotated[Method, typer.Option(help="nuts; laplace is faster and checks itself; mode is unchecked; "
                                           "joint samples every image too, hundreds of times slower.")] = Method.NUTS,
) -> None:
    """Fit skills of models, difficulties of images and the populations of test sets."""
    from difficulty_model.files import written_whole
    from difficulty_model.fitting import fit as fit_responses
    from difficulty_model.readers import read_covariates, read_families
    from difficulty_model.responses import load_responses

    logger = logging.getLogger("difficulty_model")
    logger.addHandler(RichHandler(console=err, show_time=False, show_level=False, show_path=False))
    logger.setLevel(logging.INFO)
    chosen = load_responses(responses).select(test_sets=test_set, exclude=exclude or ())
    names: list[str] = []
    if covariates is not None:
        table = read_covariates(covariates)
        chosen, names = chosen.with_covariates(table), list(table)
    if families is not None:
        chosen = chosen.with_families(read_families(families))
    specification = specification_of(
        curve, lapses, guess, population, slopes=slopes, unmissable=unmissable, unlearnable=unlearnable,
        discriminations=discriminations, classes=classes, covariates=names, skill_loss=skill_loss,
        families=families is not None,
    )
    with written_whole(output) as temporary:  # around the work, so that a bad path is told before it
        fitted = fit_responses(
            chosen, specification, draws=draws, chains=chains, random_seed=seed, method=method.value
        )
        fitted.save(temporary)
    print_fit(fitted)
    out.print(f"{output} written. {fitted.verdict}", highlight=False)


@app.command(epilog="Example: `difficulty-model compare fit.nc slopes.nc flexible.nc`")
def compare(
    fits: Annotated[list[Path], typer.Argument(help="Fits of the same responses.")],
    as_json: AsJson = False,
    left_out_models: Annotated[
        bool, typer.Option("--left-out-models", help="Also leave every model out, and predict it from its responses on "
                           "the first test set; minutes.")
    ] = False,
    held_out: Annotated[
        Path | None, typer.Option(help="Responses of the same models to a test set that no fit has seen.")
    ] = None,
) -> None:
    """Compare fits: by images left out once each, by models left out, and by a test set that they have not seen."""
    from difficulty_model.comparison import compare as compare_fits
    from difficulty_model.comparison import predict_held_out, predict_left_out
    from difficulty_model.fitting import load_fit
    from difficulty_model.responses import load_responses

    loaded = {path.stem: load_fit(path) for path in fits}
    if len(loaded) < len(fits):
        raise InputError(f"fits are named by their files; of {', '.join(map(str, fits))} two have the same name")
    compared = compare_fits(loaded)
    plain = compared.as_dict()
    for row in plain["fits"]:
        if left_out_models:
            row["left_out_models"] = predict_left_out(loaded[row["fit"]]).as_dict()
        if held_out is not None:
            row["held_out"] = predict_held_out(loaded[row["fit"]], load_responses(held_out)).as_dict()
    if as_json:
        print(json.dumps(plain, indent=2))
    else:
        print_comparison(plain)


@app.command(epilog="Example: `difficulty-model calibrate --slopes --worlds 100`")
def calibrate(
    curve: CurveOption = CurveShape.PROBIT,
    slopes: Slopes = False,
    lapses: LapsesOption = Lapses.NONE,
    guess: Guess = 0.0,
    population: Population = Shape.NORMAL,
    unmissable: Unmissable = False,
    unlearnable: Unlearnable = False,
    discriminations: Discriminations = False,
    classes: Classes = False,
    skill_loss: SkillLoss = False,
    families: Annotated[bool, typer.Option("--families", help="Models in families of three.")] = False,
    worlds: Annotated[int, typer.Option(help="Simulated worlds, drawn from the priors.")] = 100,
    models: Annotated[int, typer.Option(help="Models of each.")] = 8,
    images: Annotated[int, typer.Option(help="Images of each of two test sets.")] = 150,
    method: Annotated[Method, typer.Option(help="nuts or laplace.")] = Method.NUTS,
    seed: Annotated[int, typer.Option(help="Of the first world.")] = 0,
    as_json: AsJson = False,
    plot: Annotated[Path | None, typer.Option(help="Draw the ranks to this file (.png, .pdf, .svg).")] = None,
) -> None:
    """Check this software on your machine: posteriors of simulated worlds must hold the truth as often as they say."""
    from difficulty_model.calibration import calibrate as calibrate_software
    from difficulty_model.calibration import narrowed
    from difficulty_model.plots import plot_calibration

    specification = narrowed(specification_of(
        curve, lapses, guess, population, slopes=slopes, unmissable=unmissable, unlearnable=unlearnable,
        discriminations=discriminations, classes=classes, covariates=[], skill_loss=skill_loss, families=families,
    ))
    found = calibrate_software(
        specification, worlds=worlds, models=models, images=images, method=method.value,  # pyright: ignore[reportArgumentType]
        random_seed=seed,
    )
    if plot is not None:
        _write_figure(plot, lambda figure: plot_calibration(found, figure))
    if as_json:
        print(json.dumps(found.as_dict(), indent=2))
    else:
        shown = found.table().filter(["quantity", "chi2_p", "ecdf_p", "inside_50", "inside_90", "calibrated"])
        out.print(table_of(shown, f"{worlds} worlds of {models} models and 2 × {images} images"))
        out.print(found.verdict, *found.trouble, sep="\n", highlight=False)
    if not bool(found.table()["calibrated"].all()):
        raise typer.Exit(1)


@app.command(epilog="Example: `difficulty-model law fit.nc --from original --to new-writers --plot law.png`")
def law(
    fit: Annotated[Path, typer.Argument(help="Fit, as `fit` writes it; or accuracies, for the observed line alone.")],
    from_: Annotated[str, typer.Option("--from", help="The original test set.")],
    to: Annotated[str, typer.Option("--to", help="The new test set.")],
    as_json: AsJson = False,
    plot: Annotated[Path | None, typer.Option(help="Draw the line to this file (.png, .pdf, .svg).")] = None,
    seed: Annotated[int, typer.Option(help="Of replicated test sets and of the bootstrap.")] = 0,
) -> None:
    """Print the line between accuracies on two test sets: predicted by the fit, and observed."""
    from difficulty_model.accuracies import holds_accuracies, load_accuracies
    from difficulty_model.fitting import load_fit
    from difficulty_model.observed import observed_line_of_accuracies
    from difficulty_model.plots import plot_law
    from difficulty_model.prediction import law_between

    if holds_accuracies(fit):
        if plot is not None:
            raise InputError(f"{fit} holds accuracies alone, without intervals to draw; --plot needs a fit")
        line = observed_line_of_accuracies(load_accuracies(fit), from_, to)
        if as_json:
            print(json.dumps({"from": from_, "to": to, "observed": line.as_dict()}, indent=2))
        else:
            print_lines(from_, to, observed_rows(line))
        return
    relation = law_between(load_fit(fit), from_, to, random_seed=seed)
    if plot is not None:
        _write_figure(plot, lambda figure: plot_law(relation, figure.subplots()), size=(6.5, 6.5))
    if as_json:
        print(json.dumps(relation.as_dict(), indent=2))
    else:
        print_law(relation)


@app.command(epilog="Example: `difficulty-model simulate fit.nc --images 2000 --like original --like new-writers "
             "--harder 0.3 --against original --plot simulated.png`")
def simulate(
    fit: Annotated[Path, typer.Argument(help="Fit, as `fit` writes it.")],
    images: Annotated[int, typer.Option(help="Of the hypothetical test set.")],
    like: Annotated[
        list[str], typer.Option(help="Images are like this fitted test set's; NAME=SHARE for a part. Repeatable.")
    ],
    against: Annotated[str | None, typer.Option(help="Fitted test set to compare with; the first by default.")] = None,
    harder: Annotated[float, typer.Option(help="Probit units by which all images are harder.")] = 0.0,
    wider: Annotated[float, typer.Option(help="Factor by which difficulties are further apart.")] = 1.0,
    class_: Annotated[
        list[str] | None, typer.Option("--class", help="NAME=SHARE of a class among the images. Repeatable.")
    ] = None,
    covariate: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE that a covariate has for all images. Repeatable.")
    ] = None,
    sets: Annotated[int, typer.Option(help="Test sets that are simulated.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of images and responses.")] = 0,
    as_json: AsJson = False,
    plot: Annotated[Path | None, typer.Option(help="Draw both leaderboards to this file (.png, .pdf, .svg).")] = None,
    responses: Annotated[
        Path | None, typer.Option(help="Write the responses to one such test set to this file, as `import` does.")
    ] = None,
) -> None:
    """Simulate test sets that do not exist: accuracies, ranks, and the line to a fitted one."""
    from difficulty_model.fitting import load_fit
    from difficulty_model.plots import plot_simulation
    from difficulty_model.simulation import TestSetPlan, simulate_responses
    from difficulty_model.simulation import simulate as simulate_sets

    plan = TestSetPlan(
        images, _numbers_of(like, "--like", default=1.0), harder=harder, wider=wider,
        classes=_numbers_of(class_ or [], "--class"), covariates=_numbers_of(covariate or [], "--covariate"),
    )
    loaded = load_fit(fit)
    simulated = simulate_sets(loaded, plan, sets=sets, random_seed=seed)
    beside = against or loaded.responses.test_sets[0]
    plain = simulated.as_dict(against=beside)
    if plot is not None:
        _write_figure(plot, lambda figure: plot_simulation(simulated, beside, figure))
    if responses is not None:
        simulate_responses(loaded, plan, random_seed=seed).save(responses)
    if as_json:
        print(json.dumps(plain, indent=2))
    else:
        print_simulation(plain)


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


def _numbers_of(given: list[str], option: str, *, default: float | None = None) -> dict[str, float]:
    """Return what NAME=NUMBER options say; a name alone has the default number, if there is one."""
    said = {}
    for text in given:
        name, equals, number = text.rpartition("=")
        if not equals and default is not None:
            said[text] = default
            continue
        try:
            said[name] = float(number if name else "")
        except ValueError as error:
            raise InputError(f"{option} takes NAME=NUMBER; got {text!r}") from error
    return said


def _check_fit(path: Path, *, as_json: bool, strict: bool, plot: Path | None, seed: int) -> None:
    from difficulty_model.fitting import load_fit
    from difficulty_model.misfit import check_fit
    from difficulty_model.plots import plot_misfit

    checks = check_fit(load_fit(path), random_seed=seed)
    if plot is not None:
        _write_figure(plot, lambda figure: plot_misfit(checks, figure))
    if as_json:
        print(json.dumps({"checks": [found.as_dict() for found in checks]}, indent=2))
    else:
        print_checks(checks)
    if strict and any(found.verdict == "misfit" for found in checks):
        raise typer.Exit(1)


def _write_figure(path: Path, plot: Callable[["Figure"], None], *, size: tuple[float, float] = (15, 7.5)) -> None:
    from matplotlib.figure import Figure

    from difficulty_model.files import written_whole

    figure = Figure(figsize=size, layout="constrained")
    if path.suffix.lstrip(".").lower() not in figure.canvas.get_supported_filetypes():
        raise InputError(f"cannot draw to {path}: no picture format {path.suffix!r}; use .png, .pdf or .svg")
    plot(figure)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=150)


def main() -> None:
    """Run `difficulty-model`."""
    run_command(app)
