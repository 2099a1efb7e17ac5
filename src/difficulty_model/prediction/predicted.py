"""Predicted accuracies, and what they were predicted from."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr

from difficulty_model.posterior import LEVEL, summary
from difficulty_model.types import MODEL, TEST_SET


@dataclass(frozen=True, eq=False)
class Prediction:
    """Accuracies of models on whole test sets of which they were run on few images, or on none.

    Attributes
    ----------
    images
        Number of images of each test set.
    accuracy : xarray.DataArray
        Draws of the share of these that each model gets right, (draw, test_set, model).
    measured : pandas.DataFrame
        What was given, one row per test set and model that was run: how many `images`, and the accuracy `measured`
        there.
    unknowns : xarray.Dataset
        Draws of what was inferred on the way.
    """

    images: dict[str, int]
    accuracy: xr.DataArray
    measured: pd.DataFrame
    unknowns: xr.Dataset

    def table(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Return every model's accuracy on every test set, best first.

        Returns
        -------
        pandas.DataFrame
            Columns `test_set`, `model`; `images` and `measured`, as given; `accuracy`, `sd`, `low`, `high`, as
            predicted for the whole test set, as shares.
        """
        rows = []
        for test_set in self.images:
            found = summary(self.accuracy.sel({TEST_SET: test_set}).values, level=level)
            names = {TEST_SET: test_set, MODEL: self.accuracy[MODEL].values.astype(str)}
            rows.append(pd.DataFrame(names | {"accuracy" if k == "mean" else k: v for k, v in found.items()}))
        table = self.measured.merge(pd.concat(rows), on=[TEST_SET, MODEL], how="right")
        order = table.groupby(TEST_SET, sort=False)["accuracy"].rank(ascending=False, method="first")
        table["images"] = table["images"].fillna(0).astype(int)
        place = table[TEST_SET].map(list(self.images).index)
        return table.assign(place=place, order=order).sort_values(["place", "order"], ignore_index=True).drop(
            columns=["place", "order"]
        )

    @property
    def tree(self) -> xr.DataTree:
        """The same in ArviZ's groups: `posterior_predictive` (accuracies), `posterior`, `observed_data`."""
        measured = self.measured.set_index([TEST_SET, MODEL]).to_xarray()
        return xr.DataTree.from_dict({
            "posterior_predictive": self.accuracy.to_dataset(name="accuracy").expand_dims(chain=[0]),
            "posterior": self.unknowns.expand_dims(chain=[0]),
            "observed_data": measured,
        })

    def as_dict(self, *, level: float = LEVEL) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold; unknown ones are None."""
        unknowns = {
            str(name): _plain(summary(of.values, level=level), of.dims[1:], of) for name, of in self.unknowns.items()
        }
        rows = self.table(level=level).to_dict("records")
        return {
            "images": self.images,
            "level": level,
            "unknowns": unknowns,
            "models": [{k: None if v != v else v for k, v in row.items()} for row in rows],
        }


def _plain(found: dict[str, Any], dims: tuple[Any, ...], of: xr.DataArray) -> dict[str, Any]:
    """Return a summary as numbers, or as numbers per name along the one dimension that there is."""
    if not dims:
        return {k: float(v) for k, v in found.items()}
    return {
        str(name): {k: float(v[n]) for k, v in found.items()} for n, name in enumerate(of[dims[0]].values)
    }
