"""Humans: people find the new images harder too."""

from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.errors import InputError
from difficulty_model.explanations.effect import Effect
from difficulty_model.explanations.evidence import Copies, Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome
from difficulty_model.explanations.matching import FEWEST, read_matched
from difficulty_model.responses import Responses
from difficulty_model.types import BoolArray, FloatArray

NAME = "humans"
QUESTION = "Do people lose accuracy on the new test set too?"
SOURCE = "Shankar et al. (2020), on ImageNetV2: people lose less than 1 point, the best model 5.4"
FILE = "humans"


def examine(evidence: Evidence) -> Outcome:
    """Return how much accuracy people lose from the original test set to the new one.

    It takes the file ``humans``: responses of people, as models, to images of both test sets, once or many times each.
    The effect is the mean over people who were shown images of both. Images are resampled for people and models alike:
    the interval is for further images, seen by these people.
    """
    path = evidence.file(FILE, "responses of people to images of both test sets")
    people = read_matched(evidence, path)
    if models := set(people.responses.models) & set(evidence.responses.models):
        raise InputError(f"{path} has responses of {min(models)!r}, one of the models whose gap is examined; expected "
                         "people only")
    table = _table(people)
    both = (table[["shown_original", "shown_new"]] > 0).to_numpy().all(1)
    if not both.any():
        raise NotTestableError(_needed(evidence, people))
    people = replace(people, responses=people.responses.select(models=table.loc[both, "person"].tolist()))
    if min(int(people.responses.shown[:, mask].any(0).sum()) for mask in people.responses.member) < FEWEST:
        raise NotTestableError(f"people's responses to at least {FEWEST} images of each test set")

    def lost(copies: Copies) -> Float[np.ndarray, "resample 1"]:
        # In a resample one who saw few images may have seen none of a test set, and then does not count.
        return np.nanmean(-100 * np.diff(people.accuracies(copies), axis=1)[:, 0], axis=1, keepdims=True)

    observed, draws = evidence.over_resamples(lost)
    effect = Effect(observed, draws, evidence.gap.points, evidence.gap.draws, None)
    found, (original, new) = effect.average(), table.loc[both, ["original", "new"]].mean()
    text = (f"People ({both.sum()}) are right in {100 * original:.1f}% on {evidence.original!r} and {100 * new:.1f}% "
            f"on {evidence.new!r}: they lose {found.value:.2f} ({found.low:.2f} to {found.high:.2f}) points, models "
            f"{evidence.gap.points.mean():.2f}.")
    return Outcome(effect, text, table)


def _table(people: Evidence) -> pd.DataFrame:
    """Return a row per person: how many responses to each test set, shares right, and points lost."""
    responses = people.responses
    columns: dict[str, object] = {"person": responses.models}
    for name, mask in (("original", people.in_original), ("new", people.in_new)):
        right, shown = (of[:, mask].sum(1, dtype=np.int64) for of in (responses.right, responses.shown))
        columns |= {f"shown_{name}": shown, name: np.where(shown > 0, right / np.maximum(shown, 1), np.nan)}
    table = pd.DataFrame(columns)
    return table.assign(lost=100 * (table["original"] - table["new"]))


def _needed(evidence: Evidence, people: Evidence) -> str:
    """Return which responses are missing, and what those that are there tell."""
    seen = np.asarray((people.responses.shown > 0).any(0))
    there = [bool(seen[mask].any()) for mask in evidence.responses.member]
    if all(there):
        return "responses of the same people, or of all people under one name, to images of both test sets"
    here, missing = (evidence.responses.test_sets[there.index(of)] for of in (True, False))
    kept = seen & evidence.responses.member[there.index(True)] & np.asarray((evidence.responses.shown > 0).any(0))
    text = f"responses of people to {missing!r} too"
    if not kept.any():
        return text
    theirs, models = (_share_right(of.responses, kept) for of in (people, evidence))
    text += f"; on {here!r} people are right in {theirs.mean():.2%}, models in {models.mean():.2%}"
    if min(theirs.std(), models.std()) > 0:
        text += (", and the share of people who are right on an image has a correlation of "
                 f"{np.corrcoef(theirs, models)[0, 1]:.2f} with that of models")
    return text


def _share_right(responses: Responses, images: BoolArray) -> FloatArray:
    """Return which share of all answers to each image is right."""
    right, shown = (of[:, images].sum(0, dtype=np.int64) for of in (responses.right, responses.shown))
    return right / shown
