"""Commands about what to measure next: `plan`, `collect`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from difficulty_model.cli.app import AsJson, app, drawing, write_figure
from difficulty_model.cli.printing import print_collections, print_models
from difficulty_model.errors import InputError, unknown_name

if TYPE_CHECKING:
    from difficulty_model.collecting import Frequencies, Strategy


@app.command(epilog="Example: `difficulty-model plan fit.nc --images 100 --test-set original -o chosen.txt`; once the "
             "model was run on these: `difficulty-model plan fit.nc --within 2 --after new.nc -o further.txt`; models "
             "to run on a new test set: `difficulty-model plan fit.nc --models 3 --images 1000`")
def plan(
    fit: Annotated[Path, typer.Argument(help="Fit, as `fit` writes it.")],
    images: Annotated[int | None, typer.Option(help="To run a new model on; or models, of a new test set.")] = None,
    within: Annotated[
        float | None, typer.Option(help="In place of --images: as many as tell the accuracy to ± so many points, 95%.")
    ] = None,
    test_set: Annotated[
        str | None, typer.Option(help="Choose images of this fitted test set; of all by default.")
    ] = None,
    after: Annotated[
        Path | None, typer.Option(help="Responses of the new model so far; further images are chosen that suit it.")
    ] = None,
    models: Annotated[
        int | None, typer.Option(help="Choose so many of the fit's models to run on --images of a new test set.")
    ] = None,
    like: Annotated[
        str | None, typer.Option(help="The fitted test set that the new one resembles; the first by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the choice.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the names to this file, one per line.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Choose what to run next: a new model on images, or models on a new test set, so that `predict` tells most."""
    from difficulty_model.fitting import load_fit
    from difficulty_model.prediction import choose_images, choose_models, images_within
    from difficulty_model.responses import load_responses

    if (images is None) == (within is None):
        raise InputError("give either --images, how many, or --within, how many points the accuracy is wanted to")
    loaded = load_fit(fit)
    if models is not None:
        wrong = [name for name, of in {"--within": within, "--test-set": test_set, "--after": after}.items() if of]
        if images is None or wrong:
            raise InputError(f"{', '.join(wrong)}: about images for a new model; --models takes --images and --like")
        chosen = choose_models(loaded, models, images, like=like)
        names, plain = chosen["model"].tolist(), {"images": images, "models": chosen.to_dict("records")}
    else:
        if like is not None:
            raise InputError("--like is about a new test set, for which --models are chosen; --test-set names the one "
                             "to take images of")
        so_far = None if after is None else load_responses(after)
        if images is None:
            images = images_within(loaded, within or 0.0, after=so_far, test_set=test_set, random_seed=seed)
        names = choose_images(loaded, images, after=so_far, test_set=test_set, random_seed=seed)
        plain = {"images": names}
    if output is not None:
        _write_names(output, names)
    if as_json:
        print(json.dumps(plain, indent=2))
    elif models is not None:
        print_models(plain)
    elif output is None:
        print(*names, sep="\n")
    else:
        print(f"{len(names)} images in {output}")


@app.command(epilog="Example: `difficulty-model collect fit.nc --candidates 9000 --reference 2000 --frequency 0.7,0.25 "
             "--of-candidates 0.5,0.3 --dependence 0.5 --strategy matched-frequency --strategy threshold=0.7 "
             "--per-class 500 --allow-upward --plot collected.png`; of candidates that exist, with counts of "
             "annotators: `difficulty-model collect fit.nc --pool candidates --counts counts.csv --strategy top-images "
             "--per-class 10 -o chosen.txt`")
