"""What a fit says of skills, populations and accuracies, against the same worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from difficulty_model.errors import InputError
from difficulty_model.family import normal, recht_et_al, with_unlearnable, with_unmissable
from difficulty_model.fitting import Fit, fit
from difficulty_model.posterior import (
    draw_difficulties,
    on_grid,
    population_accuracies,
    population_table,
    skill_table,
    summary,
)
from difficulty_model.responses import Responses
from worlds import World, simulate


@pytest.fixture(scope="module")
def world() -> World:
    """Half of the images of the second set are also in the first."""
    plain = simulate(21, skill=np.linspace(-0.5, 1.8, 8), images={"a": 400, "b": 200}, mean=(0.0, 1.0))
    whole = plain.responses
    member = {"a": whole.member[0], "b": whole.member[1] | (np.arange(600) < 200)}
    mixed = Responses.from_arrays(whole.right, models=whole.models, images=whole.images, member=member)
    return World(mixed, plain.skill, plain.mean, plain.sd, plain.difficulty)


@pytest.fixture(scope="module")
def fitted(world: World) -> Fit:
    return fit(world.responses, random_seed=0, method="laplace", draws=100, progress=False)


def draws_of(fitted: Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(fitted.posterior[name].values.reshape(400, -1)  # pyright: ignore[reportReturnType]
                 for name in ("skill", "population.mean", "population.sd"))


def test_accuracies_are_those_of_the_mixture_of_strata(fitted: Fit):
    skill, mean, sd = draws_of(fitted)
    of_stratum = ndtr((skill[:, None] - mean[..., None]) / np.sqrt(1 + sd**2)[..., None])  # (draw, stratum, model)
    weights = np.array([[0.5, 0, 0.5], [0, 0.5, 0.5]])
    ours = population_accuracies(fitted)
    assert ours.dims == ("chain", "draw", "test_set", "model")
    np.testing.assert_allclose(ours.values.reshape(400, 2, 8), weights @ of_stratum, atol=1e-9)


def test_images_at_both_ends_are_infinitely_hard_and_easy(world: World):
    specification = replace(recht_et_al(), population=with_unlearnable(with_unmissable(normal())))
    ends = fit(world.responses, specification, random_seed=0, method="mode", draws=25, progress=False)
    laid = on_grid(ends)
    hard = ends.posterior["population.share"].values.reshape(100, 3)
    easy = (1 - hard) * ends.posterior["population.population.share"].values.reshape(100, 3)
    for infinity, share, right in ((np.inf, hard, 0), (-np.inf, easy, 1)):
        (node,) = np.flatnonzero(laid.difficulty == infinity)
        np.testing.assert_allclose(laid.share[..., node], share, rtol=1e-9)
        np.testing.assert_allclose(laid.right[..., node], right, atol=1e-12)


def test_populations_are_those_of_the_mixture_of_strata(fitted: Fit):
    _, mean, sd = draws_of(fitted)
    weights = np.array([[0.5, 0, 0.5], [0, 0.5, 0.5]])
    mixed = mean @ weights.T
    spread = np.sqrt((mean**2 + sd**2) @ weights.T - mixed**2)
    table = population_table(fitted).set_index(["quantity", "test_set"])
    for k, name in enumerate("ab"):
        assert table.loc[("mean", name), "mean"] == pytest.approx(mixed[:, k].mean(), abs=1e-8)
        assert table.loc[("sd", name), "mean"] == pytest.approx(spread[:, k].mean(), abs=1e-8)
        assert table.loc[("sd", name), "sd"] == pytest.approx(spread[:, k].std(), abs=1e-8)


def test_skills_are_listed_from_the_best(fitted: Fit):
    skill = draws_of(fitted)[0]
    table = skill_table(fitted, level=0.8)
    assert table["mean"].is_monotonic_decreasing
    for model, *numbers in table[["model", "mean", "sd", "low", "high"]].itertuples(index=False):
        draws = skill[:, fitted.responses.models.index(model)]
        np.testing.assert_allclose(
            numbers, (draws.mean(), draws.std(), *np.quantile(draws, [0.1, 0.9])), atol=1e-5,
        )


def test_drawn_difficulties_are_those_of_the_fit(fitted: Fit, world: World):
    images = ["i3", "i599", "i250", "i3x"]
    with pytest.raises(InputError, match="'i3x'"):
        draw_difficulties(fitted, images, random_seed=0)
    drawn = draw_difficulties(fitted, images[:3], random_seed=0)
    assert drawn.dims == ("chain", "draw", "image")
    of_fit = fitted.difficulty.sel(image=images[:3])
    z = (drawn.mean(("chain", "draw")) - of_fit["mean"]) / of_fit["sd"] * np.sqrt(400)
    assert np.abs(z).max() < 5
    assert np.abs(np.log(drawn.std(("chain", "draw")) / of_fit["sd"])).max() < 5 / np.sqrt(2 * 400) * 1.5


def test_summary_is_that_of_a_known_distribution():
    draws = np.linspace(0, 1, 1001)[:, None] * np.array([1.0, 10.0])
    table = summary(draws, level=0.9)
    np.testing.assert_allclose(table["mean"], [0.5, 5])
    np.testing.assert_allclose(table["low"], [0.05, 0.5])
    np.testing.assert_allclose(table["high"], [0.95, 9.5])
