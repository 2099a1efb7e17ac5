"""Candidates and a reference: what annotators said of their images, and what is true of these."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from difficulty_model.answering import SHARES, count_right
from difficulty_model.collecting.strategies import AnnotatedImages, Strategy
from difficulty_model.errors import InputError
from difficulty_model.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Truth:
    """What models do on images of every cell: a difficulty, in a stratum.

    Attributes
    ----------
    difficulty
        That of each cell.
    right
        Probability that each model is right, with every effect of its family; cells are strata × nodes.
    """

    difficulty: Float[np.ndarray, "cell"]
    right: Float[np.ndarray, "model stratum node effect"]

    def by_cell(self) -> Float[np.ndarray, "model cell effect"]:
        """Return the probabilities cell by cell."""
        models, _, _, effects = self.right.shape
        return self.right.reshape(models, -1, effects)

    def expected(self) -> Float[np.ndarray, "model cell"]:
        """Return the probabilities whatever the effects of families."""
        by_cell = self.by_cell()
        return by_cell @ (SHARES if by_cell.shape[2] > 1 else np.ones(1))


@dataclass(frozen=True, eq=False)
class Images:
    """Some images.

    Attributes
    ----------
    cell
        In which each is.
    truth
        Of the cells.
    frequency
        Every image's true selection frequency.
    seen
        The images as annotators see them.
    observed
        Share of every model's responses to each image that is right, not a number where it was not shown; nothing if
        no model was run.
    """

    cell: IntArray
    truth: Truth
    frequency: FloatArray
    seen: AnnotatedImages
    observed: Float[np.ndarray, "model image"] | None = None

    def exact(self) -> AnnotatedImages:
        """Return the images as infinitely many annotators would see them."""
        return replace(self.seen, frequency=self.frequency)

    def expected(self, chosen: IntArray) -> FloatArray:
        """Return every model's accuracy on some of the images, as expected where it was not observed."""
        probability = self.truth.expected()
        if self.observed is None:
            return probability @ self._of_cell(chosen) / len(chosen)
        return _filled(self.observed[:, chosen], probability[:, self.cell[chosen]])

    def answered(self, rng: np.random.Generator, chosen: IntArray, family: IntArray | None) -> FloatArray:
        """Return every model's accuracy on some of the images, its responses drawn where they were not observed.

        Parameters
        ----------
        rng
            Of responses.
        chosen
            The images.
        family
            Number of every model's family, whose members share effects; None where there are none.
        """
        if self.observed is None:
            times = np.full(len(self.truth.right), len(chosen))
            return count_right(rng, self.truth.by_cell(), self._of_cell(chosen), times, family) / len(chosen)
        probability = self.truth.expected()[:, self.cell[chosen]]
        return _filled(self.observed[:, chosen], rng.random(probability.shape) < probability)

    def mean_difficulty(self, chosen: IntArray) -> float:
        """Return the mean difficulty of some of the images, in probit units; of those where it is finite."""
        difficulty = self.truth.difficulty[self.cell[chosen]]
        return float(difficulty[np.isfinite(difficulty)].mean())

    def _of_cell(self, chosen: IntArray) -> IntArray:
        return np.bincount(self.cell[chosen], minlength=len(self.truth.difficulty))


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates, and the reference that strategies may compare them with."""

    candidates: Images
    reference: Images


def _filled(observed: FloatArray, otherwise: FloatArray | BoolArray) -> FloatArray:
    return np.where(np.isnan(observed), otherwise, observed).mean(1)


def chosen_by(
    strategy: Strategy, rng: np.random.Generator, candidates: AnnotatedImages, reference: AnnotatedImages
) -> IntArray:
    """Return what a strategy chooses.

    Raises
    ------
    InputError
        If these are not numbers of candidates, each once, or none.
    """
    chosen, images = np.asarray(strategy(rng, candidates, reference)), len(candidates.class_)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not len(chosen):
        raise InputError("a strategy returns an array of numbers of candidates, at least one; got "
                         f"{chosen.dtype} {chosen.shape}")
    if chosen.min() < 0 or chosen.max() >= images or len(np.unique(chosen)) < len(chosen):
        raise InputError(f"a strategy chooses each candidate once at most, by numbers from 0 to {images - 1}; got "
                         f"{len(chosen)} from {chosen.min()} to {chosen.max()}, {len(np.unique(chosen))} of them "
                         "different")
    return chosen
