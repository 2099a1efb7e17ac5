"""Leaving out one model: against the same done by quadrature, and against an honest fit without it."""

import json

import numpy as np
import pytest
from scipy.special import log_ndtr, logsumexp
from scipy.stats import norm

from difficulty_model.comparison import LeftOutModels, predict_left_out
from difficulty_model.errors import InputError
from difficulty_model.family import (
    in_classes,
    independent,
    losing,
    normal,
    probit,
    recht_et_al,
    slopes,
    with_lapses,
    with_unlearnable,
)
from difficulty_model.fitting import Fit, fit
from difficulty_model.populations import Discriminating
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification
from worlds import World, simulate

SKILL = np.linspace(-0.6, 1.8, 7)
SLOPE = np.geomspace(0.5, 2.0, 7)[[3, 0, 5, 1, 6, 2, 4]]
NODES = np.linspace(-12, 12, 200)
SLOPED = Specification(independent(), slopes(), normal())


def world_of(seed: int, *, missing: float = 0.0, showings: int = 1) -> World:
    return simulate(seed, skill=SKILL, slope=SLOPE, images={"a": 500, "b": 400}, missing=missing, showings=showings)


def fitted_to(responses: Responses, specification: Specification) -> Fit:
    return fit(responses, specification, random_seed=0, method="laplace", draws=100, chains=2, progress=False)


def by_quadrature(
    fitted: Fit, others: list[int], left_out: int, responses: Responses, draws: int
) -> tuple[float, float]:
    """Log score and predicted accuracy on the second test set of a model that draws of the others know nothing of.

    Its skill, and its slope where the fit has slopes, are laid out on a grid under their priors N(0, 5²), LN(0, 0.5²).
    """
    posterior = fitted.posterior.stack(draw_=("chain", "draw")).transpose("draw_", ...)
    every = -(-posterior.sizes["draw_"] // draws)
    sloped = "curve.slope" in posterior
    # Steps are at most a posterior standard deviation, at which the sum is exact.
    skills = np.linspace(-2.5, 3, 101)
    log_slopes = np.linspace(-1.6, 1.6, 33) if sloped else np.zeros(1)
    s, b = (of.ravel() for of in np.meshgrid(skills, log_slopes))
    log_prior = norm.logpdf(s, 0, 5) + norm.logpdf(b, 0, 0.5)
    ahead = np.exp(b) * (s - NODES[:, None])
    tables = log_ndtr(ahead), log_ndtr(-ahead)  # (node, own)
    right, wrong = responses.right, responses.shown - responses.right
    stratum = responses.strata().of_image
    asked = responses.shown[left_out] > 0
    there = asked & (stratum == 1)
    total = np.zeros((2, there.sum()))
    numbers = range(0, posterior.sizes["draw_"], every)
    for n in numbers:
        drawn = posterior.isel(draw_=n)
        slope = drawn["curve.slope"].values if sloped else np.ones(drawn.sizes["model"])
        away = slope[:, None] * (drawn["skill"].values[:, None] - NODES)
        joint = right[others].T @ log_ndtr(away) + wrong[others].T @ log_ndtr(-away)
        mean, sd = (drawn[f"population.{name}"].values[stratum, None] for name in ("mean", "sd"))
        joint += norm.logpdf(NODES, mean, sd)
        among = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))

        def of_images(images: np.ndarray, among: np.ndarray = among) -> np.ndarray:
            kinds, kind = np.unique([right[left_out, images], wrong[left_out, images]], axis=1, return_inverse=True)
            found = np.zeros((images.sum(), len(s)))
            for n, (r, w) in enumerate(kinds.T):
                found[kind.ravel() == n] = among[images][kind.ravel() == n] @ np.exp(r * tables[0] + w * tables[1])
            return found

        weight = log_prior + np.log(of_images(asked & (stratum == 0))).sum(0)
        weight = np.exp(weight - logsumexp(weight))
        total += among[there] @ (np.exp(tables[0]) @ weight), of_images(there) @ weight
    predicted, likely = total / len(numbers)
    shown = responses.shown[left_out, there]
    return float(np.log(likely).sum() / shown.sum()), float(predicted @ shown / shown.sum())


def of_model(found: LeftOutModels, model: int) -> tuple[float, float]:
    row = found.models.set_index("model").loc[f"m{model}"]
    return float(row["log_score"]), float(row["predicted"])


def others(model: int) -> list[int]:
    return [j for j in range(7) if j != model]


@pytest.fixture(scope="module")
def plain() -> Fit:
    """Of a world with gaps and repeats."""
    return fitted_to(world_of(1, missing=0.3, showings=2).responses, recht_et_al())


@pytest.fixture(scope="module")
def sloped() -> Fit:
    return fitted_to(world_of(2).responses, SLOPED)


