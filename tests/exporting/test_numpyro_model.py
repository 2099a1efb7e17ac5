"""The exported NumPyro model: the posterior of `fit`, for all of NumPyro, alone and inside a larger model."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from jaxtyping import Array
from numpyro import distributions, handlers
from numpyro.diagnostics import effective_sample_size
from numpyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal
from numpyro.infer.util import log_density
from scipy.integrate import quad
from scipy.stats import lognorm, norm

from difficulty_model import populations
from difficulty_model.distributions import Normal
from difficulty_model.errors import InputError
from difficulty_model.exporting import to_numpyro
from difficulty_model.family import independent, normal, probit, recht_et_al, regressed
from difficulty_model.fitting import fit
from difficulty_model.responses import Responses
from difficulty_model.specification import Prior, Specification
from worlds import simulate

SKILL = np.array([-0.5, 0.3, 1.2, 2.0])
POINT = {"skill": SKILL, "population.mean.others": np.array([0.5]), "population.sd": np.array([1.2, 1.9])}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def responses() -> Responses:
    return simulate(0, skill=SKILL, images={"a": 150, "b": 150}, missing=0.1).responses


@pytest.fixture(scope="module")
def model(responses: Responses) -> Callable[[], dict[str, Array]]:
    return to_numpyro(recht_et_al(), responses)


def by_hand(responses: Responses) -> float:
    """The log-density of Recht et al. at `POINT`, every image integrated by adaptive quadrature."""
    mean, sd = (0.0, *POINT["population.mean.others"]), POINT["population.sd"]
    total = norm.logpdf(SKILL, 0, 5).sum() + norm.logpdf(mean[1], 0, 3) + lognorm.logpdf(sd, 0.75, scale=1.5).sum()
    images = np.vstack([responses.right, responses.shown - responses.right, responses.strata().of_image]).T
    for (*answers, k), count in zip(*np.unique(images, axis=0, return_counts=True), strict=True):
        right, wrong = np.split(np.array(answers), 2)

        def joint(t: float, k: int = k, right: np.ndarray = right, wrong: np.ndarray = wrong) -> float:
            chance = norm.cdf(SKILL - t)
            return (chance**right * (1 - chance) ** wrong).prod() * norm.pdf(t, mean[k], sd[k])

        total += count * np.log(quad(joint, -12, 12, epsabs=1e-13, points=(-1, 1, 3), limit=200)[0])
    return total


def test_density_is_that_of_the_formulas(model, responses: Responses):
    value, _ = log_density(model, (), {}, {site: jnp.asarray(of) for site, of in POINT.items()})
    # 2e-13 of each image's integral, of which the smallest are about 1e-3.
    assert float(value) == pytest.approx(by_hand(responses), abs=1e-6)


@pytest.mark.slow
def test_mcmc_gives_the_posterior_of_fit(model, responses: Responses):
    sampler = MCMC(NUTS(model, dense_mass=True), num_warmup=300, num_samples=800, progress_bar=False)
    sampler.run(jax.random.key(1))
    theirs = sampler.get_samples()
    fitted = fit(responses, random_seed=2, method="laplace", progress=False)
    assert fitted.diagnostics["pareto_k"] < 0.7  # so that its draws are those of the posterior
    effective = fitted.diagnostics["ess_importance"]
    for path in ("skill", "population.sd", "population.mean"):
        ours = fitted.posterior[path].values.reshape(1000, -1)
        other = np.asarray(theirs[path])
        if path == "population.mean":
            np.testing.assert_array_equal(other[:, 0], 0.0)
            ours, other = ours[:, 1:], other[:, 1:]
        of_other = effective_sample_size(other[None])
        z = (other.mean(0) - ours.mean(0)) / np.sqrt(ours.var(0) / effective + other.var(0) / of_other)
        # A logarithm of an sd has variance 1/(2 n). Seven numbers of each kind: beyond 4.5 in 1e-4 of such tests.
        of_sd = np.log(other.std(0) / ours.std(0)) / np.sqrt(1 / (2 * effective) + 1 / (2 * of_other))
        assert np.abs(z).max() < 4.5, path
        assert np.abs(of_sd).max() < 4.5, path


def test_a_larger_model_goes_on_with_the_unknowns(model):
    def larger() -> None:
        skill = model()["skill"]
        numpyro.sample("size", distributions.Normal(2 * skill, 1.0).to_event(1), obs=jnp.ones(4))

    def density(of: Callable) -> float:
        return float(log_density(of, (), {}, {site: jnp.asarray(value) for site, value in POINT.items()})[0])

    assert density(larger) - density(model) == pytest.approx(norm.logpdf(1.0, 2 * SKILL, 1.0).sum(), abs=1e-9)


def test_two_of_them_go_into_one_model_under_prefixes(model):
    with handlers.seed(rng_seed=0), handlers.trace() as trace:
        values: list[Any] = [handlers.scope(model, prefix=prefix)() for prefix in ("old", "new")]
    assert {"old/skill", "new/skill"} <= set(trace)
    np.testing.assert_array_equal(values[1]["skill"], trace["new/skill"]["value"])
    assert set(values[0]) == {"skill", "population.mean", "population.sd"}


def test_variational_inference_and_prediction_run(model):
    guide = AutoNormal(model)
    found = SVI(model, guide, numpyro.optim.Adam(0.05), Trace_ELBO()).run(jax.random.key(0), 300, progress_bar=False)
    median: Any = guide.median(found.params)
    assert np.abs(median["skill"] - SKILL).max() < 1
    drawn: Any = Predictive(model, num_samples=3)(jax.random.key(1))
    assert drawn["population.mean"].shape == (3, 2)


def test_what_a_fit_refuses_is_refused(responses: Responses):
    with pytest.raises(InputError, match="no covariate of the images named 'size'"):
        to_numpyro(Specification(independent(), probit(), regressed(normal(), ["size"])), responses)
    with pytest.raises(InputError, match="not a specification"):
        to_numpyro(normal(), responses)  # pyright: ignore[reportArgumentType]
    free = replace(recht_et_al(), population=populations.Normal(Prior(Normal(0.0, 3.0), "stratum"), 1.0))  # pyright: ignore
    with pytest.raises(InputError, match="population.mean"):
        to_numpyro(free, responses)
