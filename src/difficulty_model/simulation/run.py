"""Accuracies on simulated test sets: from a posterior draw to images, and from images to responses, counted."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float
from tqdm.auto import tqdm

from difficulty_model.answering import SHARES, right_by_effect
from difficulty_model.errors import InputError
from difficulty_model.fitting import Fit
from difficulty_model.fitting.images import families
from difficulty_model.fitting.result import grid_of
from difficulty_model.posterior import laid_out, on_grid
from difficulty_model.simulation.leaderboard import Simulation
from difficulty_model.simulation.plan import Planned, TestSetPlan, planned
from difficulty_model.types import MODEL, TEST_SET, IntArray

SETS = 1000
"""Test sets that are simulated, unless asked otherwise."""


def simulate(
    fit: Fit, plan: TestSetPlan, *, sets: int = SETS, random_seed: int = 0, progress: bool = True
) -> Simulation:
    """Return test sets simulated from a fit: what its models would score on other images.

    Every simulated test set takes a posterior draw of skills and populations, draws its images from that population,
    and then the responses of all models to them; models of one family are off together.

    Parameters
    ----------
    fit
        Of one test set or several.
    plan
        Of which test set.
    sets
        How many are simulated.
    random_seed
        Of the images and the responses.
    progress
        Show a progress bar, if there is a terminal to show it in.

    Raises
    ------
    InputError
        If no test set is to be simulated, or the plan asks for what the fit does not have, or for no images.
    """
    if sets < 1:
        raise InputError(f"at least one test set has to be simulated; got {sets}")
    fitted = on_grid(fit, at_most=sets).accuracies(fit.weights.values)
    made = planned(fit, plan, at_most=sets)
    drawn = laid_out(made.numbers, made.kinds)
    population, share = drawn.accuracies(made.weights[None])[:, 0], made.weights[:, None] * drawn.share
    del drawn  # its probabilities are many
    of_set = np.arange(sets) * len(population) // sets
    accuracy = np.empty((sets, population.shape[1]))
    rng, family = np.random.default_rng(random_seed), families(fit.responses, fit.specification)
    every = _right_of_draws(made, of_set)
    bar = tqdm(every, total=sets, desc="test sets", disable=None if progress else True, leave=False)
    for n, (d, probability) in enumerate(bar):
        accuracy[n] = _answered(rng, share[d], probability, plan.images, family)
    models = fit.responses.models
    draws = {"draw": np.arange(sets), MODEL: models}
    observed = fit.responses.accuracies().pivot(index=TEST_SET, columns=MODEL, values="accuracy")
    test_sets = fit.responses.test_sets
    return Simulation(
        plan,
        xr.DataArray(accuracy, dims=("draw", MODEL), coords=draws, name="accuracy"),
        xr.DataArray(population[of_set], dims=("draw", MODEL), coords=draws, name="population"),
        xr.DataArray(fitted[of_set], dims=("draw", TEST_SET, MODEL), coords=draws | {TEST_SET: test_sets}),
        xr.DataArray(
            observed.loc[test_sets, models].to_numpy(), dims=(TEST_SET, MODEL),
            coords={TEST_SET: test_sets, MODEL: models},
        ),
    )


def _right_of_draws(
    made: Planned, of_set: IntArray
) -> Iterator[tuple[int, Float[np.ndarray, "model stratum node effect"]]]:
    """Yield the draw of every test set, and every model's probability of being right by it."""
    with jax.enable_x64(True):
        grid = grid_of(made.numbers, jax.tree.map(jnp.asarray, made.kinds))
    draw, probability = -1, np.empty(0)
    for d in of_set:
        if d != draw:
            with jax.enable_x64(True):
                drawn = jax.tree.map(lambda leaf, d=int(d): leaf[d], made.numbers)
                draw, probability = d, np.asarray(right_by_effect(drawn, grid)).swapaxes(0, 1)
        yield int(d), probability


def _answered(
    rng: np.random.Generator,
    share: Float[np.ndarray, "stratum node"],
    probability: Float[np.ndarray, "model stratum node effect"],
    images: int,
    family: IntArray | None,
) -> Float[np.ndarray, "model"]:
    """Return every model's accuracy on so many images, which all models see."""
    if probability.shape[1] == 1:
        share = share.sum(0, keepdims=True)
    of_node = rng.multinomial(images, (share / share.sum()).ravel()).reshape(share.shape)
    seen = of_node[None, ..., None]
    if family is not None:  # each family has its own effect on every image
        seen = rng.multinomial(np.broadcast_to(of_node, (family.max() + 1, *of_node.shape)), SHARES)[family]
    return rng.binomial(seen, probability).sum((1, 2, 3)) / images
