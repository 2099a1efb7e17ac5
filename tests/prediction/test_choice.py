"""Choosing images for a new model: how many, which, and how often."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm

from difficulty_model.errors import InputError
from difficulty_model.family import recht_et_al
from difficulty_model.fitting import Fit
from difficulty_model.prediction import choose_images, images_within, predict_models
from difficulty_model.responses import Responses, combine
from told import told
from worlds import simulate

SKILL = np.linspace(-0.6, 2.2, 12)
WORLD = simulate(90, skill=SKILL, images={"old": 800, "new": 400}, mean=(0.0, 0.8), sd=(1.5, 1.8))


@pytest.fixture(scope="module")
def fitted() -> Fit:
    values = {"skill": SKILL, "population.mean": np.array([0.0, 0.8]), "population.sd": np.array([1.5, 1.8])}
    return told(WORLD.responses, recht_et_al(), values, draws=2)


@pytest.mark.parametrize("images", [1, 37, 399, 400])
def test_so_many_images_of_the_test_set_are_chosen(fitted: Fit, images: int):
    chosen = choose_images(fitted, images, test_set="new", random_seed=3)
    assert len(set(chosen)) == len(chosen) == images
    assert set(chosen) <= set(WORLD.responses.select(test_sets=["new"]).images)
    assert chosen == choose_images(fitted, images, test_set="new", random_seed=3)


def test_images_that_part_models_are_more_likely(fitted: Fit):
    times = 60
    count = np.zeros(1200)
    for seed in range(times):
        count += np.isin(WORLD.responses.images, choose_images(fitted, 100, random_seed=seed))
    # By what the fitted models answered; the sd of a response, averaged over images on which as many are right.
    right = WORLD.responses.right.mean(0)
    size = np.maximum(np.sqrt(right * (1 - right)), 0.1)
    share = 100 * size / size.sum()
    parted, agreed = np.abs(right - 0.5) < 0.2, np.abs(right - 0.5) > 0.49
    assert count[parted].mean() / times == pytest.approx(share[parted].mean(), rel=0.15)
    # Twelve models that agree leave it open whether others do.
    assert share[agreed].mean() < count[agreed].mean() / times < share[parted].mean() / 2
    # Spread over difficulties far more evenly than at random.
    low = right < np.median(right)
    samples = [choose_images(fitted, 100, random_seed=seed) for seed in range(20)]
    each = [np.isin(WORLD.responses.images, sample)[low].sum() for sample in samples]
    assert np.std(each) < binom.std(100, np.mean(each) / 100) / 1.5


def test_what_cannot_be_chosen_is_told(fitted: Fit):
    for images in (0, 401):
        with pytest.raises(InputError, match="cannot be chosen of 400"):
            choose_images(fitted, images, test_set="new")
    with pytest.raises(InputError, match="'new'"):
        choose_images(fitted, 3, test_set="nwe")


def new_model(images: list[str], *, skill: float = 0.5, seed: int = 0, name: str = "new") -> Responses:
    """Return a new model's answers to some images, whose difficulties are known."""
    rng = np.random.default_rng(seed)
    place = pd.Index(WORLD.responses.images).get_indexer(pd.Index(images))
    right = rng.random(len(images)) < norm.cdf(skill - WORLD.difficulty[place])
    return Responses.from_arrays(
        right[None], models=[name], images=images, member={"old": np.ones(len(images), bool)})


def test_further_images_are_others_and_suit_the_model(fitted: Fit):
    easy = np.argsort(-WORLD.responses.right.mean(0), kind="stable")
    hardness = np.empty(1200)
    hardness[easy] = np.linspace(0, 1, 1200)
    place = pd.Index(WORLD.responses.images)
    mean = {}
    for skill in (-3.0, 4.0):
        at = []
        for seed in range(10):
            first = choose_images(fitted, 60, random_seed=seed)
            after = new_model(first, skill=skill, seed=seed)
            further = choose_images(fitted, 60, after=after, random_seed=seed)
            assert len(set(further)) == 60
            assert not set(first) & set(further)
            at.append(hardness[place.get_indexer(pd.Index(further))].mean())
        mean[skill] = np.mean(at)
    # A weak model is right or wrong on easy images, a strong one on hard images.
    assert mean[-3.0] < 0.35
    assert mean[4.0] > 0.65


def test_further_images_fill_up_what_the_first_left_out(fitted: Fit):
    right = WORLD.responses.right.mean(0)
    low = np.flatnonzero((right > 0.2) & (right < 0.5))[:80]
    first = [WORLD.responses.images[i] for i in low]
    lower = []
    for seed in range(10):
        together = choose_images(fitted, 80, after=new_model(first, seed=seed), random_seed=seed)
        alone = choose_images(fitted, 80, random_seed=seed)
        place = pd.Index(WORLD.responses.images)
        lower.append([
            np.isin(place.get_indexer(pd.Index(of)), np.flatnonzero((right > 0.2) & (right < 0.5))).sum()
            for of in (together, alone)
        ])
    assert np.mean(lower, axis=0)[0] < np.mean(lower, axis=0)[1] / 2


def test_all_that_are_left_can_be_chosen(fitted: Fit):
    first = choose_images(fitted, 300, test_set="new")
    further = choose_images(fitted, 100, after=new_model(first), test_set="new")
    assert set(first) | set(further) == set(WORLD.responses.select(test_sets=["new"]).images)
    with pytest.raises(InputError, match="101 images cannot be chosen of 100"):
        choose_images(fitted, 101, after=new_model(first), test_set="new")


@pytest.mark.parametrize("points", [4.0, 8.0])
def test_so_many_images_tell_an_accuracy_within_so_many_points(fitted: Fit, points: float):
    wanted = images_within(fitted, points)
    answers = [
        new_model(choose_images(fitted, wanted, random_seed=seed), skill=skill, seed=seed, name=f"{skill} {seed}")
        for skill in (0.0, 1.0, 2.0) for seed in range(8)
    ]
    table = predict_models(fitted, combine(*answers), random_seed=0, progress=False).table()
    weight = table["images"].to_numpy()
    half = 50 * np.average((table["high"] - table["low"]).to_numpy(), weights=weight)
    assert half == pytest.approx(points, rel=0.3)


def test_fewer_further_images_are_wanted_after_some(fitted: Fit):
    first = choose_images(fitted, 50)
    alone, after = images_within(fitted, 5), images_within(fitted, 5, after=new_model(first, skill=0.8))
    assert alone - 90 < after < alone - 10
    assert images_within(fitted, 100, after=new_model(first)) == 1
    assert images_within(fitted, 1e-6, test_set="new") == 400


def test_what_cannot_be_planned_is_told(fitted: Fit):
    every = WORLD.responses.select(test_sets=["new"]).images
    with pytest.raises(InputError, match="accuracy is measured"):
        images_within(fitted, 5, after=new_model(every), test_set="new")
    for points in (0, -1, np.nan, np.inf):
        with pytest.raises(InputError, match="points above 0"):
            images_within(fitted, points)
    two = combine(new_model(every[:5]), new_model(every[:5], name="another"))
    with pytest.raises(InputError, match="one model at a time"):
        choose_images(fitted, 3, after=two)
