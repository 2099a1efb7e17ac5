"""A second opinion: the same posterior in PyMC, for every part of the family."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float
from numpyro import handlers
from numpyro.diagnostics import effective_sample_size
from numpyro.infer.util import unconstrain_fn
from scipy import special
from scipy.stats import norm

from difficulty_model import populations
from difficulty_model.curves import Lapsing, Probit, ResponseCurve
from difficulty_model.distributions import Beta, Normal
from difficulty_model.errors import InputError
from difficulty_model.family import (
    discriminating,
    flexible,
    in_classes,
    in_families,
    independent,
    logistic,
    losing,
    normal,
    probit,
    recht_et_al,
    regressed,
    skew_normal,
    slopes,
    student_t,
    two_normals,
    with_lapses,
    with_unlearnable,
    with_unmissable,
)
from difficulty_model.fitting import fit
from difficulty_model.fitting.density import Density, Flat, posterior_density
from difficulty_model.fitting.images import names_of, patterns_of
from difficulty_model.fitting.program import draw_unknowns
from difficulty_model.likelihood import Grid, sinh_grid
from difficulty_model.populations import Discriminating, Modified
from difficulty_model.responses import Responses
from difficulty_model.skills import InFamilies
from difficulty_model.specification import Prior, Specification, modifiers, unknowns
from worlds import simulate

pm = pytest.importorskip("pymc")
pytensor = pytest.importorskip("pytensor")

from difficulty_model.exporting import pymc_parts, to_pymc  # noqa: E402
from difficulty_model.exporting.pymc_model import pymc_model  # noqa: E402

SPECIFICATIONS = {
    "slopes, student t": Specification(independent(), slopes(), student_t()),
    "logistic": Specification(independent(), logistic(), normal()),
    "logistic slopes, lapses": Specification(independent(), with_lapses(slopes(logistic()), per_model=True), normal()),
    "a lapse rate, two normals": Specification(independent(), with_lapses(probit()), two_normals()),
    "lapses and guesses of every model, skew-normal": Specification(
        independent(), with_lapses(slopes(), per_model=True, guess=None), skew_normal()
    ),
    "a known guess rate, unlearnable images": Specification(
        independent(), with_lapses(slopes(), guess=0.1), with_unlearnable(normal())
    ),
    "images at both ends": Specification(
        independent(), with_lapses(slopes(logistic())), with_unlearnable(with_unmissable(normal()))
    ),
    "regressed": Specification(independent(), probit(), regressed(normal(), ["ease", "size"])),
    "in classes, flexible": Specification(independent(), slopes(), in_classes(flexible())),
    "losing": Specification(losing(), slopes(), normal()),
    # The order of modifiers does not matter: images that no model can get right do not discriminate.
    "an atom of discriminating": Specification(independent(), probit(), with_unlearnable(discriminating(normal()))),
    "families": Specification(in_families(), probit(), skew_normal()),
    "families that lose, with lapses, an atom and classes": Specification(
        in_families(losing()), with_lapses(slopes(), guess=None), with_unlearnable(in_classes(normal()))
    ),
    "everything": Specification(
        losing(), with_lapses(slopes(), guess=None),
        discriminating(in_classes(with_unlearnable(regressed(normal(), ["size"])))),
    ),
    "means held, an sd known": Specification(
        Prior(Normal(1.0, 2.0), "model", reference=0.5, held="mean"),
        Lapsing(Probit(), Prior(Beta(2.0, 5.0), "model", reference=0.2, held="mean"), 0.05),  # pyright: ignore
        populations.Normal(Prior(Normal(0.0, 3.0), "stratum", reference=0.0), 1.5),  # pyright: ignore
    ),
}


with jax.enable_x64(True):
    GRID = sinh_grid(center=0.5, scale=2.0, spacing=0.3, low=-15.0, high=15.0)


def observed(seed: int, *, showings: int = 1, missing: float = 0.0, shared: int = 0) -> Responses:
    """Responses of 8 models to two test sets of 60 images, which have covariates and labels, and may be shared."""
    rng = np.random.default_rng(seed)
    skill, difficulty = rng.normal(1.0, 1.0, 8), rng.normal(0.0, 1.5, 60)
    shown = showings * (rng.random((8, 60)) >= missing)
    image = np.arange(60)
    responses = Responses.from_arrays(
        rng.binomial(shown, special.ndtr(skill[:, None] - difficulty)), shown=shown,
        models=[f"m{j}" for j in range(8)], images=[f"i{i}" for i in image],
        member={"a": image < 30 + shared, "b": image >= 30},
    )
    known = {"ease": rng.normal(size=60), "size": rng.random(60), "label": rng.integers(0, 3, 60)}
    described = responses.dataset.assign_coords({name: ("image", values) for name, values in known.items()})
    return Responses(described.assign_coords(family=("model", list("aabccacd"))))


@dataclass(frozen=True, eq=False)
class Posterior:
    """A posterior on a grid that it need not suit, but that both packages are given."""

    specification: Specification
    responses: Responses
    density: Density
    grid: Grid

    def ours(self, at: Flat) -> float:
        return -float(self.density.potential.value(at, self.density.patterns, self.grid))

    def our_gradient(self, at: Flat) -> dict[str, np.ndarray]:
        _, gradient = self.density.potential.value_and_gradient(at, self.density.patterns, self.grid)
        return {site: -np.asarray(of) for site, of in self.density.potential.unravel(gradient).items()}

    def theirs(self, *, gradient: bool = False) -> Callable[[Flat], tuple[float, dict[str, np.ndarray]]]:
        """PyMC's log-density in the same unconstrained numbers, with Jacobians, and its gradient by sites."""
        names = names_of(self.responses, self.specification)
        model = pymc_model(self.specification, names, self.density.patterns, self.grid)
        free: Any = [model.rvs_to_values[rv] for rv in model.free_RVs]
        value = model.logp(jacobian=True)
        outputs: Any = [value, *pytensor.grad(value, free)] if gradient else [value]
        # The mode that compiles soonest.
        compiled = model.compile_fn(outputs, inputs=free, point_fn=False, mode="FAST_COMPILE")
        sites = [rv.name for rv in model.free_RVs]

        def at(flat: Flat) -> tuple[float, dict[str, np.ndarray]]:
            values = self.density.potential.unravel(flat)
            assert set(values) == set(sites)
            found, *derivatives = compiled(*(np.asarray(values[site]) for site in sites))
            return float(found), dict(zip(sites, derivatives, strict=False))

        return at

    def points(self, *seeds: int) -> list[Flat]:
        """Draws of the priors, unconstrained."""

        def draw() -> None:
            draw_unknowns(self.specification, self.density.potential.sizes)

        drawn = []
        for seed in seeds:
            with handlers.seed(rng_seed=seed), handlers.trace() as trace:
                draw()
            values = {name: site["value"] for name, site in trace.items() if site["type"] == "sample"}
            drawn.append(ravel_pytree(unconstrain_fn(draw, (), {}, values))[0])
        return drawn


