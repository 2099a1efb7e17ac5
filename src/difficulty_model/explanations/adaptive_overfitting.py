"""Adaptive overfitting: models were adapted to the original test set, and lose on another what they gained there."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.explanations.evidence import Copies, Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome
from difficulty_model.explanations.fitted import effect_of, fitted_to
from difficulty_model.law import least_squares, probit
from difficulty_model.observed import off_the_edges
from difficulty_model.posterior import LEVEL
from difficulty_model.skills import Losing

NAME = "adaptive overfitting"
QUESTION = "Do better models, which were adapted more, lose more than harder images take from them?"
SOURCE = "Recht et al. (2019), sections 2 and 5: the adaptivity gap shows as diminishing returns"

LOSING = "a fit with lost skill (difficulty-model fit --skill-loss)"
"""What is needed to tell a loss of skill from harder images."""


def examine(evidence: Evidence) -> Outcome:
    """Return what models lose beyond the weakest by the trend of their losses with skill, and the lines observed.

    A fit with lost skill knows the trend from the patterns of right and wrong, which tell a loss of skill from a wider
    population. The weakest model is taken to have lost nothing: what all models lose alike is not identified.
    """
    lines, told = _lines(evidence)
    found = fitted_to(evidence)
    if found.losing is None:
        raise NotTestableError(f"{LOSING}. {told}")
    accuracies = found.accuracies()
    points = 100 * (found.without_trend().accuracies() - accuracies)[:, 1]
    text = f"{told}. {_of_trend(found.losing, found.weights[1])}"
    return Outcome(effect_of(evidence, accuracies, points), text, lines)


def _of_trend(skill: Losing, weights: Float[np.ndarray, "stratum"]) -> str:
    every = np.asarray(skill.trend)[:, 0].reshape(len(skill.trend), -1)
    trend = every @ (weights if every.shape[1] > 1 else np.ones(1))
    low, high = np.quantile(trend, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return (f"By the fit, models lose {trend.mean():.3f} ({low:.3f} to {high:.3f}) units of skill for each unit that "
            "they are better, by adaptation or by whatever else better models owe to the original images.")


def _lines(evidence: Evidence) -> tuple[pd.DataFrame, str]:
    """Return slopes and curvature of the observed relation, with intervals, and the first of them in words."""

    def statistic(copies: Copies) -> Float[np.ndarray, "resample quantity"]:
        shown = [evidence.responses.shown[:, mask].sum(1) for mask in evidence.responses.member]
        accuracies = off_the_edges(evidence.accuracies(copies), np.array(shown))
        (a, b), (x, y) = (of.swapaxes(0, 1) for of in (100 * accuracies, probit(accuracies)))
        plain, probits = least_squares(a, b), least_squares(x, y)
        bend = np.array([np.polyfit(*pair, 2)[0] for pair in zip(x, y, strict=True)])
        return np.stack([plain.u, plain.v, probits.u, probits.v, bend], axis=1)

    if len(evidence.responses.models) < 3:
        raise NotTestableError("at least three models")
    observed, draws = evidence.over_resamples(statistic)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    names = ["slope of accuracies", "intercept of accuracies (points)", "u", "v", "curvature of probit accuracies"]
    table = pd.DataFrame({"quantity": names, "value": observed, "low": low, "high": high})
    told = (f"a point more on {evidence.original!r} goes with {observed[0]:.2f} ({low[0]:.2f} to {high[0]:.2f}) points "
            f"more on {evidence.new!r}")
    return table, told[0].upper() + told[1:]
