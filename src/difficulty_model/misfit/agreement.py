"""Agreement of pairs of models, and dominance: how often the weaker of two is right where the stronger is wrong.

Models of human-like difficulty order rarely have the weaker one right alone, far more rarely than models with
independent errors of the same accuracies (Mania and Sra, 2020, arXiv:2006.07710).
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.misfit.parts import Part, left_out_of
from difficulty_model.misfit.record import (
    MisfitCheck,
    compared,
    compared_by_distance,
    largest_first,
    largest_size,
    said,
)
from difficulty_model.misfit.replication import Draws
from difficulty_model.types import TEST_SET, IntArray

NAME = "agreement"

MEAN = 0.5
"""Points, over pairs of models. Replicates of 50,000 images stray by 0.07; on ImageNet fits are off by 1.2 to 2.1."""

LARGEST = 3.0
"""Points, of one pair. The worst of 2,211 pairs in replicates of 50,000 images is 0.7 ± 0.1 off, of 10,000 1.5 ± 0.3;
on ImageNet the worst, variants of one network, are 17."""

QUANTITIES = ("agreement", "weaker right and stronger wrong")


def measure(
    draws: Draws, part: Part, right: IntArray, shown: IntArray
) -> Float[np.ndarray, "quantity pair"]:
    """Return, for every pair of models, percent of shared images with the same response, and of dominance broken.

    Where images were shown several times, of one showing each. Not a number where a pair shares no image.
    """
    weakest_first = np.argsort(draws.standing[part.models], kind="stable")
    right, shown = (part.of(counts)[weakest_first] for counts in (right, shown))
    seen = (shown > 0).astype(np.float32)
    share = (right / np.maximum(shown, 1)).astype(np.float32)
    shared, both_right, first_right = (
        (a @ b.T).astype(np.float64) for a, b in [(seen, seen), (share, share), (share, seen)]
    )
    pairs = np.triu_indices(len(right), 1)
    with np.errstate(invalid="ignore"):
        agreement = (shared - first_right - first_right.T + 2 * both_right) / shared
        weaker_alone = (first_right - both_right) / shared
    return 100 * np.stack([agreement[pairs], weaker_alone[pairs]]).astype(np.float32)


def judge(
    draws: Draws,
    parts: list[Part],
    observed: list[Float[np.ndarray, "quantity pair"]],
    replicated: list[Float[np.ndarray, "draw quantity pair"]],
) -> MisfitCheck:
    """Return whether pairs agree, and weaker models surprise, as often in replicated test sets."""
    comparisons, tables = [], []
    for part, of_part, of_draws in zip(parts, observed, replicated, strict=True):
        known = np.isfinite(of_part[0])
        if not known.any():
            continue
        of_part, of_draws = of_part[:, known], of_draws[..., known]
        for q, quantity in enumerate(QUANTITIES):
            comparisons.append(compared(
                f"mean over pairs of {quantity}", part.name, "points", of_part[q].mean(), of_draws[:, q].mean(1),
                threshold=MEAN,
            ))
            comparisons.append(compared_by_distance(
                f"largest error over pairs of {quantity}", part.name, "points", of_part[q], of_draws[:, q],
                largest_size, threshold=LARGEST,
            ))
        names = np.array(draws.responses.models)[part.models][np.argsort(draws.standing[part.models], kind="stable")]
        weaker, stronger = (names[of][known] for of in np.triu_indices(len(names), 1))
        table = pd.DataFrame({TEST_SET: part.name, "weaker": weaker, "stronger": stronger})
        for q, short in enumerate(("agreement", "weaker_alone")):
            table[short], table[f"{short}_expected"] = of_part[q], of_draws[:, q].mean(0)
            table[f"{short}_low"], table[f"{short}_high"] = of_draws[:, q].min(0), of_draws[:, q].max(0)
        tables.append(table)
    if not tables:
        nothing = pd.DataFrame()
        return MisfitCheck(NAME, (), "Not testable: no two models were shown the same images.", nothing, nothing)
    details = pd.concat(tables, ignore_index=True)
    details["excess"] = details["agreement"] - details["agreement_expected"]
    worst = largest_first(details, "excess", rows=10)
    first = worst.iloc[0]
    text = said(
        tuple(comparisons),
        if_fits="Pairs of models agree as often as their skills and one difficulty per image make them",
        if_misfit=f"Farthest off: {first['weaker']!r} and {first['stronger']!r} agree on {first['agreement']:.1f}% of "
        f"{first[TEST_SET]!r}, expected {first['agreement_expected']:.1f}%. Models that agree beyond their skills "
        "share more than difficulty, and count for fewer models than they are: intervals of u and v are too narrow.",
    )
    return MisfitCheck(NAME, tuple(comparisons), text + left_out_of(draws.responses, parts), details, worst)
