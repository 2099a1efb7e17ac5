"""Images that behave against skill: weak models get them right, and strong models wrong.

Given how many models are right on an image, it is compared who they are: the sum over models of residual times
standing, centred and scaled by what it varies by, is a score test for an image's own discrimination (Rao, 1948,
Proc. Camb. Phil. Soc. 44:50): 0 on average with an sd of about 1 where discriminations are those of the fit, and lower
where an image's is smaller or negative.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import ndtri

from difficulty_model.misfit.parts import Part
from difficulty_model.misfit.record import MisfitCheck, compared, said
from difficulty_model.misfit.replication import Draws
from difficulty_model.types import IMAGE, TEST_SET

NAME = "image-fit"

AGAINST = -3.0
"""Score below which an image behaves against skill."""

SHARE = 0.5
"""Percent of images. Replicates of 50,000 images stray by 0.02, of 2,000 by 0.1; on ImageNet fits show 0.2 to 0.7
percent of images against skill, and 4 to 7 are observed."""

EDGES = np.arange(-12, 8.25, 0.5)
"""Of the histogram of scores, for the picture."""


def measure(
    draws: Draws, residual: Float[np.ndarray, "model image"], expected: Float[np.ndarray, "model image"]
) -> Float[np.ndarray, "image"]:
    """Return the score of every image; 0 where its responses cannot tell, as where all are certain.

    Parameters
    ----------
    draws
        With the standing of every model, which enters on the probit scale.
    residual
        Times right less times expected to be right.
    expected
        Probability of being right.
    """
    standing = ndtri(np.clip(draws.standing, 1e-6, 1 - 1e-6)).astype(np.float32)[:, None]
    weight = draws.responses.shown * expected * (1 - expected)
    total = np.maximum(weight.sum(0), 1e-12)
    away = standing - (weight * standing).sum(0) / total
    variance = (weight * np.square(away)).sum(0)
    score = (residual * away).sum(0) / np.sqrt(np.maximum(variance, 1e-12))
    return np.where(variance > 1e-6, score, 0.0)


def judge(
    draws: Draws,
    parts: list[Part],
    observed: Float[np.ndarray, "image"],
    share: Float[np.ndarray, "draw test_set"],
    histogram: Float[np.ndarray, "draw bin"],
) -> MisfitCheck:
    """Return whether more images behave against skill than in replicated test sets.

    Parameters
    ----------
    draws
        With the observed responses.
    parts
        The test sets.
    observed
        Every image's score, averaged over draws.
    share
        Percent of images against skill in replicated test sets.
    histogram
        `histogram_of` scores of replicated data sets.
    """
    comparisons = tuple(
        compared("images against skill", part.name, "% of images", share_of(part, observed), share[:, k],
                 threshold=SHARE)
        for k, part in enumerate(parts)
    )
    details = pd.DataFrame({
        "from": EDGES[:-1], "to": EDGES[1:], "observed": histogram_of(observed), "expected": histogram.mean(0),
        "low": histogram.min(0), "high": histogram.max(0),
    })
    text = said(
        comparisons,
        if_fits="No more images are right for weak and wrong for strong models than chance makes",
        if_misfit="Such images are often wrongly or doubly labelled; they carry no skill, and where a new test set has "
        "more of them its accuracies fall without any image being harder. Look at the list; `discriminating` "
        "populations allow for them.",
    )
    return MisfitCheck(NAME, comparisons, text, details, _most_against(draws, parts, observed))


def share_of(part: Part, score: Float[np.ndarray, "image"]) -> float:
    """Return percent of a test set's images whose score is below `AGAINST`."""
    return 100 * float((score[part.images] < AGAINST).mean())


def histogram_of(score: Float[np.ndarray, "image"]) -> Float[np.ndarray, "bin"]:
    """Return percent of images in each bin of scores; those beyond the ends are in the outermost."""
    inside = np.clip(score, EDGES[0], EDGES[-1] - 1e-9)
    return 100 * np.histogram(inside, EDGES)[0] / len(score)


def _most_against(draws: Draws, parts: list[Part], score: Float[np.ndarray, "image"]) -> pd.DataFrame:
    """Return the images that behave most against skill, with how many of the weaker and stronger half are right."""
    responses = draws.responses
    extreme = [i for i in np.argsort(score)[:20] if score[i] < AGAINST]
    halves = np.array_split(np.argsort(draws.standing, kind="stable"), 2)
    return pd.DataFrame([
        {IMAGE: responses.images[i], TEST_SET: next(part.name for part in parts if i in part.images),
         "score": float(score[i])}
        | {f"{side}_{what}": int(of[half, i].sum())
           for side, half in zip(("weaker", "stronger"), halves, strict=True)
           for what, of in [("right", responses.right), ("shown", responses.shown)]}
        for i in extreme
    ], columns=[IMAGE, TEST_SET, "score", "weaker_right", "weaker_shown", "stronger_right", "stronger_shown"])
