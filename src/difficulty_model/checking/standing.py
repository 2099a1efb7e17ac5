"""Where a model stands among the others: in step with them, on their line of accuracies, or not."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, siegelslopes

from difficulty_model.checking.comparison import ItemRest, item_rest, smoothed_share
from difficulty_model.responses import Responses
from difficulty_model.types import BoolArray, FloatArray, IntArray

IN_STEP = 0.25
"""Share of the median model's item-rest correlation below which a model is out of step. The weakest honest
model of the released ImageNetV2 predictions, with 15 to 21% right where others have 70%, reaches 0.40."""

IN_STEP_WITHIN = 0.5
"""The same within classes, as a share of what the model's own correlation over all classes leads to expect.
The lowest of the released ImageNetV2 predictions is 0.80."""

FALL = 0.5
"""Probits below the line of the other models that count as fallen: 19 points at an accuracy of one half. No
honest model of the released ImageNetV2 and CIFAR-10.1 predictions is more than 0.15 off."""

ERRORS = 3
"""Standard errors by which an estimate must lie beyond a threshold."""

CLEAR_ERRORS = 5
"""The same where very many comparisons are made: ten pairs of columns for each of 500 models in 3 test sets
are 15,000, of which 0.004 exceed 5 by chance."""

PEERS = 5
"""Models that it takes to say what everybody else does: the median of four others survives another fault."""


@dataclass(frozen=True)
class Fall:
    """How far every model lies below the others' line of accuracies, in one test set.

    Attributes
    ----------
    residual : float array, (model,)
        Probits off the line, the lowest over the other test sets; 0 where never below.
    predicted : float array, (model,)
        The accuracy that this line predicts.
    source : int array, (model,)
        The test set that it is predicted from; -1 where there is none.
    certain : bool array, (model,)
        Whether the model has fallen beyond doubt.
    """

    residual: FloatArray
    predicted: FloatArray
    source: IntArray
    certain: BoolArray


def item_rests(responses: Responses) -> list[ItemRest]:
    """Return how the models go with one another in every test set."""
    return [item_rest(responses.right, responses.shown, np.flatnonzero(mask)) for mask in responses.member]


def falls(rests: list[ItemRest]) -> list[Fall]:
    """Compare the accuracies in every test set with what those in the others predict, on the probit scale."""
    shares = [smoothed_share(rest.right, rest.shown) for rest in rests]
    probits = [norm.ppf(share) for share in shares]
    errors = [  # binomial, carried to probits by the derivative
        np.sqrt(share * (1 - share) / (rest.shown + 1)) / norm.pdf(probit)
        for rest, share, probit in zip(rests, shares, probits, strict=True)
    ]
    found = []
    for k, rest in enumerate(rests):
        J = len(rest.shown)
        residual, predicted, source = np.zeros(J), np.full(J, np.nan), np.full(J, -1)
        certain = np.zeros(J, bool)
        for other, elsewhere in enumerate(rests):
            both = np.flatnonzero((rest.shown > 0) & (elsewhere.shown > 0))
            x, y = probits[other][both], probits[k][both]
            if other == k or len(both) < PEERS or np.ptp(x) == 0:
                continue
            # Repeated medians; a slope outside [1/2, 2] would be the noise of models that are all alike.
            slope = min(max(float(np.asarray(siegelslopes(y, x))[0]), 0.5), 2.0)
            expected = slope * x + np.median(y - slope * x)
            off = y - expected
            error = np.hypot(errors[k][both], slope * errors[other][both])
            certain[both] |= off + ERRORS * error < -FALL
            lower = off < residual[both]
            places = both[lower]
            residual[places], predicted[places] = off[lower], norm.cdf(expected[lower])
            source[places] = other
        found.append(Fall(residual, predicted, source, certain))
    return found


def usual_step(rest: ItemRest) -> float:
    """Return the median model's item-rest correlation; 0 where models or responses are too few to tell."""
    seen = rest.shown > 0
    if seen.sum() < PEERS or np.median(rest.step[seen] / rest.error[seen]) < CLEAR_ERRORS:
        return 0.0
    return float(np.median(rest.step[seen]))


def out_of_step(rest: ItemRest, fall: Fall) -> BoolArray:
    """Tell which models go with nobody: surely so by correlation, or by correlation and a fall together."""
    limit = IN_STEP * usual_step(rest)
    sure = fall.certain | (rest.step + ERRORS * rest.error < limit)
    return (rest.shown > 0) & (rest.step < limit) & sure


def out_of_step_within_classes(within: ItemRest, rest: ItemRest) -> BoolArray:
    """Tell which models, though in step, are out of step among images of one class.

    They are measured by what would be left of their correlation if it fell as the median model's does: weak
    models go less with the others, but not much less within classes than between them.
    """
    usual = usual_step(rest)
    if usual == 0:
        return np.zeros(len(rest.step), bool)
    own = usual_step(within) / usual * rest.step
    return (rest.shown > 0) & (within.step + ERRORS * within.error < IN_STEP_WITHIN * own)
