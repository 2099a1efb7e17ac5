"""The two verbs: look for everything, and mend what can be mended."""

import numpy as np

from difficulty_model.checking.alignment import check_alignment
from difficulty_model.checking.columns import check_columns
from difficulty_model.checking.coverage import check_coverage
from difficulty_model.checking.finding import SEVERITY, Finding
from difficulty_model.checking.images import check_images
from difficulty_model.checking.likeness import check_likeness
from difficulty_model.errors import unknown_name
from difficulty_model.responses import Responses
from difficulty_model.types import BoolArray


def check_responses(responses: Responses) -> list[Finding]:
    """Return what a careful colleague would point out before fitting, most serious first.

    Everything is judged from the responses alone: names mean nothing. What takes several models to judge is
    left out where there are too few.
    """
    # Whether a file is in order is best seen from its first guesses, whatever counts as right.
    guesses = responses.scored(1) if "position" in responses.dataset else responses
    columns = check_columns(guesses)
    findings = [
        *columns,
        *check_alignment(guesses, columns),
        *check_likeness(responses),
        *check_coverage(responses),
        *check_images(responses),
    ]
    place = {kind: rank for rank, kind in enumerate(SEVERITY)}
    return sorted(findings, key=lambda finding: place[finding.kind])


def fix_responses(responses: Responses, findings: list[Finding]) -> Responses:
    """Return the responses with every column order that was found applied, and told in their history.

    Other findings need other files and change nothing here. An image in several test sets is put in order
    once.

    Raises
    ------
    InputError
        If a finding names a model or test set that the responses do not have.
    """
    done: dict[str, BoolArray] = {}
    for finding in findings:
        model, test_set, order = finding.model, finding.test_set, finding.order
        if model is None or test_set is None or order is None:
            continue
        if model not in responses.models:
            raise unknown_name("model", model, responses.models)
        if test_set not in responses.test_sets:
            raise unknown_name("test set", test_set, responses.test_sets)
        before = done.get(model, np.zeros(len(responses.images), bool))
        mask = responses.member[responses.test_sets.index(test_set)] & ~before
        done[model] = before | mask
        responses = responses.reordered(model, mask, order).noting(
            f"put the stored columns of model {model!r} into the order {', '.join(map(str, order))} on "
            f"{int(mask.sum())} images of test set {test_set!r}"
        )
    return responses
