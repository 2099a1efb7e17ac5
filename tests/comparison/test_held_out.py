"""Predicting a test set that was not fitted: against quadrature over its population, and refusals."""

import json

import numpy as np
import pytest
from scipy.special import log_ndtr, logsumexp, ndtr
from scipy.stats import norm

from difficulty_model.comparison import predict_held_out
from difficulty_model.errors import InputError
from difficulty_model.family import (
    in_classes,
    independent,
    losing,
    normal,
    probit,
    recht_et_al,
    regressed,
    slopes,
    with_unlearnable,
)
from difficulty_model.fitting import Fit, fit
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification
from worlds import simulate

SKILL = np.linspace(-0.6, 1.8, 6)
SLOPE = np.geomspace(0.4, 2.5, 6)[[3, 0, 5, 1, 2, 4]]
NODES = np.linspace(-14, 14, 300)


def three_sets(seed: int, *, missing: float = 0.0, slope: float | np.ndarray = 1.0) -> Responses:
    return simulate(
        seed, skill=SKILL, images={"a": 400, "b": 300, "c": 250}, mean=(0.0, 0.7, 1.1), sd=(1.5, 2.0, 1.2),
        missing=missing, slope=slope,
    ).responses


def fitted_to(responses: Responses, specification: Specification | None = None) -> Fit:
    kept = responses.select(test_sets=["a", "b"])
    return fit(kept, specification, random_seed=0, method="mode", draws=100, chains=2, progress=False)


