"""The kernel against integrals done one image at a time, and against itself written the plain way."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from jax.scipy.special import logsumexp
from scipy.integrate import quad
from scipy.special import log_ndtr
from scipy.stats import norm

from difficulty_model.curves import Probit
from difficulty_model.likelihood import (
    Grid,
    Patterns,
    collapse,
    difficulty_posterior,
    log_likelihood,
    sinh_grid,
    tabulate,
)
from difficulty_model.populations import Normal

# Exact to rounding for every problem below: spacing 0.1 is a fifth of the smallest posterior sd.
FINE = {"center": 0.0, "scale": 3.0, "spacing": 0.1, "low": -18.0, "high": 18.0}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@dataclass(frozen=True)
class Problem:
    right: np.ndarray
    shown: np.ndarray
    stratum: np.ndarray
    skill: np.ndarray
    mean: np.ndarray
    sd: np.ndarray

    def patterns(self) -> Patterns:
        return jax.tree.map(jnp.asarray, collapse(self.right, self.shown, self.stratum))

    def log_likelihood(self) -> float:
        return float(marginal(self.parameters(), self.patterns(), sinh_grid(**FINE)))

    def parameters(self) -> dict[str, jax.Array]:
        return {"skill": jnp.asarray(self.skill), "mean": jnp.asarray(self.mean), "sd": jnp.asarray(self.sd)}

    def integrand(self, i: int, shift: float = 0.0) -> Callable[[float], float]:
        k = self.stratum[i]

        def density(t: float) -> float:
            log_p = self.right[:, i] @ log_ndtr(self.skill - t)
            log_p += (self.shown[:, i] - self.right[:, i]) @ log_ndtr(t - self.skill)
            return np.exp(log_p + norm.logpdf(t, self.mean[k], self.sd[k]) - shift)

        return density

    def brute_force(self) -> float:
        """Sum of the logarithms of one adaptive integral per image, each scaled by its integrand's peak."""
        total = 0.0
        for i in range(self.right.shape[1]):
            scan = np.linspace(-15, 15, 301)
            values = np.array([self.integrand(i)(t) for t in scan])
            peak, shift = scan[values.argmax()], np.log(values.max())
            value, error = quad(self.integrand(i, shift), -15, 15, points=[peak], epsrel=1e-11, epsabs=0, limit=300)
            assert error < 1e-9 * value
            total += np.log(value) + shift
        return total


@jax.jit
def marginal(parameters: dict[str, jax.Array], patterns: Patterns, grid: Grid) -> jax.Array:
    population = Normal(parameters["mean"], parameters["sd"])
    return log_likelihood(
        tabulate(parameters["skill"], Probit(), population, grid, patterns), patterns
    )


def plain(parameters: dict[str, jax.Array], problem: Problem, grid: Grid) -> jax.Array:
    """The same number with no collapsing, chunks or custom derivatives."""
    t = grid.nodes
    difference = parameters["skill"][:, None] - t
    right = jnp.asarray(problem.right, float)
    wrong = jnp.asarray(problem.shown - problem.right, float)
    log_p = right.T @ jax.scipy.special.log_ndtr(difference) + wrong.T @ jax.scipy.special.log_ndtr(-difference)
    standard = (t - parameters["mean"][:, None]) / parameters["sd"][:, None]
    log_density = -(standard**2) / 2 - jnp.log(parameters["sd"])[:, None] - jnp.log(2 * jnp.pi) / 2
    return logsumexp(log_p + log_density[problem.stratum] + grid.log_weights, axis=1).sum()


def problem(kind: str, seed: int, *, models: int = 4, images: int = 25) -> Problem:
    """Random responses, answered at random so that surprising patterns are among them."""
    rng = np.random.default_rng(seed)
    strata = 3 if kind == "strata" else 1
    shown = {
        "complete": np.ones((models, images), int),
        "strata": np.ones((models, images), int),
        "missing": rng.integers(0, 2, (models, images)),
        "counts": rng.integers(0, 300, (models, images)) * rng.integers(0, 2, (models, images)),
    }[kind]
    return Problem(
        right=rng.binomial(shown, rng.uniform(0.1, 0.95, (models, 1))).astype(np.uint16),
        shown=shown.astype(np.uint16),
        stratum=rng.integers(0, strata, images),
        skill=rng.normal(0.5, 1, models),
        mean=rng.normal(0, 1, strata),
        sd=rng.uniform(0.5, 2.0, strata),
    )


KINDS = ["complete", "missing", "strata"]
every_kind = pytest.mark.parametrize("kind", KINDS)
every_seed = pytest.mark.parametrize("seed", range(3))


@every_kind
@every_seed
def test_log_likelihood_is_the_sum_of_one_integral_per_image(kind: str, seed: int):
    small = problem(kind, seed)
    # Each of 25 images is integrated to a relative 1e-9.
    assert small.log_likelihood() == pytest.approx(small.brute_force(), rel=0, abs=25e-9)


@every_seed
def test_repeated_showings_are_counted(seed: int):
    small = problem("counts", seed, models=3, images=8)
    # Hundreds of showings: posteriors have sds of 0.05, so the grid is ten times finer.
    fine = sinh_grid(**FINE | {"spacing": 0.01})
    ours = float(marginal(small.parameters(), small.patterns(), fine))
    assert ours == pytest.approx(small.brute_force(), rel=1e-12, abs=8e-9)


