"""Predicting a test set that a fit has not seen, from the same models.

Skills, curves and all that test sets share come from draws of the fit. The few unknowns of the new set's population
are integrated out under their priors, by the normal approximation at their mode: nothing is told of the new set but
that it is one more.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float
from scipy.special import logsumexp
from tqdm.auto import tqdm

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.fitting import Fit
from difficulty_model.fitting.addition import Addition, Flat, addition, drawn_values, normal_approximation
from difficulty_model.fitting.images import families, labels, scale_of
from difficulty_model.fitting.result import grid_of
from difficulty_model.likelihood import (
    Grid,
    Patterns,
    collapse,
    log_likelihood,
    log_probabilities,
    shares_of_strata,
    tabulate,
)
from difficulty_model.responses import Responses
from difficulty_model.skills import averaged, in_strata
from difficulty_model.specification import Specification, covariates_of, has_classes, named, named_draws, unknowns
from difficulty_model.types import IMAGE, MODEL, STRATUM, FloatArray, IntArray

DRAWS = 25
"""Draws of the fit that the prediction is averaged over, by default."""

ROUNDS = 10
"""Grids that are laid at most: one for the start, and one for every place that the modes have moved to."""

MOVED = 0.1
"""How far a mode may move, in any unconstrained unknown, before a new grid is laid: a grid of twice the nodes reaches
and resolves more than that."""


@dataclass(frozen=True)
class HeldOut:
    """The prediction of a test set that a fit has not seen.

    Attributes
    ----------
    test_set
        Its name.
    images, shared
        Number of images predicted, and of those left out because the fit has seen them in another test set.
    log_density
        Log predictive density of all responses to these images, in nats.
    spread
        Standard deviation over the fit's draws of the log density given each: beyond a few nats, few draws decide
        `log_density`, and it is known to about this.
    models : pandas.DataFrame
        One row per model: `model`; `responses`, how many there are; `predicted` and `observed` accuracy, as shares;
        `error`, their difference in points. Predicted is the accuracy in the population that the models' responses to
        the new set, taken together, make most likely.
    """

    test_set: str
    images: int
    shared: int
    log_density: float
    spread: float
    models: pd.DataFrame

    @property
    def log_score(self) -> float:
        """Log predictive density per response, in nats."""
        return float(self.log_density / self.models["responses"].to_numpy().sum())

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold."""
        error = np.abs(self.models["error"].to_numpy())
        return {
            "test_set": self.test_set, "images": self.images, "shared": self.shared,
            "log_density": self.log_density, "spread": self.spread, "log_score": self.log_score,
            "mean_error": float(error.mean()), "largest_error": float(error.max()),
            "models": self.models.to_dict("records"),
        }


def predict_held_out(fit: Fit, responses: Responses, *, draws: int = DRAWS, progress: bool = True) -> HeldOut:
    """Return how well a fit predicts a test set that it has not seen.

    Parameters
    ----------
    fit
        Of other test sets.
    responses
        Of models of the fit to one further test set. Images that the fit has seen already are left out.
    draws
        Draws of the fit, evenly spaced, that the prediction is averaged over.
    progress
        Show a progress bar, if there is a terminal to show it in.

    Raises
    ------
    InputError
        If there is not exactly one test set, or it is one of the fit's; if a model is not one of the fit's; if no new
        image is there; or if covariates or classes are needed that the responses lack.
    """
    _require_one_further_set(fit, responses)
    new = ~np.isin(responses.images, fit.responses.images)
    if not new.any():
        raise InputError(f"the fit has seen all images of test set {responses.test_sets[0]!r} already")
    kept = Responses(responses.dataset.isel({IMAGE: new}))
    patterns = _patterns(fit, kept)
    specification = fit.specification
    sizes = {str(dim): size for dim, size in fit.posterior.sizes.items()} | {STRATUM: 1}
    with jax.enable_x64(True):
        patterns = jax.tree.map(jnp.asarray, patterns)
        values = drawn_values(fit.posterior, specification, at_most=draws)
        values = {path: _last_stratum(path, of, specification) for path, of in values.items()}
        one = addition(specification, STRATUM, jax.tree.map(lambda leaf: leaf[0], values))
        evidence, accuracy = _of_draws(specification, sizes, one, values, patterns, progress=progress)
    return HeldOut(
        test_set=responses.test_sets[0],
        images=int(new.sum()),
        shared=int((~new).sum()),
        log_density=float(logsumexp(evidence) - np.log(len(evidence))),
        spread=float(evidence.std()),
        models=_table(fit, kept, accuracy.mean(0)),
    )


def _require_one_further_set(fit: Fit, responses: Responses) -> None:
    if len(responses.test_sets) != 1:
        raise InputError("one further test set is predicted at a time; got "
                         f"{', '.join(map(repr, responses.test_sets))}. Select one")
    if responses.test_sets[0] in fit.responses.test_sets:
        raise InputError(f"test set {responses.test_sets[0]!r} is one that was fitted; give one that was not")
    for model in responses.models:
        if model not in fit.responses.models:
            raise unknown_name("model in this fit", model, fit.responses.models)


