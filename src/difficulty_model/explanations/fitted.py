"""What a fit says models score on the two test sets, as it is and as it would be if something were otherwise."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from difficulty_model.explanations.effect import Effect
from difficulty_model.explanations.evidence import Evidence
from difficulty_model.fitting.images import kinds_of_images
from difficulty_model.likelihood import Patterns
from difficulty_model.posterior import OnGrid, laid_out
from difficulty_model.skills import InFamilies, Losing
from difficulty_model.specification import Specification

DRAWS = 400
"""Posterior draws that effects are computed of."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """Draws of a fit, for what it says of the two test sets.

    Attributes
    ----------
    numbers
        The specification with numbers in place of its unknowns, by draw.
    kinds
        What it knows of the images beforehand.
    weights
        Share of each stratum in the original test set, and in the new one.
    models
        Rows of the models that the evidence is about.
    """

    numbers: Specification
    kinds: Patterns
    weights: Float[np.ndarray, "2 stratum"]
    models: list[int]

    def laid_out(self) -> OnGrid:
        """Return the draws on a grid of difficulties."""
        return laid_out(self.numbers, self.kinds)

    def accuracies(self) -> Float[np.ndarray, "draw 2 model"]:
        """Return accuracies in the two populations, as shares."""
        return self.laid_out().accuracies(self.weights)[..., self.models]

    @property
    def losing(self) -> Losing | None:
        """The skills, if the fit knows that they are lost in new test sets."""
        skill = self.numbers.skill
        skill = skill.skill if isinstance(skill, InFamilies) else skill
        return skill if isinstance(skill, Losing) else None

    def without_trend(self) -> "Fitted":
        """Return the same with the skills that models would have had they lost no more than the weakest one.

        What models lose by themselves, beside the trend, they lose still. Where better models lose less, by a trend
        below 0, nothing is changed: adaptation to other images does not help.
        """
        losing, skill = self.losing, self.numbers.skill
        if losing is None:
            return self
        with jax.enable_x64(True):
            kept = jax.vmap(_kept)(jax.tree.map(jnp.asarray, losing))
        kept = replace(skill, skill=kept) if isinstance(skill, InFamilies) else kept
        return replace(self, numbers=replace(self.numbers, skill=kept))


def _kept(drawn: Losing) -> Float[Array, "model stratum"]:
    trend = jnp.maximum(drawn.trend.reshape(len(drawn.trend), -1), 0.0)
    lost = trend * (drawn.skill - drawn.skill.min())[:, None]
    return drawn.in_strata() + lost


def fitted_to(evidence: Evidence, what: str = "a fit of both test sets") -> Fitted:
    """Return what the fit of some evidence says of its two test sets.

    Raises
    ------
    NotTestableError
        If there is no fit; it asks for `what`.
    """
    fit = evidence.fitted(what)
    rows = [fit.responses.test_sets.index(name) for name in evidence.responses.test_sets]
    return Fitted(
        fit.numbers(at_most=DRAWS), kinds_of_images(fit.responses, fit.specification), fit.weights.values[rows],
        [fit.responses.models.index(model) for model in evidence.responses.models],
    )


def effect_of(
    evidence: Evidence, accuracies: Float[np.ndarray, "draw 2 model"], points: Float[np.ndarray, "draw model"]
) -> Effect:
    """Return the effect of points that models lose by each draw, beside the gap of the populations by the same draw."""
    gap = -100 * np.diff(accuracies, axis=1)[:, 0]
    return Effect(points.mean(0), points, gap.mean(0), gap, tuple(evidence.responses.models))
