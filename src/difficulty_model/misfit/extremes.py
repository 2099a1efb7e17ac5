"""Images that all models get right, and that none does."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.misfit.parts import Part
from difficulty_model.misfit.record import MisfitCheck, compared, leading_of, said
from difficulty_model.types import TEST_SET, IntArray

NAME = "all-right-all-wrong"

SHARE = 1.0
"""Percent of a test set's images. Replicates of 50,000 images stray by 0.15, of 1,000 by 1.3; on the ImageNetV2
responses the probit model misses 1.9% of all-wrong images, slopes with unlearnable images 5% of all-right ones."""

MEANING = {
    "all models right": "Images that are right, or not, for all models at once tell of the tail of easy images (a "
    "share of unmissable images takes them), or of models that share their errors: the spread of difficulties, and "
    "with it u, is not what the fit says.",
    "all models wrong": "Images that nobody gets right beyond those of the tail are often wrongly labelled (a share of "
    "unlearnable images takes them); without it the population becomes too wide, which moves u.",
}

KINDS = tuple(MEANING)


def measure(part: Part, right: IntArray, shown: IntArray) -> Float[np.ndarray, "kind"]:
    """Return percent of the images shown to any model that all get right always, and that all get wrong always."""
    right, shown = (part.of(counts).sum(0, dtype=np.int64) for counts in (right, shown))
    seen = shown > 0
    return 100 * np.array([(right == shown)[seen].mean(), (right == 0)[seen].mean()])


def judge(
    parts: list[Part],
    observed: Float[np.ndarray, "test_set kind"],
    replicated: Float[np.ndarray, "draw test_set kind"],
) -> MisfitCheck:
    """Return whether replicated test sets have as many such images."""
    comparisons = tuple(
        compared(kind, part.name, "% of images", observed[k, n], replicated[:, k, n], threshold=SHARE)
        for k, part in enumerate(parts) for n, kind in enumerate(KINDS)
    )
    details = pd.DataFrame([
        {TEST_SET: c.test_set, "images": c.quantity, "observed": c.observed, "expected": c.replicated.mean(),
         "low": c.replicated.min(), "high": c.replicated.max()}
        for c in comparisons
    ])
    text = said(
        comparisons,
        if_fits="As many images as expected are right, or wrong, for all models",
        if_misfit=MEANING[lead.quantity] if (lead := leading_of(comparisons)) else "",
    )
    return MisfitCheck(NAME, comparisons, text, details, details.iloc[:0])
