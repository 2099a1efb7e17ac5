"""Lines through observed accuracies, and what a year takes beside them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from difficulty_model.errors import InputError
from difficulty_model.explanations import (
    Evidence,
    Explanation,
    adaptive_overfitting,
    examine,
    gather,
    two_subpopulations,
)
from difficulty_model.responses import Responses
from gaps import EVEN, MODELS, evidence_of, of_classes


def test_lines_and_curvature_are_those_of_polynomials():
    evidence = of_classes(3, EVEN, harder=0.5)
    table = adaptive_overfitting.examine(evidence).table.set_index("quantity")
    old, new = evidence.accuracies(np.ones((1, 4000), np.float32))[0]
    x, y = norm.ppf(old), norm.ppf(new)
    np.testing.assert_allclose(table["value"].iloc[:2], np.polyfit(100 * old, 100 * new, 1), rtol=1e-4)
    np.testing.assert_allclose(table.loc[["u", "v"], "value"], np.polyfit(x, y, 1), rtol=1e-4)
    np.testing.assert_allclose(table.loc["curvature of probit accuracies", "value"], np.polyfit(x, y, 2)[0], rtol=1e-3)


def test_models_that_are_never_right_are_on_no_line():
    evidence = of_classes(1, EVEN, harder=0.5)
    without = gather(evidence.responses.select(exclude=["m0"]), "old", "new")
    right = evidence.responses.right.copy()
    right[0] = 0
    broken = gather(Responses(evidence.responses.dataset.assign(right=(("model", "image"), right))), "old", "new")
    for explanation in (two_subpopulations, adaptive_overfitting):
        assert explanation.examine(broken).table.equals(explanation.examine(without).table)


def test_models_of_one_accuracy_are_on_no_line():
    right = np.tile(np.arange(4000) % 4 > 0, (6, 1))
    same = evidence_of(right, np.arange(4000) >= 2000)
    explanations: tuple[Explanation, ...] = two_subpopulations, adaptive_overfitting
    for explanation in explanations:
        assert "of different accuracies on 'old'" in examine(explanation, same).text


def test_intervals_over_models_are_those_of_other_models():
    """As wide as by the sandwich of White (1980, Econometrica 48:817), which knows no images."""
    rng = np.random.default_rng(6)
    in_new = np.arange(8000) >= 4000
    skill = rng.normal(0, 0.7, 60)
    own = rng.normal(0, 0.3, 60)[:, None] * in_new
    evidence = evidence_of(rng.normal(size=(60, 8000)) < skill[:, None] - own - rng.normal(0, 1, 8000), in_new)
    slope = adaptive_overfitting.examine(evidence).table.iloc[0]
    x, y = evidence.accuracies(evidence.once())[0]
    away = x - x.mean()
    error = np.sqrt((np.square(away * (y - np.polyval(np.polyfit(x, y, 1), x)))).sum()) / np.square(away).sum()
    assert (slope["models_high"] - slope["models_low"]) / (2 * 1.96) == pytest.approx(error, rel=0.2)
    assert slope["high"] - slope["low"] < 0.5 * (slope["models_high"] - slope["models_low"])


def test_few_models_have_no_interval_over_models(tmp_path: Path):
    few, years = by_year(3, per_year=0.0)
    few = gather(few.responses.select(models=[f"m{j}" for j in range(9)]), "old", "new")
    table = adaptive_overfitting.examine(few).table
    assert np.isnan(table[["models_low", "models_high"]].to_numpy(float)).all()
    assert np.isfinite(table[["low", "high"]].to_numpy(float)).all()
    path = tmp_path / "years.csv"
    path.write_text("\n".join(["model,year", *(f"{model},{year}" for model, year in years.items())]))
    with pytest.raises(InputError, match="years of 9 of the 9 models"):
        adaptive_overfitting.examine(replace(few, files={"years": path}))


def test_resamples_of_models_of_one_year_say_nothing_of_years(tmp_path: Path):
    few = by_year(4, per_year=0.0)[0].responses.select(models=MODELS[:10])
    path = tmp_path / "years.csv"
    path.write_text("\n".join(["model,year", *(f"m{j},{2015 + (j == 3)}" for j in range(10))]))
    row = adaptive_overfitting.examine(gather(few, "old", "new", files={"years": path})).table.iloc[-1]
    assert np.abs(row[["models_low", "models_high"]].to_numpy(float)).max() < 50


def by_year(seed: int, *, per_year: float) -> tuple[Evidence, dict[str, int]]:
    """Return models of ten years, of which later ones lose so many probit units a year by themselves."""
    rng = np.random.default_rng(seed)
    years = rng.integers(2010, 2020, 40)
    skill = rng.normal(0.1 * (years - 2015), 0.5)
    in_new = np.arange(8000) >= 4000
    difficulty = rng.normal(0, 1, 8000) + 0.5 * in_new
    lost = per_year * (years - 2015)[:, None] * in_new
    evidence = evidence_of(rng.normal(size=(40, 8000)) < skill[:, None] - lost - difficulty, in_new)
    return evidence, dict(zip(evidence.responses.models, years.tolist(), strict=True))


@pytest.mark.parametrize("per_year", [0.0, 0.05])
def test_what_a_year_takes_beside_what_accuracy_takes(tmp_path: Path, per_year: float):
    evidence, years = by_year(3, per_year=per_year)
    path = tmp_path / "years.csv"
    # One model is not in the table, and one of the table is no model here.
    rows = [f"{model},{year}" for model, year in list(years.items())[1:]]
    path.write_text("\n".join(["model,year", *rows, "other,1990"]))
    found = adaptive_overfitting.examine(replace(evidence, files={"years": path}))
    row = found.table.iloc[-1]
    assert row["quantity"] == adaptive_overfitting.PER_YEAR
    # A unit of skill is 1/√2 of a probit, of 100 φ(0.35) points and somewhat less away from the middle.
    expected = -per_year / np.sqrt(2) * 100 * 0.34
    error = (row["high"] - row["low"]) / 4
    assert abs(row["value"] - expected) < 4 * error
    assert error < 0.1
    assert (row["models_high"] < 0) == (per_year > 0)
    assert "of a year later" in found.text
    without = adaptive_overfitting.examine(evidence)
    pd.testing.assert_frame_equal(without.table, found.table.iloc[:-1])
    assert "year" not in without.text


@pytest.mark.parametrize(("rows", "said"), [
    (["m0,2010", "m1,2011"], "years of 2 of the 40 models"),
    ([f"m{j},2010" for j in range(9)], "1 different ones"),
    (["m0,last"], "'last' as year of model 'm0'"),
    (["m0,2010", "m0,2010"], "model 'm0' more than once"),
])
def test_years_that_tell_nothing_are_refused(tmp_path: Path, rows: list[str], said: str):
    path = tmp_path / "years.csv"
    path.write_text("\n".join(["model,year", *rows]))
    with pytest.raises(InputError, match=said):
        adaptive_overfitting.examine(replace(by_year(3, per_year=0.0)[0], files={"years": path}))
