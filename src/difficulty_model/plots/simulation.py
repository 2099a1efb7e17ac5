"""The picture of a simulation: the leaderboard that is observed beside the one to expect, and who beats whom."""

from typing import TYPE_CHECKING

import numpy as np

from difficulty_model.simulation import Simulation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMED = 80
"""Models whose names fit beside a picture."""


def plot_simulation(simulation: Simulation, against: str, figure: "Figure") -> None:
    """Draw accuracies on a fitted and on a simulated test set, and the probability that each model beats each other.

    Parameters
    ----------
    simulation
        What to draw.
    against
        The fitted test set. Its observed accuracies are drawn beside the simulated ones, with the order there.
    figure
        Where to draw it.
    """
    board = simulation.leaderboard()
    names = board["model"].tolist()
    height = max(4.0, 0.16 * len(names) + 1.5)
    figure.set_size_inches(0.9 * height + 8, height)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.15])
    places = np.arange(len(names))
    accuracy = 100 * board[["low", "accuracy", "high"]].to_numpy().T
    bars = np.stack([accuracy[1] - accuracy[0], accuracy[2] - accuracy[1]])
    observed = 100 * simulation.observed.sel(test_set=against, model=names).values
    left.errorbar(accuracy[1], places, xerr=bars, fmt="o", color="C0", markersize=3, elinewidth=1,
                  label=f"simulated, {simulation.plan.images} images, 95%")
    left.plot(observed, places, "|", color="0.2", markersize=7, label=f"observed on {against}")
    left.set(xlabel="accuracy (%)", ylim=(len(names) - 0.5, -0.5))
    left.legend(loc="upper left", bbox_to_anchor=(0, 1.0), fontsize="small", frameon=False)
    shown = simulation.beats().sel(model=names, other=names).values
    picture = right.imshow(shown, vmin=0, vmax=1, cmap="RdBu", interpolation="nearest")
    figure.colorbar(picture, ax=right, shrink=0.6, label="probability that the row scores higher than the column")
    if len(names) <= NAMED:
        left.set_yticks(places, names, fontsize="x-small")
        right.set_yticks([])
        right.set_xticks(places, names, fontsize="xx-small", rotation=90)
    else:
        left.set_yticks([])
        right.set(xticks=[], yticks=[])
    right.set_title("who beats whom, both in the order on the left", fontsize="small")
