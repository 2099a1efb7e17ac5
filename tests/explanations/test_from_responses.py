"""Explanations that responses alone test, in worlds where they are the cause and in worlds where they are not."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from difficulty_model.errors import InputError
from difficulty_model.explanations import (
    EXPLANATIONS,
    Evidence,
    Examination,
    NotTestableError,
    Outcome,
    adaptive_overfitting,
    class_imbalance,
    examine,
    explain,
    gather,
    invalid_images,
    statistical_error,
    two_subpopulations,
)
from difficulty_model.explanations.effect import Effect, Interval
from difficulty_model.explanations.evidence import FEWEST
from difficulty_model.explanations.examination import verdict_of
from difficulty_model.family import recht_et_al
from difficulty_model.fitting import Fit
from difficulty_model.responses import Responses
from told import told
from worlds import simulate

SKILL = np.linspace(-1.0, 2.5, 12)
MODELS = [f"m{j}" for j in range(len(SKILL))]


def evidence_of(right: np.ndarray, in_new: np.ndarray, *, labels: Any = None, seed: int = 0) -> Evidence:
    responses = Responses.from_arrays(
        right, models=[f"m{j}" for j in range(len(right))], images=[f"i{i}" for i in range(right.shape[1])],
        member={"old": ~in_new, "new": in_new}, labels=labels,
    )
    return gather(responses, "old", "new", random_seed=seed)


def examined(explanation: Any, evidence: Evidence) -> Examination:
    return examine(explanation, evidence)


@pytest.mark.parametrize(("low", "high", "verdict"), [
    (-0.05, 0.1, "cannot"), (0.02, 0.1, "cannot"), (0.6, 1.1, "explains it"), (0.9, 1.0, "explains it"),
    (0.5, 0.8, "part of it"), (0.1, 1.2, "part of it"), (-0.1, 1.2, "not testable"), (-0.1, 0.3, "not testable"),
])
def test_verdicts(low: float, high: float, verdict: str):
    assert verdict_of(Interval((low + high) / 2, low, high)) == verdict


def test_intervals_are_equal_tailed_and_shares_are_of_the_gap_of_the_same_draw():
    draws = np.random.default_rng(0).normal(size=(999, 1))
    effect = Effect(np.array([0.5]), draws, np.array([2.0]), 2 + draws, None)
    of = effect.average(level=0.8)
    assert [of.value, of.low, of.high] == pytest.approx([0.5, *np.quantile(draws, [0.1, 0.9])])
    share = effect.share(level=0.8)
    assert [share.value, share.low] == pytest.approx([0.25, np.quantile(draws / (2 + draws), 0.1)])


def test_exact_intervals_are_those_published():
    # Recht et al. (2019): at n = 10,000 within a point at 95% and two at 99.99%; 90% of 2,000 is 88.6 to 91.3.
    rng = np.random.default_rng(0)
    in_new = np.arange(22_000) >= 20_000
    right = rng.random((3, 22_000)) < 0.5
    right[0, :10_000], right[0, 10_000:20_000] = True, False
    right[1, in_new] = np.arange(2000) < 1800
    table = examined(statistical_error, evidence_of(right, in_new)).table
    published = 100 * table.loc[1, ["new_0.95_low", "new_0.95_high"]].to_numpy(float)
    np.testing.assert_allclose(published, [88.6, 91.3], atol=0.05)
    half = evidence_of(right[:, 10_000:], np.arange(12_000) >= 10_000)
    half_table = examined(statistical_error, half).table
    widths = {
        level: 50 * float(np.ptp(half_table.filter(like=f"original_{level}_").to_numpy(), axis=1).max())
        for level in ("0.95", "0.9999")
    }
    assert abs(widths["0.95"] - 1.0) < 0.02
    assert abs(widths["0.9999"] - 2.0) < 0.06


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


def test_errors_of_models_that_share_images_do_not_average_out():
    same = np.tile(np.random.default_rng(1).random(4000) < 0.7, (12, 1))
    in_new = np.arange(4000) >= 2000
    noise = evidence_of(same, in_new).gap.draws.mean(1).std()
    assert noise == pytest.approx(100 * np.sqrt(2 * 0.7 * 0.3 / 2000), rel=0.15)


CLASSES, WIDTH = 5, 2.0


def of_classes(seed: int, shares: np.ndarray, *, harder: float, images: int = 2000) -> Evidence:
    """Return classes of difficulties from easy to hard, the new test set with other shares or with harder images."""
    rng = np.random.default_rng(seed)
    in_new = np.arange(2 * images) >= images
    label = np.concatenate([rng.integers(0, CLASSES, images), rng.choice(CLASSES, images, p=shares)])
    difficulty = WIDTH * (label - 2) / 2 + rng.normal(0, 1, 2 * images) + harder * in_new
    right = rng.normal(SKILL[:, None] - difficulty) > 0
    return evidence_of(right, in_new, labels=label.astype(str), seed=seed)


EVEN, HARD_CLASSES = np.full(5, 0.2), np.array([0.05, 0.1, 0.15, 0.3, 0.4])


def test_parts_of_classes_add_up_to_the_gap():
    evidence = of_classes(0, HARD_CLASSES, harder=0.3)
    found = class_imbalance.examine(evidence)
    assert found.effect is not None
    np.testing.assert_allclose(found.table["by_share"].sum(), found.effect.points.mean(), rtol=1e-5)
    np.testing.assert_allclose(found.table["gap"].sum(), evidence.gap.points.mean(), rtol=1e-5)


def test_a_class_that_a_test_set_lacks_and_labels_that_are_lacking():
    evidence = of_classes(0, np.array([0.0, 0.25, 0.25, 0.25, 0.25]), harder=0.0)
    assert np.isfinite(class_imbalance.examine(evidence).table.drop(columns="class").to_numpy()).all()
    without = Evidence(Responses(evidence.responses.dataset.drop_vars("label")))
    assert "labels" in examined(class_imbalance, without).text


def of_plain_cases(seed: int, share: float, *, harder: float, invalid: float = 0.0, images: int = 2000) -> Evidence:
    """Return test sets of plain images, which all models get right, of others, and in the new one of some none does."""
    rng = np.random.default_rng(seed)
    in_new = np.arange(2 * images) >= images
    kind = rng.random(2 * images)
    difficulty = 1.0 + rng.normal(0, 1.0, 2 * images) + harder * in_new
    difficulty = np.where(kind < np.where(in_new, share, 0.4), -20.0, difficulty)
    difficulty = np.where(kind > 1 - np.where(in_new, invalid, 0.0), 20.0, difficulty)
    return evidence_of(rng.normal(SKILL[:, None] - difficulty) > 0, in_new, seed=seed)


REPETITIONS, ENOUGH = 6, 4
"""A verdict that is right in 99 of 100 worlds is right in fewer than four of six once in 50,000 times; `test_worlds.py`
has a hundred of each."""


def named(explanation: Any, worlds: list[Evidence]) -> list[str]:
    return [examined(explanation, world).verdict for world in worlds]


def test_class_imbalance_is_named_where_it_is_the_cause_and_not_elsewhere():
    seeds = range(REPETITIONS)
    cause = named(class_imbalance, [of_classes(s, HARD_CLASSES, harder=0.0) for s in seeds])
    other = named(class_imbalance, [of_classes(s, EVEN, harder=0.7) for s in seeds])
    assert cause.count("explains it") >= ENOUGH
    assert other.count("cannot") >= ENOUGH


def test_subpopulations_are_named_where_they_are_the_cause_and_not_elsewhere():
    seeds = range(REPETITIONS)
    cause = named(two_subpopulations, [of_plain_cases(s, 0.1, harder=0.0, images=4000) for s in seeds])
    worlds = [simulate(s, skill=SKILL, images={"old": 4000, "new": 4000}).responses for s in seeds]
    other = named(two_subpopulations, [gather(world, "old", "new") for world in worlds])
    assert cause.count("explains it") >= ENOUGH
    assert other.count("cannot") >= ENOUGH


def test_invalid_images_are_named_where_they_are_the_cause_and_not_elsewhere():
    seeds = range(REPETITIONS)
    cause = named(invalid_images, [of_plain_cases(s, 0.4, harder=0.0, invalid=0.2) for s in seeds])
    other = named(invalid_images, [of_classes(s, EVEN, harder=0.5) for s in seeds])
    assert cause.count("explains it") >= ENOUGH
    assert other.count("explains it") == 0


def test_images_that_are_just_hard_are_as_many_as_species_not_caught():
    # Of the new images two models are right on 4, one on 12, none on 30; Chao (1987): 11/12 · 12 · 11 / (2 (4 + 1)).
    solved = np.repeat([12, 2, 1, 0], [954, 4, 12, 30])
    new = np.arange(12)[:, None] < solved
    old = np.ones((12, 500), bool)
    found = invalid_images.examine(evidence_of(np.concatenate([old, new], axis=1), np.arange(1500) >= 500))
    invalid = (30 - 11 / 12 * 12 * 11 / 10) / 1000
    accuracy = new.mean(1)
    assert found.effect is not None
    np.testing.assert_allclose(found.effect.points, 100 * (accuracy / (1 - invalid) - accuracy), rtol=1e-5)
    assert len(found.table) == 30


def test_chance_is_named_where_it_is_the_cause_and_not_elsewhere():
    seeds = range(REPETITIONS)
    cause = named(statistical_error, [of_classes(s, EVEN, harder=0.0) for s in seeds])
    other = named(statistical_error, [of_classes(s, EVEN, harder=0.8, images=8000) for s in seeds])
    assert cause.count("explains it") >= ENOUGH
    assert other.count("cannot") >= ENOUGH


@pytest.fixture(scope="module")
def fitted() -> Fit:
    world = simulate(0, skill=SKILL, images={"old": 500, "new": 400})
    values = {"skill": SKILL, "population.mean": world.mean, "population.sd": world.sd}
    return told(world.responses, recht_et_al(), values, draws=4)


@dataclass(frozen=True)
class Own:
    """An explanation that a user brings."""

    NAME = "own"
    QUESTION = "Is it half?"
    SOURCE = "here"
    FILE = "own"

    @staticmethod
    def examine(evidence: Evidence) -> Outcome:
        path = evidence.file(Own.FILE, "a file of its own")
        if path.read_text(encoding="utf-8") != "fine":
            raise InputError(f"{path} is not fine")
        gap = evidence.gap.points.mean()
        return Outcome(evidence.estimated(gap / 2, 0.1), "Half.", pd.DataFrame({"x": [np.nan]}))


def test_one_table_of_all_and_an_own_explanation(fitted: Fit, tmp_path: Path):
    (tmp_path / "own").write_text("fine", encoding="utf-8")
    found = explain(
        fitted, "old", "new", files={"own": tmp_path / "own", "counts": tmp_path / "none.csv"},
        explanations=[*EXPLANATIONS, Own()], progress=False,
    )
    table = found.table().set_index("explanation")
    assert len(table) == len(EXPLANATIONS) + 1
    assert table.index.is_unique
    assert table.loc["own", "share"] == pytest.approx(0.5)
    assert table.loc["own", "verdict"] == "part of it"
    assert found["selection frequency"].text.startswith("Wrong file: no such file")
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert [row["name"] for row in plain["explanations"]] == list(table.index)
    parts = found.decomposition().set_index("part")["points"]
    np.testing.assert_allclose(parts["distribution"] + parts["generalization"], parts["gap"])
    assert np.isnan(parts["adaptivity"])  # the fit knows of no lost skill


def test_files_that_nobody_asks_for_are_told(fitted: Fit):
    with pytest.raises(InputError, match="'counts'"):
        explain(fitted, "old", "new", files={"count": Path("counts.csv")}, progress=False)


def test_what_is_lacking_and_what_is_wrong_is_said(tmp_path: Path):
    evidence = of_classes(0, EVEN, harder=0.5, images=200)
    assert "own" in examined(Own(), evidence).text
    with pytest.raises(NotTestableError):
        evidence.fitted()
    (tmp_path / "own").write_text("wrong", encoding="utf-8")
    wrong = examined(Own(), gather(evidence.responses, "old", "new", files={"own": tmp_path / "own"}))
    assert wrong.verdict == "not testable"
    assert "is not fine" in wrong.text
    with pytest.raises(InputError, match="twice"):
        gather(evidence.responses, "old", "old")
    with pytest.raises(InputError, match="'new'"):
        gather(evidence.responses, "old", "nwe")


def limited(evidence: Evidence, model: str, shown: np.ndarray) -> Evidence:
    """Return evidence of which a model was shown the images so many times."""
    counts, row = evidence.responses.shown.copy(), evidence.responses.models.index(model)
    counts[row] = shown
    right = np.where(evidence.responses.right > 0, counts, 0)
    return gather(Responses(evidence.responses.dataset.assign(
        shown=(("model", "image"), counts), right=(("model", "image"), right),
    )), evidence.original, evidence.new)


def test_classes_that_a_model_was_not_run_on_are_left_out_for_it():
    evidence = of_classes(1, HARD_CLASSES, harder=0.3)
    known = np.isin(evidence.responses.dataset["label"].values, ["0", "1", "2"])
    rest = gather(Responses(evidence.responses.dataset.isel(image=known)), "old", "new")
    every = limited(evidence, "m5", known.astype(int)), rest, evidence
    effects = [class_imbalance.examine(of).effect for of in every]
    own, of_rest, whole = (effect.points for effect in effects if effect is not None)
    assert own[5] == pytest.approx(of_rest[5])
    assert np.delete(own, 5) == pytest.approx(np.delete(whole, 5))


def test_images_that_no_model_was_run_on_are_not_missed():
    evidence = of_plain_cases(3, 0.4, harder=0.0, invalid=0.2, images=500)
    seen = np.arange(1000) % 5 > 0
    unseen = evidence
    for model in MODELS:
        unseen = limited(unseen, model, seen.astype(int))
    rest = gather(Responses(evidence.responses.dataset.isel(image=seen)), "old", "new")
    found, expected = invalid_images.examine(unseen), invalid_images.examine(rest)
    assert found.text.partition(" That is")[0] == expected.text.partition(" That is")[0]
    assert found.effect is not None
    assert expected.effect is not None
    assert found.effect.points == pytest.approx(expected.effect.points)


def test_a_class_of_many_showings_of_one_image_is_of_one_image():
    evidence = of_classes(1, EVEN, harder=0.3, images=200)
    often = np.where(evidence.in_new, 0, 1)
    often[np.flatnonzero(evidence.in_new)[0]] = 200
    assert "m5" not in limited(evidence, "m5", often).responses.models


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
    for explanation in (two_subpopulations, adaptive_overfitting):
        assert "of different accuracies on 'old'" in examined(explanation, same).text


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


def test_models_run_on_hardly_any_image_of_a_test_set_are_left_out():
    left = of_classes(0, EVEN, harder=0.5, images=200)
    for model, seen in {"m2": 0, "m3": FEWEST - 1, "m4": FEWEST}.items():
        left = limited(left, model, ~left.in_new | (left.in_new.cumsum() <= seen))
    assert set(MODELS) - set(left.responses.models) == {"m2", "m3"}
    assert np.isfinite(left.gap.draws).all()


def test_a_gap_of_hardly_any_images_is_refused():
    with pytest.raises(InputError, match=r"at least 20 images of both 'old' and 'new'; at most on 7 of both\. "):
        of_classes(0, EVEN, harder=0.5, images=7)


def test_lines_and_curvature_are_those_of_polynomials():
    evidence = of_classes(3, EVEN, harder=0.5)
    table = adaptive_overfitting.examine(evidence).table.set_index("quantity")
    old, new = evidence.accuracies(np.ones((1, 4000), np.float32))[0]
    x, y = norm.ppf(old), norm.ppf(new)
    np.testing.assert_allclose(table["value"].iloc[:2], np.polyfit(100 * old, 100 * new, 1), rtol=1e-4)
    np.testing.assert_allclose(table.loc[["u", "v"], "value"], np.polyfit(x, y, 1), rtol=1e-4)
    np.testing.assert_allclose(table.loc["curvature of probit accuracies", "value"], np.polyfit(x, y, 2)[0], rtol=1e-3)
