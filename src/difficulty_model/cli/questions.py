"""Commands that ask a fit: `law`, `simulate`, `predict`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from difficulty_model.cli.app import AsJson, app, drawing, write_figure
from difficulty_model.cli.printing import (
    observed_rows,
    print_law,
    print_lines,
    print_new_models,
    print_prediction,
    print_simulation,
)
from difficulty_model.errors import InputError


@app.command(epilog="Example: `difficulty-model law fit.nc --from original --to new-writers --plot law.png`")
def law(
    fit: Annotated[Path, typer.Argument(help="Fit, as `fit` writes it; or accuracies, for the observed line alone.")],
    from_: Annotated[str, typer.Option("--from", help="The original test set.")],
    to: Annotated[str, typer.Option("--to", help="The new test set.")],
    as_json: AsJson = False,
    plot: Annotated[Path | None, drawing("the line")] = None,
    seed: Annotated[int, typer.Option(help="Of replicated test sets and of the bootstrap.")] = 0,
) -> None:
    """Print the line between accuracies on two test sets: predicted by the fit, and observed."""
    from difficulty_model.accuracies import holds_accuracies, load_accuracies
    from difficulty_model.fitting import load_fit
    from difficulty_model.observed import observed_line_of_accuracies
    from difficulty_model.plots import plot_law
    from difficulty_model.predicted_law import law_between

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
        write_figure(plot, lambda figure: plot_law(relation, figure.subplots()), size=(6.5, 6.5))
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
    plot: Annotated[Path | None, drawing("both leaderboards")] = None,
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
        write_figure(plot, lambda figure: plot_simulation(simulated, beside, figure))
    if responses is not None:
        simulate_responses(loaded, plan, random_seed=seed).save(responses)
    if as_json:
        print(json.dumps(plain, indent=2))
    else:
        print_simulation(plain)


@app.command(epilog="Example: `difficulty-model predict fit.nc few.nc --images 10000 --plot predicted.png`; of new "
             "models: `difficulty-model predict fit.nc new.nc --plot predicted.png`")
def predict(
    fit: Annotated[Path, typer.Argument(help="Fit, as `fit` writes it.")],
    responses: Annotated[
        Path, typer.Argument(help="Responses of a few of its models to a new test set, or of new models to some of its "
                             "images; as `import` writes them.")
    ],
    test_set: Annotated[str | None, typer.Option(help="The new test set, if the responses have several.")] = None,
    like: Annotated[
        str | None, typer.Option(help="The fitted test set that the new one resembles; the first by default.")
    ] = None,
    images: Annotated[
        int | None, typer.Option(help="Of the whole new test set, if the responses are to a random part of it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all draws.")] = 0,
    as_json: AsJson = False,
    plot: Annotated[Path | None, drawing("the accuracies")] = None,
) -> None:
    """Predict what all models of a fit would score on a new test set, or new models on the fit's test sets.

    Responses of models that the fit does not have are those of new models.
    """
    from difficulty_model.fitting import load_fit
    from difficulty_model.plots import plot_new_models, plot_prediction
    from difficulty_model.prediction import predict_models, predict_test_set
    from difficulty_model.responses import load_responses

    given = load_responses(responses)
    if test_set is not None:
        given = given.select(test_sets=[test_set])
    loaded = load_fit(fit)
    if set(given.models).isdisjoint(loaded.responses.models):
        if like is not None or images is not None:
            raise InputError("--like and --images are about a new test set; the models of these responses are none of "
                             "the fit's, so that new models are predicted on the test sets of the fit")
        of_models = predict_models(loaded, given, random_seed=seed)
        plain, show = of_models.as_dict(), print_new_models
        if plot is not None:
            write_figure(plot, lambda figure: plot_new_models(of_models, loaded.responses, figure), size=(11, 6.5))
    else:
        predicted = predict_test_set(loaded, given, like=like, images=images, random_seed=seed)
        plain, show = predicted.as_dict(), print_prediction
        if plot is not None:
            before = loaded.responses.select(test_sets=[predicted.like]).accuracies()
            write_figure(plot, lambda figure: plot_prediction(predicted, before, figure.subplots()), size=(6.5, 6.5))
    if as_json:
        print(json.dumps(plain, indent=2))
    else:
        show(plain)


def _numbers_of(given: list[str], option: str, *, default: float | None = None) -> dict[str, float]:
    """Return what NAME=NUMBER options say; a name alone has the default number, if there is one."""
    said = {}
    for text in given:
        name, _, number = text.rpartition("=")
        if not name and default is not None:
            name, number = text, str(default)
        try:
            value = float(number) if name else None
        except ValueError:
            value = None
        if value is None:
            raise InputError(f"{option} takes NAME=NUMBER; got {text!r}")
        if name in said:
            raise InputError(f"{option} names {name!r} twice; give it once, with one number")
        said[name] = value
    return said
