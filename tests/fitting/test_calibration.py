"""Simulation-based calibration: parameters drawn from the prior rank uniformly among draws of their posterior.

(Talts et al., 2018, arXiv:1804.06788.) Priors are narrower than those of `recht_et_al`, so that worlds are alike
enough for one grid to serve all. Every world has the same shape, so that programs compile once.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from scipy.stats import binom, chisquare

from difficulty_model.curves import Probit
from difficulty_model.distributions import LogNormal, Normal
from difficulty_model.fitting.density import Density, posterior_density
from difficulty_model.fitting.laplace import sample_laplace
from difficulty_model.fitting.nuts import sample_nuts
from difficulty_model.fitting.sample import Sample
from difficulty_model.likelihood import Grid, Patterns, sinh_grid
from difficulty_model.populations import Normal as NormalPopulation
from difficulty_model.specification import Prior, Specification
from worlds import simulate

MODELS, IMAGES, DRAWS = 8, {"a": 50, "b": 50}, 199
SIZES = {"model": MODELS, "stratum": 2}
SPECIFICATION = Specification(
    skill=Prior(Normal(1.0, 0.7), over="model"),
    curve=Probit(),
    population=NormalPopulation(
        mean=Prior(Normal(0.5, 0.5), over="stratum", reference=0.0),  # pyright: ignore[reportArgumentType]
        sd=Prior(LogNormal(1.5, 0.25), over="stratum"),  # pyright: ignore[reportArgumentType]
    ),
)
QUANTITIES = ("skill", "mean", "sd of a", "sd of b", "u", "v")


class OnOneGrid(Density):
    """The density on a grid that serves every world of this specification, so that nothing compiles twice."""

    def grid_at(self, draws: Array, *, refinement: float = 1.0) -> Grid:
        return sinh_grid(center=1.0, scale=4.0, spacing=0.2 / refinement, low=-25.0, high=27.0)


def drawn_world(seed: int) -> tuple[np.ndarray, Patterns]:
    """Parameters from the prior, and the responses of a world that has them, uncollapsed so that shapes agree."""
    rng = np.random.default_rng(seed)
    skill, mean, sd = rng.normal(1, 0.7, MODELS), rng.normal(0.5, 0.5), 1.5 * np.exp(0.25 * rng.normal(size=2))
    world = simulate(seed, skill=skill, images=IMAGES, mean=(0.0, mean), sd=tuple(sd))
    rows, stratum = world.responses.right.T, world.responses.strata().of_image
    parts = (rows[None], stratum[None], np.ones((1, len(rows))), np.arange(len(rows)), np.ones(MODELS, int))
    patterns = Patterns(*map(jnp.asarray, parts), complete=True)
    return quantities(skill[None], np.array([[0.0, mean]]), sd[None])[0], patterns


def quantities(skill: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    scale = np.sqrt(1 + sd[:, 1] ** 2)
    u, v = np.sqrt(1 + sd[:, 0] ** 2) / scale, (mean[:, 0] - mean[:, 1]) / scale
    return np.column_stack([skill[:, 0], mean[:, 1], sd, u, v])


def drawn_quantities(sample: Sample) -> np.ndarray:
    flat = [v.reshape(-1, v.shape[-1]) for v in
            (sample.values[path] for path in ("skill", "population.mean", "population.sd"))]
    return quantities(*flat)


def assert_calibrated(ranks: np.ndarray, draws: int) -> None:
    """Ranks, (world, quantity), are uniform from 0 to `draws`; a quantity fails by chance once in 10,000."""
    worlds, bins = len(ranks), 10 if len(ranks) >= 100 else 4
    for name, of_one in zip(QUANTITIES, ranks.T, strict=True):
        counts = np.histogram(of_one, np.linspace(0, draws + 1, bins + 1))[0]
        p_value = chisquare(counts).pvalue
        inside = int(((of_one >= 0.05 * (draws + 1)) & (of_one < 0.95 * (draws + 1))).sum())
        low, high = binom.ppf([5e-5, 1 - 5e-5], worlds, 0.9)
        print(f"{name}: p = {p_value:.3f}, 90% intervals hold {inside} of {worlds}, counts {counts}")
        assert p_value > 1e-4, name
        assert low <= inside <= high, name


@pytest.mark.slow
@pytest.mark.parametrize(("sampler", "worlds", "draws"), [(sample_laplace, 250, DRAWS), (sample_nuts, 30, 99)],
                         ids=["laplace", "nuts"])
def test_ranks_are_uniform(sampler, worlds: int, draws: int):  # noqa: ANN001
    ranks = []
    with jax.enable_x64(True):
        first = posterior_density(SPECIFICATION, SIZES, drawn_world(0)[1])
        shared = OnOneGrid(SPECIFICATION, SIZES, first.patterns, first.size, first.unravel)
        for seed in range(worlds):
            truth, patterns = drawn_world(seed)
            density = replace(shared, patterns=patterns)
            density.__dict__ |= {name: getattr(shared, name) for name in ("value", "value_and_gradient", "hessian")}
            sample = sampler(density, draws=draws, chains=1, random_seed=seed, progress=False)
            assert sample.diagnostics["grid_error"] < 1e-6
            ranks.append((drawn_quantities(sample) < truth).sum(0))
    assert_calibrated(np.array(ranks), draws)
