"""A new test set from few models: against sums by other formulas, and in worlds where the truth is known."""

import re

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr, ndtri, owens_t
from scipy.stats import binom, norm

from difficulty_model.errors import InputError
from difficulty_model.family import (
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
    with_unlearnable,
)
from difficulty_model.fitting import Fit, fit
from difficulty_model.posterior import population_accuracies
from difficulty_model.prediction import Prediction, predict_test_set
from difficulty_model.prediction.new_test_set import DEPARTURE, HARDER, WIDER
from difficulty_model.responses import Responses
from difficulty_model.simulation import TestSetPlan
from difficulty_model.simulation import simulate as simulate_sets
from difficulty_model.specification import Specification, unknowns
from told import told
from worlds import simulate

SD = 1.5
OLD = simulate(50, skill=np.linspace(-0.6, 2.0, 9), images={"old": 4000}, mean=(0.0,), sd=(SD,)).responses
SKILL = np.sqrt(1 + SD**2) * ndtri(OLD.right.mean(1))
"""Those by which the old test set's accuracies are what was observed."""


@pytest.fixture(scope="module")
def fitted() -> Fit:
    values = {"skill": SKILL, "population.mean": 0.0, "population.sd": SD}
    return told(OLD, recht_et_al(), values, draws=20)


def new_set(seed: int, images: int, *, mean: float, sd: float, skill: np.ndarray = SKILL, missing: float = 0.0):
    world = simulate(seed, skill=skill, images={"new": images}, mean=(mean,), sd=(sd,), missing=missing).responses
    return Responses(world.dataset.assign_coords(image=[f"new {image}" for image in world.images]))


def part(responses: Responses, models: list[int], images: int) -> Responses:
    dataset = responses.dataset.isel(image=slice(images))
    return Responses(dataset).select(models=[responses.models[j] for j in models])


def predicted(fit_: Fit, responses: Responses, **options: object) -> Prediction:
    return predict_test_set(fit_, responses, progress=False, **options)  # pyright: ignore[reportArgumentType]


