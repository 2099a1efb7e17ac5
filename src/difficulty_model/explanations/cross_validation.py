"""Cross-validation: the original test set was a lucky draw from the images that there were."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.errors import InputError
from difficulty_model.explanations.effect import Effect
from difficulty_model.explanations.evidence import Evidence
from difficulty_model.explanations.examination import Outcome
from difficulty_model.readers import Experiment, read_experiment
from difficulty_model.types import MODEL, BoolArray

NAME = "cross-validation"
QUESTION = "Were other original images for testing, would there be no gap?"
SOURCE = "Recht et al. (2018), on CIFAR-10.1: 93.5% to 94.0% on the folds, 84.9% on the new test set"
FILE = "folds"


def examine(evidence: Evidence) -> Outcome:
    """Return how much of the gap is gone where all images, for training and testing, are tested on in turn.

    It takes the file ``folds``, of the experiment of that name. The effect is the mean gap of the models that are in
    both the file and the evidence, less their mean drop from the folds to the new test set. What training on folds
    changes, such as fewer images to learn from, is in both ends of the drop and cancels.

    So does the chance of the new images, on which gap and drop are of the same models; what is left of it is that
    models which are trained again answer some images otherwise. The original images are a part of the folds.
    """
    path = evidence.file(FILE, "cross-validated models (difficulty-inference experiment folds)")
    found = read_experiment(path, "folds").between(evidence.original, evidence.new)
    shared = np.isin(evidence.responses.models, found.of_models("folds-new").index)
    if not shared.any():
        raise InputError(f"{path} has none of the models whose gap is examined, such as "
                         f"{evidence.responses.models[0]!r}; expected some: run the experiment on their zoo")
    models = np.array(evidence.responses.models)[shared].tolist()
    drop, drop_error = (100 * of for of in found.mean_of("folds-new", models))
    folds_error = 100 * found.mean_of("folds", models)[1]
    points, draws = evidence.gap.points[shared], evidence.gap.draws[:, shared]
    luck = points.mean() - drop
    chance = _chance(evidence, shared, folds_error=folds_error, part=_part_of_folds(found))
    effect = Effect(np.array([luck]), luck + chance[:, None], points, draws, None)
    on_folds = _on_folds(found).pivot_table("accuracy", MODEL, "fold").reindex(models).mean().to_numpy()
    text = (f"On {len(on_folds)} folds {shared.sum()} models drop by {drop:.2f} ± {drop_error:.2f} points, from "
            f"{on_folds.mean():.1%} ({on_folds.min():.1%} to {on_folds.max():.1%} by fold), where their gap from "
            f"{evidence.original!r} is {points.mean():.2f}.")
    return Outcome(effect, text, _table(found, evidence))


def _part_of_folds(found: Experiment) -> float:
    """Return which share of the images on the folds is from the original test set."""
    used = dict(zip(found.sets["role"], found.sets["used"], strict=True))
    if not used.get("training"):
        raise InputError(f"{found.path} has no images of role 'training' among its `sets`; expected what "
                         "`difficulty-inference experiment folds` writes")
    return used["original"] / (used["training"] + used["original"])


def _chance(evidence: Evidence, shared: BoolArray, *, folds_error: float, part: float) -> Float[np.ndarray, "draw"]:
    """Return by how many points the gap and the drop may differ by chance, in the resamples of the evidence.

    Parameters
    ----------
    evidence
        Whose original and new images.
    shared
        Which models count.
    folds_error
        Standard error of their mean on the folds, in points.
    part
        Share of the original images among those of the folds.
    """
    observed, draws = evidence.over_resamples(
        lambda copies: 100 * evidence.accuracies(copies)[:, 0, shared].mean(1, keepdims=True)
    )
    on_original = (draws - observed)[:, 0]
    on_rest = np.sqrt(max(folds_error**2 - (part * on_original.std()) ** 2, 0))
    right = evidence.responses.right[shared][:, evidence.in_new].sum(0, dtype=np.int64)
    shown = evidence.responses.shown[shared][:, evidence.in_new].sum(0, dtype=np.int64)
    share = right[shown > 0] / shown[shown > 0]
    # As if models that are trained twice answered each time by lot, right as often as all models are on the image.
    again = 100 * np.sqrt(2 * (share * (1 - share) / shown[shown > 0]).mean() / len(share))
    rng = np.random.default_rng((evidence.random_seed, 1))
    return (1 - part) * on_original + rng.normal(0, np.hypot(on_rest, again), len(on_original))


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
