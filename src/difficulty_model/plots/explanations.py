"""Pictures of a gap and its explanations: how many points each can carry, and one of them of every model."""

from typing import TYPE_CHECKING

import numpy as np

from difficulty_model.errors import InputError
from difficulty_model.explanations import Examination, Explained
from difficulty_model.types import MODEL

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


def plot_examination(examination: Examination, axes: "Axes") -> None:
    """Draw the points of accuracy that an explanation can carry of every model, with 95% intervals, beside its gap.

    Parameters
    ----------
    examination
        Of one explanation.
    axes
        Where to draw it: points across, a row per model, those that lose most above; or one row for their mean, where
        no more is known.

    Raises
    ------
    InputError
        If what was given does not test it, so that there is nothing to draw.
    """
    effect = examination.effect
    if effect is None:
        raise InputError(f"there is nothing to draw of {examination.name!r}: {examination.text}")
    table = effect.table()
    if table.empty:
        of, gap = effect.average(), float(effect.gap.mean())
        table.loc[0] = ["mean", gap, of.value, of.low, of.high]
    table = table.sort_values("gap", kind="stable", ignore_index=True)
    places, color = np.arange(len(table)), COLOR[examination.verdict]
    axes.axvline(0, color="0.4", linewidth=1, linestyle=":")
    axes.plot(table["gap"], places, "o", color="white", markeredgecolor="0.4", markersize=5, label="gap")
    axes.hlines(places, table["low"], table["high"], color=color, linewidth=2)
    axes.plot(table["points"], places, "o", color=color, markersize=5, label=examination.name)
    axes.set_yticks(places, table[MODEL], fontsize="small")
    axes.set_ylim(-1, len(table))
    axes.set(xlabel="points of accuracy", title=f"{examination.name}: {examination.verdict}")
    axes.legend(loc="best", frameon=False)
