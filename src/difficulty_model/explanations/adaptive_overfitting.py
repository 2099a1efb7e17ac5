"""Adaptive overfitting: models were adapted to the original test set, and lose on another what they gained there."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import norm

from difficulty_model.errors import InputError
from difficulty_model.explanations.effect import tails
from difficulty_model.explanations.evidence import Copies, Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome
from difficulty_model.explanations.fitted import effect_of, fitted_to
from difficulty_model.law import least_squares, probit
from difficulty_model.observed import off_the_edges
from difficulty_model.posterior import LEVEL
from difficulty_model.readers import read_numbers
from difficulty_model.skills import Losing
from difficulty_model.types import MODEL, IntArray

NAME = "adaptive overfitting"
QUESTION = "Do better models, which were adapted more, lose more than harder images take from them?"
SOURCE = "Recht et al. (2019), sections 2 and 5: the adaptivity gap shows as diminishing returns"
FILE = "years"

LOSING = "a fit with lost skill (difficulty-model fit --skill-loss)"
"""What is needed to tell a loss of skill from harder images."""

MODEL_RESAMPLES = 2000

ROUNDING = 1e-9
"""Part of a sum of squares below which it is no more than rounding errors."""

FEWEST_RESAMPLED = 10
"""Models; many resamples of fewer hold hardly more different ones than a line has parameters."""

QUANTITIES = (
    "slope of accuracies", "intercept of accuracies (points)", "u", "v", "curvature of probit accuracies",
)
PER_YEAR = "points per year, at equal original accuracy"


def examine(evidence: Evidence) -> Outcome:
    """Return what models lose beyond the weakest by the trend of their losses with skill, and the lines observed.

    Lines are through the models that are sometimes right and sometimes wrong on both test sets, which have probits.

    A fit with lost skill knows the trend from the patterns of right and wrong, which tell a loss of skill from a wider
    population. The weakest model is taken to have lost nothing: what all models lose alike is not identified.

    If the file ``years`` is given, a table of columns `model` and `year`, the lines tell too how many points models of
    a year later have more on the new test set than others of the same accuracy on the original one. Had more years of
    testing on it adapted models to it, that would be less than 0.
    """
    on_the_line = evidence.on_the_line()
    lines, told = _lines(on_the_line, _years(on_the_line))
    found = None if evidence.fit is None else fitted_to(evidence)
    if found is None or found.losing is None:
        text = f"{told}. To tell a loss of skill from harder images needs {LOSING}."
        return Outcome(None, text, lines, "not testable")
    accuracies = found.accuracies()
    points = 100 * (found.without_trend().accuracies() - accuracies)[:, 1]
    text = f"{told}. {_of_trend(found.losing, found.weights[1])}"
    return Outcome(effect_of(evidence, accuracies, points), text, lines)


def _of_trend(skill: Losing, weights: Float[np.ndarray, "stratum"]) -> str:
    every = np.asarray(skill.trend)[:, 0].reshape(len(skill.trend), -1)
    trend = every @ (weights if every.shape[1] > 1 else np.ones(1))
    low, high = np.quantile(trend, tails(LEVEL))
    return (f"By the fit, models lose {trend.mean():.3f} ({low:.3f} to {high:.3f}) units of skill for each unit that "
            "they are better, by adaptation or by whatever else better models owe to the original images.")


def _years(evidence: Evidence) -> Float[np.ndarray, "model"] | None:
    """Return the year of every model, if there is a file of them; not a number where it does not know a model."""
    if FILE not in evidence.files:
        return None
    path = evidence.files[FILE]
    known = read_numbers(path, MODEL, "year")
    years = np.array([known.get(model, np.nan) for model in evidence.responses.models])
    found = years[np.isfinite(years)]
    if len(found) < FEWEST_RESAMPLED or np.ptp(found) == 0:
        raise InputError(f"{path} has the years of {len(found)} of the {len(years)} models, {len(np.unique(found))} "
                         f"different ones; expected those of at least {FEWEST_RESAMPLED} models, which are not all of "
                         "one year, under the names that the responses have")
    return years


def _lines(evidence: Evidence, years: Float[np.ndarray, "model"] | None) -> tuple[pd.DataFrame, str]:
    """Return slopes and curvature of the observed relation, and the first and the last of them in words."""
    models = len(evidence.responses.models)
    if models < 3:
        raise NotTestableError(f"at least three models; there are {models}")
    table = _with_intervals(evidence, np.arange(models), lambda accuracies, _: _quantities(accuracies))
    table.insert(0, "quantity", QUANTITIES)
    slope = table.iloc[0]
    told = (f"A point more on {evidence.original!r} goes with {slope['value']:.2f} ({slope['low']:.2f} to "
            f"{slope['high']:.2f}) points more on {evidence.new!r}")
    if years is None:
        return table, told
    by_year = _with_intervals(
        evidence, np.flatnonzero(np.isfinite(years)), lambda accuracies, which: _per_year(accuracies, years[which])
    )
    by_year.insert(0, "quantity", PER_YEAR)
    year = by_year.iloc[0]
    told += (f"; a model of a year later has {year['value']:.2f} (over models {year['models_low']:.2f} to "
             f"{year['models_high']:.2f}) points more there than others of its accuracy on {evidence.original!r}")
    return pd.concat([table, by_year], ignore_index=True), told


def _with_intervals(
    evidence: Evidence,
    kept: IntArray,
    quantities: Callable[[Float[np.ndarray, "resample 2 model"], IntArray], Float[np.ndarray, "resample quantity"]],
) -> pd.DataFrame:
    """Return quantities of accuracies with intervals over resamples of the images, `low` and `high`, and of the models.

    Recht et al. (2019) have theirs over models; they are not numbers where there are few.

    Parameters
    ----------
    evidence
        Whose accuracies.
    kept
        Numbers of the models that count.
    quantities
        From accuracies, and the numbers of their models.
    """
    shown = evidence.responses.showings()

    def accuracies(copies: Copies) -> Float[np.ndarray, "resample 2 model"]:
        return off_the_edges(evidence.accuracies(copies), shown)[..., kept]

    observed, draws = evidence.over_resamples(lambda copies: quantities(accuracies(copies), kept))
    as_they_are = accuracies(evidence.once())[0]
    drawn = np.random.default_rng(evidence.random_seed).integers(0, len(kept), (MODEL_RESAMPLES, len(kept)))
    of_models = quantities(as_they_are[:, drawn].swapaxes(0, 1), kept[drawn])
    table = pd.DataFrame({"value": observed})
    table["low"], table["high"] = np.quantile(draws, tails(LEVEL), axis=0)
    enough = len(kept) >= FEWEST_RESAMPLED
    # Of a resample that holds models of one year alone it is no number.
    ends = np.nanquantile(of_models, tails(LEVEL), axis=0)
    table["models_low"], table["models_high"] = ends if enough else np.full_like(ends, np.nan)
    return table


def _quantities(accuracies: Float[np.ndarray, "resample 2 model"]) -> Float[np.ndarray, "resample quantity"]:
    (a, b), (x, y) = (of.swapaxes(0, 1) for of in (100 * accuracies, probit(accuracies)))
    plain, probits = least_squares(a, b), least_squares(x, y)
    return np.stack([plain.u, plain.v, probits.u, probits.v, _beside(x, np.square(x), y)], axis=1)


def _per_year(
    accuracies: Float[np.ndarray, "resample 2 model"], years: Float[np.ndarray, "*resample model"]
) -> Float[np.ndarray, "resample 1"]:
    """Return how many points a year is worth, at equal probit accuracy on the original test set."""
    x, y = probit(accuracies).swapaxes(0, 1)
    return (100 * norm.pdf(y).mean(1) * _beside(x, years, y))[:, None]


def _beside(
    x: Float[np.ndarray, "resample model"], z: Float[np.ndarray, "... model"], y: Float[np.ndarray, "resample model"]
) -> Float[np.ndarray, "resample"]:
    """Return the coefficient of z beside x in least squares of y: that of what a line in x leaves of z, if anything."""
    line = least_squares(x, z)
    rest = z - line.u[:, None] * x - line.v[:, None]
    left, all_of_z = np.square(rest).sum(1), np.square(z - z.mean(-1, keepdims=True)).sum(-1)
    # If x tells z but for rounding errors, nothing is left of it.
    known = left > ROUNDING * all_of_z
    return np.where(known, (rest * y).sum(1) / np.where(known, left, 1.0), np.nan)
