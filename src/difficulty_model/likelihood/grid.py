"""The grid of difficulties on which images are integrated out.

The trapezoidal rule is spectrally accurate for smooth densities once its spacing is below the posterior standard
deviation of the difficulties (Trefethen and Weideman, 2014, SIAM Review 56:385). That deviation is small among
the skills, where models disagree, and as wide as the population beyond them. The nodes τ = c + a sinh(x) with x
equally spaced follow it and stay smooth, so the accuracy is kept with half the nodes of a uniform grid.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from difficulty_model.curves import ResponseCurve
from difficulty_model.populations import Population


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Grid:
    """Nodes of the integral over difficulty, and the logarithms of their weights."""

    nodes: Float[Array, "node"]
    log_weights: Float[Array, "node"]


def sinh_grid(*, center: float, scale: float, spacing: float, low: float, high: float) -> Grid:
    """Return the trapezoidal rule on τ = center + scale·sinh(x) from `low` to `high`.

    Parameters
    ----------
    center, scale
        Where nodes are dense, and over what distance, in probit units.
    spacing
        Distance between nodes at the center, in probit units.
    low, high
        Bounds that the nodes reach, in probit units.
    """
    step = spacing / scale
    first = np.floor(np.arcsinh((low - center) / scale) / step)
    last = np.ceil(np.arcsinh((high - center) / scale) / step)
    x = np.arange(first, last + 1) * step
    nodes, log_weights = center + scale * np.sinh(x), np.log(scale * np.cosh(x) * step)
    return Grid(jnp.asarray(nodes), jnp.asarray(log_weights))


def grid_for(
    skill: Float[Array, "draw model"],
    curve: ResponseCurve,
    populations: Population,
    *,
    refinement: float = 1.0,
) -> Grid:
    """Return a grid on which the images' likelihoods are smooth, for any of some parameter draws.

    Parameters
    ----------
    skill
        Skills, one row per draw.
    curve, populations
        The curve with one leading axis of draws and one of models on its fields, the populations likewise with
        draws and strata.
    refinement
        Factor on the number of nodes; 2 gives the grid against which a grid is checked.
    """
    low, high, weakest, best, information = map(float, _measures(skill, curve, populations))
    # Beyond all skills by 6 probit units every response is certain, whatever the population.
    low, high = min(low, weakest - 6), max(high, best + 6)
    center, scale = (best + weakest) / 2, max(1.0, (best - weakest) / 2)
    spacing = 1 / np.sqrt(information)
    reach = (high - low) / 2 * (np.sqrt(refinement) - 1)  # a finer grid also reaches further
    return sinh_grid(
        center=center, scale=scale, spacing=spacing / refinement, low=low - reach, high=high + reach
    )


@jax.jit
def _measures(
    skill: Float[Array, "draw model"], curve: ResponseCurve, populations: Population
) -> tuple[Float[Array, ""], ...]:
    """Return the extent of all populations, the lowest and highest skill, and the largest Fisher information.

    The information about an image's difficulty in one response of every model, whatever the draw.
    """
    low, high = jax.vmap(jax.vmap(lambda p: p.extent()))(populations)
    difficulty = jnp.linspace(skill.min() - 1, skill.max() + 1, 101)

    def of_model(s: Float[Array, ""], c: ResponseCurve) -> Float[Array, "node"]:
        along = (jnp.ones_like(difficulty),)
        logs, slopes = jax.jvp(lambda t: c.log_probabilities(s, t), (difficulty,), along)
        return sum(jnp.exp(log) * slope**2 for log, slope in zip(logs, slopes, strict=True))  # pyright: ignore[reportReturnType]

    # One draw at a time: all draws at once would be draws × models × nodes numbers.
    information = jax.lax.map(lambda drawn: jax.vmap(of_model)(*drawn).sum(0).max(), (skill, curve))
    return low.min(), high.max(), skill.min(), skill.max(), information.max()
