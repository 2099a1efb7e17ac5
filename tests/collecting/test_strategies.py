"""Strategies: whom they choose, how evenly, and what they say where they cannot."""

from collections.abc import Callable

import numpy as np
import pytest

from difficulty_model.collecting import AnnotatedImages, MatchedFrequency, Strategy, Threshold, TopImages, Uniform
from difficulty_model.errors import InputError
from difficulty_model.types import IntArray

RNG = np.random.default_rng(0)
CLASSES = 3
NAMES = ["ant", "bee", "cat"]
CANDIDATES = AnnotatedImages(RNG.permutation(np.repeat(np.arange(CLASSES), 200)), RNG.integers(0, 11, 600) / 10, NAMES)
REFERENCE = AnnotatedImages(np.repeat(np.arange(CLASSES), 50), np.clip(RNG.integers(3, 14, 150), 0, 10) / 10, NAMES)


def choose(strategy: Strategy, seed: int = 0, candidates: AnnotatedImages = CANDIDATES) -> IntArray:
    return strategy(np.random.default_rng(seed), candidates, REFERENCE)


@pytest.mark.parametrize("strategy", [Uniform(10), Threshold(0.7, 10), TopImages(10), MatchedFrequency(10)])
def test_every_class_gets_its_images_once_each(strategy: Strategy):
    chosen = choose(strategy)
    assert len(np.unique(chosen)) == len(chosen) == 30
    assert np.bincount(CANDIDATES.class_[chosen]).tolist() == [10, 10, 10]
    assert np.array_equal(chosen, choose(strategy))
    assert not np.array_equal(chosen, choose(strategy, seed=1))


@pytest.mark.parametrize("make", [Uniform, lambda n: Threshold(0.7, n), TopImages])
def test_as_likely_as_any_other_that_qualifies(make: Callable[[int], Strategy]):
    times, count = 2000, np.zeros(600)
    for seed in range(times):
        count[choose(make(5), seed)] += 1
    for c in range(CLASSES):
        of_class = CANDIDATES.class_ == c
        if make is Uniform:
            qualified = of_class
        elif make is TopImages:
            qualified = of_class & (CANDIDATES.frequency == 1)
            assert qualified.sum() >= 5
        else:
            qualified = of_class & (CANDIDATES.frequency >= 0.7)
        assert count[of_class & ~qualified].sum() == 0
        expected = times * 5 / qualified.sum()
        assert np.abs(count[qualified] - expected).max() < 5 * np.sqrt(expected)


@pytest.mark.parametrize("c", range(CLASSES))
def test_top_images_are_those_selected_most(c: int):
    of_class = np.flatnonzero(CANDIDATES.class_ == c)
    chosen = np.intersect1d(choose(TopImages(40)), of_class)
    least = np.sort(CANDIDATES.frequency[of_class])[-40]
    assert CANDIDATES.frequency[chosen].min() == least
    assert set(of_class[CANDIDATES.frequency[of_class] > least]) <= set(chosen)


def test_frequencies_are_matched_in_bins_class_by_class():
    strategy = MatchedFrequency(20, edges=(0.0, 0.35, 0.65, 1.0))
    counts = np.zeros((200, CLASSES, 3))
    for seed in range(200):
        chosen = choose(strategy, seed)
        for c in range(CLASSES):
            frequency = CANDIDATES.frequency[chosen][CANDIDATES.class_[chosen] == c]
            counts[seed, c] = np.histogram(frequency, strategy.edges)[0]
    for c in range(CLASSES):
        share = np.histogram(REFERENCE.frequency[REFERENCE.class_ == c], strategy.edges)[0] / 50
        # Never off by an image, and right on average.
        assert np.abs(counts[:, c] - 20 * share).max() < 1
        assert np.abs(counts[:, c].mean(0) - 20 * share).max() < 5 * 0.5 / np.sqrt(200)


def test_a_frequency_at_an_edge_is_in_the_upper_bin():
    at_edges = AnnotatedImages(np.zeros(6, int), np.array([0.0, 2 / 10, 6 / 10, 0.1 + 0.2 + 0.3, 8 / 10, 1.0]), ["a"])
    high = AnnotatedImages(np.zeros(4, int), np.full(4, 0.7), ["a"])
    chosen = MatchedFrequency(2)(np.random.default_rng(0), at_edges, high)
    assert chosen.tolist() == [2, 3]
    highest = AnnotatedImages(np.zeros(4, int), np.full(4, 1.0), ["a"])
    assert MatchedFrequency(2)(np.random.default_rng(0), at_edges, highest).tolist() == [4, 5]


def test_others_of_higher_frequency_where_candidates_lack():
    few = AnnotatedImages(np.zeros(7, int), np.array([0.1, 0.1, 0.5, 0.7, 0.7, 0.9, 0.9]), ["zebra"])
    reference = AnnotatedImages(np.zeros(4, int), np.array([0.5, 0.5, 0.5, 0.9]), ["zebra"])
    with pytest.raises(InputError, match=r"'zebra' lacks 2 candidates of frequencies from 0.4 to 0.6, where it has 1"):
        MatchedFrequency(4)(np.random.default_rng(0), few, reference)
    for seed in range(20):
        chosen = MatchedFrequency(4, allow_upward=True)(np.random.default_rng(seed), few, reference)
        assert sorted(few.frequency[chosen]) == [0.5, 0.7, 0.7, 0.9]
    only_low = AnnotatedImages(np.zeros(7, int), np.full(7, 0.1), ["zebra"])
    with pytest.raises(InputError, match="and of higher ones"):
        MatchedFrequency(4, allow_upward=True)(np.random.default_rng(0), only_low, reference)


@pytest.mark.parametrize("strategy", [Uniform(201), TopImages(201), MatchedFrequency(201), Threshold(0.7, 201)])
def test_more_images_than_there_are(strategy: Strategy):
    with pytest.raises(InputError, match="of which 201 are wanted"):
        choose(strategy)


@pytest.mark.parametrize("make", [Uniform, TopImages, MatchedFrequency, lambda n: Threshold(0.7, n)])
def test_no_image_is_asked_for(make: Callable[[int], Strategy]):
    with pytest.raises(InputError, match="at least one image"):
        choose(make(0))


@pytest.mark.parametrize("at", [-0.1, 1.01, np.nan])
def test_a_threshold_is_a_share(at: float):
    with pytest.raises(InputError, match="from 0 to 1"):
        Threshold(at, 10)


@pytest.mark.parametrize("edges", [(), (0.0,), (0.0, 0.5), (0.1, 1.0), (0.0, 0.5, 0.5, 1.0)])
def test_edges_rise_from_0_to_1(edges: tuple[float, ...]):
    with pytest.raises(InputError, match="rise from 0 to 1"):
        MatchedFrequency(10, edges=edges)


def test_a_class_that_the_reference_lacks():
    reference = AnnotatedImages(np.zeros(4, int), np.full(4, 0.5), NAMES)
    with pytest.raises(InputError, match="no image of class 'bee'"):
        MatchedFrequency(10)(np.random.default_rng(0), CANDIDATES, reference)
