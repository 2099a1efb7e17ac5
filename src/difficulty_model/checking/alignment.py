"""Does a model's file belong to these images? Rows and class ids that are in another order.

A model that is right on other images than everybody else is rarely original: its predictions are those of
other images, or its class ids are another list's. Which of the two, positions and labels can often tell.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import poisson

from difficulty_model.checking.columns import fall_with_rank, hits_by_column
from difficulty_model.checking.comparison import ItemRest, by_class, item_rest
from difficulty_model.checking.finding import Finding
from difficulty_model.checking.standing import (
    Fall,
    falls,
    item_rests,
    out_of_step,
    out_of_step_within_classes,
    usual_step,
)
from difficulty_model.responses import Responses
from difficulty_model.types import FloatArray, IntArray

RARE = 1e-4
"""Probability below which a count of right responses is no accident."""

UNEVEN = 1.5
"""Factor by which right responses and pairs of them within a class may exceed those by accident, since a
model never names every class exactly as often as it occurs."""

KEPT = 0.5
"""Share right within a class that shows that the class kept its id, if the others are right hardly at all."""

HARDLY = 0.1
"""Share of the accuracy expected that is hardly at all."""

EASE = 0.5
"""Correlation of the class accuracies with those of the other models above which the classes that are right
may just be the easy ones."""

SHUFFLED = "its class ids are in another order"

REMEDIES = {
    "row-order": "match predictions to images by id instead of by place in the file, and import again",
    "class-order": "find the list of class ids that the model was trained with, map its ids to those of the "
    "labels, and import again",
    "out-of-step": "look at a few images and the classes predicted: sensible guesses of other images mean "
    "another order of rows, one class always named by another's id another order of classes, sensible second "
    "guesses another order of columns, nonsense an untrained model; import again or leave the model out",
    "fallen": "check how these images were prepared for this model (size, crop, normalisation) and which ids "
    "its classes have; if all is well, the model really is that fragile",
}


def check_alignment(responses: Responses, columns: list[Finding]) -> list[Finding]:
    """Find models whose responses in a test set belong to other rows or class ids.

    Parameters
    ----------
    responses
        Scored by the first guess, where there are several.
    columns
        What was found about columns: these models are left out where their columns explain enough.
    """
    rests = item_rests(responses)
    findings = []
    for k, (rest, fall) in enumerate(zip(rests, falls(rests), strict=True)):
        told = {finding.model for finding in columns if finding.test_set == responses.test_sets[k]}
        lost = out_of_step(rest, fall)
        here = [
            _explained(responses, k, j, rest, fall, lost=bool(lost[j]))
            for j in np.flatnonzero(lost | fall.certain).tolist() if responses.models[j] not in told
        ]
        told |= {finding.model for finding in here}
        within = _orders_within_classes(responses, k, rest)
        findings += here + [finding for finding in within if finding.model not in told]
    return findings


def _explained(responses: Responses, k: int, j: int, rest: ItemRest, fall: Fall, *, lost: bool) -> Finding:
    """Describe a model that is out of step (`lost`) or only fallen, with the explanation if there is one."""
    model, test_set = responses.models[j], responses.test_sets[k]
    accuracies = rest.right / np.maximum(rest.shown, 1)
    predictable = fall.source[j] >= 0
    ability = float(fall.predicted[j] if predictable else np.median(accuracies[rest.shown > 0]))
    cause = _cause(responses, k, j, ability, lost=lost)
    usual = usual_step(rest)
    against, prediction = "", {}
    if predictable:
        source = responses.test_sets[fall.source[j]]
        against = f", where its accuracy in {source!r} and the other models predict {ability:.1%}"
        prediction = {
            "accuracy_predicted": ability,
            "predicted_from": source,
            "probits_below": float(-fall.residual[j]),
        }
    return Finding(
        cause.kind, model, test_set,
        f"{model!r} has an accuracy of {accuracies[j]:.2%} in {test_set!r}{against}; its correlation with "
        f"the other models is {rest.step[j]:.2f} (median model: {usual:.2f}); {cause.reason}",
        REMEDIES[cause.kind],
        {
            "accuracy": float(accuracies[j]),
            "step": float(rest.step[j]),
            "step_error": float(rest.error[j]),
            "step_of_the_median_model": usual,
            **prediction,
            **cause.evidence,
        },
    )


@dataclass(frozen=True)
class _Cause:
    """What explains where a model stands, as far as can be told: a kind of finding, words, and counts."""

    kind: str
    reason: str
    evidence: dict[str, float]


def _cause(responses: Responses, k: int, j: int, ability: float, *, lost: bool) -> _Cause:
    """Return the likeliest cause of a model being out of step (`lost`) or only fallen.

    Parameters
    ----------
    ability
        The accuracy that the model is expected to have in the right order.
    """
    if "position" in responses.dataset and not fall_with_rank(hits_by_column(responses)[k, j]):
        reason = "later guesses are right more often than the first, and no order of columns helps"
        return _Cause("class-order", f"{reason}: {SHUFFLED}", {})
    images = np.flatnonzero(responses.member[k])
    classes = _classes(responses, images)
    told = None
    if classes is not None and classes.max() > 1:  # of two classes, the other is just the wrong answer
        right, shown = by_class(responses.right, responses.shown, images, classes)
        told = _kept_classes(right, shown, j, ability)
        if told is None and lost:
            told = _accident(right[j], shown[j], ability)
    if told is not None:
        return told
    if lost:
        unknown = "its rows, its class ids or its columns are in another order, or it is not trained"
        return _Cause("out-of-step", unknown, {})
    return _Cause("fallen", "yet it errs where the others do", {})


def _classes(responses: Responses, images: IntArray) -> IntArray | None:
    """Return the class of every image, from 0, if there are labels."""
    if "label" not in responses.dataset.coords:
        return None
    return np.unique(responses.dataset["label"].values[images], return_inverse=True)[1]


def _kept_classes(right: FloatArray, shown: FloatArray, j: int, ability: float) -> _Cause | None:
    """Tell whether some classes, and not the easy ones, are right as ever and all others hardly at all.

    Parameters
    ----------
    right, shown : (model, class)
        Sums of the shares of right responses, numbers of images.
    """
    shares = right / np.maximum(shown, 1)
    others = np.delete(shares, j, axis=0).mean(0)
    mine = shares[j]
    by_accident = shown[j] ** 2 / shown[j].sum()
    kept = (mine >= KEPT) & (poisson.sf(right[j] - 1, by_accident) < RARE / len(mine))
    hardly = right[j, ~kept].sum() < HARDLY * ability * shown[j, ~kept].sum()
    if not kept.any() or not hardly:
        return None
    if np.ptp(others) > 0 and np.corrcoef(mine, others)[0, 1] > EASE:
        return None
    reason = f"{kept.sum()} of {len(kept)} classes are right as ever, the others hardly: {SHUFFLED}"
    return _Cause("class-order", reason, {"classes_kept": float(kept.sum()), "classes": float(len(kept))})


def _accident(right: FloatArray, shown: FloatArray, ability: float) -> _Cause | None:
    """Tell rows from class ids in another order by the number that are right by accident.

    Rows in another order are right in proportion to the squared size of each class. Class ids in another
    order are right by confusion only, less often, since the model mostly names the right class by a wrong id;
    and what is confused with what concentrates in few classes.

    Parameters
    ----------
    right, shown : (class,)
        Of the model in question.
    """
    by_accident = shown**2 / shown.sum()
    total, chance = float(right.sum()), float(by_accident.sum())
    counts = {"right": total, "right_by_accident": chance}
    # Poisson log-likelihood of rows over that of classes, whose confusions are right 1 - ability as often.
    for_rows = -total * np.log1p(-min(ability, 0.99)) - chance * ability
    if for_rows < np.log(RARE):
        reason = f"{total:.0f} are right where rows in another order would give {chance:.0f}: {SHUFFLED}"
        return _Cause("class-order", reason, counts)
    pairs = float((right * (right - 1)).sum() / 2)  # within classes
    pairs_by_accident = total * (total - 1) / 2 * float(((by_accident / chance) ** 2).sum())
    accidental = all(
        poisson.sf(number - 1, UNEVEN * expected) > RARE
        for number, expected in [(total, chance), (pairs, pairs_by_accident)]
    )
    if for_rows > -np.log(RARE) and accidental:
        reason = f"{total:.0f} are right, {chance:.0f} by accident: its rows are in another order"
        return _Cause("row-order", f"{reason}, or it guesses", counts)
    return None


def _orders_within_classes(responses: Responses, k: int, rest: ItemRest) -> list[Finding]:
    """Find models that are as right as ever, class by class, but on other images of each class."""
    images = np.flatnonzero(responses.member[k])
    classes = _classes(responses, images)
    if classes is None or 2 * (classes.max() + 1) > len(images):
        return []  # without labels, or with hardly two images of a class, nothing varies within classes
    within = item_rest(responses.right, responses.shown, images, classes)
    usual = usual_step(within)
    test_set = responses.test_sets[k]
    return [
        Finding(
            "row-order", responses.models[j], test_set,
            f"among images of one class, the responses of {responses.models[j]!r} in {test_set!r} do not "
            f"go with those of any other model (correlation {within.step[j]:.2f}, median model {usual:.2f}), "
            f"though over all classes they do ({rest.step[j]:.2f}): the images of each class are in another "
            "order",
            REMEDIES["row-order"],
            {
                "step": float(rest.step[j]),
                "step_within_classes": float(within.step[j]),
                "step_error": float(within.error[j]),
                "step_within_classes_of_the_median_model": usual,
            },
        )
        for j in np.flatnonzero(out_of_step_within_classes(within, rest)).tolist()
    ]
