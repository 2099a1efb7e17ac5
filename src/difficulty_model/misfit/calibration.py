"""Calibration by difficulty: whether models get as many of the easy, and of the hard images right as they should.

Models are taken in thirds by their standing. How hard an image is for a third is judged from the responses of the
other models alone, so that predictions are no fits: were the fit true, they would be right on average in every group.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.misfit.parts import Part
from difficulty_model.misfit.record import (
    MisfitCheck,
    compared_by_distance,
    largest_first,
    largest_size,
    mean_size,
    said,
)
from difficulty_model.misfit.replication import Draws, expected_right
from difficulty_model.types import TEST_SET, IntArray

NAME = "calibration"

MEAN = 0.5
"""Points, over thirds and deciles. In replicates of 50,000 images and 67 models 0.06 ± 0.01; on ImageNet 1.6 of the
probit model, 0.9 of slopes with unlearnable images."""

LARGEST = 2.5
"""Points, of one third in one decile. In the same replicates 0.3 ± 0.1; on ImageNet 6.0 and 3.5."""

DECILES = 10

THIRDS = ("weakest third", "middle third", "strongest third")


def thirds_of(draws: Draws) -> list[IntArray]:
    """Return the models of every third, the weakest first; halves of two models."""
    order = np.argsort(draws.standing, kind="stable")
    return np.array_split(order, min(len(THIRDS), len(order)))


def measure(
    draws: Draws, d: int, parts: list[Part], right: IntArray, shown: IntArray, rng: np.random.Generator
) -> Float[np.ndarray, "2 test_set third decile"]:
    """Return predicted and actual share right, in percent, of images from the easiest to the hardest decile.

    Images that the other models' responses do not tell apart are put in order by lot.
    """
    thirds = thirds_of(draws)
    shares = np.full((2, len(parts), len(thirds), DECILES), np.nan)
    for t, third in enumerate(thirds):
        others = np.setdiff1d(np.arange(len(right)), third)
        expected = expected_right(draws, d, right, models=third, given=others)
        times = shown[third].sum(0, dtype=np.int64)
        correct = right[third].sum(0, dtype=np.int64)
        predicted = (expected * shown[third]).sum(0, dtype=np.float64)
        for k, part in enumerate(parts):
            images = part.images[times[part.images] > 0]
            easiest_first = np.lexsort((rng.random(len(images)), -predicted[images] / times[images]))
            groups = np.array_split(images[easiest_first], min(DECILES, max(len(images), 1)))
            for g, group in enumerate(groups):
                if len(group):
                    total = times[group].sum()
                    shares[:, k, t, g] = predicted[group].sum() / total, correct[group].sum() / total
    return 100 * shares


def judge(
    parts: list[Part],
    observed: Float[np.ndarray, "draw 2 test_set third decile"],
    replicated: Float[np.ndarray, "draw 2 test_set third decile"],
) -> MisfitCheck:
    """Return whether predictions are off by more than those of replicated responses."""
    shares, error = observed.mean(0), (observed[:, 1] - observed[:, 0]).mean(0)
    by_chance = replicated[:, 1] - replicated[:, 0]
    known = [k for k in range(len(parts)) if np.isfinite(error[k]).any()]
    comparisons = tuple(
        compared_by_distance(
            f"{word} error over thirds of models and deciles of difficulty", parts[k].name, "points",
            error[k], by_chance[:, k], distance, threshold=threshold,
        )
        for k in known
        for word, distance, threshold in [("mean", mean_size, MEAN), ("largest", largest_size, LARGEST)]
    )
    thirds = THIRDS if error.shape[1] == len(THIRDS) else ("weaker model", "stronger model")
    details = pd.DataFrame([
        {TEST_SET: parts[k].name, "models": thirds[t], "decile": g + 1, "observed": shares[1, k, t, g],
         "expected": shares[0, k, t, g], "error": error[k, t, g], "low": by_chance[:, k, t, g].min(),
         "high": by_chance[:, k, t, g].max()}
        for k, t, g in np.argwhere(np.isfinite(error)).tolist()
    ])
    worst = largest_first(details, "error", rows=10)
    first = worst.iloc[0]
    text = said(
        comparisons,
        if_fits="Of easy and hard images alike, weak and strong models get as many right as the others' responses say",
        if_misfit=f"Worst: the {first['models']} gets {first['observed']:.1f}% of decile {first['decile']} (1 is the "
        f"easiest) of {first[TEST_SET]!r} right, expected {first['expected']:.1f}%. The response curve, or the "
        "population, is another: slopes or lapses may differ between models, and u, which is made of both, is biased.",
    )
    return MisfitCheck(NAME, comparisons, text, details, worst)
