"""Two subpopulations: the same easy and hard images, in other proportions."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import norm

from difficulty_model.explanations.effect import Effect, tails
from difficulty_model.explanations.evidence import Copies, Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome
from difficulty_model.law import by_all_others, probit
from difficulty_model.observed import off_the_edges
from difficulty_model.posterior import LEVEL
from difficulty_model.types import MODEL

NAME = "two subpopulations"
QUESTION = "Has the new test set just fewer of the images that every model gets right?"
SOURCE = "Recht et al. (2018): accuracies are then on a line as they are, not as probits"

FEWEST = 5
"""Models; fewer are near any line."""


def examine(evidence: Evidence) -> Outcome:
    """Return whether models are better predicted by a line through accuracies, or by one through their probits.

    Each model is predicted from the others. The share of the gap that is laid to proportions is the weight of the first
    line in the best mixture of the two predictions (stacking; Wolpert, 1992, Neural Netw. 5:241), from 0 to 1; the
    verdict is whether one line is better in 95% of the resamples. Models that are never right or never wrong on one of
    the test sets, which have no probits, are left out.
    """
    evidence = evidence.on_the_line()
    models, shown = len(evidence.responses.models), evidence.responses.showings()
    if models < FEWEST:
        raise NotTestableError(f"at least {FEWEST} models that are sometimes right and sometimes wrong on both; there "
                               f"are {models}")

    def points_and_errors(copies: Copies) -> Float[np.ndarray, "resample 3 model"]:
        accuracies = off_the_edges(evidence.accuracies(copies), shown)
        by_plain, by_probit = _predicted(accuracies)
        apart = by_plain - by_probit
        weight = ((accuracies[:, 1] - by_probit) * apart).sum(1) / np.square(apart).sum(1)
        points = np.clip(weight, 0, 1)[:, None] * (accuracies[:, 0] - accuracies[:, 1])
        return 100 * np.stack([points, by_plain - accuracies[:, 1], by_probit - accuracies[:, 1]], axis=1)

    observed, draws = evidence.over_resamples(points_and_errors)
    gap = evidence.gap
    effect = Effect(observed[0], draws[:, 0], gap.points, gap.draws, gap.models)
    plain, by_probit = (np.sqrt(np.square(of).mean(-1)) for of in (draws[:, 1], draws[:, 2]))
    low, high = np.quantile(plain - by_probit, tails(LEVEL))
    sizes = [float(np.sqrt(np.square(of).mean())) for of in observed[1:]]
    text = (f"Models predicted from the others are off by {sizes[0]:.2f} points with a line through accuracies, by "
            f"{sizes[1]:.2f} with one through their probits (root mean squares).")
    if low <= 0 <= high:
        text += " That does not tell the two apart: needs models of a wider range of accuracies, or more images."
    verdict = "cannot" if low > 0 else "explains it" if high < 0 else "not testable"
    table = pd.DataFrame({MODEL: evidence.responses.models, "error_plain": observed[1], "error_probit": observed[2]})
    return Outcome(effect, text, table, verdict)


def _predicted(accuracies: Float[np.ndarray, "resample 2 model"]) -> list[Float[np.ndarray, "resample model"]]:
    """Return new accuracies as predicted from all other models by a line, as they are and as probits."""
    (a, b), (x, y) = (of.swapaxes(0, 1) for of in (accuracies, probit(accuracies)))
    return [by_all_others(a, b), norm.cdf(by_all_others(x, y))]

