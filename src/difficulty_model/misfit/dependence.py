"""Local dependence: models that still agree once difficulty is taken into account, and the groups that they form.

Yen's Q3 (1984, Applied Psychological Measurement 8:125) is the correlation, over images, of two models' residuals:
response less probability of being right, given the image's difficulty. The probability here is the posterior mean given
all responses. Since these contain the residuals, Q3 is negative on average where nothing is wrong; the reference is the
Q3 of replicated responses, computed alike, and the excess over it is what counts.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import squareform

from difficulty_model.misfit.record import (
    Comparison,
    MisfitCheck,
    compared_by_distance,
    largest_first,
    largest_size,
    mean_size,
    said,
)
from difficulty_model.misfit.replication import Draws
from difficulty_model.types import IntArray

NAME = "local-dependence"

MEAN = 0.03
"""Correlation, over pairs of models. Replicates of 60,000 images are off by 0.005, of 4,000 by 0.018; ImageNet by
0.05."""

LARGEST = 0.2
"""Correlation, of one pair: as much as two models have that copy one response in five. In replicates of 60,000 images
0.03, of 600 0.11; on ImageNet, of ports of one network, 0.69."""

TOGETHER = 0.2
"""Mean excess correlation down to which average linkage joins groups of models: on ImageNet it finds the ports of one
network, and beside them families such as all VGGs, 14 groups of 39 models."""


def measure(residual: Float[np.ndarray, "model image"], shown: IntArray) -> Float[np.ndarray, "pair"]:
    """Return Q3 of every pair of models; not a number where they share no image, or one has no residual."""
    seen = (shown > 0).astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        centered = (residual - (residual.sum(1) / seen.sum(1))[:, None]) * seen
        together, square = centered @ centered.T, np.square(centered) @ seen.T
        q3 = together / np.sqrt(square * square.T)
    return q3[np.triu_indices(len(q3), 1)]


def judge(
    draws: Draws,
    observed: Float[np.ndarray, "draw pair"],
    replicated: Float[np.ndarray, "draw pair"],
) -> MisfitCheck:
    """Return whether residuals go together beyond those of replicated responses."""
    models = np.array(draws.responses.models)
    known = np.isfinite(observed).all(0) & np.isfinite(replicated).all(0)
    q3 = observed.mean(0)
    excess = np.where(known, q3 - replicated.mean(0), 0.0)
    first, second = np.triu_indices(len(models), 1)
    details = pd.DataFrame({
        "first": models[first], "second": models[second], "q3": q3, "expected": replicated.mean(0), "excess": excess,
    })
    if not known.any():
        return MisfitCheck(NAME, (), "Not testable: no two models have right and wrong responses to the same images.",
                           details, details.iloc[:0])
    comparisons = tuple(
        compared_by_distance(
            f"{word} excess residual correlation over pairs", None, "correlation", q3[known], replicated[:, known],
            distance, threshold=threshold,
        )
        for word, distance, threshold in [("mean", mean_size, MEAN), ("largest", largest_size, LARGEST)]
    )
    tree = linkage(np.maximum(1 - excess, 0), "average")
    place = np.empty(len(models), int)
    place[leaves_list(tree)] = np.arange(len(models))
    details = details.assign(first_place=place[first], second_place=place[second])
    worst = largest_first(details.loc[known], "excess", rows=20)
    cluster = fcluster(tree, 1 - TOGETHER, "distance")
    noise = comparisons[1].limit
    groups = tuple(sorted(
        (tuple(models[cluster == c].tolist()) for c in np.unique(cluster)
         if (cluster == c).sum() > 1 and _closest(excess, cluster == c) > noise),
        key=len, reverse=True,
    ))
    return MisfitCheck(NAME, comparisons, _text(comparisons, worst, groups), details, worst, groups)


def _closest(excess: Float[np.ndarray, "pair"], members: np.ndarray) -> float:
    """Return the largest excess correlation within a group of models."""
    inside = squareform(excess)[np.ix_(members, members)]
    return float(inside.max())


def _text(comparisons: tuple[Comparison, ...], worst: pd.DataFrame, groups: tuple[tuple[str, ...], ...]) -> str:
    first = worst.iloc[0]
    found = "; ".join(f"{{{', '.join(group)}}}" for group in groups[:3])
    more = f" and {len(groups) - 3} more" if len(groups) > 3 else ""
    return said(
        comparisons,
        if_fits="Given difficulty, models' errors are independent",
        if_misfit=f"Closest: {first['first']!r} and {first['second']!r}, correlation of residuals {first['q3']:.2f}, "
        f"expected {first['expected']:.2f}. " + (f"Groups that go together: {found}{more}. " if groups else "")
        + "Models that share their errors are no independent witnesses of an image's difficulty: difficulties, u and v "
        "are less certain than their intervals say.",
    )
