"""The picture of test sets that strategies chose: accuracies against the reference's, and what noise does to them."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from difficulty_model.collecting import Collections
from difficulty_model.plots.probit_axes import mark_probits

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_collections(collected: Collections, figure: "Figure") -> None:
    """Draw every strategy's accuracies against those on the reference, and the mean change with its part by noise.

    Parameters
    ----------
    collected
        What to draw.
    figure
        Where to draw it, two panels: probit axes marked in percent; points.
    """
    left, right = figure.subplots(1, 2)
    accuracies = collected.accuracies()
    names = list(dict.fromkeys(accuracies["strategy"]))
    usable = accuracies[(accuracies["reference"] > 0) & (accuracies["reference"] < 1)]
    # Probits are infinite at the ends.
    edge = 1e-3
    ends = []
    for k, name in enumerate(names):
        of = usable[usable["strategy"] == name]
        x = norm.ppf(of["reference"])
        low, y, high = (norm.ppf(np.clip(of[column], edge, 1 - edge)) for column in ("low", "accuracy", "high"))
        left.errorbar(x, y, yerr=[y - low, high - y], fmt="o", color=f"C{k}", markersize=3, elinewidth=0.8, label=name)
        ends += [x, low, high]
    least, most = (float(of(np.concatenate(ends))) for of in (np.min, np.max))
    margin = 0.08 * max(most - least, 0.5)
    left.axline((0, 0), slope=1, color="0.6", linestyle=":", linewidth=1)
    mark_probits(left, least - margin, most + margin)
    left.set(xlabel="expected accuracy on the reference (%)", ylabel="accuracy on the chosen images, 95% (%)")
    left.legend(loc="upper left", fontsize="small", frameon=False)
    table = collected.table().set_index(["strategy", "quantity"])
    place = np.arange(len(names))[::-1]
    for name, at in zip(names, place, strict=True):
        points, noise = table.loc[(name, "points")], table.loc[(name, "noise")]
        right.barh(at, points["mean"] - noise["mean"], height=0.5, color="0.8",
                   label="by true frequencies" if at == 0 else None)
        right.barh(at, noise["mean"], left=points["mean"] - noise["mean"], height=0.25, color="C3", alpha=0.6,
                   label="what annotators' noise adds" if at == 0 else None)
        right.errorbar(points["mean"], at, xerr=[[points["mean"] - points["low"]], [points["high"] - points["mean"]]],
                       fmt="o", color="black", markersize=4, label="in all, 95%" if at == 0 else None)
    right.axvline(0, color="0.6", linewidth=1)
    right.set(xlabel="mean change of accuracy from the reference (points)")
    right.set_yticks(place, names)
    right.use_sticky_edges = False
    right.margins(x=0.05, y=0.25)
    right.legend(loc="best", fontsize="small", frameon=False)
