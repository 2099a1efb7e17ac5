"""The picture of the law: probit accuracies on two test sets, the predicted band and the observed line."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from difficulty_model.plots.probit_axes import mark_probits
from difficulty_model.predicted_law import Law

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_law(law: Law, axes: "Axes") -> None:
    """Draw every model's accuracy on both test sets, the predicted and the observed line.

    Parameters
    ----------
    law
        What to draw.
    axes
        Where to draw it. Both axes are probit axes, marked in percent.
    """
    models = law.models[~law.models["model"].isin(law.observed.left_out)]
    x, y = norm.ppf(models["observed_original"]), norm.ppf(models["observed_new"])
    x_bars, y_bars = (
        _bars(*(np.asarray(models[f"observed{bound}_{side}"]) for bound in ("", "_low", "_high")))
        for side in ("original", "new")
    )
    margin = 0.08 * max(np.ptp(x), np.ptp(y), 0.5)
    low, high = min(x.min(), y.min()) - margin, max(x.max(), y.max()) + margin
    span = np.linspace(x.min() - margin, x.max() + margin, 100)
    tail = (1 - law.level) / 2
    band_low, median, band_high = np.quantile(law.relation.y, [tail, 0.5, 1 - tail], axis=0)
    axes.plot([low, high], [low, high], color="0.6", linestyle=":", linewidth=1, label="y = x")
    curve = law.relation.x
    axes.fill_between(curve, band_low, band_high, color="C0", alpha=0.25, linewidth=0)
    axes.plot(curve, median, color="C0", linewidth=1.5,
              label=f"predicted: {_equation(law.predicted.u.mean(), law.predicted.v.mean())}, "
                    f"{law.level:.0%} band")
    line = law.observed.least_squares
    axes.plot(span, line.at(span), color="C3", linestyle="--", linewidth=1.2,
              label=f"observed: {_equation(float(line.u), float(line.v))}, R² = {law.observed.r2:.3f}")
    axes.errorbar(x, y, xerr=x_bars, yerr=y_bars, fmt="o", color="0.15", markersize=3, elinewidth=0.7,
                  label=f"{len(models)} models, {law.level:.0%} Clopper–Pearson")
    mark_probits(axes, low, high)
    axes.set(xlabel=f"accuracy on {law.original} (%)", ylabel=f"accuracy on {law.new} (%)")
    axes.legend(loc="upper left", fontsize="small", frameon=False)


def _bars(center: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return lengths of asymmetric error bars on the probit scale."""
    middle = norm.ppf(center)
    return np.stack([middle - norm.ppf(low), norm.ppf(high) - middle])


def _equation(u: float, v: float) -> str:
    return f"u = {u:.3f}, v = {v:+.3f}".replace("-", "−")
