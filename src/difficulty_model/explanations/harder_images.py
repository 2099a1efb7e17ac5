"""Harder images: those of the new test set are harder for all models alike, or more of them are very hard."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, permutations

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from difficulty_model.explanations.adaptive_overfitting import LOSING
from difficulty_model.explanations.effect import Effect
from difficulty_model.explanations.evidence import Evidence
from difficulty_model.explanations.examination import Outcome
from difficulty_model.explanations.fitted import Fitted, effect_of, fitted_to
from difficulty_model.fitting.images import scale_of
from difficulty_model.fitting.result import grid_of
from difficulty_model.likelihood import Grid, Patterns, log_probabilities, nodes_of, shares_of_strata
from difficulty_model.likelihood.marginal import INFINITE
from difficulty_model.populations import Modified, Population, Regressed
from difficulty_model.skills import averaged, in_strata
from difficulty_model.specification import Specification

NAME = "harder images"
QUESTION = "Are the new images harder, or of more widely spread difficulty, for models of the same skills?"
SOURCE = "Recht et al. (2019), section 5: the distribution gap"

REFINEMENT = 2.0
"""Nodes per node of the grid for the fitted populations: it must serve where images are moved to as well."""


PARTS = ("mean", "spread", "ends")
"""In what difficulties differ: ends are images of infinite difficulty, which no model gets right, or none misses."""


def examine(evidence: Evidence) -> Outcome:
    """Return what models lose because difficulties differ, and its parts by their mean, spread, ends and shape.

    The original images are made as much harder as the new ones are on average, as much wider spread, and as many of
    them infinitely hard and easy; each part is its mean effect over the orders in which that can be done (the value of
    Shapley, 1953), so that parts add up. The rest is the shape, and what models lose by themselves.
    """
    found = fitted_to(evidence)
    accuracies, kept = found.accuracies(), found.without_trend()
    points = 100 * (accuracies[:, 0] - kept.accuracies()[:, 1])
    parts = _parts(evidence, found, kept)
    parts |= {"shape": points - sum(parts[name] for name in PARTS), "all": points}
    effects = {name: effect_of(evidence, accuracies, of) for name, of in parts.items()}
    table = pd.DataFrame([{"part": name, **_row(effect)} for name, effect in effects.items()])
    by = table.set_index("part")["points"]
    text = (f"By the mean of difficulty models lose {by['mean']:.2f} points on average, by its spread "
            f"{by['spread']:.2f}, by images that none or all get right {by['ends']:.2f}, "
            f"by its shape {by['shape']:.2f}.")
    if found.losing is None:
        text += f" This fit knows no other cause, so that it cannot tell whether the images are one: needs {LOSING}."
        return Outcome(effects["all"], text, table, "not testable")
    return Outcome(effects["all"], text, table)


def _parts(evidence: Evidence, found: Fitted, kept: Fitted) -> dict[str, Float[np.ndarray, "draw model"]]:
    """Return points lost by each part, and by each covariate where it differs, which is within the mean."""
    mean, sd = found.laid_out().moments(found.weights)
    by, factor = mean[:, 1] - mean[:, 0] - _gained(found, kept), sd[:, 1] / sd[:, 0]
    changed = {"mean": by, "spread": factor, "ends": np.ones_like(by)}
    same = {"mean": np.zeros_like(by), "spread": np.ones_like(by), "ends": np.zeros_like(by)}

    def accuracies(change: Mapping[str, np.ndarray]) -> Float[np.ndarray, "draw model"]:
        moves = [{**same, **change}[part] for part in PARTS]
        return _moved(found, np.stack([mean[:, 0], *moves], axis=1))

    after: dict[tuple[str, ...], np.ndarray] = {
        parts: accuracies({part: changed[part] for part in parts})
        for size in range(len(PARTS) + 1) for parts in combinations(PARTS, size)
    }
    found_parts = {}
    for part in PARTS:
        orders = [order[: order.index(part)] for order in permutations(PARTS)]
        steps = [after[_sorted(before)] - after[_sorted((*before, part))] for before in orders]
        found_parts[part] = 100 * np.mean(steps, axis=0)
    for name, shift in _by_covariates(evidence, found):
        found_parts[f"mean, by {name}"] = 100 * (after[()] - accuracies({"mean": shift}))
    return found_parts


def _sorted(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for part in PARTS if part in parts)


def _gained(found: Fitted, kept: Fitted) -> Float[np.ndarray, "draw"]:
    """Return how much more skill models have on the new images, on average, if the trend is taken away."""
    with jax.enable_x64(True):
        before, after = (np.asarray(jax.vmap(in_strata)(of.numbers.skill)).mean(1) for of in (found, kept))
    gained = after - before
    return (gained @ found.weights[1] if gained.shape[1] > 1 else gained[:, 0]).astype(float)


def _moved(found: Fitted, moves: Float[np.ndarray, "draw 4"]) -> Float[np.ndarray, "draw model"]:
    """Return accuracies on original images that are moved away from a center, by so much and so many times as far.

    The fourth move is 1 where they have the new images' shares of infinite difficulties, and 0 where their own.
    """
    with jax.enable_x64(True):
        kinds = jax.tree.map(jnp.asarray, found.kinds)
        grid = grid_of(found.numbers, kinds, refinement=REFINEMENT)
        of_draws = _of_draws(found.numbers, jnp.asarray(moves), kinds, jnp.asarray(found.weights), grid)
    return np.asarray(of_draws)[:, found.models]


@jax.jit
def _of_draws(
    numbers: Specification,
    moves: Float[Array, "draw 4"],
    kinds: Patterns,
    weights: Float[Array, "2 stratum"],
    grid: Grid,
) -> Float[Array, "draw model"]:
    def of_draw(drawn: tuple[Specification, Array]) -> Float[Array, "model"]:
        numbers, (center, by, factor, ends) = drawn
        every = shares_of_strata(numbers.population, kinds, grid)
        difficulty = nodes_of(numbers.population, grid)[0]
        # Finite, infinitely hard, infinitely easy: each node belongs to one of them.
        end = jnp.sign(difficulty) * (jnp.abs(difficulty) >= INFINITE) == jnp.array([0.0, 1.0, -1.0])[:, None]
        old, new = (weights @ every) @ end.T
        factors = jnp.where(old > 0, new / jnp.where(old > 0, old, 1.0), 1.0)
        shares = weights[0][:, None] * every * (1 - ends + ends * factors @ end)
        # Each node takes its images with it, so that these need not be laid out again.
        right = _right(numbers, replace(grid, nodes=center + by + factor * (grid.nodes - center)))
        return jnp.einsum("sn,smn->m", shares, jnp.broadcast_to(right, (len(shares), *right.shape[1:])))

    return jax.lax.map(of_draw, (numbers, moves))


def _right(numbers: Specification, grid: Grid) -> Float[Array, "stratum model node"]:
    curve = averaged(numbers.skill, numbers.curve)
    return jnp.exp(log_probabilities(in_strata(numbers.skill), curve, numbers.population, grid)[0])


def _by_covariates(evidence: Evidence, found: Fitted) -> list[tuple[str, Float[np.ndarray, "draw"]]]:
    """Return how much harder the new images are by each covariate of the fit, in probit units."""
    regressed, shifts = _regressed(found.numbers.population), []
    if regressed is None:
        return shifts
    coefficient = np.asarray(regressed.coefficient)[:, 0]  # the same in all strata
    for n, name in enumerate(regressed.covariates):
        values = np.asarray(evidence.responses.dataset[name].values, float)
        difference = values[evidence.in_new].mean() - values[evidence.in_original].mean()
        shifts.append((name, coefficient[:, n] * difference / scale_of(evidence.fitted().responses, name)[1]))
    return shifts


def _regressed(population: Population) -> Regressed | None:
    while isinstance(population, Modified):
        if isinstance(population, Regressed):
            return population
        population = population.population
    return None


def _row(effect: Effect) -> dict[str, float]:
    points, share = effect.average(), effect.share()
    return {"points": points.value, "low": points.low, "high": points.high, "share": share.value}
