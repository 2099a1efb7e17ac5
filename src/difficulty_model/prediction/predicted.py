"""Predicted accuracies, on a new test set or of new models, and what they were predicted from."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr

from difficulty_model.posterior import LEVEL, summary
from difficulty_model.types import MODEL, TEST_SET


@dataclass(frozen=True, eq=False)
class Prediction:
    """Accuracies of all models of a fit on a new test set, on some of whose images a few of them were run.

    Attributes
    ----------
    test_set, like
        Names of the new test set, and of the fitted one that it is taken to be like.
    images
        Number of images of the new test set.
    accuracy : xarray.DataArray
        Draws of the share of these that each model gets right, (draw, model).
    measured : pandas.DataFrame
        What was given, one row per model that was run: `model`; `shown`, how many responses; `measured`, the share of
        these that are right.
    unknowns : xarray.Dataset
        A draw of these each: `harder`, how much harder images are than those of the test set that they are like, in
        probit units; `wider`, the factor by which difficulties are spread further; `departure`, the sd of models' own
        departures in probit units; `u` and `v`, of the line from accuracies there to those in the new population.
    """

    test_set: str
    like: str
    images: int
    accuracy: xr.DataArray
    measured: pd.DataFrame
    unknowns: xr.Dataset

    def table(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Return every model's accuracy on the whole new test set, best first.

        Returns
        -------
        pandas.DataFrame
            Columns `model`; `shown` (0 where it was not run) and `measured` (not a number there); `accuracy`, `sd`,
            `low`, `high`, as predicted, as shares.
        """
        found = summary(self.accuracy.values, level=level)
        found = pd.DataFrame({MODEL: self.accuracy[MODEL].values.astype(str), "accuracy": found.pop("mean")} | found)
        table = self.measured.merge(found, on=MODEL, how="right")
        table["shown"] = table["shown"].fillna(0).astype(int)
        return table.sort_values("accuracy", ascending=False, ignore_index=True, kind="stable")

    @property
    def tree(self) -> xr.DataTree:
        """The same in ArviZ's groups: `posterior_predictive` (accuracies), `posterior`, `observed_data`."""
        return xr.DataTree.from_dict({
            "posterior_predictive": self.accuracy.to_dataset(name="accuracy").expand_dims(chain=[0]),
            "posterior": self.unknowns.expand_dims(chain=[0]),
            "observed_data": self.measured.set_index(MODEL).to_xarray(),
        })

    def as_dict(self, *, level: float = LEVEL) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold; unknown ones are None."""
        rows = self.table(level=level).to_dict("records")
        return {
            "test_set": self.test_set, "like": self.like, "images": self.images, "level": level,
            "unknowns": {
                str(name): {k: float(v) for k, v in summary(of.values, level=level).items()}
                for name, of in self.unknowns.items()
            },
            "models": [{k: None if v != v else v for k, v in row.items()} for row in rows],
        }


@dataclass(frozen=True, eq=False)
class ModelPrediction:
    """Accuracies of new models on the test sets of a fit, on some of whose images they were run.

    Attributes
    ----------
    accuracy : xarray.DataArray
        Draws of the share of a test set's images that each model gets right, (draw, test_set, model).
    measured : pandas.DataFrame
        What was given, one row per test set and model: `test_set`, `model`; `images`, how many the test set has;
        `shown`, how many responses were given; `measured`, the share of these that are right, not a number where none
        was given.
    """

    accuracy: xr.DataArray
    measured: pd.DataFrame

    def table(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Return every model's accuracy on every whole test set.

        Returns
        -------
        pandas.DataFrame
            The columns of `measured`; `accuracy`, `sd`, `low`, `high`, as predicted, as shares.
        """
        found = summary(self.accuracy.values.reshape(self.accuracy.sizes["draw"], -1), level=level)
        return self.measured.assign(accuracy=found.pop("mean"), **found)

    @property
    def tree(self) -> xr.DataTree:
        """The same in ArviZ's groups: `posterior_predictive` (accuracies), `observed_data`."""
        return xr.DataTree.from_dict({
            "posterior_predictive": self.accuracy.to_dataset(name="accuracy").expand_dims(chain=[0]),
            "observed_data": self.measured.set_index([TEST_SET, MODEL]).to_xarray(),
        })

    def as_dict(self, *, level: float = LEVEL) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold; unknown ones are None."""
        rows = self.table(level=level).to_dict("records")
        return {"level": level, "models": [{k: None if v != v else v for k, v in row.items()} for row in rows]}
