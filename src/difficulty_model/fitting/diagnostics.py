"""What the installed ArviZ says of draws.

The one module that knows that ArviZ exists in two generations, which keep their functions in different places.
"""

import importlib
import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from scipy.special import logsumexp

GOOD_K = 0.7
"""Shape of the importance ratios' tail above which they are unreliable at any feasible number of draws (Vehtari et al.,
2024)."""


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
    log_weights, pareto_k = _smoothed(log_ratios)
    weights = np.exp(log_weights)
    return weights / weights.sum(), float(pareto_k)


@dataclass(frozen=True)
class LeftOut:
    """What leaving out one observation at a time comes to, one number for each.

    Attributes
    ----------
    elpd
        Log predictive density of the observation given all others, in nats.
    p
        By how much it is lower than with the observation itself: its part in the effective number of parameters.
    pareto_k
        Shape of the tail of the importance ratios; minus infinity where they are all equal.
    """

    elpd: Float[np.ndarray, "unit"]
    p: Float[np.ndarray, "unit"]
    pareto_k: Float[np.ndarray, "unit"]


def leave_one_out(log_likelihood: Float[np.ndarray, "unit draw"]) -> LeftOut:
    """Return Pareto-smoothed leave-one-out predictive densities (Vehtari et al., 2017, Stat. Comput. 27:1413).

    Parameters
    ----------
    log_likelihood
        Of every unit given every posterior draw, in nats.
    """
    log_weights, pareto_k = _smoothed(-log_likelihood)
    elpd = np.asarray(logsumexp(log_weights + log_likelihood, axis=1))
    lppd = np.asarray(logsumexp(log_likelihood, axis=1)) - np.log(log_likelihood.shape[1])
    return LeftOut(elpd, lppd - elpd, pareto_k)


def elpd_data(
    elpd: Float[np.ndarray, "unit"], p: float, pareto_k: Float[np.ndarray, "unit"], *, draws: int
) -> Any:  # noqa: ANN401
    """Return leave-one-out results as the `ELPDData` of the installed ArviZ."""
    good_k = min(1 - 1 / np.log10(draws), GOOD_K)
    pointwise = {name: xr.DataArray(of, dims="unit") for name, of in {"elpd_i": elpd, "pareto_k": pareto_k}.items()}
    figures = {
        "se": float(np.sqrt(len(elpd) * elpd.var())), "n_samples": draws, "n_data_points": len(elpd),
        "warning": bool((pareto_k > good_k).any()), "scale": "log", "good_k": good_k,
    }
    try:
        kinds = _arviz("arviz_stats.utils")
    except ModuleNotFoundError:  # before ArviZ 1.0
        named = figures | {"elpd_loo": elpd.sum(), "p_loo": p, "loo_i": pointwise["elpd_i"]} | pointwise
        # It prints itself by position.
        order = ["elpd_loo", "se", "p_loo", "n_samples", "n_data_points", "warning", "loo_i", "pareto_k", "scale",
                 "good_k"]
        return _arviz("arviz.stats.stats_utils").ELPDData([named[name] for name in order], order)
    if "ELPDDataLOO" in kinds.__all__:
        return kinds.ELPDDataLOO(elpd=elpd.sum(), p=p, **figures, **pointwise)
    return kinds.ELPDData(kind="loo", elpd=elpd.sum(), p=p, **figures, **pointwise)  # before arviz-stats 1.2


def compared(results: Mapping[str, Any]) -> pd.DataFrame:
    """Return ArviZ's comparison of `elpd_data`, under names that do not depend on its generation.

    Returns
    -------
    pandas.DataFrame
        By name, the best first: `rank` from 0, `elpd`, `se`, `p`, `difference` to the best (0 or negative) with its
        standard error `dse`, and the stacking `weight` (Yao et al., 2018, Bayesian Anal. 13:917).
    """
    arviz = _arviz("arviz")
    if "round_to" in inspect.signature(arviz.compare).parameters:
        table = arviz.compare(dict(results), method="stacking", round_to="none")
    else:  # before ArviZ 1.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it calls pandas as pandas once was
            table = arviz.compare(dict(results), ic="loo", method="stacking", scale="log")
        table = table.rename(columns={"elpd_loo": "elpd", "p_loo": "p"})
    table = table.assign(difference=table["elpd"] - table["elpd"].max())
    return table[["rank", "elpd", "se", "p", "difference", "dse", "weight"]]


def _smoothed(
    log_ratios: Float[np.ndarray, "... draw"],
) -> tuple[Float[np.ndarray, "... draw"], Float[np.ndarray, "..."]]:
    """Return Pareto-smoothed log importance weights whose exponentials sum to 1, and the shapes k̂."""
    draws = log_ratios.shape[-1]
    spread = np.ptp(log_ratios, axis=-1)
    tail = int(min(draws / 5, 3 * np.sqrt(draws)))
    largest = np.partition(log_ratios, draws - tail, axis=-1)[..., draws - tail :] if tail else log_ratios
    # Where the tail is one number, such as a draw that was resampled many times, there is none to fit.
    smooth = np.ptp(largest, axis=-1) > 1e-12
    log_weights = log_ratios - logsumexp(log_ratios, axis=-1, keepdims=True)
    pareto_k = np.where(spread > 1e-12, np.inf, -np.inf)
    if smooth.any():
        log_weights[smooth], pareto_k[smooth] = _psislw(log_ratios[smooth])
    return log_weights, pareto_k


def _psislw(log_ratios: Float[np.ndarray, "... draw"]) -> tuple[np.ndarray, np.ndarray]:
    try:
        array_stats = _arviz("arviz_stats.base").array_stats
    except ModuleNotFoundError:  # before ArviZ 1.0
        return _arviz("arviz").psislw(log_ratios)
    return array_stats.psislw(-log_ratios)  # of log-likelihoods, whose ratios are the inverse


def _arviz(module: str) -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # ArviZ 0.23 announces its successor at every import
        return importlib.import_module(module)
