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
from difficulty_model.likelihood import Grid, collapse, grid_for, log_masses, nodes_of
from difficulty_model.specification import Specification
from difficulty_model.types import IMAGE, MODEL, TEST_SET

LEVEL = 0.95
"""Coverage of intervals, unless asked otherwise."""


@dataclass(frozen=True)
class OnGrid:
    """Posterior draws of curves and populations, laid out on one grid of difficulties.

    Attributes
    ----------
    nodes
        Difficulties, in probit units.
    right
        Probability that each model is right on an image of each difficulty; last, where there are such images, on one
        that no model can learn.
    share
        Share of each stratum's images that have each difficulty, and last that are unlearnable.
    """

    nodes: Float[np.ndarray, "node"]
    right: Float[np.ndarray, "draw model node"]
    share: Float[np.ndarray, "draw stratum node"]

    def accuracies(self, weights: Float[np.ndarray, "test_set stratum"]) -> Float[np.ndarray, "draw test_set model"]:
        """Return every model's accuracy in the mixture of strata that each test set was drawn from."""
        return (weights @ self.share) @ self.right.swapaxes(1, 2)


def on_grid(fit: Fit) -> OnGrid:
    """Return all posterior draws, laid out on a grid of difficulties."""
    with jax.enable_x64(True):
        numbers = fit.numbers()
        grid = grid_for(numbers.skill, numbers.curve, numbers.population)
        right, share = _laid_out(numbers, grid)
    return OnGrid(np.asarray(grid.nodes), np.asarray(right), np.asarray(share))


@jax.jit
def _laid_out(numbers: Specification, grid: Grid) -> tuple[Array, Array]:
    nodes = nodes_of(numbers.population, grid)
    right = jax.vmap(jax.vmap(lambda s, c: jnp.exp(c.log_probabilities(s, nodes)[0])))(numbers.skill, numbers.curve)
    return right, jnp.exp(jax.vmap(lambda p: log_masses(p, grid))(numbers.population))


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
    draws = np.asarray(fit.numbers().skill)
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
    drawn = on_grid(fit)
    share = fit.weights.values @ drawn.share[..., : len(drawn.nodes)]
    share /= share.sum(-1, keepdims=True)  # of the images that can be learned; the others have no difficulty
    mean = share @ drawn.nodes
    sd = np.sqrt(np.maximum(share @ drawn.nodes**2 - mean**2, 0))
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
    stratum = fit.tree["constant_data"].to_dataset()["stratum_of_image"].values
    wanted = np.array([known[image] for image in images])
    responses = fit.responses
    patterns = collapse(responses.right[:, wanted], responses.shown[:, wanted], stratum[wanted])
    with jax.enable_x64(True):
        numbers = fit.numbers()
        grid = grid_for(
            numbers.skill, numbers.curve, numbers.population,
            showings=patterns.showings, refinement=difficulties.REFINEMENT,
        )
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
