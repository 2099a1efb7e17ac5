"""Fits of the same responses side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from difficulty_model.comparison.loo import Loo, loo
from difficulty_model.errors import InputError, unknown_name
from difficulty_model.fitting import Fit
from difficulty_model.fitting.diagnostics import compared
from difficulty_model.posterior import population_accuracies
from difficulty_model.predicted_law import law_between
from difficulty_model.responses import Responses
from difficulty_model.types import IMAGE, TEST_SET

FIT = "fit"
"""Column of the fits' names."""


@dataclass(frozen=True)
class Comparison:
    """Fits of the same responses, the best first.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per fit: `fit`, its name; `method`; ArviZ's `rank` from 0, `elpd` (leave-one-image-out, in nats) with
        `se`, `p` (effective number of parameters), `difference` to the best with its standard error `dse`, stacking
        `weight`; `doubtful`, share of images with Pareto k above 0.7; `u` and `v` of the predicted line with `u_sd`,
        `v_sd` (not a number if there is one test set only); `verdict` on the fit, and `troubled`: whether it says not
        to rely on it.
    errors : pandas.DataFrame
        One row per fit and test set: `fit`, `test_set`, `mean_error` and `largest_error`, of the models' accuracies in
        the population (posterior mean) against those observed, absolute and in points.
    original, new
        The test sets that the line is between; None if there is one only.
    """

    table: pd.DataFrame
    errors: pd.DataFrame
    original: str | None
    new: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold; unknown ones are None."""
        errors = {name: of.drop(columns=FIT).to_dict("records") for name, of in self.errors.groupby(FIT)}
        rows = [
            {column: None if value != value else value for column, value in row.items()} | {"errors": errors[row[FIT]]}
            for row in self.table.to_dict("records")
        ]
        return {"from": self.original, "to": self.new, "fits": rows}


def compare(
    fits: Mapping[str, Fit], *, original: str | None = None, new: str | None = None, progress: bool = True
) -> Comparison:
    """Return fits of the same responses side by side.

    Parameters
    ----------
    fits
        At least two, under names.
    original, new
        The test sets whose line is wanted; the first two if not given.
    progress
        Show progress bars, if there is a terminal to show them in.

    Raises
    ------
    InputError
        If there is one fit only, fits are of different responses, or a test set does not exist.
    """
    _require_same_responses(fits)
    test_sets = next(iter(fits.values())).responses.test_sets
    original = original or test_sets[0]
    new = new or next((name for name in test_sets if name != original), None)
    for name in filter(None, (original, new)):
        if name not in test_sets:
            raise unknown_name("test set in these fits", name, test_sets)
    left_out = {name: loo(fit, progress=progress) for name, fit in fits.items()}
    ranked = compared({name: of.to_arviz() for name, of in left_out.items()})
    rows = [
        {FIT: name, **_about(fits[name], left_out[name], original, new)} | row
        for name, row in zip(ranked.index, ranked.to_dict("records"), strict=True)
    ]
    errors = pd.concat([_errors(name, fits[name]) for name in ranked.index], ignore_index=True)
    return Comparison(pd.DataFrame(rows), errors, original if new else None, new)


def _require_same_responses(fits: Mapping[str, Fit]) -> None:
    if len(fits) < 2:
        raise InputError(f"a comparison needs at least two fits; got {', '.join(map(repr, fits)) or 'none'}")
    first, *others = fits
    one = fits[first].responses
    for name in others:
        differing = _differing(one, fits[name].responses)
        if differing:
            raise InputError(f"fits {first!r} and {name!r} cannot be compared: {differing}; fit both to the same "
                             "responses")


def _differing(one: Responses, other: Responses) -> str | None:
    """Return what differs between two collections of responses, if anything."""
    for kind, ours, theirs in [
        ("models", one.models, other.models),
        ("test sets", one.test_sets, other.test_sets),
        ("images", one.images, other.images),
    ]:
        if ours != theirs:
            lonely = sorted(set(ours) ^ set(theirs))
            example = f", {lonely[0]!r} being in one only" if lonely else ", the same in another order"
            return f"they are of different {kind} ({len(ours)} and {len(theirs)}{example})"
    if not np.array_equal(one.member, other.member):
        return "images belong to different test sets in them"
    differ = (one.right != other.right) | (one.shown != other.shown)
    if differ.any():
        return f"{int(differ.sum())} of {differ.size} responses differ between them"
    return None


def _about(fit: Fit, left_out: Loo, original: str, new: str | None) -> dict[str, Any]:
    """Return what is told of a fit beside its rank."""
    line = dict.fromkeys(("u", "u_sd", "v", "v_sd"), np.nan)
    if new:
        predicted = law_between(fit, original, new).predicted
        line = {"u": predicted.u.mean(), "u_sd": predicted.u.std(), "v": predicted.v.mean(), "v_sd": predicted.v.std()}
    return {
        "method": fit.tree.attrs["method"],
        "doubtful": left_out.doubtful / left_out.images.sizes[IMAGE],
        **{name: float(value) for name, value in line.items()},
        "verdict": fit.verdict,
        "troubled": bool(fit.trouble),
    }


def _errors(name: str, fit: Fit) -> pd.DataFrame:
    """Return by how many points the models' accuracies in each population are off those observed."""
    predicted = population_accuracies(fit).mean(("chain", "draw")).values
    test_sets, models = fit.responses.test_sets, fit.responses.models
    observed = fit.responses.accuracies()["accuracy"].to_numpy().reshape(len(test_sets), len(models))
    error = 100 * np.abs(predicted - observed)
    return pd.DataFrame({
        FIT: name, TEST_SET: test_sets,
        "mean_error": np.nanmean(error, axis=1), "largest_error": np.nanmax(error, axis=1),
    })
