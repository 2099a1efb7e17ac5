"""Leaving out one model at a time: how well a fit predicts a model that it has not seen.

Everything but the model's own unknowns is taken from draws of the fit, which has seen the model: one of many models
moves the populations and the skills of the others little, and refitting without each would take as many fits. Given a
draw, images' difficulties follow from the responses of the other models alone; the model's unknowns, from its
responses on the reference test set; and from both, each of its responses on the other test sets.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Int
from tqdm.auto import tqdm

from difficulty_model.errors import InputError
from difficulty_model.fitting import Fit
from difficulty_model.fitting.addition import Addition, Flat, addition, drawn_values, normal_approximation
from difficulty_model.fitting.images import patterns_of
from difficulty_model.fitting.result import grid_of
from difficulty_model.likelihood import (
    Chunk,
    Grid,
    Patterns,
    difficulty_posterior,
    log_probabilities,
    tabulate,
    without_model,
)
from difficulty_model.skills import InFamilies, in_strata
from difficulty_model.specification import Specification, named, named_draws
from difficulty_model.types import MODEL, TEST_SET

DRAWS = 20
"""Draws of the fit that predictions are averaged over, by default."""

OWN_DRAWS = 32
"""Draws of a model's own unknowns for each of these, in pairs around the mode."""

RIGHT = -1
"""The kind of a response that is right once."""

SMALLEST = 1e-300
"""Probability that a response is given at least, so that its logarithm is a number."""


