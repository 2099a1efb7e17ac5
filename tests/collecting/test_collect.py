"""Simulated collections against closed forms: of the joint model, of annotators' noise, and of accuracies."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import beta, betabinom, norm

from difficulty_model.collecting import (
    AnnotatedImages,
    CollectionPlan,
    Frequencies,
    GivenPool,
    MatchedFrequency,
    Threshold,
    TopImages,
    Uniform,
    choose_candidates,
    collect,
    collect_responses,
)
from difficulty_model.errors import InputError
from difficulty_model.family import recht_et_al
from difficulty_model.fitting import Fit
from difficulty_model.law import probit
from difficulty_model.responses import Responses
from told import told
from worlds import simulate

SKILL = np.linspace(-1.0, 2.5, 6)
MEAN, SD = np.array([0.0, 0.6]), np.array([1.5, 1.2])
WORLD = simulate(3, skill=SKILL, images={"old": 900, "pool": 3000}, mean=tuple(MEAN), sd=tuple(SD))
VALUES = {"skill": SKILL, "population.mean": MEAN, "population.sd": SD}
FREQUENT, RARE = Frequencies(0.71, 0.22), Frequencies(0.5, 0.28)
PLAN = CollectionPlan("old", 4000, 8000, FREQUENT, RARE, dependence=0.6)
FINE = tuple(np.linspace(0, 1, 101))


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return told(WORLD.responses, recht_et_al(), VALUES, draws=2)


def accuracy_at(frequency: float, dependence: float = 0.6) -> np.ndarray:
    """Return the accuracies on images of one frequency: of normal scores, difficulty given ease is normal."""
    score = norm.ppf(beta.cdf(frequency, *FREQUENT.parameters))
    return norm.cdf((SKILL + dependence * 1.5 * score) / np.sqrt(1 + 1.5**2 * (1 - dependence**2)))


def test_the_reference_is_the_fitted_population(fitted: Fit):
    reference = collect(fitted, PLAN, {"any": Uniform(10)}, sets=100, progress=False).draws["reference"].values
    error = reference.std(0) / np.sqrt(100)
    assert np.abs(reference.mean(0) - norm.cdf(SKILL / np.sqrt(1 + 1.5**2))).max() < 5 * error.max()


@pytest.mark.parametrize("at", [0.0, 0.5, 0.9])
def test_accuracies_above_a_true_threshold(fitted: Fit, at: float):
    plan = replace(PLAN, candidates=20_000)
    draws = collect(fitted, plan, {"above": Threshold(at, 200)}, sets=200, progress=False).draws.sel(strategy="above")
    a, b = RARE.parameters
    expected = np.array([
        quad(lambda s, j=j: accuracy_at(s)[j] * beta.pdf(s, a, b), at, 1)[0] for j in range(len(SKILL))
    ]) / beta.sf(at, a, b)
    assert np.abs(draws["exact"].mean("draw").values - expected).max() < 5 * 0.5 / np.sqrt(200 * 200) * 2 / 3
    mean = quad(lambda s: s * beta.pdf(s, a, b), at, 1)[0] / beta.sf(at, a, b)
    assert draws["exact_frequency"].mean() == pytest.approx(mean, abs=0.005)


@pytest.mark.parametrize("annotators", [3, 10])
def test_regression_to_the_mean_of_what_annotators_select(fitted: Fit, annotators: int):
    plan = replace(PLAN, annotators=annotators, candidates=20_000)
    draws = collect(fitted, plan, {"above": Threshold(0.7, 500)}, sets=50, progress=False).draws.sel(strategy="above")
    a, b = RARE.parameters
    counts = np.arange(np.ceil(0.7 * annotators - 1e-9), annotators + 1)
    weight = betabinom.pmf(counts, annotators, a, b)
    assert draws["seen"].mean() == pytest.approx(np.average(counts / annotators, weights=weight), abs=0.005)
    true = np.average((a + counts) / (a + b + annotators), weights=weight)
    assert draws["frequency"].mean() == pytest.approx(true, abs=0.005)
    assert true < np.average(counts / annotators, weights=weight) - 0.03


def test_matching_true_frequencies_finely_leaves_no_gap_and_noise_alone_makes_one(fitted: Fit):
    plan = replace(PLAN, candidates=40_000)
    matched = MatchedFrequency(2000, FINE, allow_upward=True)
    collected = collect(fitted, plan, {"matched": matched}, sets=100, progress=False)
    exact, seen = collected.gap("matched", exact=True), collected.gap("matched")
    assert abs(exact.mean()) < 5 * exact.std() / 10
    assert seen.mean() < -2
    table = collected.table().set_index("quantity")
    assert table.loc["noise", "mean"] == pytest.approx(seen.mean() - exact.mean(), abs=1e-9)
    line = collected.line("matched", exact=True)
    assert np.abs([line.u.mean() - 1, line.v.mean()]).max() < 5 * max(line.u.std(), line.v.std()) / 10


def test_frequencies_that_say_nothing_of_difficulty_make_no_gap(fitted: Fit):
    strategies = {"top": TopImages(1000), "above": Threshold(0.7, 1000), "all": Uniform(1000)}
    collected = collect(fitted, replace(PLAN, dependence=0.0), strategies, sets=60, progress=False)
    for name in strategies:
        gap = collected.gap(name)
        assert abs(gap.mean()) < 5 * gap.std() / np.sqrt(60)


@pytest.mark.parametrize("dependence", [1.0, -1.0])
def test_frequencies_that_say_everything(fitted: Fit, dependence: float):
    plan = replace(PLAN, dependence=dependence, of_candidates=FREQUENT)
    draws = collect(fitted, plan, {"top": TopImages(80)}, sets=30, progress=False).draws.sel(strategy="top")
    # The easiest hundredth, or the hardest.
    expected = -dependence * 1.5 * norm.pdf(norm.ppf(0.01)) / 0.01
    exact = collect(fitted, replace(plan, annotators=100_000), {"top": TopImages(80)}, sets=30, progress=False)
    assert exact.draws["harder"].mean() == pytest.approx(expected, rel=0.02)
    assert np.sign(dependence) * (draws["exact"] - draws["expected"]).mean() > 0


def test_candidates_that_are_harder_at_equal_frequency(fitted: Fit):
    plan = replace(PLAN, of_candidates=FREQUENT, harder=0.5)
    collected = collect(fitted, plan, {"all": Uniform(4000)}, sets=60, progress=False)
    harder = collected.draws["harder"].values
    assert harder.mean() == pytest.approx(0.5, abs=5 * harder.std() / np.sqrt(60))
    line = collected.line("all")
    assert line.v.mean() == pytest.approx(-0.5 / np.sqrt(1 + 1.5**2), abs=5 * line.v.std() / np.sqrt(60))


def test_accuracies_scatter_as_single_responses_do(fitted: Fit):
    collected = collect(fitted, PLAN, {"all": Uniform(100)}, sets=400, progress=False)
    draws = collected.draws.sel(strategy="all")
    p = draws["expected"].mean("draw").values
    error = draws["accuracy"].std("draw").values / np.sqrt(p * (1 - p) / 100)
    assert np.abs(error - 1).max() < 5 / np.sqrt(800)
    table = collected.accuracies().set_index("model")
    assert table["accuracy"].values == pytest.approx(draws["accuracy"].mean("draw").values)
    assert np.all(np.diff(table[["low", "accuracy", "high"]].to_numpy(), axis=1) > 0)


def test_a_function_of_the_users_is_a_strategy(fitted: Fit):
    seen = []

    def easiest(rng: np.random.Generator, candidates: AnnotatedImages, reference: AnnotatedImages) -> np.ndarray:
        seen.append((len(candidates.class_), len(reference.class_)))
        return np.argsort(-candidates.frequency)[:50]

    collected = collect(fitted, PLAN, {"mine": easiest}, sets=3, progress=False)
    assert set(seen) == {(8000, 4000)}
    assert collected.draws["exact_frequency"].min() > 0.95
    for wrong in ([0.5], [1, 1], [8000], [-1], [], [[1]]):
        with pytest.raises(InputError, match="a strategy"):
            collect(fitted, PLAN, {"mine": lambda rng, c, r, of=wrong: np.array(of)}, sets=1, progress=False)


def test_the_same_seed_the_same_collections(fitted: Fit):
    one, same, other = (
        collect(fitted, PLAN, {"top": TopImages(50)}, sets=3, random_seed=seed, progress=False) for seed in (1, 1, 2)
    )
    assert one.draws.identical(same.draws)
    assert not one.draws.identical(other.draws)


def counted(responses: Responses, seed: int = 0) -> GivenPool:
    """Return candidates of which ten annotators select the more, the more models are right on them."""
    rng = np.random.default_rng(seed)
    asked = np.full(len(responses.images), 10)
    selected = rng.binomial(asked, rng.beta(1 + responses.right.sum(0), 2))
    return GivenPool("pool", "old", pd.DataFrame({"selected": selected, "asked": asked}, index=responses.images))


GIVEN = counted(WORLD.responses)


def test_candidates_that_exist_are_chosen_by_their_counts():
    chosen = choose_candidates(WORLD.responses, GIVEN, Threshold(0.9, 100), random_seed=5)
    assert len(set(chosen)) == 100
    assert GIVEN.counts.loc[chosen, "selected"].min() >= 9
    assert set(chosen) <= set(WORLD.responses.select(test_sets=["pool"]).images)


def test_candidates_are_chosen_class_by_class_if_images_have_labels():
    labels = ["ab"[i % 2] for i in range(len(WORLD.responses.images))]
    labelled = Responses.from_arrays(
        WORLD.responses.right, models=WORLD.responses.models, images=WORLD.responses.images, labels=labels,
        member=dict(zip(WORLD.responses.test_sets, WORLD.responses.member, strict=True)),
    )
    chosen = choose_candidates(labelled, GIVEN, TopImages(30))
    place = pd.Index(labelled.images).get_indexer(pd.Index(chosen))
    assert np.bincount(place % 2).tolist() == [30, 30]


def test_accuracies_on_candidates_that_exist():
    responses = WORLD.responses
    fitted = told(responses, recht_et_al(), VALUES, draws=2)
    every = {"all": Uniform(3000), "top": TopImages(300)}
    collected = collect(fitted, GIVEN, every, sets=40, progress=False)
    draws = collected.draws
    # All candidates: what was observed on them, as far as difficulties are known.
    observed = responses.select(test_sets=["pool"]).right.mean(1)
    assert draws["expected"].sel(strategy="all").mean("draw").values == pytest.approx(observed, abs=1e-9)
    assert draws["accuracy"].sel(strategy="all").std("draw").values == pytest.approx(0, abs=1e-9)
    assert draws["reference"].mean("draw").values == pytest.approx(
        responses.select(test_sets=["old"]).right.mean(1), abs=1e-9)
    # Those selected most are easier, and as easy as models that answered them say.
    top = [choose_candidates(responses, GIVEN, TopImages(300), random_seed=seed) for seed in range(10)]
    place = pd.Index(responses.images).get_indexer(pd.Index([image for chosen in top for image in chosen]))
    assert draws["expected"].sel(strategy="top").mean("draw").values == pytest.approx(
        responses.right[:, place].mean(1), abs=0.02)
    assert draws["expected"].sel(strategy="top").mean() > draws["expected"].sel(strategy="all").mean() + 0.1
    # What annotators say of those that they selected most is too much.
    assert draws["seen"].sel(strategy="top").mean() > draws["frequency"].sel(strategy="top").mean() + 0.02
    assert draws["exact_frequency"].sel(strategy="top").mean() > draws["frequency"].sel(strategy="top").mean()


def test_models_that_were_not_run_on_candidates():
    """As difficulties say, which the others' responses tell: right on average, though not image by image."""
    shown = WORLD.responses.shown.copy()
    pool = np.flatnonzero(WORLD.responses.member[1])
    shown[3, pool] = 0
    shown[4, pool[::2]] = 0
    responses = Responses.from_arrays(
        np.where(shown > 0, WORLD.responses.right, 0), shown=shown, models=WORLD.responses.models,
        images=WORLD.responses.images, member=dict(zip(WORLD.responses.test_sets, WORLD.responses.member, strict=True)),
    )
    fitted = told(responses, recht_et_al(), VALUES, draws=2)
    collected = collect(fitted, GIVEN, {"all": Uniform(3000)}, sets=40, progress=False)
    draws = collected.draws.sel(strategy="all")
    truth = WORLD.responses.right[:, pool].mean(1)
    assert draws["expected"].mean("draw").values == pytest.approx(truth, abs=0.04)
    scatter = draws["accuracy"].std("draw").values > 1e-9
    assert scatter.tolist() == [False, False, False, True, True, False]


