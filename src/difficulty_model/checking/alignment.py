"""Does a model's file belong to these images? Rows and class ids that are in another order.

A model that is right on other images than everybody else is rarely original: its predictions are those of
other images, or its class ids are another list's. Which of the two, positions and labels can often tell.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, poisson

from difficulty_model.checking.columns import fall_with_rank, hits_by_column
from difficulty_model.checking.comparison import ItemRest, item_rest
from difficulty_model.checking.finding import Finding
from difficulty_model.checking.standing import (
    Fall,
    falls,
    item_rests,
    out_of_step,
    surely_out_of_step,
    usual_step,
)
from difficulty_model.responses import Responses

RARE = 1e-4
"""Probability below which a count of right responses is no accident."""

KEPT = 0.5
"""Share right within a class that shows that the class kept its id, if the others are right hardly at all."""

HARDLY = 0.1
"""Share of the accuracy expected that is hardly at all."""

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
        findings += here
        findings += [finding for finding in _orders_within_classes(responses, k) if finding.model not in told]
    return findings


def _explained(responses: Responses, k: int, j: int, rest: ItemRest, fall: Fall, *, lost: bool) -> Finding:
    """Describe a model that is out of step (`lost`) or only fallen, with the explanation if there is one."""
    model, test_set = responses.models[j], responses.test_sets[k]
    accuracies = rest.right / np.maximum(rest.shown, 1)
    predictable = fall.source[j] >= 0
    ability = float(fall.predicted[j] if predictable else np.median(accuracies[rest.shown > 0]))
    order = _lost_order(responses, k, j, ability)
    kind = order.kind if lost or order.kind == "class-order" else "fallen"
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
        kind, model, test_set,
        f"{model!r} has an accuracy of {accuracies[j]:.2%} in {test_set!r}{against}; its correlation with the "
        f"other models is {rest.step[j]:.2f} (median model: {usual:.2f}); "
        + (order.reason if kind != "fallen" else "yet it errs where the others do"),
        REMEDIES[kind],
        {
            "accuracy": float(accuracies[j]),
            "step": float(rest.step[j]),
            "step_error": float(rest.error[j]),
            "step_of_the_median_model": usual,
            **prediction,
            **order.evidence,
        },
    )


@dataclass(frozen=True)
class _LostOrder:
    """Which order is lost, as far as can be told: a kind of finding, the reason in words, and counts."""

    kind: str
    reason: str
    evidence: dict[str, float]


def _lost_order(responses: Responses, k: int, j: int, ability: float) -> _LostOrder:
    """Tell a lost order of rows from a lost order of classes, if positions or labels can tell.

    Rows in another order are right by accident: in proportion to the squared size of each class. Class ids in
    another order are right where a class kept its id (there as often as ever) and by confusion elsewhere, less
    often than by accident, since the model mostly names the right class by a wrong id. Confusions of one class
    with another concentrate in few classes and may make later guesses right more often than the first.

    Parameters
    ----------
    ability
        The accuracy that the model is expected to have in the right order.
    """
    shuffled = "its class ids are in another order"
    undetermined = "its rows, its class ids or its columns are in another order, or it is not trained"
    if "position" in responses.dataset and not fall_with_rank(hits_by_column(responses)[k, j]):
        reason = f"later guesses are right more often than the first, and no order of columns helps: {shuffled}"
        return _LostOrder("class-order", reason, {})
    if "label" not in responses.dataset.coords:
        return _LostOrder("out-of-step", undetermined, {})
    images = np.flatnonzero(responses.member[k] & (responses.shown[j] > 0))
    classes = np.unique(responses.dataset["label"].values[images], return_inverse=True)[1]
    shown = np.bincount(classes)
    right = np.bincount(classes, weights=responses.right[j, images] / responses.shown[j, images])
    by_accident = shown**2 / shown.sum()
    total, chance = float(right.sum()), float(by_accident.sum())
    counts = {"right": total, "right_by_accident": chance}
    if len(shown) < 3:
        return _LostOrder("out-of-step", undetermined, counts)

    kept = (right >= KEPT * shown) & (poisson.sf(right - 1, by_accident) < RARE / len(shown))
    if kept.any() and right[~kept].sum() < HARDLY * ability * shown[~kept].sum():
        reason = f"{kept.sum()} of {len(shown)} classes are right as ever, the others hardly: {shuffled}"
        return _LostOrder("class-order", reason, counts | {"classes_kept": float(kept.sum())})
    if binom.cdf(total, shown.sum(), chance / shown.sum()) < RARE:
        reason = f"{total:.0f} are right where rows in another order would give {chance:.0f}: {shuffled}"
        return _LostOrder("class-order", reason, counts)
    # Poisson log-likelihood of rows over that of classes, whose confusions are right 1 - ability as often.
    for_rows = -total * np.log1p(-min(ability, 0.99)) - chance * ability
    pairs = float((right * (right - 1)).sum() / 2)
    pairs_by_accident = total * (total - 1) / 2 * float(((by_accident / chance) ** 2).sum())
    accidental = poisson.sf(total - 1, chance) > RARE and poisson.sf(pairs - 1, pairs_by_accident) > RARE
    if for_rows > -np.log(RARE) and accidental:
        reason = f"{total:.0f} are right, as by accident ({chance:.0f}): its rows are in another order, or it guesses"
        return _LostOrder("row-order", reason, counts)
    return _LostOrder("out-of-step", undetermined, counts)


def _orders_within_classes(responses: Responses, k: int) -> list[Finding]:
    """Find models that are as right as ever, class by class, but on other images of each class."""
    if "label" not in responses.dataset.coords:
        return []
    images = np.flatnonzero(responses.member[k])
    classes = np.unique(responses.dataset["label"].values[images], return_inverse=True)[1]
    if 2 * (classes.max() + 1) > len(images):
        return []  # hardly two images of a class: too little varies within classes
    rest = item_rest(responses.right, responses.shown, images, classes)
    usual = usual_step(rest)
    test_set = responses.test_sets[k]
    return [
        Finding(
            "row-order", responses.models[j], test_set,
            f"among images of one class, the responses of {responses.models[j]!r} in {test_set!r} do not go "
            f"with those of any other model (correlation {rest.step[j]:.2f}, median model {usual:.2f}), though "
            "class by class they may: the images of each class are in another order",
            REMEDIES["row-order"],
            {
                "step_within_classes": float(rest.step[j]),
                "step_error": float(rest.error[j]),
                "step_of_the_median_model": usual,
            },
        )
        for j in np.flatnonzero(surely_out_of_step(rest)).tolist()
    ]