@every_seed
def test_showing_an_image_once_or_counting_it_once_is_the_same(seed: int):
    whole = problem("complete", seed)
    padded = Problem(  # one more image that nobody was shown makes the table incomplete, and has probability 1
        np.pad(whole.right, ((0, 0), (0, 1))), np.pad(whole.shown, ((0, 0), (0, 1))),
        np.append(whole.stratum, 0), whole.skill, whole.mean, whole.sd,
    )
    assert whole.patterns().complete
    assert not padded.patterns().complete
    assert padded.log_likelihood() == pytest.approx(whole.log_likelihood(), rel=1e-13)


@every_seed
def test_a_model_never_shown_is_a_model_deleted(seed: int):
    whole = problem("missing", seed)
    shown = whole.shown.copy()
    shown[1] = 0
    unseen = Problem(np.minimum(whole.right, shown), shown, whole.stratum, whole.skill, whole.mean, whole.sd)
    deleted = Problem(np.delete(unseen.right, 1, 0), np.delete(shown, 1, 0), whole.stratum,
                      np.delete(whole.skill, 1), whole.mean, whole.sd)
    assert unseen.log_likelihood() == pytest.approx(deleted.log_likelihood(), rel=1e-13)
    assert unseen.log_likelihood() != pytest.approx(whole.log_likelihood(), rel=1e-3)


@every_kind
def test_value_gradient_and_curvature_are_those_of_the_plain_form(kind: str):
    small = problem(kind, 5)
    grid, patterns = sinh_grid(**FINE), small.patterns()
    flat, unravel = ravel_pytree(small.parameters())

    @jax.jit
    def ours(x: jax.Array) -> jax.Array:
        return marginal(unravel(x), patterns, grid)

    @jax.jit
    def theirs(x: jax.Array) -> jax.Array:
        return plain(unravel(x), small, grid)

    np.testing.assert_allclose(ours(flat), theirs(flat), rtol=1e-13)
    gradient = jax.grad(ours)(flat)
    np.testing.assert_allclose(gradient, jax.grad(theirs)(flat), rtol=1e-10, atol=1e-11)
    hessian = jax.jit(jax.jacfwd(jax.grad(ours)))(flat)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-10)
    np.testing.assert_allclose(hessian, jax.jit(jax.hessian(theirs))(flat), rtol=1e-9, atol=1e-9)
    step = 1e-5
    central = [(ours(flat + step * e) - ours(flat - step * e)) / (2 * step) for e in np.eye(len(flat))]
    # Rounding of values near 50 leaves 1e-14/step; truncation is step²/6 times third derivatives below 1000.
    np.testing.assert_allclose(gradient, central, atol=3e-8)


@every_kind
def test_a_scaled_cotangent_scales_the_gradient(kind: str):
    small = problem(kind, 6)
    grid, patterns = sinh_grid(**FINE), small.patterns()
    scaled = jax.grad(lambda p: -2.5 * marginal(p, patterns, grid))(small.parameters())
    plainly = jax.grad(lambda p: marginal(p, patterns, grid))(small.parameters())
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, -2.5 * b, rtol=1e-12, atol=1e-12), scaled, plainly)


@every_kind
@pytest.mark.parametrize("chunk", [1, 3, 7, 10_000])
def test_chunks_change_nothing(kind: str, chunk: int, monkeypatch: pytest.MonkeyPatch):
    small = problem(kind, 7, models=3, images=50)
    whole = jax.value_and_grad(marginal)(small.parameters(), small.patterns(), sinh_grid(**FINE))
    monkeypatch.setattr("difficulty_model.likelihood.patterns.CHUNK", chunk)
    patterns = small.patterns()
    assert patterns.chunks.responses.shape[1] <= chunk
    chunked = jax.value_and_grad(marginal)(small.parameters(), patterns, sinh_grid(**FINE))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11), chunked, whole)


@pytest.mark.parametrize("kind", [*KINDS, "counts"])
@every_seed
def test_the_posterior_of_a_difficulty_is_that_of_quadrature(kind: str, seed: int):
    small = problem(kind, seed, models=3, images=6)
    spacing = 0.01 if kind == "counts" else 0.1
    grid, patterns = sinh_grid(**FINE | {"spacing": spacing}), small.patterns()
    tables = tabulate(
        jnp.asarray(small.skill), Probit(), Normal(jnp.asarray(small.mean), jnp.asarray(small.sd)), grid, patterns
    )
    chunks = [jax.tree.map(lambda leaf, n=n: leaf[n], patterns.chunks) for n in range(len(patterns.chunks.stratum))]
    posterior = np.concatenate([difficulty_posterior(tables, chunk) for chunk in chunks])
    mean, square = posterior @ grid.nodes, posterior @ grid.nodes**2
    for i, pattern in enumerate(np.asarray(patterns.of_image)):
        scan = np.linspace(-15, 15, 3001)
        values = np.array([small.integrand(i)(t) for t in scan])
        peak, shift = scan[values.argmax()], np.log(values.max())
        mass, first, second = (
            quad(lambda t, p=p, i=i, shift=shift: t**p * small.integrand(i, shift)(t), -15, 15, points=[peak],
                 epsrel=1e-10, epsabs=1e-13, limit=300)[0]
            for p in range(3)
        )
        assert mean[pattern] == pytest.approx(first / mass, abs=1e-8)
        assert square[pattern] == pytest.approx(second / mass, rel=1e-8)