def posterior(specification: Specification, responses: Responses) -> Posterior:
    names, patterns = names_of(responses, specification), patterns_of(responses, specification)
    density = posterior_density(specification, {dim: len(of) for dim, of in names.items()}, patterns)
    discriminates = any(isinstance(part, Discriminating) for part in modifiers(specification))
    grid = replace(GRID, discriminations=jnp.linspace(-1.0, 3.0, 7)) if discriminates else GRID
    if isinstance(specification.skill, InFamilies):
        # Fine enough that models by themselves have the closed form's average, which PyMC takes by quadrature.
        grid = replace(grid, effects=jnp.linspace(-9.0, 9.0, 121))
    return Posterior(specification, responses, density, grid)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def require_equal_densities(both: Posterior) -> None:
    theirs = both.theirs()
    for point in both.points(0, 1, 2):
        # All constants and Jacobians are equal too. Sums of 1,000 numbers in another order differ by about 1e-15.
        assert theirs(point)[0] == pytest.approx(both.ours(point), rel=1e-11)


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_pymc_has_the_same_density(name: str):
    require_equal_densities(posterior(SPECIFICATIONS[name], observed(0)))


def test_pymc_has_the_same_density_with_missing_and_repeated_responses_and_shared_images():
    awkward = observed(1, showings=3, missing=0.3, shared=10)
    require_equal_densities(posterior(recht_et_al(), awkward))
    require_equal_densities(posterior(SPECIFICATIONS["families"], awkward))


