"""What is said of uniform ranks is true as often as it claims; what is not uniform is noticed."""

import numpy as np
import pytest
from scipy import stats

from difficulty_model.calibration.uniformity import (
    band,
    chi_square_p_value,
    coverage_p_value,
    ecdf_p_value,
    inside,
)


@pytest.mark.parametrize(("worlds", "draws", "level"), [(30, 99, 0.95), (200, 199, 0.8), (60, 19, 0.99)])
def test_the_band_holds_uniform_ranks_as_often_as_it_says(worlds: int, draws: int, level: float):
    ranks = np.random.default_rng(worlds).integers(0, draws + 1, (10_000, worlds))
    of = band(worlds, draws, level=level)
    points = np.round(of.share * (draws + 1))
    held = np.ones(len(ranks), bool)
    for point, low, high in zip(points, of.low, of.high, strict=True):
        below = (ranks < point).mean(1)
        held &= (below > low - 1e-9) & (below < high + 1e-9)
    # At least the level; and not much more, counts being whole numbers.
    sd = np.sqrt(level * (1 - level) / len(ranks))
    assert level - 4 * sd < held.mean() < level + 0.3 * (1 - level) + 4 * sd


@pytest.mark.parametrize("p_value", [chi_square_p_value, ecdf_p_value], ids=["chi2", "ecdf"])
@pytest.mark.parametrize(("worlds", "draws"), [(40, 99), (100, 199)])
def test_p_values_of_uniform_ranks_are_uniform(p_value, worlds: int, draws: int):  # noqa: ANN001
    rng = np.random.default_rng(worlds)
    found = np.array([p_value(rng.integers(0, draws + 1, worlds), draws) for _ in range(400)])
    for level in (0.05, 0.2, 0.5):
        # Counts being whole numbers, p-values come in steps; of these worlds steps of 0.05 at most.
        assert abs((found <= level).mean() - level) < 4 * np.sqrt(level * (1 - level) / len(found)) + 0.05


def test_p_values_tell_how_far_ranks_are_from_uniform():
    worlds, draws = 200, 99
    quantiles = (np.arange(worlds) + 0.5) / worlds
    even = np.floor(quantiles * (draws + 1)).astype(int)
    assert chi_square_p_value(even, draws) == pytest.approx(1)
    assert ecdf_p_value(even, draws) > 0.999
    narrow = np.floor(stats.norm.cdf(1.6 * stats.norm.ppf(quantiles)) * (draws + 1)).astype(int)
    low = np.floor(stats.norm.cdf(stats.norm.ppf(quantiles) + 0.5) * (draws + 1)).astype(int)
    for ranks in (narrow, low):
        assert chi_square_p_value(ranks, draws) < 1e-4
        assert ecdf_p_value(ranks, draws) < 1e-4


def test_a_curve_at_the_edge_of_the_band_has_the_p_value_of_its_level():
    worlds, draws, level = 100, 99, 0.95
    of = band(worlds, draws, level=level)
    middle = len(of.share) // 2
    for outside in (0, 1):
        below = int(round(of.high[middle] * worlds)) + outside
        split = round(of.share[middle] * (draws + 1))
        ranks = np.concatenate([
            np.floor(np.linspace(0, split, below, endpoint=False)),
            np.floor(np.linspace(split, draws + 1, worlds - below, endpoint=False)),
        ]).astype(int)
        # Elsewhere the curve is nearer to the uniform one.
        assert (ecdf_p_value(ranks, draws) < 1 - level) == bool(outside)


@pytest.mark.parametrize(("level", "expected"), [(0.5, 50), (0.9, 90)])
def test_central_intervals_take_their_share_of_the_possible_ranks(level: float, expected: int):
    assert inside(np.arange(100), 99, level) == expected
    assert inside(np.array([0, 99]), 99, level) == 0
    assert inside(np.array([49, 50]), 99, level) == 2


def test_coverage_has_a_binomial_p_value():
    assert coverage_p_value(90, 100, 0.9) == pytest.approx(1)
    # The other tail holds nothing as unlikely: of 100 intervals no more than all 100 hold the truth, p = 3e-5.
    assert coverage_p_value(75, 100, 0.9) == pytest.approx(stats.binom.cdf(75, 100, 0.9))
