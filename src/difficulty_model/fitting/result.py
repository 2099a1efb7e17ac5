"""What a fit is: a posterior, with the responses that it was fitted to and the reasons to doubt it."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from difficulty_model.errors import InputError
from difficulty_model.files import written_whole
from difficulty_model.likelihood import Grid, Patterns, grid_for
from difficulty_model.records import holds_variable, load_tree
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification, from_json, named_draws, unknowns

GROUPS = ("posterior", "observed_data", "constant_data", "difficulty")
"""Groups without which a file is no fit."""

ATTRIBUTES = ("specification", "method", "diagnostics", "trouble", "verdict")
"""Texts that describe a fit."""


@dataclass(frozen=True)
class Fit:
    """A posterior.

    Attributes
    ----------
    tree : xarray.DataTree
        Groups `posterior` (every unknown under its path, with dims chain, draw and model or stratum),
        `sample_stats`, `observed_data` (the responses), `constant_data` (`weight`: share of each stratum in each
        test set; `stratum_of_image`), and `difficulty` (per image: mean, sd and quantiles, in probit units).
        Its attributes hold the specification, the method, the seed, the diagnostics and the verdict.
    specification
        What was assumed.
    """

    tree: xr.DataTree
    specification: Specification

    @property
    def posterior(self) -> xr.Dataset:
        """Draws of every unknown, dims chain, draw and model or stratum."""
        return self.tree["posterior"].to_dataset()

    @cached_property
    def responses(self) -> Responses:
        """What was observed."""
        return Responses(self.tree["observed_data"].to_dataset())

    @property
    def weights(self) -> xr.DataArray:
        """Share of each test set's images that lie in each stratum, (test_set, stratum)."""
        return self.tree["constant_data"].to_dataset()["weight"]

    @property
    def difficulty(self) -> xr.Dataset:
        """Posterior mean, sd and quantiles of every image's difficulty, in probit units."""
        return self.tree["difficulty"].to_dataset()

    @property
    def diagnostics(self) -> dict[str, float]:
        """R-hat, effective sample sizes, divergences, grid error in nats, Pareto k: those that the method has."""
        return json.loads(self.tree.attrs["diagnostics"])

    @property
    def trouble(self) -> list[str]:
        """One sentence for each reason not to rely on this fit; empty where there is none."""
        return json.loads(self.tree.attrs["trouble"])

    @property
    def verdict(self) -> str:
        """What the diagnostics come to, in plain language."""
        return self.tree.attrs["verdict"]

    def numbers(self, *, at_most: int | None = None) -> Specification:
        """Return the specification with posterior draws in place of its unknowns.

        Parameters
        ----------
        at_most
            Number of draws, evenly spaced over all chains; all of them if not given.

        Returns
        -------
        Specification
            A tree of arrays, (draw, model) on skill and curve, (draw, stratum) on the population.
        """
        return numbers_of(self.specification, self.posterior, at_most=at_most)

    def save(self, path: Path | str) -> None:
        """Write the fit to a netCDF4 file, whole or not at all; ArviZ opens it too."""
        encoding = {
            f"/{group}": {name: {"zlib": True, "complevel": 4} for name in self.tree[group].data_vars}
            for group in self.tree.children
        }
        with written_whole(path) as temporary:
            self.tree.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)


def load_fit(path: Path | str) -> Fit:
    """Read a fit that `Fit.save` wrote.

    A fit of a specification with parts of the user's own can be written, and ArviZ reads its draws, but it cannot be
    read back here: no code is loaded on the word of a file.

    Raises
    ------
    InputError
        If the file does not exist, is not netCDF4, or does not hold a fit.
    """
    tree = load_tree(path, "posterior", "a fit, as `difficulty-model fit` writes it")
    try:
        _validate(tree)
        fitted = Fit(tree, from_json(tree.attrs["specification"]))
        # Reading each part is checking it.
        lacking = set(unknowns(fitted.specification)) - set(fitted.posterior)
        _ = fitted.responses, fitted.weights, fitted.difficulty, fitted.diagnostics, fitted.trouble
    except (InputError, KeyError, ValueError) as error:
        raise InputError(f"{path} holds no valid fit: {error}; make one with `difficulty-model fit`") from error
    if lacking:
        raise InputError(f"{path}: its posterior lacks {sorted(lacking)}, unknowns of its specification; fit again")
    return fitted


def holds_fit(path: Path | str) -> bool:
    """Return whether a path is a file of a fit, for commands that take another kind too."""
    return holds_variable(path, "posterior")


def _validate(tree: xr.DataTree) -> None:
    missing = [f"group {group}" for group in GROUPS if group not in tree.children]
    missing += [f"attribute {name}" for name in ATTRIBUTES if not isinstance(tree.attrs.get(name), str)]
    if missing:
        raise InputError(f"it lacks {', '.join(missing)}")
    for name, values in tree["posterior"].data_vars.items():
        if values.dims[:2] != ("chain", "draw") or values.dtype.kind != "f" or not np.isfinite(values).all():
            raise InputError(f"`{name}` of its posterior must be finite numbers with dims chain, draw, …")


def numbers_of(specification: Specification, posterior: xr.Dataset, *, at_most: int | None) -> Specification:
    """Return the specification with posterior draws, chains joined, in place of its unknowns; in float64."""
    total = posterior.sizes["chain"] * posterior.sizes["draw"]
    every = -(-total // at_most) if at_most else 1
    with jax.enable_x64(True):
        values = {
            str(path): jnp.asarray(v.values.reshape(total, *v.shape[2:])[::every])
            for path, v in posterior[list(unknowns(specification))].data_vars.items()
        }
        return named_draws(specification, values, {str(dim): size for dim, size in posterior.sizes.items()})


def grid_of(numbers: Specification, patterns: Patterns, *, refinement: float = 1.0) -> Grid:
    """Return a grid that serves draws of a specification's numbers, for the posteriors of given images."""
    return grid_for(numbers.skill, numbers.curve, numbers.population, patterns, refinement=refinement)