def test_a_simulated_collection_is_a_dataset_like_any_other(fitted: Fit):
    plan = replace(PLAN, classes=4)
    responses = collect_responses(fitted, plan, MatchedFrequency(200, allow_upward=True), random_seed=2)
    assert responses.test_sets == ["reference", "chosen"]
    assert responses.member.sum(1).tolist() == [4000, 800]
    assert responses.models == fitted.responses.models
    chosen = responses.select(test_sets=["chosen"])
    assert np.unique(chosen.dataset["label"].values, return_counts=True)[1].tolist() == [200] * 4
    frequency = [
        (of.dataset["selected"] / of.dataset["asked"]).values
        for of in (chosen, responses.select(test_sets=["reference"]))
    ]
    assert frequency[0].mean() == pytest.approx(frequency[1].mean(), abs=0.02)
    accuracy = [of.right.mean(1) for of in (chosen, responses.select(test_sets=["reference"]))]
    assert (probit(accuracy[0]) - probit(accuracy[1])).mean() < -0.03


@pytest.mark.parametrize(("change", "said"), [
    ({"dependence": 1.5}, "from -1 to 1"),
    ({"annotators": 0}, "at least one annotator"),
    ({"candidates": 0}, "0 images .candidates. for 1 classes"),
    ({"reference": 3, "classes": 4}, "3 images .reference. for 4 classes"),
])
def test_plans_that_cannot_be_are_told(change: dict[str, float], said: str):
    with pytest.raises(InputError, match=said):
        replace(PLAN, **change)


