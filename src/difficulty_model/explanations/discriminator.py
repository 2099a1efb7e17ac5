"""Discriminator: how far two distributions differ in what a classifier can see."""

from dataclasses import replace

import numpy as np
from scipy.stats import norm

from difficulty_model.explanations.evidence import Evidence
from difficulty_model.explanations.examination import MINOR, Outcome, Verdict
from difficulty_model.readers import read_experiment

NAME = "discriminator"
QUESTION = "Can a classifier tell original from new images?"
SOURCE = "Recht et al. (2018), on CIFAR-10.1: at most 53.1% right, intervals cover 50%; the bound is ours"
FILE = "discriminator"

COVERAGE = 0.95
"""Of intervals in the files of experiments."""


def examine(evidence: Evidence) -> Outcome:
    """Return the most points that a shift as far as a discriminator sees it can carry.

    It takes the file ``discriminator``, of the experiment of that name. Between two distributions no model's accuracy
    changes by more than their distance in total variation, since being right is an event. Of equally many images of
    both, the best possible classifier tells a share a = (1 + distance) / 2. So if none does better than the one that
    was tried, a shift can carry 100 (2a − 1) points. That is a bound, not an estimate: the difference need not make
    anything harder, and one that only a better classifier sees may carry more. Hence it never explains a gap; it cannot
    where the bound, with the interval of a, is a minor part of it.
    """
    path = evidence.file(FILE, "a classifier trained to tell the test sets apart (difficulty-inference "
                                          "experiment discriminator)")
    found = read_experiment(path, "discriminator").between(evidence.original, evidence.new)
    accuracy = found.mean("accuracy")
    # The interval is exact and not quite symmetric; half of it stands for as many standard errors as a normal one's.
    error = (accuracy.high - accuracy.low) / 2 / float(norm.ppf((1 + COVERAGE) / 2))
    most, widest = (100 * max(2 * share - 1, 0.0) for share in (accuracy.value, accuracy.high))
    told = (f"Of held-out images it tells {100 * accuracy.value:.1f}% ({100 * accuracy.low:.1f}% to "
            f"{100 * accuracy.high:.1f}%), chance being 50%")
    verdict: Verdict = "cannot" if widest < MINOR * abs(evidence.gap.points.mean()) else "part of it"
    if accuracy.low > 1 / 2:
        text = (f"{told}: they differ. As far as this discriminator sees, that carries at most {most:.1f} points; how "
                "much of these it does, this does not tell.")
    else:
        text = (f"{told}: it sees no difference. One of up to {widest:.1f} points is within that interval, and a "
                "better discriminator may see more.")
        if verdict == "part of it":
            verdict = "not testable"
            text += " That is no minor part of the gap: needs more images to tell."
    effect = evidence.estimated(100 * (2 * accuracy.value - 1), 200 * error)
    bound = replace(effect, points=np.maximum(effect.points, 0), draws=np.maximum(effect.draws, 0))
    return Outcome(bound, text, found.rows, verdict)