@pytest.mark.parametrize("name", ["a known guess rate, unlearnable images", "in classes, flexible", "families"])
def test_pymc_has_the_same_gradient(name: str):
    both = posterior(SPECIFICATIONS[name], observed(2, missing=0.1))
    theirs = both.theirs(gradient=True)
    for point in both.points(3, 4):
        gradient = theirs(point)[1]
        for site, ours in both.our_gradient(point).items():
            np.testing.assert_allclose(gradient[site], ours, rtol=1e-8, atol=1e-8, err_msg=site)


AS_IT_STANDS = pytensor.compile.mode.Mode(linker="py", optimizer=None)


def evaluated(formula: Callable, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A formula in PyTensor, with its derivative, as it stands: without the rewrites that would mend it."""
    at = pytensor.tensor.vector("at", dtype="float64")
    value = formula(at)
    return pytensor.function([at], [value, pytensor.grad(value.sum(), at)], mode=AS_IT_STANDS)(z)


def test_log_of_phi_is_exact_in_both_tails():
    z = np.concatenate([np.linspace(-40, 37, 155), [-1000.0, -1.0, 1000.0]])
    value, derivative = evaluated(pymc_parts.log_ndtr, z)
    # Next to 0 the logarithm of 1 - p keeps the relative precision that p is known to.
    np.testing.assert_allclose(value, special.log_ndtr(z), rtol=1e-12, atol=0)
    # The derivative cancels down from z² times the rounding error.
    np.testing.assert_allclose(derivative, np.exp(norm.logpdf(z) - special.log_ndtr(z)), rtol=1e-10, atol=0)


@pytest.mark.parametrize("of_two", [
    pymc_parts.log_add_exp, lambda one, other: pymc_parts.log_sum_exp(pytensor.tensor.stack([one, other], axis=-1))
])
def test_sums_of_exponentials_are_exact_however_small_they_are(of_two: Callable):
    z = np.array([-1e6, -800.0, 0.0, 800.0])
    value, derivative = evaluated(lambda at: of_two(at, 2 * at - 1), z)
    np.testing.assert_allclose(value, np.logaddexp(z, 2 * z - 1), rtol=1e-15)
    np.testing.assert_allclose(derivative, 1 + special.expit(z - 1), rtol=1e-12)


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_a_rate_adds_what_it_is_also_where_it_is_0(rate: float):
    skill = pytensor.tensor.as_tensor(np.zeros((1, 1)))
    curve = Lapsing(Probit(), *map(pytensor.tensor.as_tensor, (np.float64(rate), np.float64(0.0))))
    t = np.linspace(-38, 38, 77)
    for k, certain in enumerate([rate + (1 - rate) * special.ndtr(-t), (1 - rate) * special.ndtr(t)]):
        value, derivative = evaluated(lambda at, k=k: pymc_parts.log_probabilities(curve, skill, at)[k][0], t)
        np.testing.assert_allclose(value[certain > 1e-300], np.log(certain[certain > 1e-300]), rtol=1e-12, atol=1e-15)
        assert np.isfinite(derivative).all()


def test_unknowns_have_the_names_and_dimensions_of_a_fit():
    for name in ("losing", "in classes, flexible"):
        specification, responses = SPECIFICATIONS[name], observed(0)
        names, patterns = names_of(responses, specification), patterns_of(responses, specification)
        model: Any = pymc_model(specification, names, patterns, GRID)
        for path, prior in unknowns(specification).items():
            assert model.named_vars_to_dims.get(path, ()) == prior.dims, path
            for dim in prior.dims:
                assert list(model.coords[dim]) == names[dim]
        assert list(model.coords["stratum.others"]) == ["b"]


def test_sampling_starts_at_the_mode():
    model = to_pymc(recht_et_al(), observed(0))
    # The step to the mode is below 1e-3 posterior sd, of which the smallest is about 0.2.
    assert np.abs(model.compile_dlogp(mode="FAST_COMPILE")(model.initial_point())).max() < 1e-3 / 0.2


@dataclass(frozen=True)
class Logistic(ResponseCurve):
    """A curve of a user's own."""

    def log_probabilities(
        self, skill: Float[Array, ""], difficulty: Float[Array, "node"]
    ) -> tuple[Float[Array, "node"], Float[Array, "node"]]:
        return jax.nn.log_sigmoid(skill - difficulty), jax.nn.log_sigmoid(difficulty - skill)

    def width(self) -> Float[Array, ""]:
        return jnp.full((), 1.7)


jax.tree_util.register_dataclass(Logistic)


def test_a_part_of_the_users_own_needs_a_translation_and_takes_one():
    both = posterior(Specification(0.5, Logistic(), normal()), observed(0))
    with pytest.raises(InputError, match=r"Logistic has no .* `@pymc_parts.log_probabilities.register\(Logis"):
        both.theirs()

    @pymc_parts.log_probabilities.register(Logistic)
    def _logistic(curve: Logistic, skill, difficulty):  # noqa: ANN001
        return tuple(-pytensor.tensor.softplus(ahead) for ahead in (difficulty - skill, skill - difficulty))

    require_equal_densities(both)


class Mirrored(Modified):
    """A modifier of a user's own."""


class Elsewhere:
    """A population of a user's own."""


@pytest.mark.parametrize(("part", "translation"), [(Mirrored, "laid"), (Elsewhere, "log_density")])
def test_the_error_says_which_translation_is_missing(part: type, translation: str):
    images = pymc_parts.KnownOfImages(np.zeros((1, 0)), np.zeros(1, int))
    with pytest.raises(InputError, match=rf"pymc_parts.{translation}.register\({part.__name__}\)"):
        pymc_parts.laid(object.__new__(part), images).log_density(pytensor.tensor.as_tensor(np.zeros(3)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS installation:UserWarning")
def test_pymc_samples_the_posterior_of_fit():
    specification = Specification(independent(), slopes(), with_unlearnable(normal()))
    responses = simulate(3, skill=np.linspace(-0.5, 2.0, 6), images={"a": 150, "b": 150}).responses
    fitted = fit(responses, specification, draws=150, random_seed=0, progress=False).posterior
    with to_pymc(specification, responses):
        drawn = pm.sample(
            draws=300, tune=300, chains=2, cores=1, random_seed=1, progressbar=False, compute_convergence_checks=False
        )
    compared = 0
    for path, ours in fitted.items():
        ours, theirs = ours.values, drawn.posterior[path].values
        if path == "population.population.mean":
            ours, theirs = ours[..., 1:], theirs[..., 1:]  # the first is held
        effective = effective_sample_size(ours), effective_sample_size(theirs)
        variance = ours.var((0, 1)), theirs.var((0, 1))
        error = np.sqrt(variance[0] / effective[0] + variance[1] / effective[1])
        z = (theirs.mean((0, 1)) - ours.mean((0, 1))) / error
        # The logarithm of an sd has a variance of about 1/(2n), more where tails are heavy.
        of_sd = np.log(np.sqrt(variance[1] / variance[0])) / np.sqrt(1 / (2 * effective[0]) + 1 / (2 * effective[1]))
        # Seventeen numbers of each kind: one is beyond 4.5 in 2e-4 of such tests.
        assert np.abs(z).max() < 4.5, path
        assert np.abs(of_sd).max() < 4.5, path
        compared += z.size
    assert compared == 6 + 6 + 1 + 2 + 2