def test_what_cannot_be_collected_is_told(fitted: Fit):
    with pytest.raises(InputError, match="'odl'.*'old'"):
        collect(fitted, replace(PLAN, like="odl"), {"top": TopImages(1)}, progress=False)
    with pytest.raises(InputError, match="no strategy"):
        collect(fitted, PLAN, {}, progress=False)
    with pytest.raises(InputError, match="at least one collection"):
        collect(fitted, PLAN, {"top": TopImages(1)}, sets=0, progress=False)
    with pytest.raises(InputError, match="8000 candidates, of which 9000"):
        collect(fitted, PLAN, {"top": TopImages(9000)}, progress=False)


def test_counts_that_cannot_be_are_told():
    responses, counts = WORLD.responses, GIVEN.counts
    with pytest.raises(InputError, match="'pol'.*'pool'"):
        choose_candidates(responses, GivenPool("pol", "old", counts), TopImages(1))
    with pytest.raises(InputError, match="'asked'"):
        choose_candidates(responses, GivenPool("pool", "old", counts.drop(columns="asked")), TopImages(1))
    with pytest.raises(InputError, match="got nan for 'i3899'"):
        choose_candidates(responses, GivenPool("pool", "old", counts.iloc[:-1]), TopImages(1))
    with pytest.raises(InputError, match="'i3899' twice"):
        choose_candidates(responses, GivenPool("pool", "old", counts.iloc[[*range(3900), 3899]]), TopImages(1))
    for selected, asked, said in ((11, 10, "got 11 of 10"), (0, 0, "got 0 of 0"), (-1, 10, "got -1 of 10"),
                                  (0.5, 10, "got 0.5"), ("many", 10, "counts annotators")):
        wrong = pd.DataFrame({"selected": [selected], "asked": [asked]}).loc[[0] * len(responses.images)]
        with pytest.raises(InputError, match=said):
            choose_candidates(responses, GivenPool("pool", "old", wrong.set_axis(responses.images)), TopImages(1))
