"""Accuracy of every model in every test set.

Models share their images, so that a set of easy images raises all accuracies at once, by half a point of 2,500 images.
The error that all models have in common is therefore told apart from the errors beside it, of which chance leaves less.
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
    mean_size,
    said,
)
from difficulty_model.misfit.replication import Draws
from difficulty_model.types import MODEL, TEST_SET, IntArray

NAME = "accuracy"

COMMON = 0.5
"""Points, of all models together: what the gap between test sets, 11 points on ImageNetV2, is wanted to."""

MEAN = 0.3
"""Points, over models. In replicates of 50,000 images 0.13 ± 0.01, of 10,000 0.25 ± 0.03; on ImageNet, of slopes
with unlearnable images, 0.39 and 0.51."""

LARGEST = 1.0
"""Points, of one model. In the same replicates 0.5 ± 0.1 and 0.9 ± 0.2; on ImageNet 1.4 and 2.0."""


def measure(parts: list[Part], right: IntArray, shown: IntArray) -> Float[np.ndarray, "test_set model"]:
    """Return accuracies in percent; not a number where a model was not run."""
    accuracy = np.full((len(parts), len(right)), np.nan)
    for k, part in enumerate(parts):
        correct, times = (part.of(counts).sum(1, dtype=np.int64) for counts in (right, shown))
        accuracy[k, part.models] = 100 * correct / times
    return accuracy


def judge(
    draws: Draws,
    parts: list[Part],
    observed: Float[np.ndarray, "test_set model"],
    replicated: Float[np.ndarray, "draw test_set model"],
) -> MisfitCheck:
    """Return whether accuracies on replicated test sets are the observed ones."""
    comparisons = []
    for k, part in enumerate(parts):
        of_part, of_draws = observed[k, part.models], replicated[:, k, part.models]
        common, of_draws_common = of_part.mean(), of_draws.mean(1)
        comparisons.append(compared(
            "mean accuracy of the models", part.name, "points", common, of_draws_common, threshold=COMMON
        ))
        if len(part.models) > 1:
            comparisons += [
                compared_by_distance(
                    f"{word} error of the models' accuracies, beside one common to all", part.name, "points",
                    of_part - common, of_draws - of_draws_common[:, None], distance, threshold=threshold,
                )
                for word, distance, threshold in [("mean", mean_size, MEAN), ("largest", largest_size, LARGEST)]
            ]
    details = pd.concat(
        [_table(draws, part, observed[k], replicated[:, k]) for k, part in enumerate(parts)], ignore_index=True
    )
    worst = largest_first(details, "apart", rows=10)
    first = worst.iloc[0]
    text = said(
        tuple(comparisons),
        if_fits="The fit has every model's accuracy",
        if_misfit=f"Worst: {first[MODEL]!r} with {first['observed']:.1f}% in {first[TEST_SET]!r}, expected "
        f"{first['expected']:.1f}%. Errors that go with skill mean that slopes differ and move u; those of one model, "
        "that it gained or lost skill in that test set.",
    )
    return MisfitCheck(NAME, tuple(comparisons), text + left_out_of(draws.responses, parts), details, worst)


def _table(
    draws: Draws, part: Part, observed: Float[np.ndarray, "model"], replicated: Float[np.ndarray, "draw model"]
) -> pd.DataFrame:
    """Return accuracies of a test set in percent, and errors: the common one, and those apart from it.

    The `place` of a model counts from the weakest.
    """
    of_part, of_draws = observed[part.models], replicated[:, part.models]
    expected = of_draws.mean(0)
    error, by_chance = of_part - expected, of_draws - expected
    apart, apart_by_chance = error - error.mean(), by_chance - by_chance.mean(1, keepdims=True)
    return pd.DataFrame({
        MODEL: np.array(draws.responses.models)[part.models], TEST_SET: part.name,
        "place": np.argsort(np.argsort(draws.standing, kind="stable"))[part.models],
        "observed": of_part, "expected": expected, "low": of_draws.min(0), "high": of_draws.max(0),
        "common": error.mean(), "common_low": by_chance.mean(1).min(), "common_high": by_chance.mean(1).max(),
        "apart": apart, "apart_low": apart_by_chance.min(0), "apart_high": apart_by_chance.max(0),
    })
