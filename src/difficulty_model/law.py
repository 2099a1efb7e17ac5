"""The relation between accuracies on two test sets: on the probit scale, a line.

Under P(right) = Φ(s − τ) with τ ~ N(μ, σ²), a model's accuracy is Φ((s − μ)/√(1 + σ²)) (Recht et al., 2019,
section 5), so that probit accuracies on two test sets lie on one line.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import OptimizeResult, minimize_scalar
from scipy.stats import norm


@dataclass(frozen=True)
class Line:
    """probit(new accuracy) = u·probit(original accuracy) + v, with leading axes where there are several lines."""

    u: Float[np.ndarray, "..."]
    v: Float[np.ndarray, "..."]

    def at(self, x: Float[np.ndarray, "point"]) -> Float[np.ndarray, "... point"]:
        """Return probit accuracies on the new test set at those on the original one."""
        return np.multiply.outer(self.u, x) + np.asarray(self.v)[..., None]


def line_of_normals(
    mean_1: Float[np.ndarray, "..."],
    sd_1: Float[np.ndarray, "..."],
    mean_2: Float[np.ndarray, "..."],
    sd_2: Float[np.ndarray, "..."],
) -> Line:
    """Return the line between accuracies in two normal populations (Recht et al., 2019, section 5).

    u = √(1 + σ₁²)/√(1 + σ₂²) and v = (μ₁ − μ₂)/√(1 + σ₂²).
    """
    scale = np.sqrt(1 + np.square(sd_2))
    return Line(np.sqrt(1 + np.square(sd_1)) / scale, (np.asarray(mean_1) - mean_2) / scale)


def least_squares(x: Float[np.ndarray, "... point"], y: Float[np.ndarray, "... point"]) -> Line:
    """Return the line with the smallest squared distances in y; not a number where all x are equal."""
    x_mean, y_mean = x.mean(-1, keepdims=True), y.mean(-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        u = ((x - x_mean) * (y - y_mean)).sum(-1) / np.square(x - x_mean).sum(-1)
    return Line(u, y_mean[..., 0] - u * x_mean[..., 0])


def by_all_others(
    x: Float[np.ndarray, "... point"], y: Float[np.ndarray, "... point"]
) -> Float[np.ndarray, "... point"]:
    """Return each y by the least-squares line through all other points.

    Its residual is that from the line through all, over 1 − leverage.
    """
    line = least_squares(x, y)
    away = x - x.mean(-1, keepdims=True)
    leverage = 1 / x.shape[-1] + np.square(away) / np.square(away).sum(-1, keepdims=True)
    return y - (y - line.u[..., None] * x - line.v[..., None]) / (1 - leverage)


def r_squared(line: Line, x: Float[np.ndarray, "point"], y: Float[np.ndarray, "point"]) -> float:
    """Return the share of the variance of y that a line explains."""
    return float(1 - np.square(y - line.at(x)).sum() / np.square(y - y.mean()).sum())


def errors_in_both(
    x: Float[np.ndarray, "point"],
    y: Float[np.ndarray, "point"],
    x_variance: Float[np.ndarray, "point"],
    y_variance: Float[np.ndarray, "point"],
) -> Line:
    """Return the maximum-likelihood line where both coordinates have known normal errors.

    Minimises Σ (y − u·x − v)² / (var y + u²·var x), given u in closed form over v (York, 1966,
    Can. J. Phys. 44:1079).
    """

    def best(u: float) -> tuple[np.ndarray, float]:
        weight = 1 / (y_variance + u**2 * x_variance)
        return weight, float(np.average(y - u * x, weights=weight))

    def misfit(angle: float) -> float:
        u = np.tan(angle)
        weight, v = best(u)
        return float(weight @ np.square(y - u * x - v))

    # In terms of the line's angle the misfit is smooth up to the vertical.
    start = float(np.arctan(least_squares(x, y).u))
    bounds = (max(-np.pi / 2, start - 0.5), min(np.pi / 2, start + 0.5))
    found: OptimizeResult = minimize_scalar(misfit, bounds=bounds, method="bounded", options={"xatol": 1e-9})  # pyright: ignore[reportAssignmentType]
    u = np.tan(found.x)
    return Line(np.asarray(u), np.asarray(best(u)[1]))


def probit(accuracy: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return Φ⁻¹(accuracy); infinite at 0 and 1."""
    return norm.ppf(accuracy)


def probit_variance(
    accuracy: Float[np.ndarray, "..."], images: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """Return the binomial variance of a probit accuracy measured on so many images, to first order."""
    return accuracy * (1 - accuracy) / images / np.square(norm.pdf(norm.ppf(accuracy)))
