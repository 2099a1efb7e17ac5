"""Class imbalance: the test sets have other shares of the classes, some of which are harder."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.explanations.effect import Effect
from difficulty_model.explanations.evidence import Copies, Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome
from difficulty_model.types import IntArray

NAME = "class imbalance"
QUESTION = "Has the new test set more images of hard classes?"
SOURCE = "Recht et al. (2018), on CIFAR-10.1; the parts are those of Kitagawa (1955, J. Am. Stat. Assoc. 50:1168)"

ByClass = Float[np.ndarray, "resample model class_"]


def examine(evidence: Evidence) -> Outcome:
    """Return what models lose because shares of classes differ, and every class's part of the gap.

    The gap is Σ (w₁ − w₂)(a₁ + a₂)/2, by the shares w of the classes, and Σ (w₁ + w₂)/2 (a₁ − a₂), by accuracies a
    within them. Shares are taken as they are, in the gap too; accuracies vary with the images. Where a model was run on
    a class in one test set alone, its accuracy in the other is taken to be the same; where in none, shares are those of
    the other classes.
    """
    if "label" not in evidence.responses.dataset.coords:
        raise NotTestableError("labels of the images; import responses with them")
    classes, of_image = np.unique(evidence.responses.dataset["label"].values, return_inverse=True)
    if len(classes) < 2:
        raise NotTestableError("images of at least two classes")
    members = [np.flatnonzero(of_image == c) for c in range(len(classes))]
    shares = np.array([np.bincount(of_image[mask], minlength=len(classes)) / mask.sum()
                       for mask in (evidence.in_original, evidence.in_new)])

    def points_by_class(copies: Copies) -> tuple[ByClass, ByClass]:
        """Return points by shares, and by accuracies within classes."""
        old, new = _accuracies(evidence, copies, members)
        run = np.isfinite(old)
        before, after = (run * of / (run @ of)[..., None] for of in shares)
        old, new = np.nan_to_num(old), np.nan_to_num(new)
        return 100 * (before - after) * (old + new) / 2, 100 * (before + after) / 2 * (old - new)

    def points_and_gap(copies: Copies) -> Float[np.ndarray, "resample 2 model"]:
        by_share, within = (of.sum(-1) for of in points_by_class(copies))
        return np.stack([by_share, by_share + within], axis=1)

    observed, draws = evidence.over_resamples(points_and_gap)
    effect = Effect(observed[0], draws[:, 0], observed[1], draws[:, 1], tuple(evidence.responses.models))
    table = _table(classes, shares, _accuracies(evidence, evidence.once(), members), points_by_class(evidence.once()))
    sign = np.sign(effect.gap.mean()) or 1.0
    worst = table.loc[(sign * table["gap"]).idxmax()]
    apart = 100 * np.abs(shares[0] - shares[1]).max()
    text = (f"Shares of the {len(classes)} classes differ by {apart:.2f} points at most. "
            f"The class that adds most to the gap is '{worst['class']}', {worst['gap']:.2f} points.")
    return Outcome(effect, text, table)


def _table(
    classes: np.ndarray,
    shares: Float[np.ndarray, "2 class_"],
    accuracies: list[ByClass],
    points: tuple[ByClass, ByClass],
) -> pd.DataFrame:
    """Return a row per class, the one that adds most to the gap first; accuracies and points are means over models."""
    original, new = (np.nansum(of[0], axis=0) / _number_or_nan(np.isfinite(of[0]).sum(0)) for of in accuracies)
    by_share, within = (of[0].mean(0) for of in points)
    table = pd.DataFrame({
        "class": classes, "share_original": shares[0], "share_new": shares[1], "original": original, "new": new,
        "by_share": by_share, "within": within, "gap": by_share + within,
    })
    return table.sort_values("gap", ascending=False, ignore_index=True)


def _number_or_nan(count: IntArray) -> Float[np.ndarray, "class_"]:
    return np.where(count > 0, count, np.nan)


def _accuracies(evidence: Evidence, copies: Copies, members: Sequence[np.ndarray]) -> list[ByClass]:
    """Return accuracies within classes on both test sets; in a class that one of them lacks, that of the other."""
    responses = evidence.responses
    found = np.full((2, len(copies), len(responses.models), len(members)), np.nan)
    for c, images in enumerate(members):
        for k, mask in enumerate(responses.member):
            of_class = images[mask[images]]
            right, shown = (
                copies[:, of_class] @ of[:, of_class].T.astype(np.float32) for of in (responses.right, responses.shown)
            )
            np.divide(right, shown, out=found[k, :, :, c], where=shown > 0)
    old, new = found
    return [np.where(np.isnan(of), other, of) for of, other in ((old, new), (new, old))]
