"""Model-specific slopes: some models lose accuracy faster than others as images get harder."""

from dataclasses import replace

import jax
import numpy as np
import pandas as pd
from scipy.stats import norm

from difficulty_model.curves import Lapsing, ResponseCurve, Sloped
from difficulty_model.explanations.evidence import Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome
from difficulty_model.explanations.fitted import DRAWS, Fitted, effect_of, fitted_to
from difficulty_model.law import probit
from difficulty_model.relation import relation_between
from difficulty_model.skills import InFamilies
from difficulty_model.types import MODEL

NAME = "slopes of models"
QUESTION = "Do models lose more than typical ones of the same accuracy, since theirs falls faster with difficulty?"
SOURCE = "Slopes as discriminations (Lord, 1952), with models in the place of items"

SLOPED = "a fit with a slope per model (difficulty-model fit --slopes)"
"""What is needed to tell models of other slopes."""


def examine(evidence: Evidence) -> Outcome:
    """Return what every model loses beyond a typical one, of mean slope, that has its accuracy on the original set.

    What models lose by themselves beside their slopes, in a fit that knows of lost skill, is left out.
    """
    found = fitted_to(evidence, SLOPED)
    if not _has_slopes(found.numbers.curve):
        raise NotTestableError(SLOPED)
    fit = evidence.fitted()
    original, new = (fit.responses.test_sets.index(name) for name in evidence.responses.test_sets)
    accuracies = _without_own_losses(found).accuracies()
    x = probit(accuracies[:, 0])
    typical = relation_between(fit, (original, new), x.mean(0), at_most=DRAWS)
    # To first order around the mean of the draws, between which the original accuracies differ by little.
    expected = norm.cdf(typical.y + typical.u * (x - x.mean(0)))
    points = 100 * (expected - accuracies[:, 1])
    effect = effect_of(evidence, found.accuracies(), points)
    table = pd.DataFrame({MODEL: evidence.responses.models, "beyond_typical": effect.points})
    table = table.sort_values("beyond_typical", ascending=False, ignore_index=True)
    first, last = table.iloc[0], table.iloc[-1]
    text = (f"By its slope {first[MODEL]!r} loses {first['beyond_typical']:.2f} points more than a typical model of "
            f"its accuracy, {last[MODEL]!r} {-last['beyond_typical']:.2f} less.")
    return Outcome(effect, text, table)


def _has_slopes(curve: ResponseCurve) -> bool:
    return isinstance(curve, Sloped) or (isinstance(curve, Lapsing) and _has_slopes(curve.curve))


def _without_own_losses(found: Fitted) -> Fitted:
    losing, skill = found.losing, found.numbers.skill
    if losing is None:
        return found
    kept = replace(losing, own=jax.tree.map(np.zeros_like, losing.own))
    kept = replace(skill, skill=kept) if isinstance(skill, InFamilies) else kept
    return replace(found, numbers=replace(found.numbers, skill=kept))
