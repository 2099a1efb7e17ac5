"""What models score on images that are as those of a fitted test set, but harder or easier, and wider spread.

A new test set is taken for one like that, of which few models tell, or will tell, how much harder and wider it is.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jax.scipy.stats import norm
from jaxtyping import Array, Bool, Float, Int

from difficulty_model.answering import SHARES, right_by_effect
from difficulty_model.fitting import Fit
from difficulty_model.fitting.addition import Flat
from difficulty_model.fitting.images import families, kinds_of_images
from difficulty_model.fitting.result import grid_of
from difficulty_model.law import probit
from difficulty_model.likelihood import Grid, Patterns, shares_of_strata
from difficulty_model.observed import off_the_edges
from difficulty_model.posterior import laid_out
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification

HARDER = 1.0
"""Prior sd of how much harder the new images are, in standard deviations of the fitted difficulties."""

WIDER = 0.06
"""Prior sd of the logarithm of how much wider their difficulties are spread. The slopes of probit lines that are known
between test sets of one kind are 0.95 and 1.04 (ImageNetV2) and 0.95 (CIFAR-10.1): 0.05 from 1, which a spread 6%
wider makes (`difficulty-model law` prints such slopes)."""

DEPARTURE = 0.01, 1.0
"""Prior median of the sd of models' own departures in probit units, and sd of its logarithm. On ImageNetV2 models lie
0.012 units from the line, sampling errors included (`difficulty-model law --json`, scatter)."""

REFINEMENT = 2.0
"""Nodes per node of the grid for the fitted populations: it must serve where these are moved to as well."""

@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Measured:
    """Accuracies of those models that were run on a test set.

    Attributes
    ----------
    model
        Which these are.
    share
        Their accuracies.
    overlap
        Covariance of two such accuracies per unit of that of two responses to the same image: 1/n where both saw the
        same n images.
    showings
        How many responses each accuracy is a mean of.
    """

    model: Int[Array, "few"]
    share: Float[Array, "few"]
    overlap: Float[Array, "few few"]
    showings: Float[Array, "few"]

    def probit(self) -> Float[np.ndarray, "few"]:
        """Return the accuracies in probit units; of all right and of all wrong, those half a response away."""
        return probit(off_the_edges(np.asarray(self.share), np.asarray(self.showings)))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Old:
    """What a draw of the fit says of the test set that the new one is like, the old one.

    Attributes
    ----------
    numbers
        The specification with numbers in place of its unknowns.
    shares
        Share of the images at each node of the grid, per stratum.
    center, sd
        Mean and spread of their difficulties.
    own
        What every model's accuracy differs by from the fitted one, in probit units.
    before
        Accuracies in probit units: as observed, or as fitted of models that were not run.
    """

    numbers: Specification
    shares: Float[Array, "stratum node"]
    center: Float[Array, ""]
    sd: Float[Array, ""]
    own: Float[Array, "model"]
    before: Float[Array, "model"]


def old_draws(fit: Fit, like: str, *, at_most: int) -> tuple[Old, Measured, Grid]:
    """Return draws of what a fit says of a test set, accuracies there, and a grid that serves where it may be moved.

    Parameters
    ----------
    fit, like
        The fit, and the name of its test set.
    at_most
        Number of draws.
    """
    weights = fit.weights.values[fit.responses.test_sets.index(like)]
    kinds = kinds_of_images(fit.responses, fit.specification)
    numbers = fit.numbers(at_most=at_most)
    drawn = laid_out(numbers, kinds)
    center, sd = (of[:, 0] for of in drawn.moments(weights[None]))
    fitted = probit(drawn.accuracies(weights[None])[:, 0])
    on_old = measured_of(fit, fit.responses.select(test_sets=[like]))
    own = np.zeros_like(fitted)
    own[:, on_old.model] = on_old.probit() - fitted[:, on_old.model]
    arrays = jax.tree.map(jnp.asarray, kinds)
    grid = grid_of(numbers, arrays, refinement=REFINEMENT)
    shares = shares_of(numbers, arrays, jnp.asarray(weights), grid)
    return Old(numbers, shares, *map(jnp.asarray, (center, sd, own, fitted + own))), on_old, grid


def measured_of(fit: Fit, responses: Responses) -> Measured:
    """Return the accuracies of those of a fit's models that were run."""
    shown = responses.shown.astype(float)
    run = shown.sum(1) > 0
    showings = shown[run].sum(1)
    place = [fit.responses.models.index(model) for model, was in zip(responses.models, run, strict=True) if was]
    return Measured(
        jnp.asarray(place), jnp.asarray(responses.right[run].sum(1) / showings),
        jnp.asarray(shown[run] @ shown[run].T / np.outer(showings, showings)), jnp.asarray(showings),
    )


