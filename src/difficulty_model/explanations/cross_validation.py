"""Cross-validation: the original test set was a lucky draw from the images that there were."""

import numpy as np
import pandas as pd

from difficulty_model.errors import InputError
from difficulty_model.explanations.effect import Effect
from difficulty_model.explanations.evidence import Evidence
from difficulty_model.explanations.examination import Outcome
from difficulty_model.readers import Experiment, read_experiment
from difficulty_model.types import MODEL

NAME = "cross-validation"
QUESTION = "Were other original images for testing, would there be no gap?"
SOURCE = "Recht et al. (2018), on CIFAR-10.1: 93.5% to 94.0% on the folds, 84.9% on the new test set"
FILE = "folds"


def examine(evidence: Evidence) -> Outcome:
    """Return how much of the gap is gone where all images, for training and testing, are tested on in turn.

    It takes the file ``folds``, of the experiment of that name. The effect is the mean gap of the models that are in
    both the file and the evidence, less their mean drop from the folds to the new test set. What training on folds
    changes, such as fewer images to learn from, is in both ends of the drop and cancels.

    Errors of the two are taken as independent. They share the new images, on which the same models do alike, so that
    in truth their difference varies less: the interval is rather too wide.
    """
    path = evidence.file(FILE, "cross-validated models (difficulty-inference experiment folds)")
    found = read_experiment(path, "folds").between(evidence.original, evidence.new)
    shared = np.isin(evidence.responses.models, found.of_models("folds-new").index)
    if not shared.any():
        raise InputError(f"{path} has none of the models whose gap is examined, such as "
                         f"{evidence.responses.models[0]!r}; expected some: run the experiment on their zoo")
    drop, error = _mean_drop(found, np.array(evidence.responses.models)[shared].tolist())
    points, draws = evidence.gap.points[shared], evidence.gap.draws[:, shared]
    chance = np.random.default_rng((evidence.random_seed, 1)).normal(drop, error, len(draws))
    effect = Effect(
        np.array([points.mean() - drop]), (draws.mean(1) - chance)[:, None], points, draws, None
    )
    on_folds = _on_folds(found).pivot_table("accuracy", MODEL, "fold").mean().to_numpy()
    text = (f"On {len(on_folds)} folds {shared.sum()} models drop by {drop:.2f} ± {error:.2f} points, from "
            f"{on_folds.mean():.1%} ({on_folds.min():.1%} to {on_folds.max():.1%} by fold), where their gap from "
            f"{evidence.original!r} is {points.mean():.2f}.")
    return Outcome(effect, text, _table(found, evidence))


def _mean_drop(found: Experiment, models: list[str]) -> tuple[float, float]:
    """Return the mean drop of some models from the folds to the new test set, and its standard error, in points.

    That of the mean of all models is in the file. Of a part of them it is at most the mean of their own, which it
    reaches if they err alike.
    """
    drops = found.of_models("folds-new")
    if len(models) == len(drops):
        mean = found.mean("folds-new")
        return 100 * mean.value, 100 * mean.standard_error
    some = drops.loc[models]
    return 100 * float(some["value"].mean()), 100 * float(some["standard_error"].mean())


def _on_folds(found: Experiment) -> pd.DataFrame:
    """Return what was counted on the folds, with `accuracy` as a share."""
    rows = found.rows[found.rows["tested"] == "folds"]
    if rows.empty:
        raise InputError(f"{found.path} has no rows of models tested on the folds; expected what `difficulty-inference "
                         "experiment folds` writes")
    return rows.assign(accuracy=rows["right"] / rows["shown"])


def _table(found: Experiment, evidence: Evidence) -> pd.DataFrame:
    """Return a row per model of the file: shares right on folds and new images; their drop and the gap in points."""
    by_model = _on_folds(found).groupby(MODEL)["accuracy"]
    drop = found.of_models("folds-new")
    columns = {
        "folds": found.of_models("folds")["value"], "lowest_fold": by_model.min(), "highest_fold": by_model.max(),
        "new": found.of_models("new")["value"], "drop": 100 * drop["value"],
        "standard_error": 100 * drop["standard_error"],
        "gap": pd.Series(evidence.gap.points, evidence.responses.models),
    }
    return pd.DataFrame({name: of.reindex(drop.index) for name, of in columns.items()}).reset_index(names=MODEL)
