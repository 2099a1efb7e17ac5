"""Commands that ask why: `explain`, `gallery`, `rivals`; and who is robust: `robustness`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from difficulty_model.cli.app import AsJson, app, drawing, write_figure
from difficulty_model.cli.printing import (
    err,
    out,
    print_agreement,
    print_examination,
    print_explained,
    print_rivals,
    print_robustness,
)
from difficulty_model.errors import InputError
from difficulty_model.files import json_values


@app.command(epilog="Example: `difficulty-model explain fit.nc --from original --to new-writers --plot why.png`; with "
             "what further explanations need: `difficulty-model explain fit.nc --from original --to new-writers "
             "--file counts=counts.csv --file folds=folds.json`; one, with the numbers behind it: `difficulty-model "
             "explain fit.nc --from original --to new-writers --only 'class imbalance'`")
def explain(
    fit: Annotated[Path, typer.Argument(help="Fit, as `fit` writes it; with --skill-loss and --unlearnable it tells "
                                        "most.")],
    from_: Annotated[str, typer.Option("--from", help="The original test set.")],
    to: Annotated[str, typer.Option("--to", help="The new test set.")],
    file: Annotated[
        list[str] | None, typer.Option(help="NAME=PATH of what an explanation asks for. Repeatable.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="One explanation, to print the numbers behind it, and to draw it model by model.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of resamples and draws.")] = 0,
    as_json: AsJson = False,
    plot: Annotated[Path | None, drawing("what was found")] = None,
) -> None:
    """Test every explanation of the gap between accuracies on two test sets: how much of it each can carry."""
    from difficulty_model.explanations import EXPLANATIONS, explanation_named
    from difficulty_model.explanations import explain as explain_gap
    from difficulty_model.fitting import load_fit
    from difficulty_model.plots import plot_examination, plot_explained

    files = _paths("--file", file or [], "counts=counts.csv")
    explanations = EXPLANATIONS if only is None else [explanation_named(only)]
    found = explain_gap(load_fit(fit), from_, to, files=files, explanations=explanations, random_seed=seed)
    if only is not None:
        one = found[only]
        if plot is not None:
            models = 1 if one.effect is None or one.effect.models is None else len(one.effect.models)
            write_figure(plot, lambda figure: plot_examination(one, figure.subplots()), size=(8, 1.5 + 0.2 * models))
        plain = json_values(one.as_dict())
        if as_json:
            print(json.dumps(plain, indent=2))
        else:
            print_examination(plain)
        return
    if plot is not None:
        write_figure(plot, lambda figure: plot_explained(found, figure.subplots()), size=(9, 6.5))
    plain = found.as_dict()
    if as_json:
        print(json.dumps(plain, indent=2))
    else:
        print_explained(plain)


@app.command(epilog="Example: `difficulty-model gallery responses.nc --images original=digits/original "
             "--images new-writers=digits/new-writers -o missed.png`; the digits are what `difficulty-inference digits "
             "digits` makes")
def gallery(
    responses: Annotated[Path, typer.Argument(help="Responses, as `import` writes them.")],
    images: Annotated[
        list[str], typer.Option(help="NAME=FOLDER of a test set's images: with a manifest.csv, or files named like "
                                "the images. Repeatable.")
    ],
    output: Annotated[Path, drawing("them", "--output", "-o")],
    page: Annotated[int, typer.Option(min=1, help="Which 40 of them, if there are more.")] = 1,
) -> None:
    """Draw the images that no model gets right, for somebody to look at whether they are fair questions."""
    from difficulty_model.explanations import missed_images, page_of
    from difficulty_model.plots import plot_gallery
    from difficulty_model.plots.gallery import MOST
    from difficulty_model.readers import read_pictures
    from difficulty_model.responses import load_responses

    folders = _paths("--images", images, "original=digits/original")
    missed = missed_images(load_responses(responses).select(test_sets=list(folders)))
    drawn = page_of(missed, page, most=MOST, random_seed=0)
    pictures = read_pictures({
        row["image"]: [folders[name] for name in row["test_sets"]] for row in drawn.to_dict("records")
    })
    write_figure(output, lambda figure: plot_gallery(drawn, pictures.found, figure, in_all=len(missed)))
    if pictures.absent:
        image, reason = next(iter(pictures.absent.items()))
        err.print(f"{len(pictures.absent)} of {len(drawn)} images have no picture, such as {image!r}: {reason}",
                  highlight=False, soft_wrap=True)
    out.print(f"{output}: {len(drawn)} of {len(missed)} images that no model gets right", highlight=False)


@app.command(epilog="Example: `difficulty-model rivals responses.nc --from original --to new-writers`")
def rivals(
    responses: Annotated[Path, typer.Argument(help="Responses to both test sets, as `import` writes them.")],
    from_: Annotated[str, typer.Option("--from", help="The original test set.")],
    to: Annotated[str, typer.Option("--to", help="The new test set.")],
    seed: Annotated[int, typer.Option(help="Of all draws.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Fit rival stories of a gap, and compare how they predict images and models left out; minutes."""
    from difficulty_model.explanations.rivals import compare_rivals
    from difficulty_model.responses import load_responses

    found = compare_rivals(load_responses(responses), from_, to, random_seed=seed).as_dict()
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print_rivals(found)


@app.command(epilog="Example: `difficulty-model robustness responses.nc --from original --to new-writers`")
def robustness(
    responses: Annotated[Path, typer.Argument(help="Responses to both test sets, as `import` writes them.")],
    from_: Annotated[str, typer.Option("--from", help="The original test set.")],
    to: Annotated[str, typer.Option("--to", help="The new test set.")],
    seed: Annotated[int, typer.Option(help="Of the resamples.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Print how robust models are on a new test set, how often weaker ones win, and what agreement tells of it."""
    from difficulty_model.responses import load_responses
    from difficulty_model.robustness import agreement, dominance, effective_robustness

    given = load_responses(responses)
    robust = effective_robustness(given, from_, to, random_seed=seed)
    pairs = dominance(given.select(test_sets=[from_, to]))
    try:
        agreed, without = agreement(given, from_, to, random_seed=seed).as_dict(), None
    except InputError as error:
        agreed, without = None, str(error)
    plain = json_values({
        "from": from_, "to": to, "models": robust.to_dict("records"),
        "left_out": sorted(set(given.models) - set(robust["model"])), "dominance": pairs.to_dict("records"),
        "agreement": agreed, "no_agreement": without,
    })
    if as_json:
        print(json.dumps(plain, indent=2))
        return
    print_robustness(plain)
    if agreed is None:
        out.print(f"No agreement: {without}.", highlight=False, soft_wrap=True)
    else:
        print_agreement(from_, to, agreed)


def _paths(option: str, given: list[str], example: str) -> dict[str, Path]:
    """Return what the NAME=PATH of an option say."""
    paths: dict[str, Path] = {}
    for text in given:
        name, _, path = text.partition("=")
        if not name or not path:
            raise InputError(f"{option} takes NAME=PATH, as in {example}; got {text!r}")
        if name in paths:
            raise InputError(f"{option} names {name!r} twice; give it once")
        paths[name] = Path(path)
    return paths
