"""A report calls posteriors calibrated that are, and those that are wrong not: a conjugate world, without a fit."""

import json

import numpy as np
import pandas as pd
import pytest

from difficulty_model.calibration import Calibration, calibrate, narrowed
from difficulty_model.errors import InputError
from difficulty_model.family import recht_et_al

DRAWS, WORLDS = 99, 400


def calibration_of(
    seed: int, *, narrower: float = 1.0, prior_mean: float = 0.0, prior_sd: float = 1.0, quantities: int = 12,
    worlds: int = WORLDS,
) -> Calibration:
    """Truths from N(0, 1), seen with noise N(0, 1); a posterior that assumes some prior, and is too narrow or not."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(worlds, quantities))
    seen = truth + rng.normal(size=truth.shape)
    precision = 1 + 1 / prior_sd**2
    mean, sd = (seen + prior_mean / prior_sd**2) / precision, narrower / np.sqrt(precision)
    draws = mean + sd * rng.normal(size=(DRAWS, *truth.shape))
    ranks = pd.DataFrame((draws < truth).sum(0), columns=[f"unknown[{n}]" for n in range(quantities)])
    return Calibration(
        specification=recht_et_al(), method="nuts", models=8, images=150, draws=DRAWS, ranks=ranks,
        autocorrelation=0.0 * ranks, left_out={}, seconds=1.0,
    )


def test_right_posteriors_are_called_calibrated():
    # One of 1,000 reports is a false alarm at most, so two of 20 in one of 5,000 such tests.
    assert sum(bool(calibration_of(seed, quantities=6, worlds=200).trouble) for seed in range(20)) <= 1


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("narrower", "prior_mean", "prior_sd"), [(0.8, 0, 1), (1.25, 0, 1), (1, 0.6, 1), (1, 0, 0.6)],
    ids=["too narrow by 20%", "too wide by 25%", "another prior mean", "another prior sd"],
)
def test_wrong_posteriors_are_called_uncalibrated(seed: int, narrower: float, prior_mean: float, prior_sd: float):
    found = calibration_of(seed, narrower=narrower, prior_mean=prior_mean, prior_sd=prior_sd)
    assert found.trouble
    assert found.verdict.startswith("Not calibrated")


def test_intervals_that_are_too_narrow_hold_fewer_truths():
    # Φ(1.645·0.8)·2 − 1 = 0.81 and Φ(0.674·0.8)·2 − 1 = 0.41, within 4 standard errors of 12 × 400 truths.
    for narrower, expected_50, expected_90 in ((0.8, 0.41, 0.81), (1.0, 0.5, 0.9)):
        table = calibration_of(1, narrower=narrower).table()
        inside = {level: table[f"inside_{level}"].to_numpy() for level in (50, 90)}
        assert inside[50].mean() == pytest.approx(expected_50, abs=0.03)
        assert inside[90].mean() == pytest.approx(expected_90, abs=0.023)
        assert (table["low_90"].to_numpy() < inside[90]).all()
        assert (table["high_90"].to_numpy() > inside[90]).all()


def test_one_wrong_quantity_is_named_among_right_ones():
    right, wrong = calibration_of(3), calibration_of(3, narrower=0.6)
    mixed = right.ranks.assign(**{"unknown[7]": wrong.ranks["unknown[7]"]})
    found = Calibration(**{**vars(right), "ranks": mixed})
    assert len(found.trouble) == 1
    assert "unknown[7]" in found.trouble[0]


def test_differences_leave_their_bands_where_the_table_says_so():
    found = calibration_of(2, narrower=0.7, quantities=3)
    for _, of in found.differences().groupby("quantity"):
        difference, low, high, lowest, highest = (
            of[name].to_numpy() for name in ("difference", "low", "high", "lowest", "highest")
        )
        assert (lowest <= low).all()
        assert (high <= highest).all()
        # Too narrow: truths are too often below all draws, and too often above.
        assert (difference > highest)[: len(of) // 2].any()
        assert (difference < lowest)[len(of) // 2 :].any()


def test_worlds_left_out_are_said():
    found = calibration_of(0)
    partly = Calibration(**{**vars(found), "left_out": {5: ["The chains disagree (R-hat 1.20): take more draws."]}})
    assert "1 of 401 worlds" in partly.trouble[0]
    assert "R-hat 1.20" in partly.trouble[0]


def test_a_report_is_json():
    plain = json.loads(json.dumps(calibration_of(0, worlds=40, quantities=2).as_dict(), allow_nan=False))
    assert plain["worlds"] == 40
    assert [row["quantity"] for row in plain["quantities"]] == ["unknown[0]", "unknown[1]"]
    assert plain["quantities"][0]["calibrated"] is True


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"draws": 100}, "one less than a multiple of 20"), ({"worlds": 5}, "at least 20 worlds"),
     ({"models": 2}, "3 models"), ({"images": 2}, "8 images"), ({"method": "joint"}, "no method 'joint'")],
)
def test_what_cannot_be_calibrated_is_refused(wrong: dict, message: str):
    with pytest.raises(InputError, match=message):
        calibrate(narrowed(recht_et_al()), random_seed=0, **wrong)


def test_the_picture_has_a_panel_per_quantity():
    from matplotlib.figure import Figure

    from difficulty_model.plots.calibration import plot_calibration

    figure, found = Figure(), calibration_of(0, worlds=60, quantities=5)
    plot_calibration(found, figure)
    assert [axes.get_title() for axes in figure.axes if axes.axison] == list(found.ranks.columns)
    drawn = figure.axes[2].get_lines()[-1].get_ydata()
    of = found.differences()
    expected = of["difference"].to_numpy()[of["quantity"].to_numpy() == "unknown[2]"]
    np.testing.assert_allclose(np.asarray(drawn)[1:-1], expected)