def both_right(h: np.ndarray, k: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Φ₂(h, k; ρ) by Owen's T function."""
    root = np.sqrt(1 - rho**2)
    h, k = (np.where(np.abs(of) < 1e-9, 1e-9, of) for of in (h, k))
    tails = owens_t(h, (k - rho * h) / (h * root)) + owens_t(k, (h - rho * k) / (k * root))
    return (ndtr(h) + ndtr(k)) / 2 - tails - np.where(h * k < 0, 0.5, 0.0)


def test_it_is_the_sum_over_a_grid(fitted: Fit):
    few, images, total = [1, 4, 6], 4000, 12_000
    given = part(new_set(51, total, mean=0.5, sd=1.6), few, images)
    prediction = predicted(fitted, given, images=total)
    found = prediction.accuracy.values
    by, wider, departure = np.meshgrid(
        np.linspace(-0.2, 1.0, 61), np.exp(np.linspace(-4, 4, 17) * WIDER),
        np.exp(np.log(DEPARTURE[0]) + np.linspace(-4, 4, 17) * DEPARTURE[1]), indexing="ij",
    )
    prior = norm.logpdf(by / HARDER) + norm.logpdf(np.log(wider) / WIDER)
    prior += norm.logpdf(np.log(departure / DEPARTURE[0]) / DEPARTURE[1])
    wide = (wider * SD)[..., None]
    z = (SKILL - by[..., None] * SD) / np.sqrt(1 + wide**2)
    accuracy, models = ndtr(z), np.arange(len(SKILL))
    rho = np.minimum(wide**2 / (1 + wide**2), 1 - 1e-9)[..., None]
    together = both_right(*np.broadcast_arrays(z[..., None], z[..., None, :], rho))
    covariance = together - accuracy[..., None] * accuracy[..., None, :]
    covariance[..., models, models] = accuracy * (1 - accuracy)
    before = SKILL / np.sqrt(1 + SD**2)
    old = both_right(*np.broadcast_arrays(before[:, None], before, np.minimum(SD**2 / (1 + SD**2), 1)))
    old -= np.outer(ndtr(before), ndtr(before))
    old[models, models] = ndtr(before) * ndtr(-before)
    old /= np.outer(norm.pdf(before), norm.pdf(before)) * len(OLD.images)
    own = departure[..., None, None] ** 2 * np.eye(len(SKILL)) + old
    own *= norm.pdf(z)[..., None] * norm.pdf(z)[..., None, :]
    whole = covariance / total + own
    among = (covariance / images + own)[..., few, :][..., few]
    off = given.right.mean(1) - accuracy[..., few]
    white = np.linalg.solve(among, off[..., None])
    log_weight = prior - (off[..., None, :] @ white)[..., 0, 0] / 2 - np.linalg.slogdet(among)[1] / 2
    weight = np.exp(log_weight - log_weight.max())[..., None] / np.exp(log_weight - log_weight.max()).sum()
    means = accuracy + (whole[..., few] @ white)[..., 0]
    gain = np.linalg.solve(among, whole[..., few, :])
    variances = (whole - whole[..., few] @ gain)[..., models, models]
    mean = (weight * means).sum((0, 1, 2))
    sd = np.sqrt((weight * (variances + (means - mean) ** 2)).sum((0, 1, 2)))
    # 1,000 draws: 5 of their standard errors, and what the normal approximation given the departures' sd is off.
    np.testing.assert_allclose(found.mean(0), mean, atol=5 * sd.max() / np.sqrt(1000))
    np.testing.assert_allclose(found.std(0), sd, rtol=0.12)
    for name, of in {"harder": by * SD, "wider": wider, "departure": departure}.items():
        center = (weight[..., 0] * of).sum()
        sd = np.sqrt((weight[..., 0] * (of - center) ** 2).sum())
        draws = prediction.unknowns[name].values
        assert draws.mean() == pytest.approx(center, abs=5 * sd / np.sqrt(1000))
        assert draws.std() == pytest.approx(sd, rel=0.12)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(52)
    worlds, level = 80, 0.8
    inside = {0.5: 0, level: 0}
    for seed in range(worlds):
        mean, sd = rng.normal() * HARDER * SD, SD * np.exp(WIDER * rng.normal())
        departure = DEPARTURE[0] * np.exp(DEPARTURE[1] * rng.normal())
        skill = SKILL + departure * np.sqrt(1 + sd**2) * rng.normal(size=len(SKILL))
        new = new_set(1000 + seed, 1200, mean=mean, sd=sd, skill=skill)
        old = simulate(2000 + seed, skill=SKILL, images={"old": 1000}, mean=(0.0,), sd=(SD,)).responses
        fitted = told(old, recht_et_al(), {"skill": SKILL, "population.mean": 0.0, "population.sd": SD}, draws=20)
        few = rng.choice(len(SKILL), 2, replace=False)
        other = int(rng.choice(np.setdiff1d(np.arange(len(SKILL)), few)))
        truth = new.right[other].mean()
        found = predicted(fitted, part(new, sorted(few), 400), images=1200, random_seed=seed)
        found = found.accuracy.values[:, other]
        for of in inside:
            low, high = np.quantile(found, [(1 - of) / 2, (1 + of) / 2])
            inside[of] += int(low <= truth <= high)
    for of, count in inside.items():
        assert 1e-5 < binom.cdf(count, worlds, of) < 1 - 1e-5


@pytest.mark.parametrize(("departure", "low", "high"), [(0.0, 0.0, 0.02), (0.1, 0.05, 0.2)])
def test_departures_are_as_large_as_models_show(fitted: Fit, departure: float, low: float, high: float):
    skill = SKILL + departure * np.sqrt(1 + SD**2) * np.tile([-1, 1, 1], 3)
    new = new_set(63, 20_000, mean=0.0, sd=SD, skill=skill)
    assert low < float(predicted(fitted, part(new, [*range(8)], 20_000)).unknowns["departure"].mean()) < high


def test_what_was_measured_on_all_images_is_known(fitted: Fit):
    new = new_set(53, 300, mean=0.4, sd=1.5)
    found = predicted(fitted, part(new, [0, 5], 300))
    table = found.table().set_index("model").loc[new.models]
    np.testing.assert_allclose(table["accuracy"].iloc[[0, 5]], new.right.mean(1)[[0, 5]], atol=1e-4)
    assert table["sd"].iloc[[0, 5]].to_numpy().max() < 1e-4
    assert table["sd"].drop(["m0", "m5"]).to_numpy().min() > 0.005
    assert table["shown"].tolist() == [300, 0, 0, 0, 0, 300, 0, 0, 0]
    # Of a hundred times as many images, they are known as well as 300 tell.
    more = predicted(fitted, part(new, [0, 5], 300), images=30_000).table().set_index("model")
    assert more.loc["m5", "sd"] > 0.01


def test_what_a_fit_says_of_old_accuracies_does_not_matter(fitted: Fit):
    values = {"skill": SKILL + 0.05 * np.tile([-1, 0, 1], 3), "population.mean": 0.0, "population.sd": SD}
    off = told(OLD, recht_et_al(), values, draws=20)
    given = part(new_set(64, 20_000, mean=0.5, sd=SD), [1, 4, 7], 20_000)
    ours, theirs = (predicted(of, given).accuracy.mean("draw") for of in (off, fitted))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_predictions_start_from_what_was_observed():
    # Slopes that differ put the two-line model's accuracies off the observed ones, which hold on a like test set too.
    slope = np.where(np.arange(9) % 2, 0.4, 1.6)
    both = simulate(54, skill=SKILL, images={"old": 8000, "other": 8000}, mean=(0.0, 1.2), sd=(1.5, 1.5), slope=slope)
    old = fit(both.responses, random_seed=0, method="mode", draws=50, chains=1, progress=False)
    new = simulate(55, skill=SKILL, images={"new": 8000}, mean=(0.0,), sd=(1.5,), slope=slope).responses
    new = Responses(new.dataset.assign_coords(image=[f"new {image}" for image in new.images]))
    found = predicted(old, part(new, [0, 3, 6], 8000)).table().set_index("model").loc[new.models]["accuracy"]
    fitted_there = population_accuracies(old).sel(test_set="old").mean(("chain", "draw")).values
    others, truth = [1, 2, 4, 5, 7, 8], new.right.mean(1)
    assert np.abs(fitted_there - truth)[others].mean() > 0.01
    assert np.abs(found.to_numpy() - truth)[others].mean() < 0.006


def test_one_model_with_gaps_is_enough(fitted: Fit):
    new = new_set(56, 2000, mean=0.6, sd=1.5, missing=0.4)
    found = predicted(fitted, part(new, [4], 2000))
    table = found.table(level=0.99).set_index("model").loc[new.models]
    truth = ndtr((SKILL - 0.6) / np.sqrt(1 + SD**2))
    assert (table["low"].to_numpy() <= truth).all()
    assert (truth <= table["high"].to_numpy()).all()
    assert found.unknowns["harder"].mean() == pytest.approx(0.6, abs=5 * float(found.unknowns["harder"].std()))
    assert table["shown"]["m4"] == new.shown[4].sum()


@pytest.mark.parametrize("mean", [-3.0, 0.6, 3.0])
def test_the_line_is_that_between_the_populations(fitted: Fit, mean: float):
    new = new_set(57, 3000, mean=mean, sd=1.5)
    found = predicted(fitted, part(new, [1, 5, 8], 3000))
    harder, wider, u, v = (found.unknowns[name].values for name in ("harder", "wider", "u", "v"))
    scale = np.sqrt(1 + (wider * SD) ** 2)
    np.testing.assert_allclose(u, np.sqrt(1 + SD**2) / scale, atol=1e-6)
    np.testing.assert_allclose(v, -harder / scale, atol=1e-6)
    assert harder.mean() == pytest.approx(mean, abs=0.25)


def test_a_member_of_a_measured_models_family_is_known_better():
    rng = np.random.default_rng(58)
    skill = np.array([0.2, 0.2, 0.2, 1.0, 0.6, 1.4])
    family = np.array([0, 0, 1, 2, 2, 1])

    def world(images: int, name: str) -> Responses:
        effect = rng.normal(size=(3, images))[family]
        right = rng.random((6, images)) < ndtr(skill[:, None] + 1.5 * effect - rng.normal(size=images))
        names = [f"m{j}" for j in range(6)]
        return Responses.from_arrays(
            right.astype(int), models=names, images=[f"{name} {i}" for i in range(images)],
            member={name: np.ones(images, bool)},
        ).with_families({model: str(f) for model, f in zip(names, family, strict=True)})

    old, new = world(3000, "old"), world(200, "new")
    specification = Specification(in_families(), probit(), normal())
    of_old = fit(old, specification, random_seed=0, method="mode", draws=50, chains=1, progress=False)
    table = predicted(of_old, part(new, [0], 200)).table().set_index("model")
    sd = table["sd"].to_dict()
    assert sd["m1"] < 0.85 * sd["m2"]


@pytest.mark.parametrize("like", ["old", "other"])
@pytest.mark.parametrize(
    ("specification", "values"),
    [
        (
            Specification(losing(), probit(), regressed(in_classes(normal()), ["size"])),
            {
                "skill.skill": SKILL, "skill.trend": np.array([0.0, 0.1]),
                "skill.own": np.outer([0, 0.2], np.cos(np.arange(9))), "population.coefficient": 0.4,
                "population.population.effect": np.array([-0.3, 0.3]),
                "population.population.population.mean": np.array([0.0, 0.5]),
            },
        ),
        (
            Specification(independent(), slopes(logistic()), with_unlearnable(normal())),
            {"skill": SKILL, "curve.slope": np.linspace(0.7, 1.3, 9), "population.share": np.array([0.1, 0.2])},
        ),
        (
            Specification(in_families(), probit(), skew_normal()),
            {"skill.skill": SKILL, "population.shape": np.array([1.0, -1.0])},
        ),
    ],
)
def test_the_population_is_that_of_a_simulated_test_set(
    specification: Specification, values: dict[str, np.ndarray], like: str
):
    images = np.arange(8000)
    empty = simulate(59, skill=SKILL, images={"old": 4000, "other": 4000}).responses
    known = Responses(empty.dataset.assign_coords(
        size=("image", np.sin(images)), label=("image", np.array(["cat", "dog"])[images % 2])
    )).with_families({model: "near" for model in empty.models[:3]})
    typical = {path: np.asarray(prior.distribution.typical()) for path, prior in unknowns(specification).items()}
    accuracy = population_accuracies(told(known, specification, typical | values, draws=1))[0, 0].values
    # Observed is what is fitted, so that predictions start from there.
    right = np.concatenate([np.arange(4000) < np.round(4000 * of)[:, None] for of in accuracy], axis=1)
    observed = Responses(known.dataset.assign(right=(("model", "image"), right.astype(np.uint8))))
    fitted_to_it = told(observed, specification, typical | values, draws=20)
    found = predicted(fitted_to_it, part(new_set(60, 300, mean=0.6, sd=1.5), [2, 6], 300), like=like)
    for draw in (0, 700):
        of_draw = found.unknowns.isel(draw=draw)
        plan = TestSetPlan(10, {like: 1.0}, harder=float(of_draw["harder"]), wider=float(of_draw["wider"]))
        line = simulate_sets(fitted_to_it, plan, sets=1, progress=False).line_from(like)
        assert (float(of_draw["u"]), float(of_draw["v"])) == pytest.approx((line.u[0], line.v[0]), abs=1e-4)


def test_it_is_plain_values_and_a_tree(fitted: Fit):
    found = predicted(fitted, part(new_set(61, 200, mean=0.0, sd=1.5), [3], 100), images=200)
    again = predicted(fitted, part(new_set(61, 200, mean=0.0, sd=1.5), [3], 100), images=200)
    other = predicted(fitted, part(new_set(61, 200, mean=0.0, sd=1.5), [3], 100), images=200, random_seed=1)
    assert found.as_dict() == again.as_dict() != other.as_dict()
    plain = found.as_dict(level=0.5)
    assert (plain["test_set"], plain["like"], plain["images"]) == ("new", "old", 200)
    first = plain["models"][0]
    assert first["measured"] is None
    assert first["low"] < first["accuracy"] < first["high"]
    assert set(plain["unknowns"]) == {"harder", "wider", "departure", "u", "v"}
    tree = found.tree
    assert tree["posterior_predictive"]["accuracy"].sizes == {"chain": 1, "draw": 1000, "model": 9}
    assert tree["observed_data"].to_dataset()["shown"].values.tolist() == [100]


def twice(responses: Responses) -> Responses:
    """The same images in two test sets."""
    member = responses.dataset["member"]
    both = xr.concat([member, member.assign_coords(test_set=["newer"])], "test_set")
    return Responses(responses.dataset.drop_dims("test_set").assign(member=both))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda r: {"responses": twice(r)},
            "one new test set is predicted at a time; got 'new', 'newer'. Select one",
        ),
        (lambda r: {"images": 10}, "responses to 40 images of 'new' were given, which cannot have 10 only"),
        (lambda r: {"like": "odl"}, "no test set in this fit named 'odl'; nearest: 'old'"),
        (
            lambda r: {"responses": Responses(r.dataset.assign_coords(model=["x", "y"]))},
            "no model in this fit named 'x'",
        ),
        (
            lambda r: {"responses": Responses(r.dataset.assign_coords(test_set=["old"]))},
            "'old' is one that was fitted",
        ),
    ],
)
def test_what_cannot_be_predicted_is_told(fitted: Fit, change, message: str):  # noqa: ANN001
    given = part(new_set(62, 60, mean=0.0, sd=1.5), [2, 4], 40)
    options = {"responses": given} | change(given)
    with pytest.raises(InputError, match=re.escape(message)):
        predicted(fitted, **options)
