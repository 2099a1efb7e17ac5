"""Fits that were told their parameters: whatever the responses, every draw is the same known truth.

The checks compare responses with what a fit expects; where it expects what is known, so is every planted effect.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from difficulty_model.fitting import Fit
from difficulty_model.fitting.images import names_of
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification, to_json, unknowns


def told(
    responses: Responses, specification: Specification, values: Mapping[str, float | np.ndarray], *, draws: int = 40
) -> Fit:
    """Return a fit of so many draws, all with the same value of every unknown."""
    names, strata = names_of(responses, specification), responses.strata()
    variables = {}
    for path, prior in unknowns(specification).items():
        shape = tuple(len(names[dim]) for dim in prior.dims)
        value = np.broadcast_to(np.asarray(values[path], float), shape)
        variables[path] = (("chain", "draw", *prior.dims), np.broadcast_to(value, (1, draws, *shape)))
    used = {"model", "stratum"}.union(*(prior.dims for prior in unknowns(specification).values()))
    tree = xr.DataTree.from_dict({
        "posterior": xr.Dataset(variables, {dim: of for dim, of in names.items() if dim in used}),
        "observed_data": responses.dataset,
        "constant_data": xr.Dataset(
            {"weight": (("test_set", "stratum"), strata.weights), "stratum_of_image": ("image", strata.of_image)},
            {"test_set": responses.test_sets, "stratum": strata.names, "image": responses.images},
        ),
    })
    tree.attrs |= {"specification": to_json(specification), "trouble": "[]"}
    return Fit(tree, specification)
