"""Four ways to one posterior: marginal NUTS, the normal approximation, the joint model, and PyMC."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from difficulty_model.fitting import Fit, fit
from difficulty_model.fitting import nuts as nuts_module
from difficulty_model.fitting.density import Density
from difficulty_model.fitting.diagnostics import mixing
from difficulty_model.fitting.mode import Mode
from difficulty_model.fitting.nuts import DEPTH, _off_resonance
from difficulty_model.likelihood import Grid
from worlds import World, simulate


def parameters(posterior: xr.Dataset) -> np.ndarray:
    """Skills, second mean and log sds: draws in columns."""
    columns = [posterior["skill"].values, posterior["population.mean"].values[..., 1:],
               np.log(posterior["population.sd"].values)]
    joined = np.concatenate(columns, axis=2)
    return joined.reshape(-1, joined.shape[2])


def agree(one: np.ndarray, ess_one: float, other: np.ndarray, ess_other: float) -> None:
    """Means within five standard errors and sds within five of theirs, for the smallest effective sample sizes."""
    sd = (one.std(0) + other.std(0)) / 2
    effective = 1 / (1 / ess_one + 1 / ess_other)
    assert (np.abs(one.mean(0) - other.mean(0)) / sd).max() < 5 / np.sqrt(effective)
    # The log of a sample sd has a standard error of 1/√(2·ESS) for normal draws; twice that for heavier tails.
    assert np.abs(np.log(one.std(0) / other.std(0))).max() < 5 * 2 / np.sqrt(2 * effective)


def effective(fitted: Fit) -> float:
    return min(fitted.diagnostics["ess_bulk"], fitted.diagnostics["ess_tail"])


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(11, skill=np.linspace(-0.5, 1.5, 10), images={"a": 75, "b": 75}, missing=0.05)


@pytest.fixture(scope="module")
def nuts(world: World) -> Fit:
    return fit(world.responses, random_seed=1, progress=False)


def test_nuts_is_well_and_says_so(nuts: Fit):
    assert nuts.trouble == []
    assert "The chains agree" in nuts.verdict
    assert nuts.diagnostics["divergences"] == 0
    assert effective(nuts) > 400
    assert nuts.diagnostics["grid_error"] < 1e-2
    assert set(nuts.tree["sample_stats"].to_dataset()) >= {"diverging", "acceptance_rate", "n_steps", "energy"}
    assert nuts.tree["sample_stats"]["n_steps"].mean() < 16


@pytest.mark.parametrize("step_size", np.geomspace(0.03, 2.0, 97))
def test_no_trajectory_is_half_an_oscillation_long(step_size: float):
    taken = _off_resonance(step_size)
    lengths = taken * (2.0 ** np.arange(1, DEPTH + 1) - 1) / np.pi
    assert not ((lengths > 0.86) & (lengths < 1.14)).any()
    assert step_size <= taken < 1.36 * step_size


def test_chains_take_that_step_size_and_end_all_the_same(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("difficulty_model.fitting.nuts._off_resonance", lambda _: 1e-3)  # no trajectory turns
    fitted = fit(world.responses, draws=4, chains=1, random_seed=0, progress=False)
    assert (fitted.tree["sample_stats"]["n_steps"] == 2**DEPTH - 1).all()


@pytest.mark.parametrize(("diverging", "tried"), [(set(), [0.8]), ({0.8}, [0.8, 0.95]), ({0.8, 0.95}, [0.8, 0.95])])
def test_diverging_chains_are_sampled_again_with_shorter_steps(
    world: World, monkeypatch: pytest.MonkeyPatch, diverging: set[float], tried: list[float]
):
    asked = []

    def chains(density: Density, mode: Mode, grid: Grid, acceptance: float, **options: Any):  # noqa: ANN401
        flat, recorded = sampled(density, mode, grid, acceptance, **options)
        asked.append((acceptance, recorded["num_steps"].mean()))
        recorded["diverging"][0, 0] = acceptance in diverging
        return flat, recorded

    sampled = nuts_module._chains
    monkeypatch.setattr(nuts_module, "_chains", chains)
    fitted = fit(world.responses, random_seed=0, draws=60, chains=2, progress=False)
    assert [acceptance for acceptance, _ in asked] == tried
    assert fitted.diagnostics["divergences"] == (tried[-1] in diverging)
    # The draws are those of the last, and its steps are shorter: a trajectory takes more.
    assert fitted.tree["sample_stats"]["n_steps"].mean() == pytest.approx(asked[-1][1])
    assert [steps for _, steps in asked] == sorted(steps for _, steps in asked)


def test_laplace_agrees_with_nuts(world: World, nuts: Fit):
    laplace = fit(world.responses, random_seed=2, method="laplace", progress=False)
    assert laplace.diagnostics["pareto_k"] < 0.7
    agree(parameters(laplace.posterior), laplace.diagnostics["ess_importance"], parameters(nuts.posterior),
          effective(nuts))


def test_normal_approximation_holds_in_a_big_world():
    big = simulate(12, skill=np.linspace(-0.5, 2.0, 20), images={"a": 3000, "b": 3000})
    laplace = fit(big.responses, random_seed=0, method="laplace", progress=False)
    assert laplace.trouble == []
    assert laplace.diagnostics["pareto_k"] < 0.4
    assert laplace.diagnostics["ess_importance"] > 900


@pytest.mark.slow
def test_joint_model_agrees_with_nuts(world: World, nuts: Fit):
    joint = fit(world.responses, random_seed=3, method="joint", draws=1000, chains=2, progress=False)
    assert joint.diagnostics["r_hat"] < 1.05
    agree(parameters(joint.posterior), effective(joint), parameters(nuts.posterior), effective(nuts))
    # The joint model samples what the marginal fit integrates: every image's difficulty.
    draws = joint.posterior["difficulty"].values.reshape(-1, 150)
    sd = nuts.difficulty["sd"].values
    assert np.abs((draws.mean(0) - nuts.difficulty["mean"].values) / sd).max() < 5 / np.sqrt(effective(joint)) + 0.05
    assert np.abs(np.log(draws.std(0) / sd)).max() < 0.25


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_pymc_agrees_with_nuts(world: World, nuts: Fit):
    pymc = pytest.importorskip("pymc")

    right, shown = world.responses.right.astype(float), world.responses.shown.astype(float)
    stratum = world.responses.strata().of_image
    with pymc.Model():
        skill = pymc.Normal("skill", 0, 5, shape=10)
        mean = pymc.Normal("mean", 0, 3)
        log_sd = pymc.Normal("log_sd", np.log(1.5), 0.75, shape=2)
        standard = pymc.Normal("standard", 0, 1, shape=150)
        difficulty = mean * stratum + pymc.math.exp(log_sd)[stratum] * standard
        difference = (skill[:, None] - difficulty[None, :]) / np.sqrt(2)  # pyright: ignore
        log_right = pymc.math.log(pymc.math.erfc(-difference) / 2)  # pyright: ignore
        log_wrong = pymc.math.log(pymc.math.erfc(difference) / 2)  # pyright: ignore
        pymc.Potential("responses", (right * log_right + (shown - right) * log_wrong).sum())
        trace = pymc.sample(1000, tune=700, chains=2, cores=1, random_seed=4, progressbar=False,
                            compute_convergence_checks=False)
    columns = [trace.posterior[name].values.reshape(2, 1000, -1) for name in ("skill", "mean", "log_sd")]
    drawn = np.concatenate(columns, axis=2)
    mixed = mixing(xr.Dataset({"x": (("chain", "draw", "unknown"), drawn)}))
    agree(drawn.reshape(2000, -1), min(mixed.ess_bulk, mixed.ess_tail), parameters(nuts.posterior), effective(nuts))
