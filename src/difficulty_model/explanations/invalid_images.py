"""Invalid images: what no model gets right is not a fair question."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.errors import InputError
from difficulty_model.explanations.evidence import Copies, Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome, verdict_of
from difficulty_model.responses import Responses
from difficulty_model.types import BoolArray, IntArray

NAME = "invalid images"
QUESTION = "Would the gap go if images were dropped that no model can get right?"
SOURCE = "Recht et al. (2018), on CIFAR-10.1: images that all models miss; Chao (1987, Biometrics 43:783) on how many"

FEWEST = 10
"""Models; images that fewer miss may just be hard."""


def examine(evidence: Evidence) -> Outcome:
    """Return how much smaller the gap is without images that no model can get right, in numbers that they can have.

    Of images that all models miss some are just hard. These are at least f₁² / 2f₂ (1 − 1/J) of J models, if one model
    is right on f₁ images and two on f₂: so many species are missed if so many were caught once and twice (Chao, 1987).
    Models that fail together make it too small. So this is what invalid images carry at most, and no part of the gap
    is laid to them before somebody has looked at those that all models miss, which the table names.
    """
    responses = evidence.responses
    models = len(responses.models)
    if models < FEWEST:
        raise NotTestableError(f"at least {FEWEST} models; images that {models} miss may just be hard")
    solved = (responses.right > 0).sum(0)
    seen = np.asarray((responses.shown > 0).any(0))

    def points(copies: Copies) -> Float[np.ndarray, "resample model"]:
        kept = 1 - np.stack([_invalid(copies, mask & seen, solved, models) for mask in responses.member], axis=1)
        accuracies = evidence.accuracies(copies)
        return 100 * np.diff(accuracies / kept[..., None] - accuracies, axis=1)[:, 0]

    missed = _missed(responses)
    rows = [
        {"test_set": name, "missed": 100 * float(missed[mask & seen].mean()),
         "invalid": 100 * float(_invalid(evidence.once(), mask & seen, solved, models)[0])}
        for name, mask in zip(responses.test_sets, responses.member, strict=True)
    ]
    told = "; ".join(f"all models miss {row['missed']:.1f}% of {row['test_set']!r}, and {row['invalid']:.1f}% at most "
                     "beyond images that are just hard" for row in rows)
    table = missed_images(responses)
    effect, text = evidence.resampled(points), f"{told[0].upper()}{told[1:]}."
    verdict = verdict_of(effect.share())
    if verdict in ("part of it", "not testable"):
        text += f" That is up to {effect.share().high:.0%} of the gap: needs somebody to look."
        verdict = "not testable"
    if len(table):
        text += " Look at them: difficulty-model gallery."
    return Outcome(effect, text, table, verdict)


def missed_images(responses: Responses) -> pd.DataFrame:
    """Return the images that no model gets right, first those that most models were shown.

    Returns
    -------
    pandas.DataFrame
        Columns `image`, `label` (None where labels are not known), `models` (how many were shown it) and `test_sets`
        (a list of the names of those that it is in).
    """
    missed = np.flatnonzero(_missed(responses))
    known = "label" in responses.dataset.coords
    names = np.array(responses.test_sets, object)
    table = pd.DataFrame({
        "image": np.array(responses.images, object)[missed],
        "label": responses.dataset["label"].values[missed].tolist() if known else None,
        "models": (responses.shown[:, missed] > 0).sum(0),
        "test_sets": [names[of].tolist() for of in responses.member[:, missed].T],
    })
    return table.sort_values("models", ascending=False, kind="stable", ignore_index=True)


def page_of(missed: pd.DataFrame, number: int, *, most: int, random_seed: int) -> pd.DataFrame:
    """Return a page of `missed_images`: of those that equally many models were shown it is drawn by lot which.

    So the first page alone shows what such images are like, whatever order they are in.

    Parameters
    ----------
    missed
        All such images.
    number
        Of the page, from 1.
    most
        Images on a page.
    random_seed
        Of the lot; pages of one seed have all images, each once.

    Raises
    ------
    InputError
        If there is no such image, or no such page.
    """
    if missed.empty:
        raise InputError("some model is right on every image; there is none that all models miss")
    pages = -(-len(missed) // most)
    if not 1 <= number <= pages:
        raise InputError(f"page {number} was asked for, and {len(missed)} images make {pages}; ask for one from 1")
    lot = np.random.default_rng(random_seed).permutation(len(missed))
    order = np.lexsort((lot, -missed["models"].to_numpy()))
    return missed.iloc[np.sort(order[(number - 1) * most : number * most])]


def _missed(responses: Responses) -> BoolArray:
    return np.asarray((responses.shown > 0).any(0) & ~(responses.right > 0).any(0))


def _invalid(copies: Copies, images: BoolArray, solved: IntArray, models: int) -> Float[np.ndarray, "resample"]:
    """Return which share of some images are missed by all models, and beyond as many as are just hard."""
    of = copies[:, images]
    none, one, two = (of @ (solved[images] == number).astype(np.float32) for number in range(3))
    hard = (1 - 1 / models) * one * (one - 1) / (2 * (two + 1))  # the unbiased form, which has no division by 0
    return np.maximum(none - hard, 0) / of.sum(1)
