"""Simulated accuracies as people ask for them: ranks, who beats whom, reorderings, and lines from fitted test sets."""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from scipy.stats import rankdata

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.law import Line, least_squares, probit
from difficulty_model.observed import off_the_edges
from difficulty_model.posterior import LEVEL, summary
from difficulty_model.simulation.plan import TestSetPlan
from difficulty_model.types import MODEL, TEST_SET, FloatArray


@dataclass(frozen=True, eq=False)
class Reordering:
    """How a simulated leaderboard differs from an observed one.

    Attributes
    ----------
    same_first
        Probability that the model that is first there is first here, shared with those that score the same.
    same_order
        Probability that no two models change places.
    pairs_swapped
        Share of all pairs of models that change places, one per simulated test set.
    """

    same_first: float
    same_order: float
    pairs_swapped: Float[np.ndarray, "draw"]


@dataclass(frozen=True, eq=False)
class Simulation:
    """Test sets simulated by one plan, each by a posterior draw: the dimension `draw` is that of the test sets.

    Attributes
    ----------
    plan
        Of which test set.
    accuracy : xarray.DataArray
        Share of the images that each model gets right, (draw, model): with the whole uncertainty of skills,
        populations and images.
    population : xarray.DataArray
        The same of infinitely many images, (draw, model).
    fitted : xarray.DataArray
        Accuracies in the populations of the fitted test sets, by the same draws, (draw, test_set, model).
    observed : xarray.DataArray
        Accuracies that were observed there, (test_set, model); not a number where a model was not run.
    """

    plan: TestSetPlan
    accuracy: xr.DataArray
    population: xr.DataArray
    fitted: xr.DataArray
    observed: xr.DataArray

    @cached_property
    def rank(self) -> xr.DataArray:
        """Rank of every model on every simulated test set, 1 the best; equal ones share the mean of theirs."""
        return self.accuracy.copy(data=rankdata(-self.accuracy.values, axis=1))

    def leaderboard(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Return every model's accuracy and rank, best first.

        Returns
        -------
        pandas.DataFrame
            Columns `model`; `accuracy`, `sd`, `low`, `high`, of a simulated test set, as shares; `rank`, `rank_low`,
            `rank_high`; `first`, the probability of being first.
        """
        found, ranks = (summary(of.values, level=level) for of in (self.accuracy, self.rank))
        table = pd.DataFrame({
            MODEL: self.accuracy[MODEL].values.astype(str),
            "accuracy": found["mean"], "sd": found["sd"], "low": found["low"], "high": found["high"],
            "rank": ranks["mean"], "rank_low": ranks["low"], "rank_high": ranks["high"],
            "first": _first_places(self.accuracy.values).mean(0),
        })
        return table.sort_values("accuracy", ascending=False, ignore_index=True, kind="stable")

    def beats(self) -> xr.DataArray:
        """Return the probability that each model (rows) scores higher than each other, ties counted as half."""
        scores = self.accuracy.values
        ahead = np.stack([
            ((scores[:, j, None] > scores).mean(0) + (scores[:, j, None] >= scores).mean(0)) / 2
            for j in range(scores.shape[1])
        ])
        names = self.accuracy[MODEL].values
        return xr.DataArray(ahead, dims=(MODEL, "other"), coords={MODEL: names, "other": names}, name="beats")

    def reordering(self, test_set: str) -> Reordering:
        """Return how the leaderboard would differ from that observed on a fitted test set.

        Raises
        ------
        InputError
            If the test set was not fitted, or fewer than two models were run on it.
        """
        observed = self._observed(test_set)
        run = np.isfinite(observed)
        if run.sum() < 2:
            raise InputError(f"only {run.sum()} model was run on {test_set!r}, so that there is no order to compare "
                             "with; take another fitted test set")
        there, here = observed[run], self.accuracy.values[:, run]
        one, other = np.triu_indices(len(there), 1)
        swapped = np.sign(there[one] - there[other]) * np.sign(here[:, one] - here[:, other]) < 0
        first = _first_places(here)[:, np.argmax(there)]
        return Reordering(float(first.mean()), float((~swapped.any(1)).mean()), swapped.mean(1))

    def line_from(self, test_set: str) -> Line:
        """Return the line from accuracies in the population of a fitted test set to those of this, per draw."""
        return line_of_accuracies(self._of(self.fitted, test_set), self.population.values)

    def seen_from(self, test_set: str) -> Line:
        """Return the line that would be seen: from accuracies observed there to those simulated here.

        Models that were not run there, or were always right or always wrong, are left out.
        """
        observed = self._observed(test_set)
        run = (observed > 0) & (observed < 1)
        here = off_the_edges(self.accuracy.values[:, run], np.asarray(float(self.plan.images)))
        return line_of_accuracies(np.broadcast_to(observed[run], here.shape), here)

    def _observed(self, test_set: str) -> FloatArray:
        return self._of(self.observed, test_set)

    def _of(self, values: xr.DataArray, test_set: str) -> FloatArray:
        known = values[TEST_SET].values.astype(str).tolist()
        if test_set not in known:
            raise unknown_name("test set in this fit", test_set, known)
        return values.sel({TEST_SET: test_set}).values

    @property
    def tree(self) -> xr.DataTree:
        """The same in ArviZ's groups: `posterior_predictive` (accuracies and ranks), `posterior`, `observed_data`."""
        return xr.DataTree.from_dict({
            "posterior_predictive": xr.Dataset({"accuracy": self.accuracy, "rank": self.rank}).expand_dims(chain=[0]),
            "posterior": xr.Dataset({"population": self.population, "fitted": self.fitted}).expand_dims(chain=[0]),
            "observed_data": xr.Dataset({"observed": self.observed}),
        })

    def as_dict(self, *, against: str, level: float = LEVEL) -> dict[str, Any]:
        """Return the simulation beside a fitted test set as plain values that JSON can hold."""
        order = self.reordering(against)
        return {
            "plan": asdict(self.plan),
            "simulated": self.accuracy.sizes["draw"],
            "level": level,
            "models": self.leaderboard(level=level).to_dict("records"),
            "from": against,
            "line": _plain(self.line_from(against), level=level),
            "seen": _plain(self.seen_from(against), level=level),
            "same_first": order.same_first,
            "same_order": order.same_order,
            "pairs_swapped": {k: float(v) for k, v in summary(order.pairs_swapped, level=level).items()},
        }


def _first_places(accuracy: Float[np.ndarray, "draw model"]) -> Float[np.ndarray, "draw model"]:
    """Return 1 where a model is first, or its share of the place where several are."""
    best = accuracy == accuracy.max(1, keepdims=True)
    return best / best.sum(1, keepdims=True)


def line_of_accuracies(x: FloatArray, y: FloatArray) -> Line:
    """Return the line through models' probit accuracies on two test sets; those never or always right are left out."""
    with np.errstate(divide="ignore"):
        usable = np.isfinite(probit(x)).all(0) & np.isfinite(probit(y)).all(0)
    if usable.sum() < 2:
        raise InputError(f"a line needs two models that are sometimes right and sometimes wrong; got {usable.sum()}")
    return least_squares(probit(x[:, usable]), probit(y[:, usable]))


def _plain(line: Line, *, level: float) -> dict[str, Any]:
    return {
        name: {k: float(v) for k, v in summary(getattr(line, name), level=level).items()} for name in ("u", "v")
    }
