"""The grid of difficulties on which images are integrated out.

The trapezoidal rule is spectrally accurate for smooth densities once its spacing is below the posterior standard
deviation of the difficulties (Trefethen and Weideman, 2014, SIAM Review 56:385). That deviation is small among
the skills, where models disagree, and as wide as the population beyond them. The nodes τ = c + a sinh(x) with x
equally spaced can follow it and stay smooth: of all such maps the one with the fewest nodes is taken, and it needs
half the nodes of a uniform grid on ImageNet's responses.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from difficulty_model.curves import ResponseCurve
from difficulty_model.likelihood.patterns import Chunk, Patterns
from difficulty_model.populations import Population
from difficulty_model.skills import InFamilies, Skill, in_strata

RESOLUTION = 0.9
"""Spacing in units of the sd that is to be resolved: the trapezoidal rule of a normal density is then off by
exp(−2π²/0.9²) = 3e-11 of it."""

DISCRIMINATION_RESOLUTION = 0.5
"""Spacing of discriminations in units of their smallest posterior sd. It is smaller than that of difficulties, since
the likelihood bends sharply where a discrimination near 0 meets a difficulty far away."""

DISCRIMINATION_REACH = 5.0
"""How far the nodes of discrimination reach, in standard deviations of its distribution."""

EFFECT_RESOLUTION = 1.1
"""Spacing of effects of families and classes in units of their smallest posterior sd."""

EFFECT_REACH = 6.0
"""How far nodes of effects of families reach, in standard deviations."""

CLASS_EFFECT_REACH = 9.0
"""The same of effects of classes: one of many may stand apart. ImageNet's easiest is 5.7 below the others."""