@dataclass(frozen=True)
class LeftOutModels:
    """Predictions of models left out, one at a time.

    Attributes
    ----------
    reference
        The test set from which a model's own unknowns were inferred.
    models : pandas.DataFrame
        One row per model and other test set, of its images that the reference does not share: columns `model`,
        `test_set`; `responses`, how many were predicted; `log_score`, the mean log predictive probability of one
        response, in nats; `predicted` and `observed` accuracy, as shares; `error`, their difference in points.
        Not a number where a model has no responses there or on the reference.
    """

    reference: str
    models: pd.DataFrame

    @property
    def test_sets(self) -> pd.DataFrame:
        """One row per test set: `log_score` of a response, `mean_error`, `largest_error` (absolute, in points)."""
        rows = []
        for test_set, known in self.models.dropna().groupby(TEST_SET, sort=False):
            error = np.abs(known["error"].to_numpy())
            rows.append({
                TEST_SET: test_set,
                "log_score": float(np.average(known["log_score"], weights=known["responses"])),
                "mean_error": float(error.mean()), "largest_error": float(error.max()),
            })
        return pd.DataFrame(rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold; unknown ones are None."""
        return {
            "reference": self.reference,
            "test_sets": self.test_sets.to_dict("records"),
            "models": [
                {name: None if value != value else value for name, value in row.items()}
                for row in self.models.to_dict("records")
            ],
        }


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Answers:
    """Response patterns as the kinds of response that they are made of.

    Attributes
    ----------
    kinds
        How often right and how often wrong, of every kind of response; the last is right once.
    kind
        That of every model's response in each pattern.
    """

    chunks: Chunk
    kind: Int[Array, "chunk pattern model"]
    kinds: Float[Array, "kind right_or_wrong"]

    def some(self, chunks: np.ndarray) -> "_Answers":
        """Return the answers of some chunks."""
        return _Answers(jax.tree.map(lambda leaf: leaf[chunks], self.chunks), self.kind[chunks], self.kinds)


def predict_left_out(fit: Fit, *, draws: int = DRAWS, random_seed: int = 0, progress: bool = True) -> LeftOutModels:
    """Return how well a fit predicts each model that is left out, on every test set but the reference.

    The predictive probability of a response is given the other models' responses to that image, the model's own
    responses to the images of the reference, and the fit's draws of all that is not the model's own. Its own unknowns
    have the fit's priors, and are drawn from the normal approximation to their posterior.

    Parameters
    ----------
    fit
        Of at least two test sets; the first is the reference.
    draws
        Draws of the fit, evenly spaced, that predictions are averaged over.
    random_seed
        Of the draws of models' own unknowns.
    progress
        Show a progress bar, if there is a terminal to show it in.

    Raises
    ------
    InputError
        If the fit has one test set only, or no image outside the reference; or two models, of which each would be left
        with one; or if its models are in families.
    """
    responses = fit.responses
    strata = responses.strata()
    outside = strata.weights[0] == 0
    if not outside.any():
        raise InputError("nothing to predict: no image of this fit lies outside its reference "
                         f"{responses.test_sets[0]!r}; fit another test set with it")
    if len(responses.models) < 3:
        raise InputError("leaving out one of two models leaves one, which says nothing of difficulties; fit at least 3")
    if isinstance(fit.specification.skill, InFamilies):
        raise InputError("models in families tell of each other beside what images tell, which leaving one out does "
                         "not take into account; compare fits without families")
    patterns = patterns_of(responses, fit.specification)
    chunks_outside = outside[patterns.chunks.stratum]
    with jax.enable_x64(True):
        values = drawn_values(fit.posterior, fit.specification, at_most=draws)
        sizes = {str(dim): size for dim, size in fit.posterior.sizes.items()}
        arrays = jax.tree.map(jnp.asarray, patterns)
        grid = grid_of(named_draws(fit.specification, values, sizes), arrays)
        answers = _answers(patterns, len(responses.models))
        parts = answers.some(~chunks_outside), answers.some(chunks_outside)
        own = addition(fit.specification, MODEL, jax.tree.map(lambda leaf: leaf[0], values))
        run = jax.jit(partial(_of_draw, fit.specification, sizes, own))
        total = np.zeros((2, len(responses.models), chunks_outside.sum(), patterns.chunks.count.shape[1]))
        keys = jax.random.split(jax.random.key(random_seed), len(jax.tree.leaves(values)[0]))
        bar = tqdm(keys, desc="leaving models out", unit=" draws", disable=None if progress else True, leave=False)
        for n, key in enumerate(bar):
            total += np.asarray(run({path: of[n] for path, of in values.items()}, arrays, parts, grid, key))
    return LeftOutModels(responses.test_sets[0], _table(fit, patterns, chunks_outside, total / len(keys)))


def _answers(patterns: Patterns, models: int) -> _Answers:
    right = np.asarray(patterns.chunks.responses[..., :models], np.int64)
    wrong = 1 - right if patterns.complete else np.asarray(patterns.chunks.responses[..., models:], np.int64)
    base = int(patterns.showings.max()) + 1
    kinds, kind = np.unique(right * base + wrong, return_inverse=True)
    return _Answers(
        jax.tree.map(jnp.asarray, patterns.chunks),
        jnp.asarray(kind.reshape(right.shape).astype(np.int32)),
        jnp.asarray([*zip(kinds // base, kinds % base, strict=True), (1, 0)], float),
    )


def _of_draw(
    specification: Specification,
    sizes: dict[str, int],
    own: Addition,
    values: dict[str, Array],
    patterns: Patterns,
    answers: tuple[_Answers, _Answers],
    grid: Grid,
    key: Array,
) -> Float[Array, "2 model chunk pattern"]:
    """Return the probability of being right, and that of the response given, of every model left out.

    Parameters
    ----------
    specification, sizes, own
        What is assumed, and which unknowns are a model's own.
    values
        One draw of all unknowns.
    patterns
        The responses.
    answers
        Those inside the reference, and those outside.
    grid
        That serves the draw.
    key
        Of the draws of models' own unknowns.
    """
    inside, outside = answers
    drawn = named(specification, values, sizes)
    tables = tabulate(drawn.skill, drawn.curve, drawn.population, grid, patterns)
    _, wrong = log_probabilities(in_strata(drawn.skill), drawn.curve, drawn.population, grid)
    half = jax.random.normal(key, (OWN_DRAWS // 2, len(own.take(values, 0))))
    standard = jnp.concatenate([half, -half])

    def of_model(j: Array) -> Float[Array, "2 chunk pattern"]:
        without = without_model(tables, wrong, j, complete=patterns.complete)
        among = jax.lax.map(lambda chunk: difficulty_posterior(without, chunk), inside.chunks)

        def kind_probabilities(flat: Flat) -> Float[Array, "stratum kind node"]:
            changed = named(specification, own.put(flat, values, j), sizes)
            curve = jax.tree.map(lambda leaf: leaf[j][None], changed.curve)
            logs = log_probabilities(in_strata(changed.skill)[j][None], curve, changed.population, grid)
            return jnp.exp(jnp.einsum("kr,rsn->skn", outside.kinds, jnp.stack(logs)[:, :, 0]))

        def minus_log_posterior(flat: Flat) -> Float[Array, ""]:
            likely = _likely(among, kind_probabilities(flat), inside, j)
            return -own.log_prior(flat) - jnp.vdot(inside.chunks.count, jnp.log(likely))

        found = normal_approximation(minus_log_posterior, own.take(values, j))
        average = jax.vmap(kind_probabilities)(found.location + standard @ found.root.T).mean(0)
        beyond = jax.lax.map(lambda chunk: difficulty_posterior(without, chunk), outside.chunks)
        right = _of_kinds(beyond, average, outside)[..., RIGHT]
        return jnp.stack([right, _likely(beyond, average, outside, j)])

    return jax.lax.map(of_model, jnp.arange(sizes[MODEL])).swapaxes(0, 1)


def _likely(
    among: Float[Array, "chunk pattern node"], table: Float[Array, "stratum kind node"], answers: _Answers, j: Array
) -> Float[Array, "chunk pattern"]:
    """Return the probability of a model's response in every pattern, with difficulties distributed over the nodes."""
    of_kinds = _of_kinds(among, table, answers)
    return jnp.maximum(jnp.take_along_axis(of_kinds, answers.kind[..., j, None], axis=2)[..., 0], SMALLEST)


def _of_kinds(
    among: Float[Array, "chunk pattern node"], table: Float[Array, "stratum kind node"], answers: _Answers
) -> Float[Array, "chunk pattern kind"]:
    of_chunk = table[answers.chunks.stratum if len(table) > 1 else jnp.zeros_like(answers.chunks.stratum)]
    return jnp.einsum("cpq,ckq->cpk", among, of_chunk)


def _table(
    fit: Fit, patterns: Patterns, outside: np.ndarray, probability: Float[np.ndarray, "2 model chunk pattern"]
) -> pd.DataFrame:
    responses = fit.responses
    length = probability.shape[-1]
    # Where an image's pattern is among those outside the reference.
    place = (np.cumsum(outside) - 1)[patterns.of_image // length] * length + patterns.of_image % length
    rows = []
    for j, model in enumerate(responses.models):
        right, likely = probability[:, j].reshape(2, -1)
        informed = responses.shown[j, responses.member[0]].any()
        for test_set, member in zip(responses.test_sets[1:], responses.member[1:], strict=True):
            images = np.flatnonzero(member & ~responses.member[0] & (responses.shown[j] > 0) & informed)
            shown, there = responses.shown[j, images], place[images]
            count = int(shown.sum(dtype=np.int64))
            sums = shown @ right[there], responses.right[j, images].sum(dtype=np.int64), np.log(likely[there]).sum()
            predicted, observed, score = (of / count if count else np.nan for of in sums)
            rows.append({
                MODEL: model, TEST_SET: test_set, "responses": count, "log_score": score,
                "predicted": predicted, "observed": observed, "error": 100 * (predicted - observed),
            })
    return pd.DataFrame(rows)
