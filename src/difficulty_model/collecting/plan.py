"""A collection that does not exist: candidates and a reference, and what annotators say of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, ndtri

from difficulty_model.answering import right_of_draws
from difficulty_model.collecting.frequencies import Frequencies
from difficulty_model.collecting.pool import Images, Pool, Truth
from difficulty_model.collecting.strategies import AnnotatedImages
from difficulty_model.errors import InputError
from difficulty_model.fitting import Fit
from difficulty_model.posterior import laid_out
from difficulty_model.simulation.plan import Planned, TestSetPlan, planned
from difficulty_model.types import IntArray

DRAWS = 100
"""Posterior draws at least among which those of simulated pools are, so that one pool alone is by a random one."""

NEVER = 1e-12
"""Share of images that none is beyond."""


@dataclass(frozen=True)
class CollectionPlan:
    """Candidates for a new test set and the reference it is to be like, both seen by annotators.

    Difficulty and selection frequency are joined by a normal copula: among the images of the reference, their normal
    scores are correlated. Candidates of one frequency are as difficult as the reference's images of that frequency,
    but for `harder`; so if that is 0, the same distribution of frequencies makes the same distribution of difficulty.

    Attributes
    ----------
    like
        The fitted test set whose difficulties the reference has.
    reference, candidates
        How many images each has, shared evenly among classes.
    frequencies, of_candidates
        Selection frequencies of either.
    dependence
        Correlation of frequency and ease, in normal scores, from −1 to 1.
    annotators
        How many see each image.
    classes
        How many there are.
    harder
        Probit units by which candidates are harder than the reference's images of the same frequency.
    """

    like: str
    reference: int
    candidates: int
    frequencies: Frequencies
    of_candidates: Frequencies
    dependence: float
    annotators: int = 10
    classes: int = 1
    harder: float = 0.0

    def __post_init__(self) -> None:
        for what in ("reference", "candidates"):
            if not 1 <= self.classes <= getattr(self, what):
                raise InputError(f"every class needs an image: got {getattr(self, what)} images ({what}) for "
                                 f"{self.classes} classes")
        if not -1 <= self.dependence <= 1:
            raise InputError(f"`dependence` is a correlation, from -1 to 1; got {self.dependence}")
        if self.annotators < 1:
            raise InputError(f"at least one annotator has to see each image; got {self.annotators}")


def simulated_pools(fit: Fit, plan: CollectionPlan, sets: int, rng: np.random.Generator) -> Iterator[Pool]:
    """Yield so many simulated pools, each by a posterior draw.

    Raises
    ------
    InputError
        If the fit lacks the test set.
    """
    made = [planned(fit, TestSetPlan(images, {plan.like: 1.0}, harder=harder), at_most=max(sets, DRAWS))
            for images, harder in ((plan.candidates, plan.harder), (plan.reference, 0.0))]
    draws = len(jax.tree.leaves(made[0].numbers)[0])
    of_set = ((np.arange(sets) + rng.random()) * draws / sets).astype(int)
    for candidates, reference in zip(*(_truths(of, of_set) for of in made), strict=True):
        yield Pool(
            _drawn(rng, plan, candidates, plan.candidates, plan.of_candidates),
            _drawn(rng, plan, reference, plan.reference, plan.frequencies),
        )


def _truths(made: Planned, of_set: IntArray) -> Iterator[tuple[Truth, Float[np.ndarray, "cell"]]]:
    """Yield what is true of images in each simulated set, and the share of them in every cell."""
    used, of_set = np.unique(of_set, return_inverse=True)
    numbers = jax.tree.map(lambda leaf: leaf[used], made.numbers)
    drawn = laid_out(numbers, made.kinds)
    share = made.weights[:, None] * drawn.share
    for d, right in zip(of_set, right_of_draws(numbers, made.kinds, of_set.tolist()), strict=True):
        of_draw = share[d] if right.shape[1] > 1 else share[d].sum(0, keepdims=True)
        yield Truth(np.tile(drawn.difficulty, len(of_draw)), right), of_draw.ravel() / of_draw.sum()


def _drawn(
    rng: np.random.Generator,
    plan: CollectionPlan,
    of: tuple[Truth, Float[np.ndarray, "cell"]],
    images: int,
    frequencies: Frequencies,
) -> Images:
    truth, share = of
    frequency = frequencies.draw(rng, images)
    # Frequencies that the reference hardly has count as its lowest or highest.
    score = ndtri(np.clip(plan.frequencies.below(frequency), NEVER, 1 - NEVER))
    ease = plan.dependence * score
    ease += np.sqrt(1 - plan.dependence**2) * rng.standard_normal(images)
    order = np.argsort(truth.difficulty, kind="stable")
    place = np.searchsorted(np.cumsum(share[order]), ndtr(-ease))
    class_, names = np.arange(images) * plan.classes // images, [f"class-{c}" for c in range(plan.classes)]
    seen = AnnotatedImages(class_, rng.binomial(plan.annotators, frequency) / plan.annotators, names)
    return Images(order[np.minimum(place, len(order) - 1)], truth, frequency, seen)
