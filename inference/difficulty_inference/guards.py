"""What a careful colleague would notice in a model's answers to a test set, before anybody uses them."""

from collections.abc import Iterator
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import binomtest

from difficulty_inference.predictions import Answers
from difficulty_inference.test_sets import TestSet

LUCK = 1e-4
"""What luck reaches with at least this probability may be luck."""


def remarks(answers: Answers, test_set: TestSet) -> list[str]:
    """Return what is to be known about answers, one sentence each; none if there is nothing.

    Parameters
    ----------
    answers
        Of one model, to all images of the test set in order.
    test_set
        The images with their labels.

    Notes
    -----
    With g the accuracy of guessing, an accuracy is near chance if it is at most √g and may be that of guessing at
    twice the odds, 2g/(1 + g): networks of random weights do a little better than guessing, since their features are
    of the images. Labels are in another order than the model's classes if with that order at least twice as many
    answers are right, and at least √g; or, if the order is not one of those that occur but was learned from the
    answers, ∜g (0.84 of 2 classes, 0.56 of 10, 0.18 of 1,000), since random weights gain from that, too.
    """
    return [*_not_observed(answers, test_set), *_out_of_order_or_near_chance(answers, test_set)]


def _not_observed(answers: Answers, test_set: TestSet) -> Iterator[str]:
    if answers.trouble:
        first = "; ".join(
            f"{PurePath(str(test_set.manifest.paths[i]))}: {reason}" for i, reason in list(answers.trouble.items())[:3]
        )
        yield (f"{len(answers.trouble)} of {len(test_set)} images were not observed ({first}); run "
               "again when they are mended")


def _out_of_order_or_near_chance(answers: Answers, test_set: TestSet) -> Iterator[str]:
    observed, classes = answers.observed, answers.classes
    predicted, labels = answers.top[observed, 0], test_set.manifest.labels[observed]
    if not len(labels):
        yield "no image was observed"
        return
    right = predicted == labels
    told = f"{right.sum()} of {len(labels)} answers are right"
    orders = _usual_orders(predicted, labels, classes)
    how = max(orders, key=lambda name: orders[name].mean())
    if _explains(orders[how], right, labels, classes, power=1 / 2):
        yield f"{told}; {how} it would be {orders[how].mean():.1%}: the labels are in another order than the classes"
        return
    learned = _learned_order(predicted, labels, classes)
    if _explains(learned, right, labels, classes, power=1 / 4):
        yield (f"{told}; with each class matched to the label that it usually meets it would be {learned.mean():.1%}: "
               "the labels are in another order than the classes")
    elif right.mean() <= classes ** (-1 / 2) and _may_be_luck(right, 2 / (classes + 1)):  # which is 2g/(1 + g)
        yield f"{told}, which is near chance among {classes} classes"


def _usual_orders(
    predicted: NDArray[np.int32], labels: NDArray[np.int64], classes: int
) -> dict[str, NDArray[np.bool_]]:
    """Return which answers would be right if labels were in an order that they are often in by mistake."""
    sorted_as_text = np.array(sorted(range(classes), key=str))
    return {
        "if the labels are places of class numbers sorted as text (0, 1, 10, 100, …)":
            predicted == sorted_as_text[labels],
        "if the labels count from 1": predicted == labels - 1,
        "if the model has a class of its own before the others": predicted == labels + 1,
    }


def _learned_order(
    predicted: NDArray[np.int32], labels: NDArray[np.int64], classes: int
) -> NDArray[np.bool_]:
    """Return which of half the answers are right, with each class renamed to its usual label in the other half."""
    learn = np.random.default_rng(0).permutation(len(labels)) < len(labels) // 2
    counts = csr_matrix((np.ones(learn.sum()), (predicted[learn], labels[learn])), shape=(classes, classes))
    usual = np.asarray(counts.argmax(axis=1)).ravel()
    return usual[predicted[~learn]] == labels[~learn]


def _explains(
    hits: NDArray[np.bool_], right: NDArray[np.bool_], labels: NDArray[np.int64], classes: int, *, power: float
) -> bool:
    """Return whether an order by which answers are `hits` is a better one than that by which they are `right`."""
    # Who always names the most frequent class does that well without looking.
    blind = max(1 / classes, float(np.bincount(labels).max() / len(labels)))
    share = hits.mean()
    return bool(share >= max(2 * right.mean(), blind**power)) and not _may_be_luck(hits, blind)


def _may_be_luck(hits: NDArray[np.bool_], chance: float) -> bool:
    return bool(binomtest(int(hits.sum()), len(hits), chance, "greater").pvalue >= LUCK)
