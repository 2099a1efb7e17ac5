"""Near-duplicates: models know some original images, or ones like them, from their training."""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.explanations.effect import Effect
from difficulty_model.explanations.evidence import FEWEST, Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome, verdict_of
from difficulty_model.readers import Experiment, read_experiment, read_names
from difficulty_model.types import MODEL, BoolArray

NAME = "near-duplicates"
QUESTION = "Are original images right because ones like them were learned from?"
SOURCE = "Recht et al. (2018), on CIFAR-10.1: 8% of CIFAR-10's test set explain 0.6 points at most"
FILE = "duplicates"

NEAREST = 0.01
"""Part of the new images that may be as near to a training image as a near-duplicate is."""


def examine(evidence: Evidence) -> Outcome:
    """Return how much more accurate models are on all original images than on those without near-duplicates.

    It takes the file ``duplicates``: either names of original images that have near-duplicates in the training set, or
    the nearest training image of every image, as the experiment ``neighbours`` finds it. A model may be better on
    near-duplicates because they are easy too, so the effect is rather too large.

    By distances, near-duplicates are the original images that are nearer to a training image than all but 1% of the new
    ones (`NEAREST`): the new images, which nobody can have learned from, are the control. As far as the features show
    near-duplicates, that is an upper bound: original images are nearer to training images also because they are of the
    same distribution, and about 1% of them are so near by chance. So no part of the gap is laid to them before somebody
    has looked at the pairs, which the table names, and given the list of those that are real.
    """
    path = evidence.file(
        FILE, "names of the original images that have near-duplicates in the training set, one a line, or the nearest "
              "training image of every image (difficulty-inference experiment neighbours)"
    )
    return _of_neighbours(evidence, path) if _is_json(path) else _of_names(evidence, path)


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


def _is_json(path: Path) -> bool:
    """Return whether a file starts as JSON does; one that cannot be read does not."""
    try:
        with path.open("rb") as file:
            return file.read(100).lstrip().startswith((b"{", b"["))
    except OSError:
        return False


def _of_names(evidence: Evidence, path: Path) -> Outcome:
    names, known = read_names(path), _images(evidence, evidence.in_original)
    if unknown := sorted(set(names) - set(known)):
        raise InputError(f"of {len(names)} near-duplicates in {path} {len(unknown)} are not among the images of "
                         f"{evidence.original!r}: {unknown_name('image', unknown[0], known)}")
    effect, table, lost = _without(evidence, names)
    text = (f"{len(names) / len(known):.1%} of the images of {evidence.original!r} have near-duplicates, by the list "
            f"that was given. {lost}")
    return Outcome(effect, text, table)


def _of_neighbours(evidence: Evidence, path: Path) -> Outcome:
    near = _nearer_than_new(evidence, read_experiment(path, "neighbours").between(evidence.original, evidence.new))
    effect, _, lost = _without(evidence, near["image"].tolist())
    share = len(near) / evidence.in_original.sum()
    text = (f"{share:.1%} of the images of {evidence.original!r} are nearer to a training image than all but "
            f"{NEAREST:.0%} of those of {evidence.new!r}, where {NEAREST:.0%} are by chance: so many have "
            f"near-duplicates at most, found by distance. {lost}")
    verdict = verdict_of(effect.share())
    if verdict != "cannot":
        verdict = "not testable"
        text += (f" That is up to {effect.share().high:.0%} of the gap: needs somebody to look at the pairs, and the "
                 "list of those that are real.")
    return Outcome(effect, text, near, verdict)


def _nearer_than_new(evidence: Evidence, neighbours: Experiment) -> pd.DataFrame:
    """Return the original images that are nearer than the control: `image`, `nearest`, `distance`, nearest first."""
    originals = _neighbours_of(evidence.original, _images(evidence, evidence.in_original), neighbours)
    news = _neighbours_of(evidence.new, _images(evidence, evidence.in_new), neighbours)
    control = news.loc[~news["image"].isin(originals["image"]), "distance"]
    if len(control) < (fewest := round(1 / NEAREST) - 1):
        raise NotTestableError(f"at least {fewest} new images that are not original ones, to see how near an image "
                               f"comes by chance; there are {len(control)}")
    # This quantile is the one below which a further image of the same kind is with that probability.
    limit = np.quantile(control, NEAREST, method="weibull")
    return originals.loc[originals["distance"] < limit].sort_values("distance", ignore_index=True)


def _neighbours_of(test_set: str, images: list[str], neighbours: Experiment) -> pd.DataFrame:
    """Return a row for every image of a test set, with its neighbour."""
    rows = neighbours.rows
    own = rows.loc[(rows["test_set"] == test_set) & rows["image"].isin(images), ["image", "nearest", "distance"]]
    if missing := sorted(set(images) - set(own["image"])):
        raise InputError(f"{neighbours.path} lacks {len(missing)} of {len(images)} images of {test_set!r}, such as "
                         f"{missing[0]!r}; expected all: run `difficulty-inference experiment neighbours` on the "
                         "images that models were run on")
    return own


def _images(evidence: Evidence, mask: BoolArray) -> list[str]:
    return np.array(evidence.responses.images)[mask].tolist()


def _without(evidence: Evidence, duplicates: list[str]) -> tuple[Effect, pd.DataFrame, str]:
    """Return what models lose without near-duplicates, every model's accuracies, and a sentence."""
    rest = ~np.isin(evidence.responses.images, duplicates)
    if ((evidence.responses.shown[:, evidence.in_original & rest] > 0).sum(1) < FEWEST).any():
        raise NotTestableError(f"responses of every model to at least {FEWEST} original images without near-duplicates")
    effect = evidence.resampled(
        lambda copies: 100 * (evidence.accuracies(copies) - evidence.accuracies(copies, rest))[:, 0]
    )
    table, lost = _table(evidence, rest), effect.average()
    worst = 100 * (table["accuracy"] - table["worst_case"]).mean()
    return effect, table, (f"Without them models have {lost.value:.2f} ({lost.low:.2f} to {lost.high:.2f}) points "
                           f"less; {worst:.2f} were all of them right.")


def _table(evidence: Evidence, rest: BoolArray) -> pd.DataFrame:
    """Return every model's accuracies, as shares: on all original images, on the rest, and at worst."""
    accuracy, on_rest = (evidence.accuracies(evidence.once(), kept)[0, 0] for kept in (None, rest))
    shown = evidence.responses.shown[:, evidence.in_original].astype(np.int64)
    duplicates = 1 - shown[:, rest[evidence.in_original]].sum(1) / shown.sum(1)
    return pd.DataFrame({
        MODEL: evidence.responses.models, "accuracy": accuracy, "on_the_rest": on_rest,
        "worst_case": worst_case(accuracy, duplicates),
    })
