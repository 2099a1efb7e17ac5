"""Accuracies on simulated test sets: from a posterior draw to images, and from images to responses, counted."""

import numpy as np
import xarray as xr
from jaxtyping import Float
from tqdm.auto import tqdm

from difficulty_model.answering import count_right, right_of_draws
from difficulty_model.errors import InputError
from difficulty_model.fitting import Fit
from difficulty_model.fitting.images import families
from difficulty_model.posterior import laid_out, on_grid
from difficulty_model.simulation.leaderboard import Simulation
from difficulty_model.simulation.plan import TestSetPlan, planned
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
    every = right_of_draws(made.numbers, made.kinds, of_set.tolist())
    bar = tqdm(zip(of_set, every, strict=True), total=sets, desc="test sets", disable=None if progress else True,
               leave=False)
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
    of_node = rng.multinomial(images, (share / share.sum()).ravel())
    models, _, _, effects = probability.shape
    by_node = probability.reshape(models, -1, effects)
    return count_right(rng, by_node, of_node, np.full(models, images), family) / images
