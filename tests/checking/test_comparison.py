"""The products in chunks against the definitions, model by model and pair by pair."""

import numpy as np
import pytest
from scipy.stats import norm

from difficulty_model.checking import comparison
from difficulty_model.checking.comparison import correlations, item_rest, loadings


@pytest.fixture
def arrays():
    rng = np.random.default_rng(3)
    shown = rng.integers(0, 4, (7, 300))
    right = rng.binomial(shown, rng.random(300))
    return right, shown, rng.permutation(300)[:250], rng.integers(0, 6, 250)


@pytest.mark.parametrize("within", [False, True])
def test_item_rest_is_the_correlation_with_the_sum_of_the_others(arrays, within, monkeypatch):
    monkeypatch.setattr(comparison, "CHUNK", 64)
    right, shown, images, classes = arrays
    groups = classes if within else np.zeros(250, int)
    y = right[:, images] / np.maximum(shown[:, images], 1)
    seen = shown[:, images] > 0
    centred = np.zeros(y.shape)
    for j in range(7):
        for g in range(6):
            here = seen[j] & (groups == g)
            centred[j, here] = y[j, here] - (y[j, here].mean() if here.any() else 0)
    result = item_rest(right, shown, images, classes if within else None)
    for j in range(7):
        rest = centred.sum(0) - centred[j]
        correlation = np.corrcoef(centred[j, seen[j]], rest[seen[j]])[0, 1]
        share = (y[j, seen[j]].sum() + 0.5) / (seen[j].sum() + 1)
        biserial = np.sqrt(share * (1 - share)) / norm.pdf(norm.ppf(share))
        assert result.step[j] == pytest.approx(correlation * biserial, abs=1e-5)  # float32 products
        assert result.right[j] == pytest.approx(y[j, seen[j]].sum(), rel=1e-6)
        assert result.shown[j] == seen[j].sum()


@pytest.mark.parametrize("within", [False, True])
def test_the_error_is_that_of_responses_to_other_images(within):
    """Over many permutations of rows the statistic has mean 0 and the standard deviation that is told."""
    rng = np.random.default_rng(5)
    difficulty = rng.normal(size=400)
    right = (rng.normal(size=(8, 400)) > difficulty).astype(int)
    classes = rng.integers(0, 200, 400) if within else np.zeros(400, int)
    steps, errors = [], []
    for _ in range(300):
        rows = np.arange(400)
        for c in range(200):
            rows[classes == c] = rng.permutation(rows[classes == c])
        shuffled = right.copy()
        shuffled[2] = right[2, rows]
        result = item_rest(shuffled, np.ones_like(right), np.arange(400), classes if within else None)
        steps.append(result.step[2])
        errors.append(result.error[2])
    # A standard deviation of 300 draws has a relative error of 1/sqrt(600) = 4%; four of these.
    assert np.std(steps) == pytest.approx(np.mean(errors), rel=0.16)
    assert abs(np.mean(steps)) < 4 * np.mean(errors) / np.sqrt(300)


def test_correlations_are_those_of_the_images_shown_to_both(arrays, monkeypatch):
    monkeypatch.setattr(comparison, "CHUNK", 64)
    right, shown, images, _ = arrays
    correlation, shared = correlations(right, shown, [images])
    y = right[:, images] / np.maximum(shown[:, images], 1)
    seen = shown[:, images] > 0
    z = np.where(seen, y - np.array([y[j, seen[j]].mean() for j in range(7)])[:, None], 0)
    for a, b in [(0, 1), (2, 6), (3, 3)]:
        both = seen[a] & seen[b]
        expected = (z[a] * z[b]).sum() / np.sqrt((z[a, both] ** 2).sum() * (z[b, both] ** 2).sum())
        assert correlation[a, b] == pytest.approx(expected, abs=1e-5)
        assert shared[a, b] == both.sum()


def test_loadings_recover_one_factor():
    load = np.random.default_rng(0).uniform(0.1, 0.9, 12)
    correlation = np.outer(load, load)
    np.fill_diagonal(correlation, 1)
    np.testing.assert_allclose(loadings(correlation), load, atol=1e-6)
