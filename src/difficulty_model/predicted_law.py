"""The law between two test sets: the line that a fit predicts, and how it compares with the line observed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from difficulty_model.answering import count_right, right_of_draws
from difficulty_model.errors import unknown_name
from difficulty_model.files import json_values
from difficulty_model.fitting import Fit
from difficulty_model.fitting.images import families, kinds_of_images
from difficulty_model.law import Line, least_squares, probit
from difficulty_model.observed import ObservedLine, observed_line, off_the_edges, require_two
from difficulty_model.posterior import LEVEL, OnGrid, on_grid, summary
from difficulty_model.relation import Relation, relation_between
from difficulty_model.skills import InFamilies
from difficulty_model.types import MODEL, TEST_SET


@dataclass(frozen=True)
class Scatter:
    """Scatter of the models around their least-squares line, in probit units.

    Attributes
    ----------
    observed
        Root mean square residual of the observed accuracies.
    replicated
        The same of test sets replicated from the fit, one per posterior draw.
    p_value
        Posterior predictive probability of a scatter at least as large as the observed one.
    """

    observed: float
    replicated: Float[np.ndarray, "draw"]
    p_value: float


@dataclass(frozen=True)
class Law:
    """The relation between accuracies on two test sets, predicted and observed.

    Attributes
    ----------
    original, new
        Names of the test sets.
    predicted
        Posterior draws of the line between accuracies in the two populations.
    replicated
        Least-squares lines through accuracies on replicated test sets: what the fit expects of `observed`, with
        the noise of finite test sets, which flattens a least-squares line.
    observed
        The line through the observed accuracies.
    models : pandas.DataFrame
        One row per model, in columns ending in `_original` and `_new`: `right`, `shown`, `observed` with the
        Clopper-Pearson bounds `observed_low`, `observed_high`; `population`, `population_low`,
        `population_high`: the accuracy in the population; `predicted`, `predicted_sd`, `predicted_low`,
        `predicted_high`: the accuracy on another test set of that size; `inside`: whether the observed accuracy
        lies in that interval.
    relation
        The curve that a typical model's accuracies follow: the predicted line, where that is one.
    scatter
        Around the line.
    level
        Coverage of all intervals.
    """

    original: str
    new: str
    predicted: Line
    replicated: Line
    observed: ObservedLine
    models: pd.DataFrame
    relation: Relation
    scatter: Scatter
    level: float

    def as_dict(self) -> dict[str, Any]:
        """Return the law as plain values that JSON can hold; unknown ones are None."""
        observed = self.observed
        models = self.models
        plain = {
            "from": self.original,
            "to": self.new,
            "level": self.level,
            "predicted": self._plain_line(self.predicted),
            "replicated": self._plain_line(self.replicated),
            "observed": observed.as_dict(),
            "curve": self.relation.as_dict(level=self.level),
            "inside": {
                "models": len(models),
                "from": int(np.count_nonzero(models["inside_original"])),
                "to": int(np.count_nonzero(models["inside_new"])),
            },
            "scatter": {
                "observed": self.scatter.observed,
                "replicated": _plain_summary(self.scatter.replicated, level=self.level),
                "p_value": self.scatter.p_value,
            },
            "models": [
                {MODEL: row[MODEL], "from": _plain_side(row, "original"), "to": _plain_side(row, "new")}
                for row in models.to_dict("records")
            ],
        }
        return json_values(plain)

    def _plain_line(self, line: Line) -> dict[str, Any]:
        return {"u": _plain_summary(line.u, level=self.level), "v": _plain_summary(line.v, level=self.level)}


def law_between(
    fit: Fit, original: str, new: str, *, random_seed: int = 0, level: float = LEVEL
) -> Law:
    """Return the relation between accuracies on two test sets, predicted and observed.

    The predicted line is the least-squares line through the models' probit accuracies in the two populations. Of
    normal populations under the probit curve, all models lie on it, and u = √(1 + σ₁²)/√(1 + σ₂²),
    v = (μ₁ − μ₂)/√(1 + σ₂²). Other populations and curves make a curve of it, which the law holds too.

    Parameters
    ----------
    fit
        A fit of both test sets.
    original, new
        Names of the test sets.
    random_seed
        Of the replicated test sets and of the bootstrap.
    level
        Coverage of all intervals.

    Raises
    ------
    InputError
        If a test set was not fitted, the two are the same, or fewer than three models were run on both.
    """
    for name in (original, new):
        if name not in fit.responses.test_sets:
            raise unknown_name("test set in this fit", name, fit.responses.test_sets)
    require_two(original, new, fit.responses.test_sets)
    observed = observed_line(fit.responses, original, new, random_seed=random_seed)
    drawn = on_grid(fit)
    pair = [fit.responses.test_sets.index(name) for name in (original, new)]
    population = drawn.accuracies(fit.weights.values)[:, pair]
    replicates = _replicated(fit, drawn, random_seed=random_seed)[:, pair]
    table = _model_table(fit, original, new, population, replicates, level=level)
    measured = table[["observed_original", "observed_new"]].to_numpy().T[None]
    images = table[["shown_original", "shown_new"]].to_numpy().T
    # The same models as the observed line, so that the two can be compared.
    kept = ~table[MODEL].isin(observed.left_out).to_numpy()
    _, scatter = _line_and_scatter(measured[..., kept])
    replicated, replicated_scatter = _line_and_scatter(off_the_edges(replicates[..., kept], images[:, kept]))
    sloping = np.isfinite(replicated.u)  # on tiny test sets all models may come out equal
    replicated, replicated_scatter = Line(replicated.u[sloping], replicated.v[sloping]), replicated_scatter[sloping]
    with np.errstate(divide="ignore"):
        usable = np.isfinite(probit(population)).all((0, 1))
    return Law(
        original=original,
        new=new,
        predicted=least_squares(*_probit_pairs(population[..., usable])),
        replicated=replicated,
        observed=observed,
        models=table,
        relation=relation_between(fit, (pair[0], pair[1])),
        scatter=Scatter(float(scatter[0]), replicated_scatter, float((replicated_scatter >= scatter[0]).mean())),
        level=level,
    )


def replicated_accuracies(fit: Fit, *, random_seed: int) -> xr.DataArray:
    """Return accuracies on replicated test sets: other images of the same populations, one set per posterior draw.

    All models see the same images, as many of each stratum as were observed; a model that was not shown all of
    them sees a random part. Models of one family are right and wrong together more often than by chance.

    Returns
    -------
    xarray.DataArray
        Shares, (draw, test_set, model); not a number where a model was never shown an image of the set.
    """
    return xr.DataArray(
        _replicated(fit, on_grid(fit), random_seed=random_seed),
        dims=("draw", TEST_SET, MODEL),
        coords={TEST_SET: fit.responses.test_sets, MODEL: fit.responses.models},
    )


def _replicated(fit: Fit, drawn: OnGrid, *, random_seed: int) -> Float[np.ndarray, "draw test_set model"]:
    rng = np.random.default_rng(random_seed)
    responses, family = fit.responses, families(fit.responses, fit.specification)
    stratum = fit.tree["constant_data"].to_dataset()["stratum_of_image"].values
    in_set = fit.weights.values > 0
    right = np.zeros((len(drawn.right), len(in_set), len(responses.models)))
    shown = np.zeros(right.shape[1:])
    for s in range(in_set.shape[1]):
        images = int((stratum == s).sum())
        times = responses.shown[:, stratum == s].sum(1, dtype=np.int64)
        for d, (share, probability) in enumerate(zip(drawn.share[:, s], _right_in(fit, drawn, s), strict=True)):
            of_node = rng.multinomial(images, share)
            right[d, in_set[:, s]] += count_right(rng, probability, of_node, times, family)
        shown[in_set[:, s]] += times
    with np.errstate(invalid="ignore"):
        return right / shown


def _right_in(fit: Fit, drawn: OnGrid, stratum: int) -> Iterator[Float[np.ndarray, "model node effect"]]:
    """Yield every model's probability of being right on images of a stratum, draw by draw."""
    if isinstance(fit.specification.skill, InFamilies):  # by effect of its family, which is too much for all at once
        kinds = kinds_of_images(fit.responses, fit.specification)
        every = right_of_draws(fit.numbers(), kinds, range(len(drawn.share)))
        yield from (right[:, stratum if right.shape[1] > 1 else 0] for right in every)
    else:
        yield from drawn.right[:, stratum if drawn.right.shape[1] > 1 else 0, ..., None]


