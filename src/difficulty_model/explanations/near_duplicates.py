"""Near-duplicates: models know some original images, or ones like them, from their training."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.explanations.evidence import Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome
from difficulty_model.readers import read_names
from difficulty_model.types import MODEL, BoolArray

NAME = "near-duplicates"
QUESTION = "Are original images right because ones like them were learned from?"
SOURCE = "Recht et al. (2018), on CIFAR-10.1: 8% of CIFAR-10's test set explain 0.6 points at most"
FILE = "duplicates"


def examine(evidence: Evidence) -> Outcome:
    """Return how much more accurate models are on all original images than on those without near-duplicates.

    It takes the file ``duplicates``: names of original images that have near-duplicates in the training set. A model
    may be better on them because they are easy too, so the effect is rather too large.
    """
    path = evidence.file(FILE, "names of the original images that have near-duplicates in the training set, "
                                       "one a line")
    rest = ~np.isin(evidence.responses.images, _duplicates(evidence, read_names(path)))
    if not evidence.responses.shown[:, evidence.in_original & rest].any(1).all():
        raise NotTestableError("responses of every model to original images without near-duplicates")
    effect = evidence.resampled(
        lambda copies: 100 * (evidence.accuracies(copies) - evidence.accuracies(copies, rest))[:, 0]
    )
    table = _table(evidence, rest)
    lost, share = effect.average(), np.mean(~rest[evidence.in_original])
    worst = 100 * (table["accuracy"] - table["worst_case"]).mean()
    text = (f"{share:.1%} of the images of {evidence.original!r} have near-duplicates. Without them models have "
            f"{lost.value:.2f} ({lost.low:.2f} to {lost.high:.2f}) points less; {worst:.2f} were all of them right.")
    return Outcome(effect, text, table)


def worst_case(
    accuracy: Float[np.ndarray, "model"] | float, duplicates: Float[np.ndarray, "model"] | float
) -> Float[np.ndarray, "model"]:
    """Return the accuracy on images without near-duplicates were all those with one right: (a − d) / (1 − d).

    Parameters
    ----------
    accuracy
        a, on all images, as shares.
    duplicates
        d, the share of images that have near-duplicates; below 1.

    References
    ----------
    Recht et al. (2018), "Do CIFAR-10 classifiers generalize to CIFAR-10?"
    """
    return np.maximum(np.asarray(accuracy) - duplicates, 0) / (1 - np.asarray(duplicates))


def _duplicates(evidence: Evidence, names: list[str]) -> list[str]:
    known = np.array(evidence.responses.images)[evidence.in_original].tolist()
    if unknown := sorted(set(names) - set(known)):
        raise InputError(f"of {len(names)} near-duplicates {len(unknown)} are not among the images of "
                         f"{evidence.original!r}: {unknown_name('image', unknown[0], known)}")
    return names


def _table(evidence: Evidence, rest: BoolArray) -> pd.DataFrame:
    """Return every model's accuracies, as shares: on all original images, on the rest, and at worst."""
    once = np.ones((1, len(rest)), np.float32)
    accuracy, on_rest = (evidence.accuracies(once, kept)[0, 0] for kept in (None, rest))
    shown = evidence.responses.shown[:, evidence.in_original].astype(np.int64)
    duplicates = 1 - shown[:, rest[evidence.in_original]].sum(1) / shown.sum(1)
    return pd.DataFrame({
        MODEL: evidence.responses.models, "accuracy": accuracy, "on_the_rest": on_rest,
        "worst_case": worst_case(accuracy, duplicates),
    })