@pytest.mark.parametrize("name", ["plain", "sloped"])
def test_it_is_the_integral_over_the_models_own_unknowns(name: str, request: pytest.FixtureRequest):
    fitted: Fit = request.getfixturevalue(name)
    found = predict_left_out(fitted, draws=4, progress=False)
    for model in (0, 4):
        # The fit's draws of the others alone; what is left is that the model's own unknowns are taken for normal.
        rest = Fit(fitted.tree.copy(), fitted.specification)
        rest.tree["posterior"] = fitted.tree["posterior"].to_dataset().isel(model=others(model))
        score, predicted = by_quadrature(rest, others(model), model, fitted.responses, 4)
        assert of_model(found, model) == pytest.approx((score, predicted), abs=1e-3)


def test_a_fit_without_the_model_predicts_it_alike(sloped: Fit):
    found = predict_left_out(sloped, draws=10, progress=False)
    for model in (1, 6):
        honest = fitted_to(sloped.responses.select(exclude=[f"m{model}"]), SLOPED)
        score, predicted = by_quadrature(honest, others(model), model, sloped.responses, 10)
        # One model of seven, whose accuracy on 400 images is itself known to 2.5 points, moves the rest by less.
        assert of_model(found, model) == pytest.approx((score, predicted), abs=6e-3)


def test_the_table_sums_up(plain: Fit):
    found = predict_left_out(plain, draws=2, progress=False)
    assert found.reference == "a"
    observed = plain.responses.accuracies().set_index(["test_set", "model"]).loc["b"]
    models = found.models.set_index("model")
    np.testing.assert_array_equal(models["observed"], observed["accuracy"])
    np.testing.assert_array_equal(models["responses"], observed["shown"])
    np.testing.assert_allclose(models["error"], 100 * (models["predicted"] - models["observed"]))
    (of_set,) = json.loads(json.dumps(found.as_dict()))["test_sets"]
    assert of_set["test_set"] == "b"
    assert of_set["mean_error"] == pytest.approx(models["error"].abs().mean())
    assert of_set["largest_error"] == pytest.approx(models["error"].abs().max())
    assert of_set["log_score"] == pytest.approx(np.average(models["log_score"], weights=models["responses"]))


@pytest.mark.parametrize("specification", [
    Specification(losing(), with_lapses(slopes(), per_model=True, guess=None), with_unlearnable(normal())),
    Specification(independent(), probit(), Discriminating(in_classes(normal()), 0.2)),  # pyright: ignore[reportArgumentType]
], ids=["losing, lapses, atom", "discriminating, classes"])
def test_every_part_of_a_specification_is_served(specification: Specification):
    world = simulate(5, skill=SKILL, images={"a": 250, "b": 200}).responses
    labelled = Responses(world.dataset.assign_coords(label=("image", np.arange(450) % 3)))
    fitted = fit(labelled, specification, random_seed=0, method="mode", draws=50, progress=False)
    found = predict_left_out(fitted, draws=3, progress=False).models
    # The world is plain, and what a richer specification predicts is not far from what happened: 200 images know an
    # accuracy to 3.5 points, and entropies of responses are at most log 2.
    assert np.abs(found["error"].to_numpy()).max() < 12
    assert found["log_score"].to_numpy().min() > -np.log(2)


def test_what_the_reference_knows_is_not_predicted():
    world = world_of(6).responses
    member = {"a": world.member[0], "b": world.member[1] | (np.arange(900) < 100), "c": np.arange(900) >= 800}
    shown = world.shown.copy()
    shown[2, :500] = 0
    responses = Responses.from_arrays(
        world.right * shown, models=world.models, images=world.images, member=member, shown=shown
    )
    found = predict_left_out(fitted_to(responses, recht_et_al()), draws=2, progress=False)
    models = found.models.set_index(["test_set", "model"])
    # A model that was shown nothing of the reference is not known at all.
    silent = models.xs("m2", level="model")
    assert silent["responses"].tolist() == [0, 0]
    assert np.isnan(silent["error"]).all()
    assert json.loads(json.dumps(found.as_dict()))["models"][4]["error"] is None
    known = models.drop("m2", level="model")
    assert known.loc["b", "responses"].unique().tolist() == [400]  # and not the hundred that the sets share
    assert known.loc["c", "responses"].unique().tolist() == [100]
    assert known.loc[("c", "m0"), "observed"] == pytest.approx(world.right[0, 800:].mean())
    assert known.notna().to_numpy().all()


def test_misuse_is_refused(plain: Fit):
    def of(responses: Responses) -> Fit:
        tree = plain.tree.copy()
        tree["observed_data"] = responses.dataset
        return Fit(tree, plain.specification)

    with pytest.raises(InputError, match="no image of this fit lies outside its reference 'a'"):
        predict_left_out(of(plain.responses.select(test_sets=["a"])))
    with pytest.raises(InputError, match="fit at least 3"):
        predict_left_out(of(plain.responses.select(models=["m0", "m1"])))
