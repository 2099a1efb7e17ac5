"""Commands that fit responses and judge fits: `fit`, `compare`, `calibrate`."""

import json
import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.logging import RichHandler

from difficulty_model.cli.app import AsJson, Output, TestSets, app, drawing, write_figure
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
from difficulty_model.cli.printing import err, out, print_comparison, print_fit, table_of
from difficulty_model.errors import InputError


class Method(StrEnum):
    """How to sample the posterior."""

    NUTS = "nuts"
    LAPLACE = "laplace"
    MODE = "mode"
    JOINT = "joint"


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
    plot: Annotated[Path | None, drawing("the ranks")] = None,
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
        write_figure(plot, lambda figure: plot_calibration(found, figure))
    if as_json:
        print(json.dumps(found.as_dict(), indent=2))
    else:
        shown = found.table().filter(["quantity", "chi2_p", "ecdf_p", "inside_50", "inside_90", "calibrated"])
        out.print(table_of(shown, f"{worlds} worlds of {models} models and 2 × {images} images"))
        out.print(found.verdict, *found.trouble, sep="\n", highlight=False)
    if not bool(found.table()["calibrated"].all()):
        raise typer.Exit(1)
