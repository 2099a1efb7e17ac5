"""Statistical error: the gap is the chance in which images were drawn."""

import numpy as np
import pandas as pd

from difficulty_model.explanations.effect import Effect
from difficulty_model.explanations.evidence import Evidence
from difficulty_model.explanations.examination import MINOR, Outcome, Verdict
from difficulty_model.posterior import LEVEL
from difficulty_model.responses import clopper_pearson
from difficulty_model.types import MODEL

NAME = "statistical error"
QUESTION = "Could other images of the same two populations give no gap?"
SOURCE = "Recht et al. (2019), section 2: the generalization gap, with Clopper-Pearson intervals at 95% and 99.99%"

SURELY = 3.0
"""Standard errors of the gap that chance is granted: beyond, once in 370 times."""

LEVELS = (LEVEL, 0.9999)
"""Of models' own intervals."""


def examine(evidence: Evidence) -> Outcome:
    """Return how large a gap chance can make, of all models together, and every model's exact intervals.

    Models share their images, so that errors of their mean gap do not average out: its standard error is that over
    resamples of the images.
    """
    gap = evidence.gap
    noise = gap.draws - gap.draws.mean(0)
    effect = Effect(np.zeros(len(gap.points)), noise, gap.points, np.broadcast_to(gap.points, noise.shape), gap.models)
    error, mean = float(noise.mean(1).std(ddof=1)), float(gap.points.mean())
    of_models = _intervals(evidence)
    widest = {level: of_models.filter(like=f"_{level:g}_").to_numpy() for level in LEVELS}
    reach = {level: 100 * float((of[:, 1::2] - of[:, ::2]).max() / 2) for level, of in widest.items()}
    text = (f"The mean gap of {mean:.2f} points has a standard error of {error:.2f}, models sharing their images. One "
            f"model's accuracy is off by up to ± {reach[LEVELS[0]]:.1f} points at {LEVELS[0]:.0%}, "
            f"± {reach[LEVELS[1]]:.1f} at {LEVELS[1]:.2%}.")
    verdict: Verdict = "explains it"
    if abs(mean) > SURELY * error:
        verdict = "cannot" if effect.share().high < MINOR else "part of it"
        text += f" Chance hardly ever makes a gap of more than {SURELY * error:.1f} points."
    return Outcome(effect, text, of_models, verdict)


def _intervals(evidence: Evidence) -> pd.DataFrame:
    """Return every model's accuracies with their exact intervals, as shares."""
    columns: dict[str, object] = {MODEL: evidence.responses.models}
    for name, mask in (("original", evidence.in_original), ("new", evidence.in_new)):
        counts = evidence.responses.right, evidence.responses.shown
        right, shown = (of[:, mask].sum(1, dtype=np.int64) for of in counts)
        columns[name] = right / shown
        for level in LEVELS:
            low, high = clopper_pearson(right, shown, level=level)
            columns |= {f"{name}_{level:g}_low": low, f"{name}_{level:g}_high": high}
    return pd.DataFrame(columns)
