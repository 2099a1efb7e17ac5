"""Label errors: more images of the new test set are such that no model can get them right."""

from dataclasses import replace

import numpy as np
import pandas as pd

from difficulty_model.explanations.effect import tails
from difficulty_model.explanations.evidence import Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome
from difficulty_model.explanations.fitted import effect_of, fitted_to
from difficulty_model.posterior import LEVEL

NAME = "label errors"
QUESTION = "Have more of the new images a label that no model can find?"
SOURCE = "The share of images of infinite difficulty in a fit that has one (difficulty-model fit --unlearnable)"

UNLEARNABLE = "a fit with images that no model gets right (difficulty-model fit --unlearnable)"
"""What is needed to tell images with a wrong label from hard ones."""


def examine(evidence: Evidence) -> Outcome:
    """Return what models lose because images that no model can get right are more frequent than in the original set.

    The new test set keeps its other images, in shares that leave as many of those as the original one has.
    """
    found = fitted_to(evidence, UNLEARNABLE)
    drawn = found.laid_out()
    unlearnable = np.isposinf(drawn.difficulty)
    if not unlearnable.any():
        raise NotTestableError(UNLEARNABLE)
    shares = (found.weights @ drawn.share)[..., unlearnable].sum(-1)
    of_others = (1 - shares[:, 0]) / (1 - shares[:, 1])
    instead = np.where(
        unlearnable, drawn.share * (shares[:, 0] / shares[:, 1])[:, None, None], drawn.share * of_others[:, None, None]
    )
    accuracies = drawn.accuracies(found.weights)[..., found.models]
    with_fewer = replace(drawn, share=instead).accuracies(found.weights)[:, 1, found.models]
    low, high = np.quantile(100 * shares, tails(LEVEL), axis=0)
    table = pd.DataFrame({
        "test_set": evidence.responses.test_sets, "unlearnable": 100 * shares.mean(0), "low": low, "high": high,
    })
    rows = table.to_dict("records")
    old, new = (f"{row['unlearnable']:.1f}% ({row['low']:.1f} to {row['high']:.1f})" for row in rows)
    text = f"By the fit no model can get {old} of {evidence.original!r} right, and {new} of {evidence.new!r}."
    return Outcome(effect_of(evidence, accuracies, 100 * (with_fewer - accuracies[:, 1])), text, table)
