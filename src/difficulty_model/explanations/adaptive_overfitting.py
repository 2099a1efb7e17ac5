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

MODEL_RESAMPLES = 2000

QUANTITIES = (
    "slope of accuracies", "intercept of accuracies (points)", "u", "v", "curvature of probit accuracies",
)


def examine(evidence: Evidence) -> Outcome:
    """Return what models lose beyond the weakest by the trend of their losses with skill, and the lines observed.

    A fit with lost skill knows the trend from the patterns of right and wrong, which tell a loss of skill from a wider
    population. The weakest model is taken to have lost nothing: what all models lose alike is not identified.
    """
    lines, told = _lines(evidence)
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
    low, high = np.quantile(trend, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return (f"By the fit, models lose {trend.mean():.3f} ({low:.3f} to {high:.3f}) units of skill for each unit that "
            "they are better, by adaptation or by whatever else better models owe to the original images.")


def _lines(evidence: Evidence) -> tuple[pd.DataFrame, str]:
    """Return slopes and curvature of the observed relation, and the first of them in words.

    They have intervals over resamples of the images, and of the models, which is how Recht et al. (2019) have theirs.
    """
    shown = np.array([evidence.responses.shown[:, mask].sum(1) for mask in evidence.responses.member])
    models = len(evidence.responses.models)
    if models < 3:
        raise NotTestableError(f"at least three models; there are {models}")

    def statistic(copies: Copies) -> Float[np.ndarray, "resample quantity"]:
        return _quantities(off_the_edges(evidence.accuracies(copies), shown))

    observed, draws = evidence.over_resamples(statistic)
    rng = np.random.default_rng(evidence.random_seed)
    accuracies = off_the_edges(evidence.accuracies(np.ones((1, len(evidence.responses.images)), np.float32))[0], shown)
    of_models = _quantities(accuracies[:, rng.integers(0, models, (MODEL_RESAMPLES, models))].swapaxes(0, 1))
    tails = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    table = pd.DataFrame({"quantity": QUANTITIES, "value": observed})
    table["low"], table["high"] = np.quantile(draws, tails, axis=0)
    # A resample may hold one model alone, which has no line.
    table["models_low"], table["models_high"] = np.nanquantile(of_models, tails, axis=0)
    slope = table.iloc[0]
    told = (f"A point more on {evidence.original!r} goes with {slope['value']:.2f} ({slope['low']:.2f} to "
            f"{slope['high']:.2f}) points more on {evidence.new!r}")
    return table, told


def _quantities(accuracies: Float[np.ndarray, "resample 2 model"]) -> Float[np.ndarray, "resample quantity"]:
    (a, b), (x, y) = (of.swapaxes(0, 1) for of in (100 * accuracies, probit(accuracies)))
    plain, probits = least_squares(a, b), least_squares(x, y)
    return np.stack([plain.u, plain.v, probits.u, probits.v, _bend(x, y)], axis=1)


def _bend(x: Float[np.ndarray, "resample model"], y: Float[np.ndarray, "resample model"]) -> np.ndarray:
    """Return the coefficient of x² in the parabola of least squares: that of what a line leaves of both."""
    square = np.square(x)
    line = least_squares(x, square)
    rest = square - line.u[:, None] * x - line.v[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return (rest * y).sum(1) / np.square(rest).sum(1)
