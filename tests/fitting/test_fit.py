"""The verb: truth recovered, the same seed the same fit, files whole, misuse refused in a sentence."""

from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from jax.scipy.special import log_ndtr
from jaxtyping import Array, Float

from difficulty_model.curves import ResponseCurve
from difficulty_model.distributions import LogNormal
from difficulty_model.errors import InputError
from difficulty_model.family import independent, logistic, normal, probit, recht_et_al
from difficulty_model.fitting import Fit, fit, load_fit
from difficulty_model.fitting.density import Potential, posterior_density
from difficulty_model.likelihood import collapse
from difficulty_model.populations import Normal
from difficulty_model.responses import Responses
from difficulty_model.specification import Prior, Specification
from worlds import World, simulate

SKILL = np.linspace(-0.5, 2.0, 12)


def laplace(responses: Responses, specification: Specification | None = None, *, seed: int = 0) -> Fit:
    return fit(responses, specification, random_seed=seed, method="laplace", progress=False)


def with_sd(sd: float) -> Specification:
    """The model of Recht et al. with a known sd of difficulty."""
    population = recht_et_al().population
    assert isinstance(population, Normal)
    return replace(recht_et_al(), population=replace(population, sd=sd))


def line_draws(fitted: Fit) -> tuple[np.ndarray, np.ndarray]:
    mean, sd = (fitted.posterior[f"population.{name}"].values.reshape(-1, 2).T for name in ("mean", "sd"))
    scale = np.sqrt(1 + sd[1] ** 2)
    return np.sqrt(1 + sd[0] ** 2) / scale, (mean[0] - mean[1]) / scale


def z_scores(world: World, fitted: Fit) -> np.ndarray:
    scale = np.sqrt(1 + world.sd[1] ** 2)
    truths = [*world.skill, *world.sd, np.sqrt(1 + world.sd[0] ** 2) / scale, (world.mean[0] - world.mean[1]) / scale]
    sd = fitted.posterior["population.sd"].values.reshape(-1, 2)
    skill = fitted.posterior["skill"].values.reshape(-1, len(world.skill))
    draws = np.column_stack([skill, sd, *line_draws(fitted)])
    return (draws.mean(0) - truths) / draws.std(0)


@pytest.mark.parametrize("missing", [0.0, 0.4])
@pytest.mark.parametrize("seed", [0, 1])
def test_truth_is_recovered(seed: int, missing: float):
    world = simulate(seed, skill=SKILL, images={"a": 800, "b": 800}, missing=missing)
    fitted = laplace(world.responses, seed=seed)
    assert fitted.trouble == []
    z = z_scores(world, fitted)
    # 16 numbers: one beyond 5 happens in 1e-5 of such tests by chance; the seeds are fixed.
    assert np.abs(z).max() < 5
    # Correlated z-scores have mean square 1; 4 would be a posterior half as wide as it should be.
    assert 0.05 < np.square(z).mean() < 4
    np.testing.assert_allclose(np.corrcoef(fitted.difficulty["mean"], world.difficulty)[0, 1], 0.9, atol=0.12)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sloped(ResponseCurve):
    """A curve of a user's own: P(right) = Φ(slope·(s − τ))."""

    slope: Float[Array, ""]

    def log_probabilities(
        self, skill: Float[Array, ""], difficulty: Float[Array, "node"]
    ) -> tuple[Float[Array, "node"], Float[Array, "node"]]:
        return log_ndtr(self.slope * (skill - difficulty)), log_ndtr(self.slope * (difficulty - skill))

    def width(self) -> Float[Array, ""]:
        return 1 / self.slope


