"""What a fit says: skills, populations, accuracies and difficulties, with their uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Array, Float

from difficulty_model.errors import unknown_name
from difficulty_model.fitting import Fit, difficulties
from difficulty_model.fitting.images import kinds_of_images, patterns_of
from difficulty_model.fitting.result import grid_of
from difficulty_model.likelihood import (
    Grid,
    Patterns,
    log_probabilities,
    nodes_of,
    shares_of_strata,
)
from difficulty_model.likelihood.marginal import INFINITE
from difficulty_model.skills import averaged, in_reference, in_strata
from difficulty_model.specification import Specification
from difficulty_model.types import IMAGE, MODEL, TEST_SET

LEVEL = 0.95
"""Coverage of intervals, unless asked otherwise."""


@dataclass(frozen=True)
class OnGrid:
    """Posterior draws of curves and populations, laid out on one grid of difficulties.

    Attributes
    ----------
    difficulty
        That of every node, in probit units; infinite for images that no model can learn, or miss.
    right
        Probability that each model is right on an image at each node, per stratum or, where the strata do not differ,
        once.
    share
        Share of each stratum's images at each node.
    """

    difficulty: Float[np.ndarray, "node"]
    right: Float[np.ndarray, "draw stratum model node"]
    share: Float[np.ndarray, "draw stratum node"]

    def accuracies(self, weights: Float[np.ndarray, "test_set stratum"]) -> Float[np.ndarray, "draw test_set model"]:
        """Return every model's accuracy in the mixture of strata that each test set was drawn from."""
        if self.right.shape[1] == 1:
            return (weights @ self.share) @ self.right[:, 0].swapaxes(1, 2)
        of_stratum = np.einsum("dsn,dsmn->dsm", self.share, self.right, optimize=True)
        return weights @ of_stratum

    def moments(
        self, weights: Float[np.ndarray, "test_set stratum"]
    ) -> tuple[Float[np.ndarray, "draw test_set"], Float[np.ndarray, "draw test_set"]]:
        """Return mean and sd of difficulty in every test set, of the images where it is finite."""
        finite = np.isfinite(self.difficulty)
        share, difficulty = (weights @ self.share)[..., finite], self.difficulty[finite]
        share /= share.sum(-1, keepdims=True)
        mean = share @ difficulty
        return mean, np.sqrt(np.maximum(share @ difficulty**2 - mean**2, 0))


def on_grid(fit: Fit, *, at_most: int | None = None) -> OnGrid:
    """Return posterior draws, all or so many at most, laid out on a grid of difficulties."""
    return laid_out(fit.numbers(at_most=at_most), kinds_of_images(fit.responses, fit.specification))


def laid_out(numbers: Specification, images: Patterns) -> OnGrid:
    """Return draws of a specification's numbers laid out on a grid, populations as such images make them up.

    Parameters
    ----------
    numbers
        As `Fit.numbers` returns them.
    images
        Without responses: what the specification knows of them beforehand, and how many there are of each kind.
    """
    with jax.enable_x64(True):
        images = jax.tree.map(jnp.asarray, images)
        grid = grid_of(numbers, images)
        difficulty, right, share = _laid_out(numbers, images, grid)
    return OnGrid(with_infinity(np.asarray(difficulty)), np.asarray(right), np.asarray(share))


def with_infinity(nodes: Float[np.ndarray, "node"]) -> Float[np.ndarray, "node"]:
    """Return the difficulty of every node: infinite where the nodes stand for images that nobody learns, or misses."""
    return np.where(np.abs(nodes) >= INFINITE, np.copysign(np.inf, nodes), nodes)


@jax.jit
def _laid_out(numbers: Specification, images: Patterns, grid: Grid) -> tuple[Array, Array, Array]:
    def of_draw(drawn: Specification) -> tuple[Array, Array]:
        log_right, _ = log_probabilities(
            in_strata(drawn.skill), averaged(drawn.skill, drawn.curve), drawn.population, grid
        )
        return jnp.exp(log_right), shares_of_strata(drawn.population, images, grid)

    right, share = jax.lax.map(of_draw, numbers)
    return nodes_of(jax.tree.map(lambda leaf: leaf[0], numbers.population), grid)[0], right, share


def population_accuracies(fit: Fit) -> xr.DataArray:
    """Return posterior draws of every model's accuracy in the population that a test set was drawn from.

    Returns
    -------
    xarray.DataArray
        Shares, (chain, draw, test_set, model).
    """
    values = on_grid(fit).accuracies(fit.weights.values)
    chains, draws = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    return xr.DataArray(
        values.reshape(chains, draws, *values.shape[1:]),
        dims=("chain", "draw", TEST_SET, MODEL),
        coords={MODEL: fit.responses.models, TEST_SET: fit.responses.test_sets},
        name="accuracy",
    )


def skill_table(fit: Fit, *, level: float = LEVEL) -> pd.DataFrame:
    """Return posterior mean, sd and interval of every model's skill, in probit units, best first.

    A model of skill 0 gets half of the images right whose difficulty is 0, the location of the reference.
    """
    draws = np.asarray(in_reference(fit.numbers().skill))
    table = pd.DataFrame({MODEL: fit.responses.models, **summary(draws, level=level)})
    return table.sort_values("mean", ascending=False, ignore_index=True)


def population_table(fit: Fit, *, level: float = LEVEL) -> pd.DataFrame:
    """Return what is known of every test set's mean and sd of difficulty, in probit units.

    Of a test set that shares images with others, they are those of the mixture of its strata.

    Returns
    -------
    pandas.DataFrame
        Columns `test_set`, `quantity` ("mean" or "sd"), and the posterior `mean`, `sd`, `low`, `high`.
    """
    mean, sd = on_grid(fit).moments(fit.weights.values)
    return pd.concat(
        [
            pd.DataFrame({TEST_SET: fit.responses.test_sets, "quantity": name, **summary(draws, level=level)})
            for name, draws in {"mean": mean, "sd": sd}.items()
        ],
        ignore_index=True,
    )


def draw_difficulties(fit: Fit, images: Sequence[str], *, random_seed: int) -> xr.DataArray:
    """Return posterior draws of the difficulty of some images, in probit units.

    Take images in portions where they are many: the result has chains × draws × images numbers.

    Returns
    -------
    xarray.DataArray
        (chain, draw, image).

    Raises
    ------
    InputError
        If an image does not exist.
    """
    known = {image: number for number, image in enumerate(fit.responses.images)}
    for image in images:
        if image not in known:
            raise unknown_name("image", image, known)
    wanted = np.array([known[image] for image in images])
    patterns = patterns_of(fit.responses, fit.specification, only=wanted)
    with jax.enable_x64(True):
        numbers, patterns = fit.numbers(), jax.tree.map(jnp.asarray, patterns)
        grid = grid_of(numbers, patterns, refinement=difficulties.REFINEMENT)
        values = difficulties.draw_difficulties(numbers, patterns, grid, random_seed=random_seed)
    chains, draws = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    return xr.DataArray(
        values.reshape(chains, draws, len(wanted)),
        dims=("chain", "draw", IMAGE),
        coords={IMAGE: list(images)},
        name="difficulty",
    )


def summary(draws: Float[np.ndarray, "draw ..."], *, level: float) -> dict[str, np.ndarray]:
    """Return mean, sd and the equal-tailed interval of draws along the first axis."""
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return {"mean": draws.mean(0), "sd": draws.std(0), "low": low, "high": high}
