"""The relation between accuracies on two test sets as a curve: what a fit of any populations and curves predicts.

Of normal populations under the probit curve it is the line of `law.line_of_normals`. Otherwise it bends, and has a
tangent at every accuracy.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.interpolate import CubicSpline

from difficulty_model.fitting import Fit
from difficulty_model.fitting.images import kinds_of_images
from difficulty_model.fitting.result import grid_of
from difficulty_model.law import probit
from difficulty_model.likelihood import Grid, log_probabilities
from difficulty_model.posterior import on_grid, summary
from difficulty_model.skills import averaged, in_strata
from difficulty_model.specification import Specification

DRAWS = 200
"""Posterior draws that the curve is computed of."""

POINTS = 41
"""Accuracies at which it is."""

SKILLS = 81
"""Skills that each draw's curve is computed at; a cubic spline goes through them."""

BEYOND = 0.15
"""How far skills reach beyond those of the models, as a share of their range."""


@dataclass(frozen=True)
class Relation:
    """Probit accuracy on a new test set against that on the original one, of a typical model as its skill changes.

    A typical model has the average of all models' slopes, lapses and guesses; of skills that are lost in the new test
    set it loses what the straight line through all models' losses says.

    Attributes
    ----------
    x
        Probit accuracies on the original test set, over the range of the models.
    y
        Posterior draws of that on the new one.
    u
        Slope of the tangent there.
    """

    x: Float[np.ndarray, "point"]
    y: Float[np.ndarray, "draw point"]
    u: Float[np.ndarray, "draw point"]

    @property
    def v(self) -> Float[np.ndarray, "draw point"]:
        """What the tangents are at an original accuracy of one half."""
        return self.y - self.u * self.x

    @property
    def curvature(self) -> Float[np.ndarray, "draw"]:
        """Mean change of the slope per probit unit; below 0, good models gain less on the new test set."""
        return (self.u[:, -1] - self.u[:, 0]) / (self.x[-1] - self.x[0])

    def as_dict(self, *, level: float) -> dict[str, Any]:
        """Return the curve as plain values that JSON can hold."""
        of = {name: summary(getattr(self, name), level=level) for name in ("y", "u", "v", "curvature")}
        return {
            "x": self.x.tolist(),
            **{name: {k: np.asarray(v).tolist() for k, v in values.items()} for name, values in of.items()},
        }


def relation_between(
    fit: Fit, pair: tuple[int, int], x: Float[np.ndarray, "point"] | None = None, *, at_most: int = DRAWS
) -> Relation:
    """Return the curve that a fit predicts between two of its test sets.

    Parameters
    ----------
    fit
        A fit of both.
    pair
        Their numbers.
    x
        Probit accuracies on the original test set; evenly over the range of the models' if not given.
    at_most
        Posterior draws.
    """
    drawn = on_grid(fit, at_most=at_most)
    original, new = pair
    if x is None:
        accuracies = drawn.accuracies(fit.weights.values)[:, original].mean(0)
        weakest, best = probit(np.array([accuracies.min(), accuracies.max()]))
        x = np.linspace(weakest, best, POINTS)
    points = np.asarray(x)
    with jax.enable_x64(True):
        numbers = fit.numbers(at_most=at_most)
        grid = grid_of(numbers, jax.tree.map(jnp.asarray, kinds_of_images(fit.responses, fit.specification)))
        weights = jnp.asarray(fit.weights.values[[original, new]])
        accuracies = np.asarray(_of_skills(numbers, jnp.asarray(drawn.share), weights, grid))
    y, u = np.empty((2, len(accuracies), len(points)))
    for d, (x_of, y_of) in enumerate(probit(accuracies)):
        # Certain success and failure, which lapses and atoms forbid anyway, are beyond the models' range.
        rising = np.isfinite(x_of) & np.isfinite(y_of) & (np.diff(x_of, prepend=-np.inf) > 1e-9)
        curve = CubicSpline(x_of[rising], y_of[rising])
        y[d], u[d] = curve(points), curve(points, 1)
    return Relation(points, y, u)


@jax.jit
def _of_skills(
    numbers: Specification, share: Float[Array, "draw stratum node"], weights: Float[Array, "2 stratum"], grid: Grid
) -> Float[Array, "draw 2 skill"]:
    """Return accuracies of typical models, from skills below to above those of all models."""

    def of_draw(drawn: tuple[Specification, Array]) -> Array:
        numbers, share = drawn
        skill, curve = _typical(numbers)
        log_right, _ = log_probabilities(skill, curve, numbers.population, grid)
        right = jnp.broadcast_to(jnp.exp(log_right), (share.shape[0], *log_right.shape[1:]))
        return weights @ jnp.einsum("sn,smn->sm", share, right)

    return jax.lax.map(of_draw, (numbers, share))


def _typical(numbers: Specification) -> tuple[Float[Array, "skill stratum"], Any]:
    """Return skills, and the curve with the mean of all models' parameters for each of them."""
    every = in_strata(numbers.skill)
    first = every[:, 0]
    margin = BEYOND * (first.max() - first.min()) + 0.5
    skill = jnp.linspace(first.min() - margin, first.max() + margin, SKILLS)
    # Of skills that are lost by a trend, the straight line through all models' skills in two strata is that trend.
    away, square = first - first.mean(), jnp.square(first - first.mean()).sum()
    trend = (away @ (every - every.mean(0))) / square
    of_models = averaged(numbers.skill, numbers.curve)
    curve = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf.mean(0), (SKILLS, *leaf.shape[1:])), of_models)
    return every.mean(0) + (skill - first.mean())[:, None] * trend, curve
