"""Candidates that exist: images of a fitted test set that annotators saw."""

from collections.abc import Iterator
from dataclasses import dataclass

import jax
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difficulty_model.answering import right_by_effect
from difficulty_model.collecting.frequencies import frequencies_of
from difficulty_model.collecting.pool import Images, Pool, Truth, chosen_by
from difficulty_model.collecting.strategies import AnnotatedImages, Strategy
from difficulty_model.errors import InputError, unknown_name
from difficulty_model.fitting import Fit
from difficulty_model.likelihood import nodes_of
from difficulty_model.posterior import with_infinity
from difficulty_model.prediction.known_images import difficulties, known_images
from difficulty_model.responses import Responses
from difficulty_model.types import FloatArray, IntArray

DRAWS = 4
"""Draws of the fit at most: where models are many, difficulties differ little from one draw to the next."""


SELECTED, ASKED = "selected", "asked"
"""Columns of counts."""


@dataclass(frozen=True, eq=False)
class GivenPool:
    """Candidates and a reference that exist, as test sets of the same responses, and what annotators said.

    Attributes
    ----------
    candidates, reference
        Names of these test sets.
    counts
        One row per image under its id, in columns `selected` and `asked`: how many annotators selected it, of how many
        who saw it.
    """

    candidates: str
    reference: str
    counts: pd.DataFrame


def choose_candidates(
    responses: Responses, given: GivenPool, strategy: Strategy, *, random_seed: int = 0
) -> list[str]:
    """Return names of the candidates that a strategy chooses.

    Parameters
    ----------
    responses
        To the images, whose labels are classes if there are any.
    given
        The candidates.
    strategy
        By which to choose.
    random_seed
        Of the choice.

    Raises
    ------
    InputError
        If a test set is missing, an image has no counts or ones that cannot be, or the strategy cannot be followed.
    """
    candidates, reference = _counted(responses, given)
    chosen = chosen_by(strategy, np.random.default_rng(random_seed), candidates.seen(), reference.seen())
    return [responses.images[i] for i in candidates.image[chosen]]


def given_pools(fit: Fit, given: GivenPool, sets: int, rng: np.random.Generator) -> Iterator[Pool]:
    """Yield a pool so many times; images' difficulties and true frequencies are drawn anew, given all answers.

    Raises
    ------
    InputError
        As `choose_candidates`; or if the fit has families of models.
    """
    counted = _counted(fit.responses, given)
    frequencies = [frequencies_of(of.selected, of.asked) for of in counted]
    draws, patterns, grid = known_images(fit, at_most=min(sets, DRAWS))
    right, shown = fit.responses.right, fit.responses.shown
    observed = np.divide(right, shown, where=shown > 0, out=np.full(shown.shape, np.nan))
    of_image, stratum = np.asarray(patterns.of_image), fit.responses.strata().of_image
    for drawn, portion in zip(draws, np.array_split(np.arange(sets), len(draws)), strict=True):
        with jax.enable_x64(True):
            among, _ = difficulties(drawn, patterns, grid)
            right = np.asarray(right_by_effect(drawn, grid)).swapaxes(0, 1)
            difficulty = with_infinity(np.asarray(nodes_of(drawn.population, grid)[0]))
        up_to, strata = np.cumsum(np.asarray(among), axis=1)[:, :-1], right.shape[1]
        truth, first = Truth(np.tile(difficulty, strata), right), np.minimum(stratum, strata - 1) * len(difficulty)
        for _ in portion:
            yield Pool(*(
                Images(
                    cell=first[of.image] + _node(rng, up_to[of_image[of.image]]),
                    truth=truth,
                    frequency=beforehand.draw_given(rng, of.selected, of.asked),
                    seen=of.seen(),
                    observed=observed[:, of.image],
                )
                for of, beforehand in zip(counted, frequencies, strict=True)
            ))


@dataclass(frozen=True, eq=False)
class _Counted:
    """Images of one test set, by number among all, with what annotators said of them."""

    image: IntArray
    selected: IntArray
    asked: IntArray
    class_: IntArray
    names: list[str]

    def seen(self) -> AnnotatedImages:
        """Return them as strategies see them."""
        return AnnotatedImages(self.class_, self.selected / self.asked, self.names)


def _counted(responses: Responses, given: GivenPool) -> tuple[_Counted, _Counted]:
    """Return candidates and reference with their counts, and with their labels as classes if there are any."""
    candidates, reference = (_in_test_set(responses, name) for name in (given.candidates, given.reference))
    names, of_image = [""], np.zeros(len(responses.images), int)
    if "label" in responses.dataset.coords:
        labels = responses.dataset["label"].values.astype(str)
        names = np.unique(labels[np.union1d(candidates, reference)])
        names, of_image = names.tolist(), np.searchsorted(names, labels)
    found = []
    for image in (candidates, reference):
        ids = np.array(responses.images)[image]
        selected, asked = (_count(given.counts, name, ids) for name in (SELECTED, ASKED))
        wrong = np.flatnonzero((asked < 1) | (selected < 0) | (selected > asked))
        if len(wrong):
            i = wrong[0]
            raise InputError("every image is seen by an annotator at least, and selected by none to all who saw it; "
                             f"got {selected[i]} of {asked[i]} for {str(ids[i])!r}")
        found.append(_Counted(image, selected, asked, of_image[image], names))
    return found[0], found[1]


def _in_test_set(responses: Responses, test_set: str) -> IntArray:
    known = responses.test_sets
    if test_set not in known:
        raise unknown_name("test set", test_set, known)
    return np.flatnonzero(responses.member[known.index(test_set)])


def _count(counts: pd.DataFrame, name: str, images: NDArray[np.str_]) -> IntArray:
    """Return a column of whole numbers, for some images."""
    if name not in counts.columns:
        raise unknown_name("column of counts", name, map(str, counts.columns))
    if not counts.index.is_unique:
        raise InputError(f"counts have image {counts.index[counts.index.duplicated()][0]!r} twice; expected one row "
                         "per image")
    values = counts[name].reindex(images).to_numpy()
    if values.dtype.kind not in "fiu":
        raise InputError(f"column {name!r} counts annotators; got {values.dtype} values, such as {values[0]!r}")
    wrong = np.flatnonzero(~np.isfinite(values) | (values != np.round(values)))
    if len(wrong):
        raise InputError(f"column {name!r} counts annotators of every image of both test sets; got {values[wrong[0]]} "
                         f"for {str(images[wrong[0]])!r}")
    return values.astype(int)


def _node(rng: np.random.Generator, up_to: FloatArray) -> IntArray:
    """Return the node on which a random lot of every image falls."""
    return (up_to < rng.random((len(up_to), 1))).sum(1)
