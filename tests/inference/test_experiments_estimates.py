"""Estimates over images and repetitions: their standard errors, in worlds whose truth is known."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from difficulty_inference.experiments.estimates import Estimate, over_images, over_repeats


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("chance", [0.0, 0.05], ids=["images alone", "with luck in training"])
def test_the_variance_over_repeats_is_that_of_the_mean_over_worlds(seed, chance):
    random, images, repeats, worlds = np.random.default_rng(seed), 60, 8, 1500
    found: list[Estimate] = []
    for _ in range(worlds):
        values = random.normal(0, 1, images) + random.normal(0, chance * 60**0.5, (repeats, 1))
        for row in values:
            row[random.permutation(images)[: images // 2]] = np.nan
        found.append(over_repeats(values))
    true = np.var([each.value for each in found])
    stated = np.mean([each.standard_error**2 for each in found])
    # A variance of 1,500 normal values is known to √(2/1500) = 3.7%. Tested images are counted once more with
    # 1/repeats of their part: the mean of half has variance 1/images about that of all.
    assert true * (1 - 4 * 0.037) < stated < true * (1 + 1 / repeats + 0.05 + 4 * 0.037)


def test_the_more_repeats_the_less_luck_but_never_less_than_the_images_allow():
    random = np.random.default_rng(0)
    values = np.broadcast_to(random.normal(0, 1, 400), (200, 400)).copy()
    for row in values:
        row[random.permutation(400)[:200]] = np.nan
    assert over_repeats(values).standard_error == pytest.approx(over_images(values[0][~np.isnan(values[0])])
                                                                .standard_error / 2**0.5, rel=0.15)


def test_an_image_that_is_never_tested_does_not_count():
    values = np.array([[1.0, np.nan, 0.0], [0.0, np.nan, 0.0]])
    assert over_repeats(values).value == 0.25
