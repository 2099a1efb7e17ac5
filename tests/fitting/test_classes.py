"""Effects of classes: integrated out, then drawn."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import binom, kstwo, norm

from difficulty_model import Responses, fit
from difficulty_model.distributions import LogNormal, Normal
from difficulty_model.exporting.inputs import inputs_of
from difficulty_model.family import in_classes, independent, normal, probit, recht_et_al, regressed, with_unlearnable
from difficulty_model.fitting.classes import effects_integrated_out, path_of_effects, with_effects
from difficulty_model.fitting.density import posterior_density
from difficulty_model.fitting.images import names_of, patterns_of
from difficulty_model.fitting.result import grid_of
from difficulty_model.fitting.sample import Sample
from difficulty_model.populations import InClasses, Population
from difficulty_model.specification import Prior, Specification, named_draws, unknowns


def responses(seed: int, *, classes: int, images: int, spread: float) -> tuple[Responses, np.ndarray]:
    """Return responses of 12 models to two test sets with so many images of every class in each, and effects."""
    rng = np.random.default_rng(seed)
    effect, class_ = rng.normal(size=classes), np.tile(np.repeat(np.arange(classes), images), 2)
    new = np.arange(len(class_)) >= len(class_) // 2
    difficulty = spread * effect[class_] + rng.normal(0.5 * new, np.where(new, 1.2, 1.0))
    right = rng.random((12, len(class_))) < ndtr(np.linspace(-0.5, 1.5, 12)[:, None] - difficulty)
    made = Responses.from_arrays(
        right, models=[f"m{j}" for j in range(12)], images=[f"i{i}" for i in range(len(class_))],
        member={"original": ~new, "new": new}, labels=class_,
    )
    return made, effect


def test_what_is_integrated_out_is_no_unknown_of_the_density():
    nested = Specification(independent(), probit(), with_unlearnable(in_classes(regressed(normal(), ["size"]))))
    assert path_of_effects(nested) == "population.population.effect"
    assert set(unknowns(nested)) - set(unknowns(effects_integrated_out(nested))) == {"population.population.effect"}


@pytest.mark.parametrize("population", [
    normal(),
    InClasses(normal(), Prior(LogNormal(0.5, 0.75)), Prior(Normal(0.0, 2.0), "class_")),  # pyright: ignore
    InClasses(normal(), 0.5, 1.0),  # pyright: ignore
], ids=["no classes", "a prior of the user's own", "known effects"])
def test_all_else_stays_as_it_is(population: Population):
    specification = replace(recht_et_al(), population=population)
    assert effects_integrated_out(specification) == specification
    assert path_of_effects(specification) is None


def test_draws_have_the_exact_distribution():
    made, _ = responses(0, classes=3, images=8, spread=0.8)
    specification = replace(recht_et_al(), population=in_classes(normal()))
    skill, sd, spread, repeats = np.linspace(-0.5, 1.5, 12), np.array([1.0, 1.2]), 0.8, 4000
    values = {
        "skill": np.tile(skill, (1, repeats, 1)), "population.population.mean": np.tile([0.0, 0.5], (1, repeats, 1)),
        "population.population.sd": np.tile(sd, (1, repeats, 1)), "population.spread": np.full((1, repeats), spread),
    }
    sizes = {dim: len(of) for dim, of in names_of(made, specification).items()}
    with jax.enable_x64(True):
        density = posterior_density(effects_integrated_out(specification), sizes, patterns_of(made, specification))
        first = {path: jnp.asarray(of[0]) for path, of in values.items()}
        numbers = named_draws(density.potential.specification, first, sizes)
        sample = Sample(values, {}, {}, grid_of(numbers, density.patterns))
        drawn, again, other = (
            with_effects(sample, specification, density, random_seed=seed, progress=False)
            .values["population.effect"][0] for seed in (0, 0, 1)
        )
    np.testing.assert_array_equal(drawn, again)
    assert np.abs(drawn - other).max() > 0.1
    difficulty, effect = np.arange(-10, 10, 0.05), np.arange(-6, 6, 0.01)
    p = ndtr(skill[:, None] - difficulty)
    labels = made.dataset["label"].values
    for c in range(3):
        log_posterior = norm.logpdf(effect)
        for i in np.flatnonzero(labels == c):
            k = int(made.member[1, i])
            given = np.where(made.right[:, i, None], p, 1 - p).prod(0)
            log_posterior += np.log(norm.pdf(difficulty, 0.5 * k + spread * effect[:, None], sd[k]) @ given)
        posterior = np.exp(log_posterior - log_posterior.max())
        cumulative = np.cumsum(posterior) / posterior.sum()
        exact = np.interp(np.sort(drawn[:, c]), effect + 0.005, cumulative)
        distance = np.abs(exact - (np.arange(repeats) + 0.5) / repeats).max()
        assert kstwo.sf(distance, repeats) > 1e-6


def test_many_classes_have_a_mode_and_their_effects_are_covered():
    made, effect = responses(1, classes=150, images=6, spread=0.7)
    specification = replace(recht_et_al(), population=in_classes(normal()))
    fitted = fit(made, specification, draws=250, chains=4, random_seed=0, method="laplace", progress=False)
    assert fitted.trouble == []
    spread = fitted.posterior["population.spread"].values.ravel()
    assert abs(spread.mean() - 0.7) < 4 * spread.std() < 0.4
    low, high = np.quantile(fitted.posterior["population.effect"].values.reshape(1000, -1), [0.05, 0.95], axis=0)
    covered = int(((low < effect) & (effect < high)).sum())
    assert binom.ppf(1e-5, 150, 0.9) <= covered <= binom.ppf(1 - 1e-5, 150, 0.9)
    # An exported model starts there.
    start = inputs_of(specification, made).mode["population.effect"]
    mean = fitted.posterior["population.effect"].mean(("chain", "draw")).values
    assert np.abs(start - mean).max() < 0.2
