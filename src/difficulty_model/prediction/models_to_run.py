"""Which models to run on a new test set: few that tell most of what all others would score there.

Before any response, how much harder and wider the new images are is as unknown as `predict_test_set` takes it to be.
Linearised about a test set like the fitted one, accuracies are jointly normal, so that what is left unknown once some
models were run does not depend on what they will score.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.fitting import Fit
from difficulty_model.likelihood import Grid
from difficulty_model.prediction.moved_population import (
    DEPARTURE,
    HARDER,
    WIDER,
    Measured,
    Moments,
    Old,
    alike_of,
    errors_before,
    moments_of,
    old_draws,
)
from difficulty_model.types import FloatArray

DEPARTED = DEPARTURE[0] * np.exp(DEPARTURE[1] ** 2)
"""Root mean square of models' own departures before any is seen, in probit units."""


def choose_models(fit: Fit, models: int, images: int, *, like: str | None = None) -> pd.DataFrame:
    """Return which models of a fit to run on images of a new test set, in order: each tells most after those before.

    Parameters
    ----------
    fit
        Of other test sets.
    models
        How many to run.
    images
        Of the new test set, on which each is run.
    like
        The fitted test set that the new one resembles, but for being harder or easier, and wider; the reference if not
        given.

    Returns
    -------
    pandas.DataFrame
        One row per model: `model`; `sd`, the standard deviation, root mean square over all models of the fit, that
        predicted accuracies in the new population will have once this model and those before were run, in points.

    Raises
    ------
    InputError
        If the fit lacks the test set or so many models, or no image is to be run.
    """
    known, names = fit.responses.test_sets, fit.responses.models
    like = known[0] if like is None else like
    if like not in known:
        raise unknown_name("test set in this fit", like, known)
    if not 1 <= models <= len(names):
        raise InputError(f"{models} models cannot be run of the {len(names)} of this fit; ask for at least 1")
    if images < 1:
        raise InputError(f"models are run on at least one image; got {images}")
    with jax.enable_x64(True):
        every, on_old, grid = old_draws(fit, like, at_most=1)
        old = jax.tree.map(lambda leaf: leaf[0], every)
        unknown, moments = _before_any(old, on_old, grid, alike_of(fit))
        sampling = np.asarray(moments.between) / images + np.diag(np.asarray(moments.within)) / images
    unknown, chosen, rows = np.asarray(unknown), [], []
    for _ in range(models):
        left = {j: _left(unknown, sampling, [*chosen, j]) for j in range(len(names)) if j not in chosen}
        chosen.append(min(left, key=lambda j: left[j]))
        rows.append({"model": names[chosen[-1]], "sd": 100 * np.sqrt(left[chosen[-1]])})
    return pd.DataFrame(rows)


@jax.jit
def _before_any(
    old: Old, on_old: Measured, grid: Grid, alike: Bool[Array, "model model"] | None
) -> tuple[Float[Array, "model model"], Moments]:
    """Return the covariance of accuracies in the new population before any is known, and moments of responses there."""
    every = jnp.arange(len(old.own))
    moments = moments_of(old, grid, jnp.zeros(2), alike, every)
    by = jax.jacfwd(lambda flat: moments_of(old, grid, flat, alike, every).accuracy)(jnp.zeros(2))
    moved = by * jnp.array([HARDER, WIDER])
    own = errors_before(old, on_old, moments) + DEPARTED**2 * jnp.eye(len(every))
    return moved @ moved.T + jnp.outer(moments.density, moments.density) * own, moments


def _left(unknown: FloatArray, sampling: FloatArray, run: list[int]) -> float:
    """Return the mean variance of accuracies once some were measured."""
    told = unknown[run]
    among = told[:, run] + sampling[np.ix_(run, run)]
    return float((np.trace(unknown) - np.trace(told.T @ np.linalg.solve(among, told))) / len(unknown))