def _patterns(fit: Fit, responses: Responses) -> Patterns:
    """Return the patterns of new images, with columns for all models of the fit."""
    rows = [fit.responses.models.index(model) for model in responses.models]
    right, shown = np.zeros((2, len(fit.responses.models), len(responses.images)), responses.shown.dtype)
    right[rows], shown[rows] = responses.right, responses.shown
    return collapse(
        right, shown, np.zeros(len(responses.images), int),
        _covariates(fit, responses), _classes(fit, responses) if has_classes(fit.specification) else None,
        families(fit.responses, fit.specification),
    )


def _covariates(fit: Fit, responses: Responses) -> FloatArray:
    """Return covariates of new images, on the scale on which those that were fitted have mean 0 and sd 1."""
    names = covariates_of(fit.specification)
    columns = np.zeros((len(responses.images), len(names)))
    for n, name in enumerate(names):
        if name not in responses.dataset.coords:
            raise unknown_name("covariate of the new images", name, map(str, responses.dataset.coords))
        values = np.asarray(responses.dataset[name].values, float)
        if not np.isfinite(values).all():
            raise InputError(f"covariate {name!r} is missing for {int((~np.isfinite(values)).sum())} of {len(values)} "
                             "new images; give it for all, or leave these images out")
        mean, sd = scale_of(fit.responses, name)
        columns[:, n] = (values - mean) / sd
    return columns


def _classes(fit: Fit, responses: Responses) -> IntArray:
    """Return the number of the class of new images among those that were fitted."""
    known, classes = np.unique(labels(fit.responses)), labels(responses)
    unknown = classes[~np.isin(classes, known)]
    if len(unknown):
        raise InputError(f"class {str(unknown[0])!r} of the new images is none of the {len(known)} that were fitted; "
                         "leave its images out")
    return np.searchsorted(known, classes)


def _last_stratum(path: str, values: Array, specification: Specification) -> Array:
    """Return draws of an unknown for the last stratum alone, in whose place the new one is put."""
    dims = unknowns(specification)[path].dims
    return jnp.take(values, jnp.asarray([-1]), axis=1 + dims.index(STRATUM)) if STRATUM in dims else values


def _of_draws(
    specification: Specification,
    sizes: dict[str, int],
    one: Addition,
    values: dict[str, Array],
    patterns: Patterns,
    *,
    progress: bool,
) -> tuple[Float[np.ndarray, "draw"], Float[np.ndarray, "draw model"]]:
    """Return the evidence of the new responses and models' accuracies, for every draw of what is not the new set's.

    The search begins where the last stratum of the fit is. A grid is laid for the start of each round, and another one
    if the modes have moved.
    """
    run = jax.jit(partial(_of_draw, specification, sizes, one))
    location = jax.vmap(lambda drawn: one.take(drawn, 0))(values)
    evidence, accuracy = np.zeros(len(location)), np.zeros((len(location), sizes[MODEL]))
    with tqdm(desc="held-out test set", unit=" draws", disable=None if progress else True, leave=False) as bar:
        for _ in range(ROUNDS):
            put = jax.vmap(lambda flat, drawn: one.put(flat, drawn, 0))(location, values)
            grid = grid_of(named_draws(specification, put, sizes), patterns, refinement=2.0)
            start = location
            for n in range(len(start)):
                drawn = {path: of[n] for path, of in values.items()}
                at, evidence[n], accuracy[n] = run(drawn, start[n], patterns, grid)
                location = location.at[n].set(at)
                bar.update()
            if np.abs(location - start).max(initial=0.0) < MOVED:
                break
    return evidence, accuracy


def _of_draw(
    specification: Specification,
    sizes: dict[str, int],
    one: Addition,
    values: dict[str, Array],
    start: Flat,
    patterns: Patterns,
    grid: Grid,
) -> tuple[Flat, Float[Array, ""], Float[Array, "model"]]:
    """Return the mode of the new set's unknowns given a draw of all others, the evidence, and models' accuracies."""

    def minus_log_posterior(flat: Flat) -> Float[Array, ""]:
        drawn = named(specification, one.put(flat, values, 0), sizes)
        tables = tabulate(drawn.skill, drawn.curve, drawn.population, grid, patterns)
        return -one.log_prior(flat) - log_likelihood(tables, patterns)

    found = normal_approximation(minus_log_posterior, start)
    drawn = named(specification, one.put(found.location, values, 0), sizes)
    curve = averaged(drawn.skill, drawn.curve)
    right, _ = log_probabilities(in_strata(drawn.skill), curve, drawn.population, grid)
    return found.location, found.log_evidence, jnp.exp(right[0]) @ shares_of_strata(drawn.population, patterns, grid)[0]


def _table(fit: Fit, responses: Responses, accuracy: Float[np.ndarray, "model"]) -> pd.DataFrame:
    predicted = accuracy[[fit.responses.models.index(model) for model in responses.models]]
    of_set = responses.accuracies()
    observed = of_set["accuracy"].to_numpy()
    return pd.DataFrame({
        MODEL: responses.models, "responses": of_set["shown"].to_numpy(), "predicted": predicted, "observed": observed,
        "error": 100 * (predicted - observed),
    })
