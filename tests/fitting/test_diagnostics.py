"""Doubts are raised where there is reason to, in sentences, and only there."""

import numpy as np
import pytest
import xarray as xr

from difficulty_model.fitting.diagnostics import mixing, pareto_smoothed
from difficulty_model.fitting.judgement import praise_for, trouble_in


def chains(values: np.ndarray) -> xr.Dataset:
    held = np.zeros((*values.shape, 1))
    return xr.Dataset({"x": (("chain", "draw"), values), "reference": (("chain", "draw", "stratum"), held)})


def test_independent_chains_mix_and_constants_are_left_out():
    mixed = mixing(chains(np.random.default_rng(0).normal(size=(4, 500))))
    assert mixed.r_hat < 1.01
    assert 1500 < mixed.ess_bulk < 2600
    assert mixed.ess_tail > 1000


def test_chains_in_different_places_do_not_mix():
    rng = np.random.default_rng(1)
    mixed = mixing(chains(rng.normal(size=(4, 500)) + np.array([[0], [0], [0], [3]])))
    assert mixed.r_hat > 1.3
    assert mixed.ess_bulk < 50


def test_slow_chains_have_few_effective_draws():
    rng = np.random.default_rng(2)
    correlation, values = 0.9, np.zeros((4, 2000))
    for d in range(1, 2000):
        values[:, d] = correlation * values[:, d - 1] + rng.normal(size=4)
    # An autoregression of 0.9 keeps (1 − 0.9)/(1 + 0.9) of its draws: 421 of 8,000; the estimate is off by some 20%.
    assert 250 < mixing(chains(values)).ess_bulk < 700


def test_importance_weights_and_their_doubtfulness():
    rng = np.random.default_rng(3)
    weights, k = pareto_smoothed(rng.normal(0, 0.05, 2000))
    assert weights.sum() == pytest.approx(1)
    assert k < 0.5
    # Ratios of exponential draws to the power 1/0.9 have a Pareto tail of shape about 0.9.
    _, heavy = pareto_smoothed(0.9 * rng.exponential(size=4000))
    assert 0.7 < heavy < 1.1


GOOD = {
    "mode_decrement": 1e-5, "r_hat": 1.01, "ess_bulk": 900.0, "ess_tail": 600.0, "divergences": 0, "pareto_k": 0.3,
    "grid_error": 1e-4,
}


@pytest.mark.parametrize(("figure", "value", "said"), [
    ("mode_decrement", 0.5, "0.5 standard deviations away"), ("r_hat", 1.2, "R-hat 1.20"),
    ("ess_bulk", 50.0, "Only 50 effective draws of 1000"), ("ess_tail", 40.0, "Only 40 effective draws"),
    ("divergences", 3, "3 divergent draws"), ("pareto_k", 0.9, "Pareto k 0.90"), ("grid_error", 0.2, "0.2 nats"),
])
def test_each_bad_figure_gives_its_sentence(figure: str, value: float, said: str):
    assert trouble_in(GOOD, draws=1000) == []
    found = trouble_in(GOOD | {figure: value}, draws=1000)
    assert len(found) == 1
    assert said in found[0]
    assert found[0].endswith(".")


@pytest.mark.parametrize("figure", ["mode_decrement", "r_hat", "pareto_k", "grid_error", "ess_bulk"])
def test_a_figure_that_is_not_a_number_is_trouble(figure: str):
    assert len(trouble_in(GOOD | {figure: float("nan")}, draws=1000)) == 1


def test_praise_says_what_was_checked():
    assert "R-hat at most 1.010" in praise_for(GOOD, method="nuts", draws=1000)
    laplace = {"mode_decrement": 0.0, "pareto_k": 0.1, "ess_importance": 980.0, "grid_error": 1e-4}
    assert "worth 980 of 1000 draws" in praise_for(laplace, method="laplace", draws=1000)
    assert "not checked" in praise_for({"mode_decrement": 0.0}, method="mode", draws=1000)
