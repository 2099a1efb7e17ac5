"""The picture of new models among the fitted ones: predicted accuracies on every test set."""

from typing import TYPE_CHECKING

import numpy as np

from difficulty_model.prediction import ModelPrediction
from difficulty_model.responses import Responses
from difficulty_model.types import TEST_SET

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_new_models(prediction: ModelPrediction, fitted: Responses, figure: "Figure") -> None:
    """Draw new models' predicted accuracies on every test set, in the order of all models there.

    Parameters
    ----------
    prediction
        What to draw.
    fitted
        Responses of the fit's models, whose observed accuracies are drawn beside.
    figure
        Where to draw it, one panel per test set; accuracies in percent.
    """
    table, known = prediction.table(), fitted.accuracies()
    panels = figure.subplots(1, len(fitted.test_sets), squeeze=False)[0]
    for ax, test_set in zip(panels, fitted.test_sets, strict=True):
        new = table.loc[table[TEST_SET] == test_set].sort_values(by="accuracy")
        others = np.sort(known.loc[known[TEST_SET] == test_set, "accuracy"].dropna().to_numpy())
        accuracy, low, high, measured = (100 * new[name].to_numpy() for name in ("accuracy", "low", "high", "measured"))
        place = np.searchsorted(others, accuracy / 100) + np.arange(len(new))
        rest = np.setdiff1d(np.arange(len(others) + len(new)), place)
        ax.plot(100 * others, rest, "o", color="0.7", markersize=3, label="fitted models, observed")
        ax.errorbar(accuracy, place, xerr=[accuracy - low, high - accuracy], fmt="o", color="C0", markersize=4,
                    elinewidth=1, label="predicted, 95%")
        if np.isfinite(measured).any():
            ax.plot(measured, place, "x", color="C3", markersize=6, label="measured on the images shown")
        for name, x, y in zip(new["model"], np.fmin(low, measured), place, strict=True):
            ax.annotate(f"{name} ", (x, y), ha="right", va="center", fontsize="x-small")
        ax.set(xlabel=f"accuracy on {test_set} (%)", yticks=[])
        ax.margins(x=0.15)
    panels[0].set_ylabel("models, in order of accuracy")
    panels[0].legend(loc="lower right", fontsize="x-small", frameon=False)
