"""What a check of a fit says: a quantity of the observed responses beside the same of replicated data sets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.posterior import LEVEL, summary
from difficulty_model.types import TEST_SET

Unit = Literal["points", "% of images", "correlation"]
"""Of an effect: percentage points of accuracy or agreement, percent of images, or a correlation."""

UNIT_IN_WORDS: dict[Unit, str] = {"points": "points", "% of images": "% of images", "correlation": "of correlation"}

Verdict = Literal["fits", "misfit", "not testable"]

BEYOND = 5.0
"""Standard deviations beyond the mean of what replicated data sets show that an effect must be, whatever its size.

Of a single quantity that is 3.8 of its own standard deviations, of a largest of many (Gumbel's law) one chance in
1,100: with 28 comparisons of a fit of two test sets, 2% of the fits of a true model would be called a misfit, if
effects had no threshold."""

VAGUE = 3.0
"""Thresholds that chance must be able to hide before it is said: few images, or a posterior that is hardly one."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """One quantity, observed and replicated.

    Attributes
    ----------
    quantity
        What it is.
    test_set
        Where; None if over all of them.
    unit
        Of all numbers here.
    observed
        Of the observed responses.
    replicated
        Of replicated data sets.
    effect
        How far the observed responses are from what the fit expects.
    by_chance
        The same of replicated data sets, without sign.
    threshold
        The smallest effect that matters.
    """

    quantity: str
    test_set: str | None
    unit: Unit
    observed: float
    replicated: Float[np.ndarray, "draw"]
    effect: float
    by_chance: Float[np.ndarray, "draw"]
    threshold: float

    @property
    def limit(self) -> float:
        """The smallest effect that is called a misfit: of size, and beyond what replication alone shows."""
        return max(self.threshold, float(self.by_chance.mean() + BEYOND * self.by_chance.std(ddof=1)))

    @property
    def verdict(self) -> Verdict:
        """Whether the fit shows this quantity."""
        return "misfit" if abs(self.effect) > self.limit else "fits"

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values that JSON can hold."""
        replicated = summary(self.replicated, level=LEVEL)
        return {
            "quantity": self.quantity, TEST_SET: self.test_set, "unit": self.unit, "observed": self.observed,
            "replicated": {
                "mean": float(replicated["mean"]), "sd": float(replicated["sd"]),
                "interval": [float(replicated["low"]), float(replicated["high"])],
            },
            "effect": self.effect, "threshold": self.threshold, "limit": self.limit, "verdict": self.verdict,
        }

    def __str__(self) -> str:
        """Return the numbers in words."""
        digits = 2 if self.unit == "correlation" else 1
        unit = {"points": " points", "% of images": "%", "correlation": ""}[self.unit]
        where = f" in {self.test_set!r}" if self.test_set else ""
        return (f"{self.quantity}{where}: {self.observed:.{digits}f}{unit}, where the fit shows "
                f"{self.replicated.mean():.{digits}f} ± {self.replicated.std(ddof=1):.{digits}f}")


@dataclass(frozen=True, eq=False)
class MisfitCheck:
    """One kind of misfit, looked for.

    Attributes
    ----------
    name : str
        Of the check.
    comparisons : tuple of Comparison
        What was compared, per test set; empty where the responses cannot tell.
    text : str
        One or two sentences with the numbers that matter, and what they mean.
    details : pandas.DataFrame
        The table that the picture draws.
    worst : pandas.DataFrame
        What is farthest from the fit, by name: models, pairs of models, or images, worst first.
    groups : tuple of tuple of str
        Models that go together beyond their skill, largest group first; none but from local dependence.
    """

    name: str
    comparisons: tuple[Comparison, ...]
    text: str
    details: pd.DataFrame
    worst: pd.DataFrame
    groups: tuple[tuple[str, ...], ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Whether the fit shows what was observed."""
        if not self.comparisons:
            return "not testable"
        return "misfit" if any(c.verdict == "misfit" for c in self.comparisons) else "fits"

    @property
    def leading(self) -> Comparison | None:
        """The comparison whose effect is largest beside its limit; none where nothing could be compared."""
        return leading_of(self.comparisons)

    @property
    def effect(self) -> float | None:
        """The leading effect, in `unit`."""
        return None if self.leading is None else self.leading.effect

    @property
    def unit(self) -> Unit | None:
        """Of the leading effect."""
        return None if self.leading is None else self.leading.unit

    @property
    def threshold(self) -> float | None:
        """Of the leading effect."""
        return None if self.leading is None else self.leading.threshold

    def as_dict(self) -> dict[str, Any]:
        """Return the check as plain values that JSON can hold; all but the table of the picture."""
        return {
            "name": self.name, "verdict": self.verdict, "text": self.text,
            "effect": self.effect, "unit": self.unit, "threshold": self.threshold,
            "comparisons": [comparison.as_dict() for comparison in self.comparisons],
            "worst": self.worst.to_dict("records"),
            "groups": [list(group) for group in self.groups],
        }


def leading_of(comparisons: tuple[Comparison, ...]) -> Comparison | None:
    """Return the comparison whose effect is largest beside its limit."""
    return max(comparisons, key=lambda c: abs(c.effect) / c.limit, default=None)


def compared(
    quantity: str,
    test_set: str | None,
    unit: Unit,
    observed: float | np.floating,
    replicated: Float[np.ndarray, "draw"],
    *,
    threshold: float,
) -> Comparison:
    """Return the comparison of one number; the effect is observed less expected."""
    by_chance = np.abs(replicated - _mean_of_others(replicated))
    effect = float(observed - replicated.mean())
    return Comparison(quantity, test_set, unit, float(observed), replicated, effect, by_chance, threshold)


def compared_by_distance(
    quantity: str,
    test_set: str | None,
    unit: Unit,
    observed: Float[np.ndarray, "..."],
    replicated: Float[np.ndarray, "draw ..."],
    distance: Callable[[np.ndarray], np.ndarray | float],
    *,
    threshold: float,
) -> Comparison:
    """Return the comparison of many numbers at once by their distance from what is expected, the mean of replicates.

    Parameters
    ----------
    quantity, test_set, unit, threshold
        As of `Comparison`.
    observed, replicated
        The numbers.
    distance
        Of an array of differences. A replicated data set's is taken from the mean of the other ones.
    """
    effect = float(distance(observed - replicated.mean(0)))
    by_chance = np.array([float(distance(difference)) for difference in replicated - _mean_of_others(replicated)])
    return Comparison(quantity, test_set, unit, effect, by_chance, effect, by_chance, threshold)


def _mean_of_others(replicated: Float[np.ndarray, "draw ..."]) -> Float[np.ndarray, "draw ..."]:
    return (replicated.sum(0) - replicated) / (len(replicated) - 1)


def mean_size(difference: np.ndarray) -> float:
    """Return the mean absolute difference of those that are known."""
    return float(np.nanmean(np.abs(difference)))


def largest_size(difference: np.ndarray) -> float:
    """Return the largest absolute difference of those that are known."""
    return float(np.nanmax(np.abs(difference)))


def largest_first(table: pd.DataFrame, by: str, *, rows: int) -> pd.DataFrame:
    """Return so many rows of a table, those with the largest absolute number in a column first."""
    order = np.argsort(-np.abs(table[by].to_numpy()), kind="stable")
    return table.iloc[order[:rows]].reset_index(drop=True)


def said(comparisons: tuple[Comparison, ...], *, if_fits: str, if_misfit: str) -> str:
    """Return a text: of a misfit its numbers and what it means; otherwise also what chance could hide."""
    by_weight = sorted(comparisons, key=lambda c: -abs(c.effect) / c.limit)
    misfits = [c for c in by_weight if c.verdict == "misfit"]
    if misfits:
        return f"{'; '.join(map(str, misfits[:2]))}. {if_misfit}"
    text = f"{if_fits} ({by_weight[0]})."
    vaguest = max(comparisons, key=lambda c: c.limit / c.threshold)
    if vaguest.limit > VAGUE * vaguest.threshold:
        text += (f" Replicates vary so much that an effect up to {vaguest.limit:.2g} {UNIT_IN_WORDS[vaguest.unit]} "
                 f"would not stand out ({vaguest.quantity}).")
    return text
