"""Columns of stored predictions that are not sorted from the best guess to the worst.

In a file sorted by rank, the share right falls from column to column, whatever the model. Where it rises
beyond chance, and another order brings the model into step with the others, the columns are not sorted.
"""

import numpy as np

from difficulty_model.checking.comparison import ItemRest, item_rest
from difficulty_model.checking.finding import Finding
from difficulty_model.checking.standing import CLEAR_ERRORS, falls, item_rests, usual_step
from difficulty_model.responses import Responses
from difficulty_model.types import IntArray

RESTORED = 1 / 3
"""Share of the median model's item-rest correlation that another order of columns must bring a model to. In
the released ImageNetV2 predictions the honest order has the weakest model at 0.40; where class ids are off by
one, which makes second guesses right more often than first ones, no order brings a model beyond 0.29."""


def check_columns(responses: Responses) -> list[Finding]:
    """Find models whose columns are not sorted by rank and that another order brings into step.

    Parameters
    ----------
    responses
        Scored by the first guess.
    """
    if "position" not in responses.dataset:
        return []
    hits = hits_by_column(responses)
    suspects = [(k, j) for k, j in np.ndindex(*hits.shape[:2]) if not fall_with_rank(hits[k, j])]
    if not suspects:
        return []
    stored = item_rests(responses)
    findings = []
    for k, j in suspects:
        order = _order_by_rank(hits[k, j])
        fixed = responses.reordered(responses.models[j], responses.member[k], order)
        restored = item_rest(fixed.right, fixed.shown, np.flatnonzero(responses.member[k]))
        # In units of their errors: that of a column which is hardly ever right is large, yet 1 in these.
        gain = restored.step[j] / restored.error[j] - stored[k].step[j] / stored[k].error[j]
        clear = gain > CLEAR_ERRORS * np.sqrt(2)
        usual = usual_step(stored[k])
        fallen = falls([*stored[:k], restored, *stored[k + 1:]])[k].certain[j]
        if usual > 0 and clear and restored.step[j] > RESTORED * usual and not fallen:
            findings.append(_finding(responses, k, j, order, hits[k, j], stored[k], restored))
    return findings


def hits_by_column(responses: Responses) -> IntArray:
    """Count how often each stored column holds the right class, (test_set, model, column)."""
    position = responses.dataset["position"].values
    hits = np.zeros((len(responses.test_sets), len(position), max(int(position.max()) + 1, 1)), np.int64)
    for k, mask in enumerate(responses.member):
        stored = position[:, mask]
        for c in range(hits.shape[2]):
            hits[k, :, c] = (stored == c).sum(1)
    return hits


def fall_with_rank(hits: IntArray) -> bool:
    """Tell whether no later column is right significantly more often than an earlier one."""
    rise = hits[None, :] - hits[:, None]
    error = np.sqrt(np.maximum(hits[None, :] + hits[:, None], 1))  # under equal rates the sum splits evenly
    return not (np.triu(rise / error, 1) > CLEAR_ERRORS).any()


def _order_by_rank(hits: IntArray) -> tuple[int, ...]:
    """Return the order of columns in which hits fall with rank.

    The reversal wherever the hits allow it, since sorting scores in ascending order is how columns come to be
    wrong, and columns that are right about equally often cannot tell their order.
    """
    reverse = np.arange(len(hits))[::-1]
    order = reverse if fall_with_rank(hits[reverse]) else np.argsort(-hits, kind="stable")
    return tuple(order.tolist())


def _finding(
    responses: Responses,
    k: int,
    j: int,
    order: tuple[int, ...],
    hits: IntArray,
    stored: ItemRest,
    restored: ItemRest,
) -> Finding:
    model, test_set = responses.models[j], responses.test_sets[k]
    shares = hits / stored.shown[j]
    columns = ", ".join(map(str, order))
    usual = usual_step(stored)
    return Finding(
        "column-order", model, test_set,
        f"the stored columns of {model!r} in {test_set!r} are not sorted by rank: they hold the right class "
        f"in {', '.join(f'{share:.2%}' for share in shares)} of the images; in the order {columns} the "
        f"model's correlation with the other models rises from {stored.step[j]:.2f} to "
        f"{restored.step[j]:.2f} (median model: {usual:.2f})",
        f"put the columns into the order {columns} (`fix_responses` does it), or export the predictions "
        "anew, best guess first",
        {
            "share_right_by_column": shares.tolist(),
            "accuracy_as_stored": float(shares[0]),
            "accuracy_restored": float(shares[order[0]]),
            "step_as_stored": float(stored.step[j]),
            "step_restored": float(restored.step[j]),
            "step_of_the_median_model": usual,
        },
        order,
    )