def test_a_curve_of_the_users_own_fits_with_no_other_change():
    slope = np.tile([0.5, 1.0, 1.8], 4)
    curve = Sloped(Prior(LogNormal(1.0, 0.5), over="model"))  # pyright: ignore[reportArgumentType]
    # The scale is set by the population instead of the slope.
    specification = replace(with_sd(1.5), curve=curve)
    world = simulate(5, skill=SKILL, images={"a": 1500, "b": 1500}, slope=slope, sd=(1.5, 1.5))
    fitted = fit(world.responses, specification, random_seed=0, method="mode", draws=100, progress=False)
    draws = fitted.posterior["curve.slope"].values.reshape(-1, 12)
    assert np.abs((draws.mean(0) - slope) / draws.std(0)).max() < 5
    assert draws.std(0).max() < 0.3
    second = fitted.posterior["population.mean"].values[..., 1]
    assert abs(second.mean() - world.mean[1]) < 5 * second.std()
    # What the fit says next needs its specification again.
    assert fitted.numbers(at_most=10).curve.slope.shape == (10, 12)  # pyright: ignore[reportAttributeAccessIssue]


def test_a_fixed_parameter_stays_and_is_no_unknown():
    world = simulate(6, skill=SKILL, images={"a": 300, "b": 300}, sd=(2.0, 2.0))
    fixed = with_sd(2.0)
    fitted = fit(world.responses, fixed, random_seed=0, method="mode", draws=20, progress=False)
    assert set(fitted.posterior) == {"skill", "population.mean"}
    assert fitted.specification == fixed
    np.testing.assert_array_equal(fitted.numbers().population.sd, 2.0)  # pyright: ignore[reportAttributeAccessIssue]


def test_test_sets_that_share_images_count_every_image_once():
    world = simulate(7, skill=SKILL[::3], images={"a": 120, "b": 60}, mean=(0.0, 1.0))
    whole = world.responses
    member = {"a": whole.member[0], "b": whole.member[1] | (np.arange(180) < 60)}  # half of b is also in a
    responses = Responses.from_arrays(
        whole.right, models=whole.models, images=whole.images, member=member, shown=whole.shown
    )
    strata = responses.strata()
    assert strata.names == ["a", "b", "a & b"]
    fitted = fit(responses, random_seed=0, method="mode", draws=20, progress=False)
    np.testing.assert_allclose(fitted.weights, [[0.5, 0, 0.5], [0, 0.5, 0.5]])
    sizes = {"model": 4, "stratum": 3}
    with jax.enable_x64(True):
        of_sets = posterior_density(
            recht_et_al(), sizes, collapse(responses.right, responses.shown, strata.of_image)
        )
        distinct = [
            posterior_density(recht_et_al(), sizes, collapse(
                responses.right[:, cell], responses.shown[:, cell], strata.of_image[cell]
            )) for cell in (strata.of_image == s for s in range(3))
        ]
        flat = jnp.asarray(np.random.default_rng(0).normal(size=of_sets.potential.size) / 2)
        grid = of_sets.grid_at(flat[None], refinement=2.0)
        nothing = collapse(responses.right[:, :1] * 0, responses.shown[:, :1] * 0, strata.of_image[:1])
        prior = float(of_sets.potential.value(flat, nothing, grid))
        whole_value = float(of_sets.potential.value(flat, of_sets.patterns, grid)) - prior
        parts = [float(density.potential.value(flat, density.patterns, grid)) - prior for density in distinct]
    assert whole_value == pytest.approx(sum(parts), rel=1e-10)


def test_fits_of_one_specification_share_what_is_compiled():
    right = np.random.default_rng(0).integers(0, 2, (2, 4, 60))
    nothing = np.zeros(60, int)

    def potential(specification: Specification, right: np.ndarray) -> Potential:
        patterns = collapse(right, np.ones_like(right), nothing[: right.shape[1]])
        return posterior_density(specification, {"model": len(right), "stratum": 1}, patterns).potential

    with jax.enable_x64(True):
        first = potential(recht_et_al(), right[0])
        assert potential(recht_et_al(), right[1, :, :50]) is first
        assert potential(recht_et_al(), right[0, :3]) is not first
        other = Specification(independent(), logistic(), normal())
        assert potential(other, right[0]) is not first
        # Numbers that are arrays cannot be compared.
        known = Specification(np.zeros(4), probit(), normal())
        assert potential(known, right[0]) is not potential(known, right[0])
        assert potential(known, right[0]).size < first.size


