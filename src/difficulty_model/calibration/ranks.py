"""One world: fitted by the package's own sampler, and the rank of every truth among the draws of its posterior."""

import itertools
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from difficulty_model.calibration.worlds import TEST_SETS, World, labelled
from difficulty_model.fitting import Fit
from difficulty_model.fitting.classes import effects_integrated_out, with_effects
from difficulty_model.fitting.density import Density, FlatDraws, posterior_density
from difficulty_model.fitting.difficulties import REFINEMENT, draw_difficulties
from difficulty_model.fitting.images import names_of, patterns_of
from difficulty_model.fitting.judgement import trouble_in
from difficulty_model.fitting.laplace import sample_laplace
from difficulty_model.fitting.nuts import sample_nuts
from difficulty_model.fitting.result import grid_of, numbers_of
from difficulty_model.law import least_squares, probit
from difficulty_model.likelihood import Grid, Patterns, chunk_length, log_likelihood, tabulate
from difficulty_model.posterior import on_grid
from difficulty_model.specification import Specification
from difficulty_model.types import STRATUM, TEST_SET, IntArray

Method = Literal["nuts", "laplace"]

SAMPLERS = {"nuts": sample_nuts, "laplace": sample_laplace}

THINNING = 5
"""Draws per draw that is kept: ranks are uniform among independent draws only. NUTS's are nearly so, but less where a
posterior is far from normal; those of importance sampling are repeated where the normal approximation is thin."""

FEW = 2
"""Of many models, classes, … the first so many are ranked: all are drawn alike."""

NODES = 64
"""Grids are filled up to a multiple of so many nodes, so that worlds share compiled programs."""

OTHERS = 16
"""Likewise of nodes of discriminations and effects, besides the middle one."""

HELD = 1e-8
"""Quantities that vary by no more than this are held, not unknown."""

NO_WEIGHT = -1e10
"""Logarithm of a weight so low that nothing is added."""


@dataclass(frozen=True)
class RankedWorld:
    """What came out of one world.

    Attributes
    ----------
    ranks
        Number of posterior draws below the truth, for every quantity; ties broken by lot.
    autocorrelation
        Correlation of neighbouring draws, for every quantity.
    trouble
        Reasons not to rely on this world's fit, as `Fit.trouble` gives them; none of them looks at the truth.
    """

    ranks: dict[str, int]
    autocorrelation: dict[str, float]
    trouble: list[str]


def rank_world(
    world: World,
    specification: Specification,
    *,
    draws: int,
    method: Method,
    random_seed: int,
) -> RankedWorld:
    """Return the ranks of a world's truth among draws of its posterior.

    Parameters
    ----------
    world
        As `draw_world` makes it.
    specification
        What the fit assumes.
    draws
        Number of draws to rank among.
    method
        As `fit` takes it.
    random_seed
        Of the fit.
    """
    names = names_of(world.responses, specification)
    most = len(world.difficulty) // len(TEST_SETS)
    patterns = filled_up(patterns_of(world.responses, specification), chunk_length(most))
    images = _few_of_each_set(world)
    with jax.enable_x64(True):
        sizes = {dim: len(of) for dim, of in names.items()}
        own = posterior_density(effects_integrated_out(specification), sizes, patterns)
        density = _AlikeDensity(own.potential, own.patterns, own.start)
        sample = SAMPLERS[method](
            density, draws=draws * THINNING, chains=1, random_seed=random_seed, progress=False
        )
        sample = with_effects(sample, specification, density, random_seed=random_seed, progress=False)
        posterior = labelled(
            {path: of[:, ::THINNING] for path, of in sample.values.items()}, specification, names,
            ("chain", "draw"),
        )
        true_likelihood, likelihoods = _log_likelihoods(specification, world.unknowns, posterior, density.patterns)
        difficulties = _drawn_difficulties(
            world, specification, posterior, np.array(list(images.values())), random_seed=random_seed
        )
    fitted = _as_fit(world, specification, posterior)
    laid_out = on_grid(fitted)
    truth = {
        **_of_unknowns(world.unknowns.expand_dims("draw")),
        **_of_sets(world.accuracy[None], world.mean[None], world.sd[None]),
        "log-likelihood": true_likelihood,
        **{f"difficulty[{image}]": world.difficulty[[number]] for image, number in images.items()},
    }
    of_parameters = {
        **_of_unknowns(posterior.squeeze("chain", drop=True)),
        **_of_sets(laid_out.accuracies(fitted.weights.values), *laid_out.moments(fitted.weights.values)),
        "log-likelihood": likelihoods,
    }
    moving = {
        **{name: of for name, of in of_parameters.items() if np.ptp(of) > HELD},
        **{f"difficulty[{image}]": of for image, of in zip(images, difficulties.T, strict=True)},
    }
    rng = np.random.default_rng(random_seed)
    diagnostics = sample.diagnostics
    if "diverging" in sample.statistics:
        diagnostics = diagnostics | {"divergences": int(sample.statistics["diverging"].sum())}
    return RankedWorld(
        {name: _rank(float(truth[name][0]), of, rng) for name, of in moving.items()},
        {name: _autocorrelation(of) for name, of in moving.items()},
        trouble_in(diagnostics, draws=draws),
    )


@dataclass(frozen=True, eq=False)
class _AlikeDensity(Density):
    """The density of one of many worlds of equal shape, on grids of equal shapes too: what is compiled serves all."""

    def grid_at(self, draws: FlatDraws, *, refinement: float = 1.0) -> Grid:
        return with_spare_nodes(super().grid_at(draws, refinement=refinement))