def collect(
    fit: Annotated[Path, typer.Argument(help="Fit, as `fit` writes it.")],
    strategy: Annotated[
        list[str], typer.Option(help="matched-frequency, threshold=SHARE, top-images or uniform. Repeatable.")
    ],
    per_class: Annotated[int, typer.Option(help="Images that a strategy chooses of each class.")],
    like: Annotated[
        str | None, typer.Option(help="The fitted test set that is the reference; the first by default.")
    ] = None,
    pool: Annotated[
        str | None, typer.Option(help="The fitted test set of candidates that exist; simulated ones by default.")
    ] = None,
    counts: Annotated[
        Path | None, typer.Option(help="Table of the images of --pool and --like: image,selected,asked, how many "
                                  "annotators selected each of how many who saw it.")
    ] = None,
    candidates: Annotated[int | None, typer.Option(help="Images among which to choose, simulated.")] = None,
    reference: Annotated[int | None, typer.Option(help="Images of the reference, simulated.")] = None,
    frequency: Annotated[
        str | None, typer.Option(help="MEAN,SD of the reference's selection frequencies, as shares.")
    ] = None,
    of_candidates: Annotated[str | None, typer.Option(help="MEAN,SD of the candidates'.")] = None,
    dependence: Annotated[
        float | None, typer.Option(help="Correlation of selection frequency and ease, in normal scores.")
    ] = None,
    annotators: Annotated[int, typer.Option(help="Who see each simulated image.")] = 10,
    classes: Annotated[int, typer.Option(help="Of simulated images.")] = 1,
    harder: Annotated[
        float, typer.Option(help="Probit units by which simulated candidates are harder at equal frequency.")
    ] = 0.0,
    allow_upward: Annotated[
        bool, typer.Option("--allow-upward", help="Where a bin of frequencies lacks candidates, take higher ones.")
    ] = False,
    sets: Annotated[int, typer.Option(help="Collections that are simulated.")] = 200,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    as_json: AsJson = False,
    plot: Annotated[Path | None, drawing("the accuracies")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the names of the candidates chosen to this file, of a "
                                  "--pool by one strategy.")
    ] = None,
    responses: Annotated[
        Path | None, typer.Option(help="Write the responses to one simulated collection by one strategy to this file.")
    ] = None,
) -> None:
    """Collect a test set from candidates that annotators saw: what a strategy makes of accuracies, and why."""
    from difficulty_model.collecting import CollectionPlan, GivenPool, choose_candidates, collect_responses
    from difficulty_model.collecting import collect as collect_sets
    from difficulty_model.fitting import load_fit
    from difficulty_model.plots import plot_collections
    from difficulty_model.readers import read_covariates

    strategies = {text: _strategy(text, per_class, allow_upward=allow_upward) for text in strategy}
    planned = {"--candidates": candidates, "--reference": reference, "--frequency": frequency,
               "--of-candidates": of_candidates, "--dependence": dependence}
    if (output is not None or responses is not None) and len(strategies) != 1:
        raise InputError(f"one strategy's images can be written to a file; got {len(strategies)}")
    loaded = load_fit(fit)
    beside = like or loaded.responses.test_sets[0]
    if pool is not None:
        given = [name for name, value in planned.items() if value is not None]
        if given or responses is not None:
            raise InputError(f"{', '.join(given or ['--responses'])}: only of simulated candidates; those of --pool "
                             "are what they are")
        if counts is None:
            raise InputError("candidates that exist need what annotators said; give a table with --counts")
        candidates_of: CollectionPlan | GivenPool = GivenPool(pool, beside, read_covariates(counts))
    else:
        if counts is not None:
            raise InputError("--counts is about candidates that exist; name their test set with --pool")
        missing = [name for name, value in planned.items() if value is None]
        if missing or output is not None:
            raise InputError(f"{', '.join(missing)}: needed to simulate candidates; or name a fitted test set of "
                             "candidates that exist with --pool" if missing else
                             "--output takes candidates that exist, which --pool names; --responses writes simulated "
                             "ones")
        candidates_of = CollectionPlan(
            beside, reference or 0, candidates or 0, _frequencies("--frequency", frequency),
            _frequencies("--of-candidates", of_candidates), dependence or 0.0, annotators, classes, harder,
        )
    collected = collect_sets(loaded, candidates_of, strategies, sets=sets, random_seed=seed)
    (only, *_) = strategies.values()
    if plot is not None:
        write_figure(plot, lambda figure: plot_collections(collected, figure), size=(11, 5))
    if isinstance(candidates_of, GivenPool):
        if output is not None:
            _write_names(output, choose_candidates(loaded.responses, candidates_of, only, random_seed=seed))
    elif responses is not None:
        collect_responses(loaded, candidates_of, only, random_seed=seed).save(responses)
    if as_json:
        print(json.dumps(collected.as_dict(), indent=2))
    else:
        print_collections(collected.as_dict())


def _strategy(text: str, per_class: int, *, allow_upward: bool) -> "Strategy":
    from difficulty_model.collecting import MatchedFrequency, Threshold, TopImages, Uniform

    name, _, number = text.partition("=")
    if name == "threshold":
        try:
            at = float(number)
        except ValueError:
            raise InputError(f"a threshold is given as threshold=0.7; got {text!r}") from None
        return Threshold(at, per_class)
    plain = {
        "matched-frequency": MatchedFrequency(per_class, allow_upward=allow_upward), "top-images": TopImages(per_class),
        "uniform": Uniform(per_class),
    }
    if text not in plain:
        raise unknown_name("strategy", text, ["threshold=0.7", *plain])
    return plain[text]


def _frequencies(option: str, text: str | None) -> "Frequencies":
    from difficulty_model.collecting import Frequencies

    try:
        mean, sd = map(float, (text or "").split(","))
    except ValueError:
        raise InputError(f"{option} takes MEAN,SD, as in 0.71,0.25; got {text!r}") from None
    return Frequencies(mean, sd)


def _write_names(path: Path, names: list[str]) -> None:
    from difficulty_model.files import written_whole

    with written_whole(path) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
