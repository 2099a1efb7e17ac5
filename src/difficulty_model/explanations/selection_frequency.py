"""Selection frequency: annotators would select the new images less often as ones of their class."""

import numpy as np
import pandas as pd

from difficulty_model.explanations import frequency_noise
from difficulty_model.explanations.evidence import Evidence
from difficulty_model.explanations.examination import Outcome
from difficulty_model.explanations.frequencies import FILE as FILE
from difficulty_model.explanations.frequencies import Annotated, annotated, beta_mixture, naive

NAME = "selection frequency"
QUESTION = "Do annotators select the new images less often, and models lose no more than that predicts?"
SOURCE = "Recht et al. (2019), section 3: accuracies by selection frequency, on sets of other selection frequencies"


def examine(evidence: Evidence) -> Outcome:
    """Return what models would gain if annotators selected the new images as often as the original ones.

    It is corrected for the noise of few annotators; what that hides is a row of its own.
    """
    seen = annotated(evidence)
    seen.require_enough(float(evidence.gap.points.mean()))
    effect = evidence.resampled(lambda copies: beta_mixture(seen.cells(copies)))
    gap, cells = evidence.gap.average(), seen.as_they_are()
    original, new = cells.mean_frequency()[0]
    explained, as_observed = effect.average(), float(naive(cells).mean())
    text = (f"Annotators select images of {evidence.original!r} with a mean frequency of {original:.3f}, those of "
            f"{evidence.new!r} with {new:.3f}. That is {explained.value:.2f} ({explained.low:.2f} to "
            f"{explained.high:.2f}) points of {gap.value:.2f}; at equal frequencies, {gap.value - explained.value:.2f} "
            f"remain. By frequencies as they were observed it would be {as_observed:.2f}: see {frequency_noise.NAME}.")
    return Outcome(effect, text, _by_bin(seen))


def _by_bin(seen: Annotated) -> pd.DataFrame:
    """Return the bins that have images: accuracies as shares, and the gap in points, on average over models."""
    binned = seen.as_they_are().binned()
    right, shown = (of[0].sum(2) for of in (binned.right, binned.shown))
    accuracy = np.divide(right, shown, out=np.full_like(right, np.nan), where=shown > 0)
    table = pd.DataFrame({
        "frequency": binned.selected / binned.asked,
        "original_images": binned.images[0, 0].astype(int), "new_images": binned.images[0, 1].astype(int),
        "original_accuracy": accuracy[0], "new_accuracy": accuracy[1], "gap": 100 * (accuracy[0] - accuracy[1]),
    })
    return table.loc[binned.images[0].any(0)].reset_index(drop=True)
