"""How many points of accuracy something takes from models, and which share of the gap that is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.posterior import LEVEL
from difficulty_model.types import MODEL


@dataclass(frozen=True)
class Interval:
    """A number and its interval."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold."""
        return {"value": self.value, "interval": [self.low, self.high]}


@dataclass(frozen=True, eq=False)
class Effect:
    """Points of accuracy that models lose by one cause, beside those that they lose in all.

    Attributes
    ----------
    points
        Of every model, or one number for their average.
    draws
        The same in resamples of the images or posterior draws.
    gap, gap_draws
        What every model loses in all; in the same resamples, or in some of its own.
    models
        Names; None where the effect is known on average only.
    """

    points: Float[np.ndarray, "model"]
    draws: Float[np.ndarray, "draw model"]
    gap: Float[np.ndarray, "every"]
    gap_draws: Float[np.ndarray, "draw every"]
    models: tuple[str, ...] | None

    def average(self, *, level: float = LEVEL) -> Interval:
        """Return the mean over models, in points."""
        return _interval(float(self.points.mean()), self.draws.mean(1), level)

    def share(self, *, level: float = LEVEL) -> Interval:
        """Return which share of the mean gap that is."""
        with np.errstate(divide="ignore", invalid="ignore"):
            draws = self.draws.mean(1) / self.gap_draws.mean(1)
            return _interval(float(self.points.mean() / self.gap.mean()), draws, level)

    def table(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Return a row per model: `model`, `gap` in all, `points` of this effect, and their `low` and `high`."""
        if self.models is None:
            return pd.DataFrame(columns=[MODEL, "gap", "points", "low", "high"])
        low, high = np.quantile(self.draws, tails(level), axis=0)
        return pd.DataFrame({MODEL: self.models, "gap": self.gap, "points": self.points, "low": low, "high": high})


def _interval(value: float, draws: Float[np.ndarray, "draw"], level: float) -> Interval:
    low, high = np.quantile(draws, tails(level))
    return Interval(value, float(low), float(high))


def tails(level: float) -> tuple[float, float]:
    """Return the probabilities at the ends of an interval with equal tails."""
    return (1 - level) / 2, (1 + level) / 2
