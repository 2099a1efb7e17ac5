"""The verb: every check of a fit, from one pass over replicated data sets."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from tqdm.auto import tqdm

from difficulty_model.errors import InputError
from difficulty_model.fitting import Fit
from difficulty_model.misfit import (
    accuracy,
    agreement,
    calibration,
    dependence,
    extremes,
    histogram,
    image_fit,
)
from difficulty_model.misfit.parts import Part, parts_of
from difficulty_model.misfit.record import MisfitCheck
from difficulty_model.misfit.replication import Draws, draws_of, expected_right, replicate
from difficulty_model.types import IntArray

REPLICATES = 40
"""Data sets replicated, one per posterior draw. The mean of what they show is then known to a sixth of its standard
deviation, and that to 11%."""


def check_fit(fit: Fit, *, random_seed: int, progress: bool = True) -> list[MisfitCheck]:
    """Return what observed responses and data sets replicated from the fit have in common, and what not.

    Every check compares a quantity of the observed responses with the same of replicated data sets: other images of
    the same populations, answered by the same models. Where it needs difficulties, these are taken from the responses
    in the same way for both, with the parameters of the posterior draw that the replicate was made with (Gelman, Meng
    and Stern, 1996, Statistica Sinica 6:733). A misfit is an effect that matters in points of accuracy, share of images
    or correlation, and is beyond what replication alone shows.

    Parameters
    ----------
    fit
        What to check.
    random_seed
        Of the replicates.
    progress
        Show a progress bar, if there is a terminal to show it in.

    Returns
    -------
    list of MisfitCheck
        One per kind of misfit: ``all-right-all-wrong``, ``models-right``, ``accuracy``, ``agreement``,
        ``calibration``, ``local-dependence``, ``image-fit``.

    Raises
    ------
    InputError
        If the fit has fewer than four posterior draws.
    """
    draws = draws_of(fit, at_most=REPLICATES)
    if len(draws) < 4:
        raise InputError(f"this fit has only {len(draws)} posterior draws; checking it needs at least 4: fit with more "
                         "draws")
    rng = np.random.default_rng(random_seed)
    frame = _frame_of(draws)
    responses = draws.responses
    counted, observed, replicated = [], [], []
    for d in tqdm(range(len(draws)), desc="replicates", disable=None if progress else True, leave=False):
        observed.append(_given_difficulty(frame, d, responses.right, rng))
        right = replicate(draws, d, rng)
        counted.append(_counted(frame, right))
        replicated.append(_given_difficulty(frame, d, right, rng))
    seen = _counted(frame, responses.right)
    return [
        extremes.judge(frame.parts, np.stack(seen.extremes), np.stack([np.stack(c.extremes) for c in counted])),
        histogram.judge(frame.parts, frame.edges, seen.histogram, _by_part([c.histogram for c in counted])),
        accuracy.judge(draws, frame.parts, seen.accuracy, np.stack([c.accuracy for c in counted])),
        agreement.judge(draws, frame.of_pairs, seen.agreement, _by_part([c.agreement for c in counted])),
        calibration.judge(
            frame.parts, np.stack([o.calibration for o in observed]), np.stack([r.calibration for r in replicated])
        ),
        dependence.judge(
            draws, np.stack([o.dependence for o in observed]), np.stack([r.dependence for r in replicated])
        ),
        image_fit.judge(
            draws, frame.parts, np.mean([o.score for o in observed], axis=0),
            np.array([[image_fit.share_of(part, r.score) for part in frame.parts] for r in replicated]),
            np.stack([image_fit.histogram_of(r.score) for r in replicated]),
        ),
    ]


@dataclass(frozen=True, eq=False)
class _Frame:
    """What stays the same from one data set to the next: draws, and test sets that one model, or two, were run on."""

    draws: Draws
    parts: list[Part]
    of_pairs: list[Part]
    edges: list[IntArray]


def _frame_of(draws: Draws) -> _Frame:
    parts = parts_of(draws.responses, at_least=1)
    edges = [histogram.edges_of(part, draws.responses.shown) for part in parts]
    return _Frame(draws, parts, parts_of(draws.responses, at_least=2), edges)


@dataclass(frozen=True, eq=False)
class _Counted:
    """What the checks see of the responses of a data set alone, most of it per test set."""

    extremes: list[Float[np.ndarray, "kind"]]
    histogram: list[Float[np.ndarray, "group"]]
    accuracy: Float[np.ndarray, "test_set model"]
    agreement: list[Float[np.ndarray, "quantity pair"]]


def _counted(frame: _Frame, right: IntArray) -> _Counted:
    shown = frame.draws.responses.shown
    return _Counted(
        [extremes.measure(part, right, shown) for part in frame.parts],
        [histogram.measure(part, right, edges) for part, edges in zip(frame.parts, frame.edges, strict=True)],
        accuracy.measure(frame.parts, right, shown),
        [agreement.measure(frame.draws, part, right, shown) for part in frame.of_pairs],
    )


@dataclass(frozen=True, eq=False)
class _GivenDifficulty:
    """What they see once the difficulties of the images are judged by the parameters of a draw."""

    calibration: Float[np.ndarray, "2 test_set third decile"]
    dependence: Float[np.ndarray, "pair"]
    score: Float[np.ndarray, "image"]


def _given_difficulty(frame: _Frame, d: int, right: IntArray, rng: np.random.Generator) -> _GivenDifficulty:
    draws, shown = frame.draws, frame.draws.responses.shown
    every = np.arange(len(right))
    expected = expected_right(draws, d, right, models=every, given=every)
    residual = right - shown * expected
    return _GivenDifficulty(
        calibration.measure(draws, d, frame.parts, right, shown, rng),
        dependence.measure(residual, shown),
        image_fit.measure(draws, residual, expected),
    )


def _by_part(of_draws: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Return the measurements of every test set with draws leading."""
    return [np.stack(of_part) for of_part in zip(*of_draws, strict=True)]