@pytest.fixture(scope="module")
def small() -> World:
    return simulate(8, skill=SKILL[::2], images={"a": 80, "b": 80}, missing=0.1)


@pytest.fixture(scope="module")
def fitted(small: World) -> Fit:
    return laplace(small.responses, seed=3)


def test_the_same_seed_gives_the_same_fit_to_the_byte(small: World, fitted: Fit, tmp_path: Path):
    again, other = laplace(small.responses, seed=3), laplace(small.responses, seed=4)
    assert again.tree.identical(fitted.tree)
    assert not other.posterior.equals(fitted.posterior)
    for name, of in [("one", fitted), ("two", again)]:
        of.save(tmp_path / f"{name}.nc")
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "two.nc").read_bytes()


def test_files_keep_everything(fitted: Fit, tmp_path: Path):
    fitted.save(tmp_path / "fit.nc")
    loaded = load_fit(tmp_path / "fit.nc")
    for group in fitted.tree.children:
        xr.testing.assert_identical(loaded.tree[group].to_dataset(), fitted.tree[group].to_dataset())
    assert loaded.tree.attrs == fitted.tree.attrs
    assert loaded.specification == recht_et_al()
    assert (loaded.diagnostics, loaded.trouble, loaded.verdict) == (
        fitted.diagnostics, fitted.trouble, fitted.verdict
    )
    jax.tree.map(np.testing.assert_array_equal, loaded.numbers(), fitted.numbers())
    assert loaded.responses.dataset.identical(fitted.responses.dataset)


def test_files_that_hold_no_fit_are_refused(small: World, fitted: Fit, tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        load_fit(tmp_path / "nowhere.nc")
    (tmp_path / "text.nc").write_text("not a fit")
    small.responses.save(tmp_path / "responses.nc")
    fitted.save(tmp_path / "fit.nc")
    whole = (tmp_path / "fit.nc").read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: len(whole) // 2])
    for name in ("text", "responses", "cut"):
        with pytest.raises(InputError, match=name):
            load_fit(tmp_path / f"{name}.nc")


@pytest.mark.parametrize("broken", ["", "[]", '{"type": "os.system"}', "{" * 1000])
def test_a_fit_with_a_broken_specification_is_refused(fitted: Fit, tmp_path: Path, broken: str):
    tree = fitted.tree.copy()
    tree.attrs = fitted.tree.attrs | {"specification": broken}
    Fit(tree, fitted.specification).save(tmp_path / "broken.nc")
    with pytest.raises(InputError):
        load_fit(tmp_path / "broken.nc")


def test_draws_are_thinned_evenly(fitted: Fit):
    assert fitted.numbers().skill.shape == (1000, 6)
    np.testing.assert_array_equal(fitted.numbers(at_most=100).skill, fitted.numbers().skill[::10])
    assert len(fitted.numbers(at_most=300).skill) <= 300


def test_misuse_is_refused(small: World):
    responses = small.responses
    with pytest.raises(InputError, match="only one model"):
        fit(responses.select(models=["m0"]), random_seed=0)
    for draws, chains in [(0, 4), (3, 4), (250, 0)]:
        with pytest.raises(InputError, match="at least 4 draws and 1 chain"):
            fit(responses, random_seed=0, draws=draws, chains=chains)
    with pytest.raises(InputError, match="no method 'gibbs'"):
        fit(responses, random_seed=0, method="gibbs")  # pyright: ignore[reportArgumentType]


def test_the_users_precision_is_left_alone(fitted: Fit):
    assert fitted.posterior["skill"].dtype == np.float64
    assert not jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
