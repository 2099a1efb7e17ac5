"""Probit axes, marked in percent."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICKS = np.array([0.1, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.9]) / 100
"""Accuracies at which the axes may be marked."""


def mark_probits(axes: "Axes", low: float, high: float) -> None:
    """Make both axes probit axes between the same bounds, marked in percent."""
    ticks = TICKS[(norm.ppf(TICKS) > low) & (norm.ppf(TICKS) < high)]
    labels = [f"{100 * t:g}" for t in ticks]
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set_xticks(norm.ppf(ticks), labels)
    axes.set_yticks(norm.ppf(ticks), labels)