def with_spare_nodes(grid: Grid) -> Grid:
    """Return the grid with more nodes, up to round numbers: difficulties of no weight, all others further out."""
    spare = np.arange(1, -len(grid.nodes) % NODES + 1)
    step = grid.nodes[-1] - grid.nodes[-2]
    nodes = jnp.concatenate([grid.nodes, grid.nodes[-1] + step * spare])
    log_weights = jnp.concatenate([grid.log_weights, jnp.full(len(spare), NO_WEIGHT)])
    others = (grid.discriminations, grid.effects, grid.class_effects)
    return Grid(nodes, log_weights, *(None if of is None else _further_out(of) for of in others))


def _further_out(nodes: Float[Array, "node"]) -> Float[Array, "more"]:
    half = len(nodes) // 2
    more = -(-half // (OTHERS // 2)) * (OTHERS // 2)
    return nodes[half] + (nodes[1] - nodes[0]) * jnp.arange(-more, more + 1)


def filled_up(patterns: Patterns, length: int) -> Patterns:
    """Return patterns in chunks of a given length, of which the rest counts for no image."""
    now = patterns.chunks.count.shape[1]

    def longer(leaf: Any) -> np.ndarray:  # noqa: ANN401
        return np.pad(leaf, [(0, 0), (0, length - now), *[(0, 0)] * (leaf.ndim - 2)]) if leaf.ndim > 1 else leaf

    of_image = patterns.of_image // now * length + patterns.of_image % now
    return replace(patterns, chunks=jax.tree.map(longer, patterns.chunks), of_image=of_image)


def _few_of_each_set(world: World) -> dict[str, int]:
    """Return the first images of every test set, and their numbers."""
    names, images = world.responses.images, len(world.difficulty) // len(TEST_SETS)
    return {names[number]: number for k in range(len(TEST_SETS)) for number in range(k * images, k * images + FEW)}


def _log_likelihoods(
    specification: Specification, truth: xr.Dataset, posterior: xr.Dataset, patterns: Patterns
) -> tuple[Float[np.ndarray, "1"], Float[np.ndarray, "draw"]]:
    """Return the log-likelihood of the truth and of every posterior draw, in nats.

    As a quantity to rank it notices what the parameters one by one do not (Modrák et al., 2023).
    """
    both = xr.concat([truth.expand_dims(chain=1, draw=1), posterior], "draw")
    numbers = numbers_of(specification, both, at_most=None)
    every = np.asarray(_likelihood_of_draws(numbers, patterns, with_spare_nodes(grid_of(numbers, patterns))))
    return every[:1], every[1:]


@jax.jit
def _likelihood_of_draws(numbers: Specification, patterns: Patterns, grid: Grid) -> Float[Array, "draw"]:
    def of_draw(drawn: Specification) -> Array:
        return log_likelihood(tabulate(drawn.skill, drawn.curve, drawn.population, grid, patterns), patterns)

    return jax.lax.map(of_draw, numbers)


def _drawn_difficulties(
    world: World, specification: Specification, posterior: xr.Dataset, images: IntArray, *, random_seed: int
) -> Float[np.ndarray, "draw image"]:
    patterns = filled_up(patterns_of(world.responses, specification, only=images), FEW)
    numbers, patterns = numbers_of(specification, posterior, at_most=None), jax.tree.map(jnp.asarray, patterns)
    grid = with_spare_nodes(grid_of(numbers, patterns, refinement=REFINEMENT))
    return draw_difficulties(numbers, patterns, grid, random_seed=random_seed)


def _as_fit(world: World, specification: Specification, posterior: xr.Dataset) -> Fit:
    """Return the posterior as what the readers of fits read."""
    strata = world.responses.strata()
    weight = ((TEST_SET, STRATUM), strata.weights)
    return Fit(
        xr.DataTree.from_dict({
            "posterior": posterior,
            "observed_data": world.responses.dataset,
            "constant_data": xr.Dataset({"weight": weight}, {TEST_SET: world.responses.test_sets}),
        }),
        specification,
    )


def _of_unknowns(values: xr.Dataset) -> dict[str, Float[np.ndarray, "draw"]]:
    """Return the unknowns of every stratum, along other dimensions the first few."""
    found = {}
    for path, of in values.data_vars.items():
        dims = [dim for dim in of.dims if dim != "draw"]
        names = [of[dim].values if dim == STRATUM else of[dim].values[:FEW] for dim in dims]
        for place in itertools.product(*names):
            label = f"{path}[{', '.join(map(str, place))}]" if place else str(path)
            found[label] = of.sel(dict(zip(dims, place, strict=True))).values
    return found


def _of_sets(
    accuracy: Float[np.ndarray, "draw test_set model"],
    mean: Float[np.ndarray, "draw test_set"],
    sd: Float[np.ndarray, "draw test_set"],
) -> dict[str, Float[np.ndarray, "draw"]]:
    """Return u and v of the least-squares line between accuracies, and moments of difficulty in the test sets."""
    line = least_squares(*(probit(accuracy[:, k]) for k in range(2)))
    return {
        "u": line.u,
        "v": line.v,
        **{f"mean of difficulty[{name}]": mean[:, k] for k, name in enumerate(TEST_SETS)},
        **{f"sd of difficulty[{name}]": sd[:, k] for k, name in enumerate(TEST_SETS)},
    }


def _rank(truth: float, draws: Float[np.ndarray, "draw"], rng: np.random.Generator) -> int:
    """Return how many draws lie below the truth; of those equal to it, as both may be infinite, a random part."""
    return int((draws < truth).sum() + rng.integers((draws == truth).sum() + 1))


def _autocorrelation(draws: Float[np.ndarray, "draw"]) -> float:
    """Return the correlation of every draw with the next, of their ranks where some are infinite."""
    of = np.argsort(np.argsort(draws)).astype(float)
    return float(np.corrcoef(of[:-1], of[1:])[0, 1])
