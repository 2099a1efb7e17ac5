"""Worlds drawn from a specification have the moments that its formulas give, in closed form or by SciPy."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from difficulty_model.calibration import World, draw_world, narrowed
from difficulty_model.family import (
    discriminating,
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
from difficulty_model.skills import Losing
from difficulty_model.specification import Specification, unknowns

IMAGES = 1500
SEEDS = range(3)
SPECIFICATIONS = {
    "normal": recht_et_al(),
    "slopes": Specification(independent(), slopes(), normal()),
    "lapses and guesses": Specification(independent(), with_lapses(probit(), guess=0.2), with_unlearnable(student_t())),
    "classes": Specification(independent(), probit(), in_classes(two_normals())),
    "discriminating": Specification(independent(), probit(), discriminating(skew_normal())),
    "losing": Specification(losing(), probit(), normal()),
    "families": Specification(in_families(losing()), with_lapses(slopes()), normal()),
}


def world_of(specification: Specification, seed: int, *, models: int = 5) -> World:
    return draw_world(narrowed(specification), models=models, images=IMAGES, random_seed=seed)


def value(world: World, path: str) -> np.ndarray:
    return world.unknowns[path].values


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracies_of_normal_populations_are_those_of_the_paper(seed: int):
    world = world_of(recht_et_al(), seed)
    mean, sd = value(world, "population.mean"), value(world, "population.sd")
    expected = ndtr((value(world, "skill") - mean[:, None]) / np.sqrt(1 + sd[:, None] ** 2))
    np.testing.assert_allclose(world.accuracy, expected, atol=1e-9)
    # Difficulties reach to 7 sd, beyond which lies less than 3e-12.
    np.testing.assert_allclose(world.mean, mean, atol=1e-9)
    np.testing.assert_allclose(world.sd, sd, atol=1e-8)


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracies_with_unlearnable_lapses_and_slopes_are_those_of_closed_form(seed: int):
    world = world_of(Specification(independent(), with_lapses(slopes(), guess=0.1), with_unlearnable(normal())), seed)
    mean, sd = value(world, "population.population.mean")[:, None], value(world, "population.population.sd")[:, None]
    slope, lapse, atom = (
        value(world, path) for path in ("curve.curve.slope", "curve.lapse", "population.share")
    )
    learnable = ndtr((value(world, "skill") - mean) / np.sqrt(1 / slope**2 + sd**2))
    expected = 0.1 + (0.9 - lapse) * (1 - atom[:, None]) * learnable
    np.testing.assert_allclose(world.accuracy, expected, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracies_with_covariates_and_discriminations_are_those_of_closed_form(seed: int):
    world = world_of(Specification(independent(), probit(), regressed(normal(), ["size", "blur"])), seed)
    mean, sd = value(world, "population.population.mean"), value(world, "population.population.sd")
    covariates = np.stack([world.responses.dataset[name].values for name in ("size", "blur")])
    shift = (value(world, "population.coefficient") @ stats.zscore(covariates, axis=1)).reshape(2, IMAGES)
    at = value(world, "skill")[None, :, None] - mean[:, None, None] - shift[:, None]
    np.testing.assert_allclose(world.accuracy, ndtr(at / np.sqrt(1 + sd[:, None, None] ** 2)).mean(2), atol=1e-9)
    np.testing.assert_allclose(world.sd, np.sqrt(sd**2 + shift.var(1)), atol=1e-7)
    np.testing.assert_allclose(world.mean, mean + shift.mean(1), atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_models_of_one_family_go_together_as_a_normal_distribution_of_two_has_it(seed: int):
    world = world_of(Specification(in_families(), probit(), normal()), seed)
    mean, sd, spread = (value(world, path) for path in ("population.mean", "population.sd", "skill.spread"))
    total = 1 + spread**2 + sd**2
    skill = value(world, "skill.skill")
    np.testing.assert_allclose(world.accuracy, ndtr((skill - mean[:, None]) / np.sqrt(total)[:, None]), atol=1e-7)
    assert world.responses.dataset["family"].values.tolist() == [0, 0, 0, 1, 1]
    right = world.responses.right.reshape(-1, 2, IMAGES)
    for k in range(2):
        for a, b, shared in [(0, 1, sd[k] ** 2 + spread**2), (3, 4, sd[k] ** 2 + spread**2), (0, 3, sd[k] ** 2)]:
            at = (skill[[a, b]] - mean[k]) / np.sqrt(total[k])
            covariance: Any = [[1, shared / total[k]], [shared / total[k], 1]]
            both = stats.multivariate_normal([0, 0], covariance).cdf(at)
            found = (right[a, k] & right[b, k]).mean()
            assert abs(found - both) < 5 * np.sqrt(both * (1 - both) / IMAGES)


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_models_are_right_as_often_as_their_accuracy_says(name: str):
    squares = []
    for seed in SEEDS:
        world = world_of(SPECIFICATIONS[name], seed)
        right = world.responses.right.reshape(-1, 2, IMAGES).mean(2).T
        squares.append(((right - world.accuracy) ** 2 / (world.accuracy * (1 - world.accuracy) / IMAGES)).ravel())
        # Classes are given, so that answers scatter less than binomially; never more.
        assert squares[-1].max() < 5**2
    # The models of a set see the same images, so that up to all of them go together: 6 independent squares or more.
    assert np.mean(squares) < stats.chi2.isf(1e-5, 2 * len(SEEDS)) / (2 * len(SEEDS))


@pytest.mark.parametrize("seed", SEEDS)
def test_difficulties_are_distributed_as_scipy_has_them(seed: int):
    def laws(world: World, kind: str) -> list:
        def of(name: str) -> np.ndarray:
            return value(world, f"population.{name}")

        match kind:
            case "student_t":
                return [stats.t(df, m, s) for df, m, s in zip(2 + of("excess"), of("mean"), of("scale"), strict=True)]
            case "skew_normal":
                return [stats.skewnorm(a, m, s) for a, m, s in zip(of("shape"), of("location"), of("scale"),
                                                                   strict=True)]
        raise AssertionError(kind)

    for kind, population in {"student_t": student_t(), "skew_normal": skew_normal()}.items():
        world = world_of(Specification(independent(), probit(), population), seed)
        for law, difficulty, mean, sd in zip(
            laws(world, kind), world.difficulty.reshape(2, -1), world.mean, world.sd, strict=True
        ):
            assert stats.kstest(difficulty, law.cdf).pvalue > 1e-5
            np.testing.assert_allclose([mean, sd], [law.mean(), law.std()], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_unlearnable_images_are_got_right_by_guessing_alone(seed: int):
    world = world_of(Specification(independent(), with_lapses(probit(), guess=0.2), with_unlearnable(normal())), seed)
    lost = np.isinf(world.difficulty)
    share = value(world, "population.share")
    for k, of_set in enumerate(lost.reshape(2, -1)):
        assert stats.binomtest(int(of_set.sum()), IMAGES, share[k]).pvalue > 1e-5
    right = world.responses.right[:, lost]
    assert stats.binomtest(int(right.sum()), right.size, 0.2).pvalue > 1e-5


@pytest.mark.parametrize("seed", SEEDS)
def test_atoms_at_both_ends_have_their_shares_and_answers(seed: int):
    population = with_unlearnable(with_unmissable(normal()))
    world = world_of(Specification(independent(), with_lapses(logistic()), population), seed)
    outer, inner = value(world, "population.share"), value(world, "population.population.share")
    lapse = value(world, "curve.lapse")
    for infinity, share, rate in ((np.inf, outer, 0.0), (-np.inf, (1 - outer) * inner, 1 - lapse)):
        there = world.difficulty == infinity
        for k, of_set in enumerate(there.reshape(2, -1)):
            assert stats.binomtest(int(of_set.sum()), IMAGES, share[k]).pvalue > 1e-5
        right = world.responses.right[:, there]
        assert stats.binomtest(int(right.sum()), right.size, float(rate)).pvalue > 1e-5
    # Accuracies in the population are what the images show, but for chance.
    shown = world.responses.right.reshape(len(world.accuracy[0]), 2, IMAGES).sum(2).T
    sd = np.sqrt(world.accuracy * (1 - world.accuracy) / IMAGES)
    assert (np.abs(shown / IMAGES - world.accuracy) < 6 * sd).all()


def test_unknowns_are_drawn_from_their_priors():
    worlds = [draw_world(narrowed(recht_et_al()), models=8, images=8, random_seed=seed) for seed in range(60)]
    skill = np.concatenate([value(world, "skill") for world in worlds])
    log_sd = np.log(np.concatenate([value(world, "population.sd") for world in worlds]))
    mean = np.array([value(world, "population.mean") for world in worlds])
    assert (mean[:, 0] == 0).all()
    for sample, law in ((skill, stats.norm(0, 1)), (log_sd, stats.norm(np.log(1.5), 0.3)),
                        (mean[:, 1], stats.norm(0, 1))):
        assert stats.kstest(sample, law.cdf).pvalue > 1e-5


def test_slopes_are_held_at_a_geometric_mean_of_one():
    world = world_of(SPECIFICATIONS["slopes"], 0)
    assert np.log(value(world, "curve.slope")).mean() == pytest.approx(0, abs=1e-12)


def test_the_same_seed_gives_the_same_world():
    one, same, other = (world_of(SPECIFICATIONS["discriminating"], seed) for seed in (1, 1, 2))
    assert one.responses.dataset.identical(same.responses.dataset)
    assert one.unknowns.identical(same.unknowns)
    assert not one.responses.dataset.identical(other.responses.dataset)


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_narrowed_priors_keep_their_middle_and_spread_less(name: str):
    wide, narrow = unknowns(SPECIFICATIONS[name]), unknowns(narrowed(SPECIFICATIONS[name]))
    assert list(wide) == list(narrow)
    for path, prior in wide.items():
        before, after = prior.distribution, narrow[path].distribution
        assert after.typical() == pytest.approx(before.typical())
        assert np.all(after.to_numpyro().variance <= before.to_numpyro().variance)
        assert (narrow[path].over, narrow[path].reference, narrow[path].held) == (
            prior.over, prior.reference, prior.held
        )
    assert isinstance(narrowed(SPECIFICATIONS["losing"]).skill, Losing)