def _model_table(
    fit: Fit, original: str, new: str, population: np.ndarray, replicates: np.ndarray, *, level: float
) -> pd.DataFrame:
    table = pd.DataFrame({MODEL: fit.responses.models})
    observed = fit.responses.accuracies(level=level).set_index([TEST_SET, MODEL])
    for k, (side, name) in enumerate([("original", original), ("new", new)]):
        of_set = observed.loc[name]
        predicted = summary(replicates[:, k], level=level)
        low, high = predicted["low"], predicted["high"]
        in_population = summary(population[:, k], level=level)
        columns = {
            "right": of_set["right"], "shown": of_set["shown"], "observed": of_set["accuracy"],
            "observed_low": of_set["low"], "observed_high": of_set["high"],
            "population": in_population["mean"], "population_low": in_population["low"],
            "population_high": in_population["high"],
            "predicted": predicted["mean"], "predicted_sd": predicted["sd"],
            "predicted_low": low, "predicted_high": high,
            "inside": (of_set["accuracy"].values >= low) & (of_set["accuracy"].values <= high),
        }
        table = table.assign(**{f"{column}_{side}": np.asarray(v) for column, v in columns.items()})
    return table


def _line_and_scatter(accuracy: Float[np.ndarray, "draw test_set model"]) -> tuple[Line, np.ndarray]:
    """Return least-squares lines and the root mean square residuals around them."""
    x, y = _probit_pairs(accuracy)
    line = least_squares(x, y)
    residual = y - line.u[:, None] * x - line.v[:, None]
    return line, np.sqrt(np.square(residual).mean(1))


def _probit_pairs(accuracy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return probit accuracies on the original and the new test set, (draw, model) each."""
    return probit(accuracy[:, 0]), probit(accuracy[:, 1])


def _plain_summary(draws: np.ndarray, *, level: float) -> dict[str, Any]:
    found = summary(draws, level=level)
    return {
        "mean": float(found["mean"]), "sd": float(found["sd"]),
        "interval": [float(found["low"]), float(found["high"])],
    }


def _plain_side(row: dict[str, Any], side: str) -> dict[str, Any]:
    return {
        "observed": {
            "accuracy": row[f"observed_{side}"],
            "interval": [row[f"observed_low_{side}"], row[f"observed_high_{side}"]],
            "right": row[f"right_{side}"],
            "shown": row[f"shown_{side}"],
        },
        "population": {
            "mean": row[f"population_{side}"],
            "interval": [row[f"population_low_{side}"], row[f"population_high_{side}"]],
        },
        "predicted": {
            "mean": row[f"predicted_{side}"],
            "sd": row[f"predicted_sd_{side}"],
            "interval": [row[f"predicted_low_{side}"], row[f"predicted_high_{side}"]],
        },
        "inside": row[f"inside_{side}"],
    }

