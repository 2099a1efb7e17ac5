"""Invalid images: what no model gets right is not a fair question."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.explanations.evidence import Copies, Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome

NAME = "invalid images"
QUESTION = "Would the gap go if all images were dropped that no model gets right?"
SOURCE = "Recht et al. (2018), on CIFAR-10.1: a look at the images that all models miss"

FEWEST = 10
"""Models; images that fewer miss may just be hard."""


def examine(evidence: Evidence) -> Outcome:
    """Return how much smaller the gap is without the images that no model got right: all that invalid ones can carry.

    Some of them are just hard, so that it is an upper bound; look at them to know more.
    """
    responses = evidence.responses
    if len(responses.models) < FEWEST:
        raise NotTestableError(f"at least {FEWEST} models; images that {len(responses.models)} miss may just be hard")
    missed = np.asarray((responses.shown > 0).any(0) & ~(responses.right > 0).any(0))

    def points(copies: Copies) -> Float[np.ndarray, "resample model"]:
        gaps = [-100 * np.diff(evidence.accuracies(copies, kept), axis=1)[:, 0] for kept in (None, ~missed)]
        return gaps[0] - gaps[1]

    share = [100 * missed[mask].mean() for mask in (evidence.in_original, evidence.in_new)]
    text = (f"No model gets {share[0]:.1f}% of {evidence.original!r} right, and {share[1]:.1f}% of {evidence.new!r}; "
            "this much of the gap would go with them, if all were invalid.")
    table = pd.DataFrame({
        "image": np.array(responses.images)[missed],
        **{name: mask[missed] for name, mask in zip(responses.test_sets, responses.member, strict=True)},
    })
    return Outcome(evidence.resampled(points), text, table)