def by_quadrature(fitted: Fit, new: Responses, draws: int) -> tuple[float, np.ndarray]:
    """Log predictive density of new responses, and models' accuracies, with mean and sd of difficulty on a grid."""
    mean, log_sd = (of.ravel() for of in np.meshgrid(np.linspace(-1, 3, 81), np.linspace(-1.2, 1.2, 81)))
    step = (4 / 80) * (2.4 / 80)
    log_prior = norm.logpdf(mean, 0, 3) + norm.logpdf(log_sd, np.log(1.5), 0.75)
    density = norm.pdf(NODES[:, None], mean, np.exp(log_sd)) * (NODES[1] - NODES[0])
    posterior = fitted.posterior.stack(draw_=("chain", "draw")).transpose("draw_", ...)
    skills = posterior["skill"].values[:: -(-posterior.sizes["draw_"] // draws)]
    log_densities, accuracies = [], []
    for skill in skills:
        away = skill[:, None] - NODES
        likely = np.exp(new.right.T @ log_ndtr(away) + (new.shown - new.right).T @ log_ndtr(-away))
        joint = np.log(likely @ density).sum(0) + log_prior
        log_densities.append(logsumexp(joint) + np.log(step))
        accuracies.append(ndtr(away) @ density @ np.exp(joint - logsumexp(joint)))
    return float(logsumexp(log_densities) - np.log(len(skills))), np.mean(accuracies, axis=0)


@pytest.fixture(scope="module")
def responses() -> Responses:
    """Of three test sets, and what is known of their images."""
    rng = np.random.default_rng(0)
    labels, hardness = np.array(["cat", "dog", "eel"])[np.arange(950) % 3], rng.normal(5, 2, 950)
    return Responses(three_sets(1, missing=0.2).dataset.assign_coords(label=("image", labels),
                                                                      hardness=("image", hardness)))


@pytest.fixture(scope="module")
def fitted(responses: Responses) -> Fit:
    return fitted_to(responses)


@pytest.fixture(scope="module")
def in_class(responses: Responses) -> Fit:
    return fitted_to(responses, Specification(independent(), slopes(), regressed(in_classes(normal()), ["hardness"])))


def test_it_is_the_integral_over_the_new_population(fitted: Fit, responses: Responses):
    new = responses.select(test_sets=["c"])
    found = predict_held_out(fitted, new, draws=4, progress=False)
    log_density, accuracy = by_quadrature(fitted, new, 4)
    # The normal approximation in two unknowns that 250 images determine: off by some 1/250 of a nat, times a few.
    assert found.log_density == pytest.approx(log_density, abs=0.03)
    np.testing.assert_allclose(found.models["predicted"], accuracy, atol=2e-3)
    assert found.log_score == pytest.approx(found.log_density / new.shown.sum())
    assert (found.test_set, found.images, found.shared) == ("c", 250, 0)


def test_some_models_in_another_order_are_predicted_as_themselves(fitted: Fit, responses: Responses):
    new = responses.select(test_sets=["c"])
    some = Responses(new.dataset.isel(model=[4, 1, 2]))
    found = predict_held_out(fitted, some, draws=2, progress=False).models.set_index("model")
    assert found.index.tolist() == ["m4", "m1", "m2"]
    assert found.loc["m1", "observed"] == pytest.approx(new.right[1].sum() / new.shown[1].sum())
    # Skill 0.84 gets some 45% right on N(1.1, 1.2²), skill −0.12 some 22%.
    assert found.loc["m4", "predicted"] - found.loc["m1", "predicted"] > 0.2


def test_images_that_the_fit_has_seen_are_left_out(fitted: Fit, responses: Responses):
    member = dict(zip("abc", responses.member, strict=True))
    member["c"] = member["c"] | (np.arange(950) < 60)
    overlapping = Responses.from_arrays(
        responses.right, models=responses.models, images=responses.images, member=member, shown=responses.shown
    )
    found = predict_held_out(fitted, overlapping.select(test_sets=["c"]), draws=2, progress=False)
    alone = predict_held_out(fitted, responses.select(test_sets=["c"]), draws=2, progress=False)
    assert (found.images, found.shared) == (250, 60)
    assert found.log_density == pytest.approx(alone.log_density, abs=1e-9)
    seen = Responses(overlapping.select(test_sets=["c"]).dataset.isel(image=slice(60)))
    with pytest.raises(InputError, match="has seen all images of test set 'c'"):
        predict_held_out(fitted, seen)


def test_the_specification_that_is_true_predicts_better():
    responses = three_sets(30, slope=SLOPE)
    new = responses.select(test_sets=["c"])
    plain, sloped = (
        predict_held_out(fitted_to(responses, of), new, progress=False)
        for of in (recht_et_al(), Specification(independent(), slopes(), normal()))
    )
    assert sloped.log_density > plain.log_density + 10
    assert np.abs(sloped.models["error"]).mean() < np.abs(plain.models["error"]).mean()


def test_every_part_of_a_specification_is_served(fitted: Fit, in_class: Fit, responses: Responses):
    new = responses.select(test_sets=["c"])
    plain = predict_held_out(fitted, new, draws=2, progress=False)
    losses = fitted_to(responses, Specification(losing(), probit(), with_unlearnable(normal())))
    for rich in (in_class, losses):
        found = predict_held_out(rich, new, draws=2, progress=False)
        # The world is plain, and the covariate says nothing: a richer specification predicts nearly as well. 200
        # images know an accuracy to 3.5 points.
        assert found.log_density == pytest.approx(plain.log_density, abs=30)
        assert np.abs(found.models["error"].to_numpy()).max() < 12
    assert json.loads(json.dumps(found.as_dict()))["models"][0]["model"] == "m0"


def test_a_covariate_is_on_the_scale_of_the_fit():
    # Difficulty is the covariate. Were it scaled in each set by itself, to stretch it would change nothing.
    rng = np.random.default_rng(1)
    hardness = np.concatenate([rng.normal(0, 2, 400), rng.normal(3, 0.5, 300)])
    right = rng.random((6, 700)) < ndtr(SKILL[:, None] - hardness - rng.normal(0, 0.3, 700))
    images = np.array([f"i{i}" for i in range(700)])

    def of(part: slice, name: str) -> Responses:
        plain = Responses.from_arrays(
            right[:, part], models=[f"m{j}" for j in range(6)], images=images[part].tolist(),
            member={name: np.ones(len(images[part]), bool)},
        )
        return Responses(plain.dataset.assign_coords(hardness=("image", hardness[part])))

    specification = Specification(independent(), probit(), regressed(normal(), ["hardness"]))
    fitted = fit(of(slice(400), "a"), specification, random_seed=0, method="mode", draws=50, progress=False)
    new = of(slice(400, 700), "b")
    found = predict_held_out(fitted, new, draws=3, progress=False)
    stretched = Responses(new.dataset.assign_coords(hardness=("image", 3 + 4 * (hardness[400:] - 3))))
    assert predict_held_out(fitted, stretched, draws=3, progress=False).log_density < found.log_density - 10


def test_misuse_is_refused(fitted: Fit, in_class: Fit, responses: Responses):
    new = responses.select(test_sets=["c"])

    def refused(given: Responses, said: str, of: Fit = fitted) -> None:
        with pytest.raises(InputError, match=said):
            predict_held_out(of, given)

    refused(responses, "one further test set is predicted at a time; got 'a', 'b', 'c'")
    refused(responses.select(test_sets=["b"]), "'b' is one that was fitted")
    other = Responses(new.dataset.assign_coords(model=["m0", "m1", "m2", "m3", "m4", "mm5"]))
    refused(other, "no model in this fit named 'mm5'; nearest.*'m5'")
    refused(Responses(new.dataset.drop_vars("label")), "need the images' labels", in_class)
    unheard = Responses(new.dataset.assign_coords(label=("image", ["cat"] * 249 + ["yak"])))
    refused(unheard, "class 'yak' of the new images is none of the 3", in_class)
    refused(Responses(new.dataset.drop_vars("hardness")), "no covariate of the new images named 'hardness'", in_class)
    gap = Responses(new.dataset.assign_coords(hardness=("image", np.r_[np.nan, np.arange(249.0)])))
    refused(gap, "'hardness' is missing for 1 of 250 new images", in_class)


def test_few_draws_that_decide_are_seen_in_the_spread(fitted: Fit, responses: Responses):
    new = responses.select(test_sets=["c"])
    assert predict_held_out(fitted, new, draws=1, progress=False).spread == 0
    # Six skills known from 700 images are tested on 250 more: half of a χ² of six, times their share.
    assert 0.3 < predict_held_out(fitted, new, draws=10, progress=False).spread < 6