MULTIPLE = 8
"""Numbers of nodes are rounded up to it, so that grids of like size share compiled programs."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Grid:
    """Nodes of the integral over difficulty, and the logarithms of their weights.

    Where images differ in discrimination, its nodes too, which are equally spaced; and where models are in families, or
    effects of classes are integrated out, those of such an effect.
    """

    nodes: Float[Array, "node"]
    log_weights: Float[Array, "node"]
    discriminations: Float[Array, "discrimination"] | None = None
    effects: Float[Array, "effect"] | None = None
    class_effects: Float[Array, "effect"] | None = None

    @property
    def size(self) -> int:
        """Number of nodes, pairs where images differ in discrimination."""
        return len(self.nodes) * (1 if self.discriminations is None else len(self.discriminations))


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
    last += -(last - first + 1) % MULTIPLE
    x = np.arange(first, last + 1) * step
    nodes, log_weights = center + scale * np.sinh(x), np.log(scale * np.cosh(x) * step)
    return Grid(jnp.asarray(nodes), jnp.asarray(log_weights))


def grid_for(
    skill: Skill,
    curve: ResponseCurve,
    populations: Population,
    patterns: Patterns,
    *,
    refinement: float = 1.0,
) -> Grid:
    """Return a grid on which the images' likelihoods are smooth, for any of some parameter draws.

    Parameters
    ----------
    skill, curve, populations
        With one leading axis of draws on their fields, and then one of models, on the populations one of strata.
    patterns
        The images, and the families of models.
    refinement
        Factor on the number of nodes; 2 gives the grid against which a grid is checked.
    """
    spread, skill = skill.spread if isinstance(skill, InFamilies) else None, jax.vmap(in_strata)(skill)
    needed = jax.tree.map(np.asarray, _needed_spacing(skill, curve, populations, spread, patterns.showings))
    # Beyond all skills by 6 widths of the curve every response is as certain as it gets, whatever the population.
    reach = 6 * jax.vmap(jax.vmap(lambda _, c: c.width()))(skill, curve)[..., None]
    shifts = _range_of_shifts(populations, patterns.chunks) if populations.is_shifted() else (0.0, 0.0)
    least, most = map(float, shifts)
    low = min(needed.points.min() + least, float((skill - reach).min()))
    high = max(needed.points.max() + most, float((skill + reach).max()))
    # Effects of classes may move a population anywhere: beyond the nodes, where responses are certain, to the last.
    of_classes = CLASS_EFFECT_REACH * float(needed.class_spread.max(initial=0.0))
    points, allowed = needed.constraints([least - of_classes, 0.0, most + of_classes], low=low, high=high)
    center, scale, spacing = _cheapest_map(points, allowed, low=low, high=high)
    reach = (high - low) / 2 * (np.sqrt(refinement) - 1)  # a finer grid also reaches further
    grid = sinh_grid(
        center=center, scale=scale, spacing=spacing / refinement, low=low - reach, high=high + reach
    )
    if patterns.family_answers is not None:
        members = patterns.family_answers.members.shape[1]
        grid = replace(grid, effects=_effects(members * float(needed.effect_information), EFFECT_REACH, refinement))
    if needed.class_spread.size:
        # An image tells at most as much of its shift as its difficulty itself would.
        images = np.bincount(np.ravel(patterns.chunks.class_), np.ravel(patterns.chunks.count)).max()
        information = images * np.square(needed.class_spread / needed.widths.min(2)).max()
        grid = replace(grid, class_effects=_effects(float(information), CLASS_EFFECT_REACH, refinement))
    if needed.discrimination_sd is None:
        return grid
    assert needed.discrimination_spread is not None
    reach = DISCRIMINATION_REACH * float(needed.discrimination_spread.max()) * np.sqrt(refinement)
    spacing = DISCRIMINATION_RESOLUTION * float(needed.discrimination_sd) / refinement
    nodes = 2 * int(np.ceil(reach / spacing)) + 1
    return replace(grid, discriminations=jnp.linspace(1 - reach, 1 + reach, nodes))


def _effects(information: float, reach: float, refinement: float) -> Float[Array, "effect"]:
    """Return nodes of effects that are N(0, 1) beforehand, and of which responses tell so much at most."""
    # A root for the reach and one for the spacing: twice the nodes, beside twice those of difficulty.
    spacing = EFFECT_RESOLUTION / np.sqrt(1 + information) / np.sqrt(refinement)
    reach *= np.sqrt(refinement)
    half = -(-int(np.ceil(reach / spacing)) // (MULTIPLE // 2)) * (MULTIPLE // 2)
    return jnp.linspace(-reach, reach, 2 * half + 1)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Needed:
    """What a grid must resolve: populations at their features, and images' posteriors among the skills.

    Where images differ in discrimination, also its largest spread, and its smallest posterior sd; what a model tells at
    most of an effect of its family; and the spread of effects of classes, empty where none are integrated out.
    """

    points: Float[Array, "draw stratum feature"]
    widths: Float[Array, "draw stratum feature"]
    difficulty: Float[Array, "point"]
    posterior_sd: Float[Array, "point"]
    discrimination_spread: Float[Array, "draw stratum"] | None
    discrimination_sd: Float[Array, ""] | None
    effect_information: Float[Array, ""]
    class_spread: Float[Array, "draw stratum"]

    def constraints(self, shifts: list[float], *, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        """Return points between bounds, and the largest spacing that is allowed at each, for populations so shifted."""
        features = np.concatenate([self.points.ravel() + shift for shift in shifts])
        points = np.concatenate([self.difficulty, features.clip(low, high)])
        widths = np.tile(self.widths.ravel(), len(shifts))
        return points, RESOLUTION * np.concatenate([self.posterior_sd, widths])


@jax.jit
def _needed_spacing(
    skill: Float[Array, "draw model stratum"],
    curve: ResponseCurve,
    populations: Population,
    spread_in_families: Float[Array, "draw model"] | None,
    showings: Int[Array, "model"],
) -> _Needed:
    points, widths = jax.vmap(jax.vmap(lambda p: p.features()))(populations)
    spread = jax.vmap(jax.vmap(lambda p: p.discrimination_spread()))(populations)
    class_spread = jax.vmap(jax.vmap(lambda p: p.class_spread()))(populations)
    steepest = jnp.ones(len(skill)) if spread is None else 1 + 2 * spread.max(1)
    difficulty = jnp.linspace(skill.min() - 2, skill.max() + 2, 201, dtype=jnp.float32)
    prior_information = 1 / widths.min((1, 2)) ** 2  # the narrowest adds most to what the responses tell
    times = jnp.broadcast_to(jnp.asarray(showings), skill.shape[1:2])

    def information(s: Float[Array, ""], c: ResponseCurve, times: Int[Array, ""]) -> Float[Array, "point"]:
        along = (jnp.ones_like(difficulty),)
        logs, slopes = jax.jvp(lambda t: c.log_probabilities(s, t), (difficulty,), along)
        return times * sum(jnp.exp(log) * slope**2 for log, slope in zip(logs, slopes, strict=True))  # pyright: ignore[reportReturnType]

    def of_draw(drawn: tuple) -> tuple[Float[Array, "point"], Float[Array, "point"], Float[Array, ""]]:
        skill, curve, steepest, prior, in_families = drawn
        each = jax.vmap(lambda s: jax.vmap(information)(s, curve, times), in_axes=1)(skill)
        away = (skill.T[..., None] - difficulty) ** 2
        of_effect = (in_families[:, None] ** 2 * each).max()
        return (steepest**2 * each.sum(1)).max(0) + prior, (away * each).sum(1).max(0), of_effect

    # One draw at a time: all draws at once would be draws × models × points numbers.
    in_families = jnp.zeros(skill.shape[:2]) if spread_in_families is None else spread_in_families
    # In single precision, which decides nothing but how fine the grid is, and is ten times as fast.
    singly = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32), (skill, curve, steepest, prior_information, in_families)
    )
    of_difficulty, of_discrimination, of_effect = jax.lax.map(of_draw, singly)
    sd = None if spread is None else 1 / jnp.sqrt(of_discrimination.max() + 1 / spread.min() ** 2)
    return _Needed(
        points, widths, difficulty, 1 / jnp.sqrt(of_difficulty.max(0)), spread, sd, of_effect.max(),
        jnp.zeros((0, 0)) if class_spread is None else class_spread,
    )


@jax.jit
def _range_of_shifts(populations: Population, chunks: Chunk) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return the smallest and the largest shift of any image in any draw."""

    def of_draw(populations: Population) -> tuple[Float[Array, ""], Float[Array, ""]]:
        def of_chunk(chunk: Chunk) -> tuple[Float[Array, ""], Float[Array, ""]]:
            population = jax.tree.map(lambda leaf: leaf[chunk.stratum], populations)
            shifts = jax.vmap(population.shift)(chunk.covariates, chunk.class_)
            return shifts.min(), shifts.max()

        least, most = jax.lax.map(of_chunk, chunks)
        return least.min(), most.max()

    least, most = jax.lax.map(of_draw, populations)
    return least.min(), most.max()


def _cheapest_map(
    points: Float[np.ndarray, "point"], allowed: Float[np.ndarray, "point"], *, low: float, high: float
) -> tuple[float, float, float]:
    """Return center, scale and spacing of the sinh map with the fewest nodes that keeps to the allowed spacing."""
    centers, scales = np.meshgrid(np.linspace(points.min(), points.max(), 21), np.geomspace(0.5, 100, 25))
    centers, scales = centers.ravel(), scales.ravel()
    spacings = np.array([
        (allowed / np.sqrt(1 + ((points - c) / a) ** 2)).min() for c, a in zip(centers, scales, strict=True)
    ])
    nodes = (np.arcsinh((high - centers) / scales) - np.arcsinh((low - centers) / scales)) * scales / spacings
    best = int(np.argmin(nodes))
    return float(centers[best]), float(scales[best]), float(spacings[best])
