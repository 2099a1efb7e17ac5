"""Leaving out one model: against the same done by quadrature, and against an honest fit without it."""

import json

import numpy as np
import pytest
from scipy.special import log_ndtr, logsumexp
from scipy.stats import norm

from difficulty_model.comparison import LeftOutModels, predict_left_out
from difficulty_model.errors import InputError
from difficulty_model.family import (
    discriminating,
    flexible,
    in_classes,
    independent,
    losing,
    normal,
    probit,
    recht_et_al,
    slopes,
    with_atom,
    with_lapses,
)
from difficulty_model.fitting import Fit, fit
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification
from worlds import World, simulate

SKILL = np.linspace(-0.6, 1.8, 7)
SLOPE = np.geomspace(0.5, 2.0, 7)[[3, 0, 5, 1, 6, 2, 4]]
NODES = np.linspace(-12, 12, 300)
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
    skills = np.linspace(-4, 4, 161)
    log_slopes = np.linspace(-2, 2, 61) if sloped else np.zeros(1)
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
            answers = zip(among[images], right[left_out, images], wrong[left_out, images], strict=True)
            return np.array([of @ np.exp(r * tables[0] + w * tables[1]) for of, r, w in answers])

        weight = log_prior + np.log(of_images(asked & (stratum == 0))).sum(0)
        weight = np.exp(weight - logsumexp(weight))
        total += among[there] @ (np.exp(tables[0]) @ weight), of_images(there) @ weight
    predicted, likely = total / len(numbers)
    shown = responses.shown[left_out, there]
    return float(np.log(likely).sum() / shown.sum()), float(predicted @ shown / shown.sum())


def of_model(found: LeftOutModels, model: int) -> tuple[float, float]:
    row = found.models.set_index("model").loc[f"m{model}"]
    return float(row["log_score"]), float(row["predicted"])


@pytest.mark.parametrize(("specification", "missing", "showings"), [
    (recht_et_al(), 0.0, 1), (SLOPED, 0.0, 1), (SLOPED, 0.3, 2),
], ids=["plain", "slopes", "slopes, missing and repeated"])
def test_it_is_the_integral_over_the_models_own_unknowns(specification: Specification, missing: float, showings: int):
    responses = world_of(1, missing=missing, showings=showings).responses
    fitted = fitted_to(responses, specification)
    found = predict_left_out(fitted, draws=4, progress=False)
    for model in (0, 4):
        others = [j for j in range(7) if j != model]
        # The fit's draws of the others alone; what is left is that the model's own unknowns are taken for normal.
        rest = Fit(fitted.tree.copy(), specification)
        rest.tree["posterior"] = fitted.tree["posterior"].to_dataset().isel(model=others)
        score, predicted = by_quadrature(rest, others, model, responses, 4)
        assert of_model(found, model) == pytest.approx((score, predicted), abs=2e-3)


@pytest.mark.parametrize("seed", range(2))
def test_a_fit_without_the_model_predicts_it_alike(seed: int):
    responses = world_of(10 + seed).responses
    found = predict_left_out(fitted_to(responses, SLOPED), progress=False)
    for model in (1, 6):
        others = [j for j in range(7) if j != model]
        honest = fitted_to(responses.select(exclude=[f"m{model}"]), SLOPED)
        score, predicted = by_quadrature(honest, others, model, responses, 20)
        # One model of seven, whose accuracy on 400 images is itself known to 2.5 points, moves the rest by less.
        assert of_model(found, model) == pytest.approx((score, predicted), abs=6e-3)


def test_predictions_are_right_within_their_error_where_the_model_is_true():
    z = []
    for seed in range(3):
        found = predict_left_out(fitted_to(world_of(20 + seed).responses, SLOPED), draws=5, progress=False)
        z.extend(found.models["error"] / 100 / np.sqrt(np.exp(2 * found.models["log_score"]) / 400))
    # Given the other models a response varies by less than p(1 − p), but the model's own skill is uncertain too.
    assert np.abs(np.mean(z)) < 1.5
    assert 0.2 < np.std(z) < 2


@pytest.mark.parametrize("specification", [
    Specification(losing(), with_lapses(slopes(), per_model=True, guess=None), with_atom(normal())),
    Specification(independent(), probit(), discriminating(in_classes(flexible()))),
], ids=["losing, lapses, atom", "discriminating, classes, flexible"])
def test_every_part_of_a_specification_is_served(specification: Specification):
    world = simulate(5, skill=SKILL, images={"a": 250, "b": 200})
    labelled = Responses(world.responses.dataset.assign_coords(label=("image", np.arange(450) % 3)))
    plain = predict_left_out(fitted_to(labelled, recht_et_al()), draws=3, progress=False)
    rich = fit(labelled, specification, random_seed=0, method="mode", draws=50, progress=False)
    found = predict_left_out(rich, draws=3, progress=False)
    # The world is plain: what a richer specification predicts is not far from what the plain one does.
    assert np.abs(found.models["predicted"] - plain.models["predicted"]).max() < 0.04
    assert np.abs(found.models["log_score"] - plain.models["log_score"]).max() < 0.04


def test_images_of_the_reference_are_not_predicted():
    world = world_of(6).responses
    member = {"a": world.member[0], "b": world.member[1] | (np.arange(900) < 100), "c": np.arange(900) >= 800}
    responses = Responses.from_arrays(world.right, models=world.models, images=world.images, member=member)
    found = predict_left_out(fitted_to(responses, recht_et_al()), draws=2, progress=False).models
    assert found.groupby("test_set")["responses"].unique().map(list).to_dict() == {"b": [400], "c": [100]}
    observed = world.right[0, 800:].mean()
    assert found.set_index(["model", "test_set"]).loc[("m0", "c"), "observed"] == pytest.approx(observed)


def test_a_model_without_responses_on_the_reference_is_not_predicted():
    world = world_of(7).responses
    shown = world.shown.copy()
    shown[2, :500] = 0
    responses = Responses.from_arrays(
        world.right * shown, models=world.models, images=world.images, shown=shown,
        member=dict(zip("ab", world.member, strict=True)),
    )
    found = predict_left_out(fitted_to(responses, recht_et_al()), draws=2, progress=False)
    assert found.models.set_index("model").drop("m2").notna().all(axis=None)
    assert np.isnan(of_model(found, 2)).all()
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["models"][2]["error"] is None
    errors = found.models["error"].abs()
    assert plain["test_sets"][0]["mean_error"] == pytest.approx(errors.mean())
    assert plain["test_sets"][0]["largest_error"] == pytest.approx(errors.max())
    assert plain["test_sets"][0]["log_score"] == pytest.approx(found.models["log_score"].mean())


def test_misuse_is_refused():
    one_set = simulate(8, skill=SKILL, images={"a": 60}).responses
    with pytest.raises(InputError, match="no image of this fit lies outside its reference 'a'"):
        predict_left_out(fit(one_set, random_seed=0, method="mode", draws=10, progress=False))
    two_models = simulate(9, skill=SKILL[:2], images={"a": 60, "b": 60}).responses
    with pytest.raises(InputError, match="fit at least 3"):
        predict_left_out(fit(two_models, random_seed=0, method="mode", draws=10, progress=False))
