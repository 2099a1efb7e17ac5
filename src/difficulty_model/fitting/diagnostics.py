"""What the installed ArviZ says of draws.

The one module that knows that ArviZ exists in two generations, which keep their functions in different places.
"""

import importlib
import warnings
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import xarray as xr
from jaxtyping import Float


@dataclass(frozen=True)
class Mixing:
    """How well chains mixed: the worst of each figure over all parameters."""

    r_hat: float
    ess_bulk: float
    ess_tail: float


def mixing(posterior: xr.Dataset) -> Mixing:
    """Return R-hat and effective sample sizes (Vehtari et al., 2021) of the worst parameter.

    Parameters held at a constant, such as the location of the reference, are left out.
    """
    columns = np.concatenate(
        [v.values.reshape(*v.shape[:2], -1) for v in posterior.data_vars.values()], axis=2
    )
    moving = xr.Dataset({"x": (("chain", "draw", "parameter"), columns[..., np.ptp(columns, (0, 1)) > 0])})
    arviz = _arviz("arviz")
    return Mixing(
        r_hat=float(arviz.rhat(moving)["x"].max()),
        ess_bulk=float(arviz.ess(moving, method="bulk")["x"].min()),
        ess_tail=float(arviz.ess(moving, method="tail")["x"].min()),
    )


def pareto_smoothed(
    log_ratios: Float[np.ndarray, "draw"],
) -> tuple[Float[np.ndarray, "draw"], float]:
    """Return Pareto-smoothed importance weights that sum to 1, and the shape k̂ (Vehtari et al., 2024)."""
    try:
        psislw = _arviz("arviz_stats.base").array_stats.psislw
    except ModuleNotFoundError:  # before ArviZ 1.0
        psislw = _arviz("arviz").psislw
    log_weights, pareto_k = psislw(log_ratios.copy())
    weights = np.exp(log_weights - np.max(log_weights))
    return weights / weights.sum(), float(pareto_k)


def _arviz(module: str) -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # ArviZ 0.23 announces its successor at every import
        return importlib.import_module(module)
