"""Class imbalance: the test sets have other shares of the classes, some of which are harder."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.explanations.effect import Effect
from difficulty_model.explanations.evidence import Copies, Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome

NAME = "class imbalance"
QUESTION = "Has the new test set more images of hard classes?"
SOURCE = "Recht et al. (2018), on CIFAR-10.1; the parts are those of Kitagawa (1955, J. Am. Stat. Assoc. 50:1168)"


def examine(evidence: Evidence) -> Outcome:
    """Return what models lose because shares of classes differ, and every class's part of the gap.

    The gap is Σ (w₁ − w₂)(a₁ + a₂)/2, by the shares w of the classes, and Σ (w₁ + w₂)/2 (a₁ − a₂), by accuracies a
    within them. Shares are taken as they are, in the gap too; accuracies vary with the images.
    """
    if "label" not in evidence.responses.dataset.coords:
        raise NotTestableError("labels of the images; import responses with them")
    classes, of_image = np.unique(evidence.responses.dataset["label"].values, return_inverse=True)
    if len(classes) < 2:
        raise NotTestableError("images of at least two classes")
    members = [np.flatnonzero(of_image == c) for c in range(len(classes))]
    shares = np.array([np.bincount(of_image[mask], minlength=len(classes)) / mask.sum()
                       for mask in (evidence.in_original, evidence.in_new)])

    def points_and_gap(copies: Copies) -> Float[np.ndarray, "resample 2 model"]:
        old, new = _accuracies(evidence, copies, members)
        points = (old + new) / 2 @ (shares[0] - shares[1])
        return 100 * np.stack([points, points + (old - new) @ shares.mean(0)], axis=1)

    observed, draws = evidence.over_resamples(points_and_gap)
    effect = Effect(observed[0], draws[:, 0], observed[1], draws[:, 1], tuple(evidence.responses.models))
    old, new = (of[0].mean(0) for of in _accuracies(evidence, np.ones((1, len(of_image)), np.float32), members))
    table = pd.DataFrame({
        "class": classes, "share_original": shares[0], "share_new": shares[1], "original": old, "new": new,
        "by_share": 100 * (shares[0] - shares[1]) * (old + new) / 2, "within": 100 * shares.mean(0) * (old - new),
    })
    table["gap"] = table["by_share"] + table["within"]
    worst = table.loc[table["gap"].idxmax()]
    apart = 100 * np.abs(shares[0] - shares[1]).max()
    text = (f"Shares of the {len(classes)} classes differ by {apart:.2f} points at most. "
            f"The class that adds most to the gap is {worst['class']!r}, {worst['gap']:.2f} points.")
    return Outcome(effect, text, table.sort_values("gap", ascending=False, ignore_index=True))


def _accuracies(
    evidence: Evidence, copies: Copies, members: Sequence[np.ndarray]
) -> list[Float[np.ndarray, "resample model class_"]]:
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
    return [np.nan_to_num(np.where(np.isnan(of), other, of)) for of, other in ((old, new), (new, old))]
