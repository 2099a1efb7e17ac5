"""The picture of predicted accuracies on a new test set, against those observed on the one that it is like."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from difficulty_model.plots.probit_axes import mark_probits
from difficulty_model.prediction import Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_prediction(prediction: Prediction, before: pd.DataFrame, axes: "Axes") -> None:
    """Draw every model's predicted accuracy on a new test set, and what was measured of it.

    Models without an accuracy before are left out.

    Parameters
    ----------
    prediction
        What to draw.
    before
        Accuracies observed on the fitted test set that the new one is like, as `Responses.accuracies` returns them.
    axes
        Where to draw it. Both axes are probit axes, marked in percent.
    """
    table = prediction.table().set_index("model")
    known = before.set_index("model")["accuracy"].reindex(table.index).to_numpy()
    usable = (known > 0) & (known < 1)
    table, x = table[usable], norm.ppf(known[usable])
    # Half an image away from the ends, where probits are infinite.
    edge = 0.5 / prediction.images
    low, y, high = (norm.ppf(np.clip(table[name], edge, 1 - edge)) for name in ("low", "accuracy", "high"))
    axes.errorbar(x, y, yerr=[y - low, high - y], fmt="o", color="C0", markersize=3, elinewidth=0.8,
                  label=f"predicted for all {prediction.images:,} images, 95%")
    run = np.asarray(table["shown"]) > 0
    measured = norm.ppf(np.clip(np.asarray(table["measured"])[run], edge, 1 - edge))
    axes.plot(x[run], measured, "x", color="C3", markersize=7, label=f"measured: {run.sum()} of {len(run)} models")
    ends = np.concatenate([x, low, high])
    margin = 0.08 * max(float(np.ptp(ends)), 0.5)
    least, most = float(ends.min()) - margin, float(ends.max()) + margin
    axes.plot([least, most], [least, most], color="0.6", linestyle=":", linewidth=1, label="y = x")
    mark_probits(axes, least, most)
    axes.set(xlabel=f"accuracy on {prediction.like} (%)", ylabel=f"accuracy on {prediction.test_set} (%)")
    axes.legend(loc="upper left", fontsize="small", frameon=False)
