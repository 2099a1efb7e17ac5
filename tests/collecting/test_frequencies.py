"""Selection frequencies: moments, what counts say of them, and what cannot be."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from difficulty_model.collecting import Frequencies, frequencies_of
from difficulty_model.errors import InputError


@pytest.mark.parametrize(("mean", "sd"), [(0.71, 0.2), (0.5, 0.45), (0.05, 0.02)])
def test_draws_have_the_mean_and_the_sd(mean: float, sd: float):
    drawn = Frequencies(mean, sd).draw(np.random.default_rng(0), 200_000)
    assert drawn.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(200_000))
    assert drawn.std() == pytest.approx(sd, rel=0.02)
    quantile = float(np.quantile(drawn, 0.3))
    assert Frequencies(mean, sd).below(np.array([quantile])) == pytest.approx(0.3, abs=0.01)


def test_what_counts_say_of_a_frequency():
    frequencies = Frequencies(0.6, 0.25)
    rng = np.random.default_rng(1)
    true = frequencies.draw(rng, 400_000)
    selected = rng.binomial(4, true)
    for count in range(5):
        given = true[selected == count]
        drawn = frequencies.draw_given(rng, np.full(100_000, count), np.full(100_000, 4))
        assert drawn.mean() == pytest.approx(given.mean(), abs=0.01)
        assert drawn.std() == pytest.approx(given.std(), abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_frequencies_are_found_from_counts(seed: int):
    rng = np.random.default_rng(seed)
    truth = Frequencies(rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.3))
    asked = rng.integers(1, 15, 20_000)
    found = frequencies_of(rng.binomial(asked, truth.draw(rng, 20_000)), asked)
    assert found.mean == pytest.approx(truth.mean, abs=0.01)
    assert found.sd == pytest.approx(truth.sd, abs=0.01)
    a, b = found.parameters
    mean = quad(lambda s: s * beta.pdf(s, a, b), 0, 1, points=[0.01, 0.99])[0]
    assert mean == pytest.approx(found.mean, abs=1e-3)


def test_counts_that_say_nothing_or_the_same_of_all():
    with pytest.raises(InputError, match="two annotators"):
        frequencies_of(np.array([0, 1, 1]), np.array([1, 1, 1]))
    same = frequencies_of(np.full(1000, 10), np.full(1000, 10))
    assert same.mean > 0.99


@pytest.mark.parametrize(("mean", "sd"), [(0, 0.1), (1, 0.1), (0.5, 0), (0.5, 0.5), (0.9, 0.31), (np.nan, 0.1)])
def test_frequencies_that_cannot_be_are_told(mean: float, sd: float):
    with pytest.raises(InputError, match="mean between 0 and 1"):
        Frequencies(mean, sd)