def alike_of(fit: Fit) -> Bool[Array, "model model"] | None:
    """Tell which models share the effects of a family, if models are in families."""
    family = families(fit.responses, fit.specification)
    return None if family is None else jnp.asarray(family[:, None] == family)


@jax.jit
def shares_of(
    numbers: Specification, kinds: Patterns, weights: Float[Array, "stratum"], grid: Grid
) -> Float[Array, "draw stratum node"]:
    """Return the share of the images at each node by every draw."""
    return jax.lax.map(lambda drawn: weights[:, None] * shares_of_strata(drawn.population, kinds, grid), numbers)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Moments:
    """Mean and covariance of models' responses to one image of a population.

    Attributes
    ----------
    accuracy
        The mean.
    density
        Its derivative by the probit.
    between
        Covariance of the probabilities to be right, as images differ.
    within
        Variance of a response given its image.
    """

    accuracy: Float[Array, "model"]
    density: Float[Array, "model"]
    between: Float[Array, "model model"]
    within: Float[Array, "model"]

    def of(self, models: Int[Array, "few"]) -> "Moments":
        """Return those of some models."""
        between = self.between[models][:, models]
        return Moments(self.accuracy[models], self.density[models], between, self.within[models])

    def covariance(
        self, overlap: Float[Array, "model model"], showings: Float[Array, "model"], own: Float[Array, "model model"]
    ) -> Float[Array, "model model"]:
        """Return the covariance of accuracies on images that overlap so, if probit ones in the population vary too."""
        slopes = jnp.outer(self.density, self.density)
        return self.between * overlap + jnp.diag(self.within / showings) + slopes * own


def errors_before(old: Old, on_old: Measured, moments: "Moments") -> Float[Array, "model model"]:
    """Return how sure probit accuracies in the old population are: the covariance of their errors.

    Those of models that were not run are off as the others are off the fitted ones, and do not tell of these.
    """
    run = on_old.model
    among = moments.of(run)
    errors = among.covariance(on_old.overlap, on_old.showings, jnp.zeros(on_old.overlap.shape))
    not_run = jnp.diag(jnp.full(len(old.own), (old.own[run] ** 2).mean()))
    return not_run.at[jnp.ix_(run, run)].set(errors / jnp.outer(among.density, among.density))


def moments_of(
    old: Old, grid: Grid, flat: Flat, alike: Bool[Array, "model model"] | None, models: Int[Array, "few"]
) -> Moments:
    """Return what some models do on images that are so much harder and wider."""
    # Each node takes its images with it, so that these need not be laid out again.
    nodes = old.center + old.sd * flat[0] + jnp.exp(flat[1]) * (grid.nodes - old.center)
    right = right_by_effect(old.numbers, replace(grid, nodes=nodes), models)
    shares = old.shares if len(right) > 1 else old.shares.sum(0, keepdims=True)
    effects = jnp.ones(1) if alike is None else jnp.asarray(SHARES)
    once = right @ effects
    accuracy = jnp.einsum("sq,smq->m", shares, once)
    twice = jnp.einsum("sq,smq,snq->mn", shares, once, once)
    if alike is not None:
        in_family = jnp.einsum("sq,smqe,snqe,e->mn", shares, right, right, effects)
        twice = jnp.where(alike[models][:, models], in_family, twice)
    between = twice - jnp.outer(accuracy, accuracy)
    within = accuracy - jnp.diag(twice)
    # Where a model departs, its responses vary as they do at its accuracy.
    z = ndtri(accuracy) + old.own[models]
    departed = ndtr(z)
    scale = jnp.sqrt(departed * (1 - departed) / (accuracy * (1 - accuracy)))
    return Moments(departed, norm.pdf(z), between * jnp.outer(scale, scale), within * scale**2)
