"""Sampling strategies: which candidates become the test set, by how often annotators selected them.

A strategy is a function of a generator, the candidates and the reference, which returns numbers of candidates; any
such function of a user's will do. Those of ImageNetV2 are described by Recht et al. (2019), section 3 and appendix.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from difficulty_model.errors import InputError
from difficulty_model.types import BoolArray, FloatArray, IntArray

EDGES = 0.0, 0.2, 0.4, 0.6, 0.8, 1.0
"""Of the bins of selection frequencies that ImageNetV2 was matched in."""


@dataclass(frozen=True, eq=False)
class AnnotatedImages:
    """Images as a strategy sees them.

    Attributes
    ----------
    class_
        Number of every image's class.
    frequency
        Share of the annotators asked who selected it.
    names
        Of the classes.
    """

    class_: IntArray
    frequency: FloatArray
    names: list[str]


Strategy: TypeAlias = Callable[[np.random.Generator, AnnotatedImages, AnnotatedImages], IntArray]


@dataclass(frozen=True)
class Uniform:
    """So many candidates of every class, whatever annotators say."""

    per_class: int

    def __call__(self, rng: np.random.Generator, candidates: AnnotatedImages, reference: AnnotatedImages) -> IntArray:
        """Return numbers of candidates."""
        everything = np.ones(len(candidates.class_), bool)
        return _some_of_each(rng, candidates, everything, self.per_class, "candidates")


@dataclass(frozen=True)
class Threshold:
    """So many candidates of every class among those that at least a share of the annotators selected."""

    at: float
    per_class: int

    def __post_init__(self) -> None:
        if not 0 <= self.at <= 1:
            raise InputError(f"a threshold is a share of the annotators, from 0 to 1; got {self.at}")

    def __call__(self, rng: np.random.Generator, candidates: AnnotatedImages, reference: AnnotatedImages) -> IntArray:
        """Return numbers of candidates."""
        # Shares of annotators are ratios of small numbers: 7 of 10 is at the threshold 0.7 whatever the rounding.
        above = candidates.frequency >= self.at - 1e-9
        return _some_of_each(rng, candidates, above, self.per_class, f"candidates selected by {self.at:g} or more")


@dataclass(frozen=True)
class TopImages:
    """The candidates of every class that annotators selected most often; those as often at random."""

    per_class: int

    def __call__(self, rng: np.random.Generator, candidates: AnnotatedImages, reference: AnnotatedImages) -> IntArray:
        """Return numbers of candidates."""
        everything = np.ones(len(candidates.class_), bool)
        _require_enough(candidates, everything, self.per_class, "candidates")
        order = np.lexsort((rng.random(len(candidates.class_)), -candidates.frequency, candidates.class_))
        return np.sort(order[_place_in_class(candidates.class_[order]) < self.per_class])


@dataclass(frozen=True)
class MatchedFrequency:
    """So many candidates of every class, with frequencies distributed as the reference's of that class are.

    Attributes
    ----------
    per_class
        How many.
    edges
        Of the bins of frequencies in which both are matched; each bin has its lower edge, the last one both.
    allow_upward
        Where a bin has too few candidates, take others from the next higher bins that have some left.
    """

    per_class: int
    edges: tuple[float, ...] = EDGES
    allow_upward: bool = False

    def __post_init__(self) -> None:
        if self.edges[:1] != (0,) or self.edges[-1:] != (1,) or not np.all(np.diff(self.edges) > 0):
            raise InputError(f"edges of bins of frequencies rise from 0 to 1; got {self.edges}")

    def __call__(self, rng: np.random.Generator, candidates: AnnotatedImages, reference: AnnotatedImages) -> IntArray:
        """Return numbers of candidates."""
        everything = np.ones(len(candidates.class_), bool)
        _require_enough(candidates, everything, self.per_class, "candidates")
        bins, classes = len(self.edges) - 1, len(candidates.names)
        here, there = self._bin(candidates.frequency), self._bin(reference.frequency)
        of_reference = np.zeros((classes, bins))
        np.add.at(of_reference, (reference.class_, there), 1)
        empty = np.flatnonzero(of_reference.sum(1) == 0)
        if len(empty):
            raise InputError(f"the reference has no image of class {candidates.names[empty[0]]!r} to match frequencies "
                             "with; leave its candidates out, or take a strategy that does without")
        share = of_reference / of_reference.sum(1, keepdims=True)
        # As many of each bin as its share says, rounded at random, and all together what is wanted.
        up_to = np.floor(self.per_class * np.cumsum(share, axis=1) + rng.random((classes, 1)) - 1e-9)
        up_to[:, -1] = self.per_class
        wanted = np.diff(np.clip(up_to, 0, self.per_class), axis=1, prepend=0).astype(int)
        have = np.zeros((classes, bins), int)
        np.add.at(have, (candidates.class_, here), 1)
        for c, b in np.argwhere(wanted > have):
            short = wanted[c, b] - have[c, b]
            wanted[c, b] = have[c, b]
            for higher in range(b + 1, bins) if self.allow_upward else ():
                more = min(short, max(have[c, higher] - wanted[c, higher], 0))
                wanted[c, higher] += more
                short -= more
            if short:
                raise InputError(
                    f"class {candidates.names[c]!r} lacks {short} candidates of frequencies from {self.edges[b]:g} to "
                    f"{self.edges[b + 1]:g}, where it has {have[c, b]}"
                    + (", and of higher ones" if self.allow_upward else "; others of higher frequency may take their "
                       "place with allow_upward") + ". Gather more candidates, or choose fewer"
                )
        cell = candidates.class_ * bins + here
        order = np.lexsort((rng.random(len(cell)), cell))
        return np.sort(order[_place_in_class(cell[order]) < wanted.ravel()[cell[order]]])

    def _bin(self, frequency: FloatArray) -> IntArray:
        return np.clip(np.searchsorted(self.edges, frequency + 1e-9, side="right") - 1, 0, len(self.edges) - 2)


def _some_of_each(
    rng: np.random.Generator, candidates: AnnotatedImages, eligible: BoolArray, per_class: int, what: str
) -> IntArray:
    """Return so many eligible candidates of every class, drawn at random."""
    _require_enough(candidates, eligible, per_class, what)
    which = np.flatnonzero(eligible)
    order = which[np.lexsort((rng.random(len(which)), candidates.class_[which]))]
    return np.sort(order[_place_in_class(candidates.class_[order]) < per_class])


def _require_enough(candidates: AnnotatedImages, eligible: BoolArray, per_class: int, what: str) -> None:
    if per_class < 1:
        raise InputError(f"at least one image of a class has to be chosen; got {per_class}")
    have = np.bincount(candidates.class_[eligible], minlength=len(candidates.names))
    short = np.flatnonzero(have < per_class)
    if len(short):
        raise InputError(f"class {candidates.names[short[0]]!r} has {have[short[0]]} {what}, of which {per_class} are "
                         "wanted; gather more candidates, or choose fewer")


def _place_in_class(class_: IntArray) -> IntArray:
    """Return every image's place among those of its class, which lie together."""
    first = np.flatnonzero(np.diff(class_, prepend=-1))
    return np.arange(len(class_)) - np.repeat(first, np.diff(first, append=len(class_)))
