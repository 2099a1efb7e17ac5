"""Choosing images: how many, which, how often, and what it is worth."""

import numpy as np
import pytest
from scipy.stats import binom

from difficulty_model.errors import InputError
from difficulty_model.family import recht_et_al
from difficulty_model.fitting import Fit
from difficulty_model.prediction import choose_images
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
