"""Simulated collections as people ask for them: what strategies do to frequencies, difficulties and accuracies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from difficulty_model.law import Line
from difficulty_model.posterior import LEVEL, summary
from difficulty_model.simulation.leaderboard import line_of_accuracies
from difficulty_model.types import MODEL, FloatArray


@dataclass(frozen=True, eq=False)
class Collections:
    """Test sets that strategies chose from a pool, many times: the dimension `draw`.

    Attributes
    ----------
    draws : xarray.Dataset
        Per strategy, draw and model: `accuracy`, the share of the chosen images that the model gets right; `expected`,
        the same without the chance of responses that were not observed; `exact`, what that would be had the strategy
        known the true frequencies. Per draw and model: `reference`, expected on the reference. Per strategy and draw:
        `seen` and `frequency`, the mean selection frequency of the chosen images as annotators say and in truth;
        `exact_frequency`, in truth of those chosen by truth; `harder`, how much harder the chosen images are than the
        reference's, in probit units.
    """

    draws: xr.Dataset

    def line(self, strategy: str, *, exact: bool = False) -> Line:
        """Return the line from expected accuracies on the reference to those on the chosen images, per draw.

        Parameters
        ----------
        strategy
            Which.
        exact
            Of the images that it chooses by true frequencies.
        """
        of = self.draws["exact" if exact else "expected"].sel(strategy=strategy)
        return line_of_accuracies(self.draws["reference"].values, of.values)

    def gap(self, strategy: str, *, exact: bool = False) -> FloatArray:
        """Return how many points models gain from the reference to the chosen images, on average, per draw."""
        of = self.draws["exact" if exact else "expected"].sel(strategy=strategy)
        return 100 * (of - self.draws["reference"]).mean(MODEL).values

    def table(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Return what every strategy does.

        Returns
        -------
        pandas.DataFrame
            One row per strategy and quantity: `strategy`, `quantity`, `mean`, `sd`, `low`, `high`. Quantities are
            `seen`, `frequency`, `harder`; `u`, `v`; `points`, that models gain on average; `noise`, the part of these
            that annotators' noise makes.
        """
        rows = []
        for strategy in self.draws["strategy"].values.astype(str):
            of, line, points = self.draws.sel(strategy=strategy), self.line(strategy), self.gap(strategy)
            quantities = {
                "seen": of["seen"].values, "frequency": of["frequency"].values, "harder": of["harder"].values,
                "u": line.u, "v": line.v, "points": points, "noise": points - self.gap(strategy, exact=True),
            }
            rows += [
                {"strategy": strategy, "quantity": name, **_plain(values, level)} for name, values in quantities.items()
            ]
        return pd.DataFrame(rows)

    def accuracies(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Return every model's accuracy on the test set of every strategy.

        Returns
        -------
        pandas.DataFrame
            Columns `strategy`, `model`; `reference`, expected there; `accuracy`, `sd`, `low`, `high`, as shares.
        """
        reference = self.draws["reference"].mean("draw").values
        return pd.concat([
            pd.DataFrame({
                "strategy": str(strategy), MODEL: self.draws[MODEL].values.astype(str), "reference": reference,
                "accuracy": found["mean"], "sd": found["sd"], "low": found["low"], "high": found["high"],
            })
            for strategy in self.draws["strategy"].values
            for found in [summary(self.draws["accuracy"].sel(strategy=strategy).values, level=level)]
        ], ignore_index=True)

    @property
    def tree(self) -> xr.DataTree:
        """The same in ArviZ's groups: `posterior_predictive`."""
        return xr.DataTree.from_dict({"posterior_predictive": self.draws.expand_dims(chain=[0])})

    def as_dict(self, *, level: float = LEVEL) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold."""
        return {
            "collections": self.draws.sizes["draw"], "level": level,
            "strategies": self.table(level=level).to_dict("records"),
            "models": self.accuracies(level=level).to_dict("records"),
        }


def _plain(values: FloatArray, level: float) -> dict[str, float]:
    return {name: float(np.asarray(of)) for name, of in summary(values, level=level).items()}
