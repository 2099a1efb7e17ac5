"""The picture of a gap and its explanations: how many points each can carry."""

from typing import TYPE_CHECKING

import numpy as np

from difficulty_model.explanations import Explained

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOR = {"explains it": "C2", "part of it": "C1", "cannot": "0.5", "not testable": "0.8"}


def plot_explained(explained: Explained, axes: "Axes") -> None:
    """Draw the points of accuracy that every explanation can carry, with 95% intervals, beside the gap.

    Parameters
    ----------
    explained
        What to draw.
    axes
        Where to draw it: points across, a row per explanation.
    """
    table = explained.table()
    gap = explained.gap.average()
    places = np.arange(len(table))[::-1]
    axes.axvspan(gap.low, gap.high, color="0.92", zorder=0)
    axes.axvline(gap.value, color="0.4", linewidth=1)
    axes.axvline(0, color="0.4", linewidth=1, linestyle=":")
    known = np.isfinite(table["points"].to_numpy())
    low, high = table["low"].to_numpy(), table["high"].to_numpy()
    reach = np.concatenate([[0.0, gap.low, gap.high], table["points"].to_numpy()[known]])
    least, most = float(reach.min()), float(reach.max())
    # An interval that says next to nothing must not squeeze those that do.
    margin = 0.35 * (most - least)
    axes.set_xlim(least - margin, most + margin)
    for place, verdict, points, a, b in zip(places, table["verdict"], table["points"], low, high, strict=True):
        color = COLOR[verdict]
        if np.isfinite(points):
            axes.barh(place, points, height=0.55, color=color, alpha=0.55)
            axes.plot([a, b], [place, place], color=color, linewidth=2)
            axes.plot(points, place, "o", color=color, markersize=5)
        axes.text(1.01, place, verdict, transform=axes.get_yaxis_transform(), va="center", fontsize="small",
                  color="0.5" if verdict == "not testable" else "black")
    axes.set_yticks(places, table["explanation"])
    axes.set_ylim(-0.7, len(table) - 0.3)
    axes.set(xlabel=f"points lost from {explained.original} to {explained.new}, mean over models; line: the gap, 95%")
