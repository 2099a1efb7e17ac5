"""The picture of calibration: for every quantity, how far the distribution of its ranks is from the uniform one."""

from typing import TYPE_CHECKING

import numpy as np

from difficulty_model.calibration import Calibration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 4
"""Panels beside each other."""


def plot_calibration(calibration: Calibration, figure: "Figure") -> None:
    """Draw the difference between empirical and uniform distribution of ranks, one panel per quantity, with its bands.

    A curve within the darker band is what 19 of 20 quantities with uniform ranks look like; one that leaves the
    lighter band is called uncalibrated. A hump before the middle and a dip behind it say that posteriors are too
    narrow, the reverse that they are too wide; one hump alone that they lie too high.

    Parameters
    ----------
    calibration
        What to draw.
    figure
        Where to draw it; it is made as high as its panels need.
    """
    differences, table = calibration.differences(), calibration.table().set_index("quantity")
    rows = -(-len(table) // COLUMNS)
    figure.set_size_inches(2.6 * COLUMNS, 1.7 * rows + 0.6)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    for axes in panels.flat[len(table) :]:
        axes.set_axis_off()
    for axes in panels.flat[max(0, len(table) - COLUMNS) : len(table)]:
        axes.tick_params(labelbottom=True)  # also above a place without a panel
    for axes, (quantity, of) in zip(panels.flat, differences.groupby("quantity", sort=False), strict=False):
        row = table.loc[quantity]
        share = np.concatenate([[0], of["share"], [1]])
        for low, high, alpha in (("lowest", "highest", 0.15), ("low", "high", 0.25)):
            axes.fill_between(share, np.pad(of[low], 1), np.pad(of[high], 1), color="C0", alpha=alpha, linewidth=0)
        axes.axhline(0, color="0.6", linewidth=0.8)
        axes.plot(share, np.pad(of["difference"], 1), color="0.15" if row["calibrated"] else "C3", linewidth=1.2)
        axes.set_title(str(quantity), fontsize="x-small", color="0.0" if row["calibrated"] else "C3")
        axes.text(0.98, 0.03, f"50% hold {row['inside_50']:.0%}, 90% hold {row['inside_90']:.0%}", fontsize="xx-small",
                  color="0.2", ha="right", transform=axes.transAxes)
        axes.tick_params(labelsize="x-small")
    figure.supxlabel(f"rank among {calibration.draws} posterior draws, as a share", fontsize="small")
    figure.supylabel("empirical − uniform distribution", fontsize="small")
    figure.suptitle(f"{len(calibration.ranks)} worlds, method {calibration.method}", fontsize="medium")
