"""Explanations that a fit tests, against closed forms of models whose parameters are known."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import ndtr

from difficulty_model.cli.printing import print_explained
from difficulty_model.errors import InputError
from difficulty_model.explanations import (
    Evidence,
    adaptive_overfitting,
    examine,
    explain,
    gather,
    harder_images,
    label_errors,
    model_slopes,
    statistical_error,
)
from difficulty_model.family import (
    independent,
    losing,
    normal,
    probit,
    recht_et_al,
    regressed,
    slopes,
    with_unlearnable,
    with_unmissable,
)
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification
from told import told
from worlds import simulate

SKILL = np.linspace(-1.0, 2.5, 6)
MEAN, SD = np.array([0.0, 0.6]), np.array([1.5, 1.9])
RESPONSES = simulate(0, skill=SKILL, images={"old": 300, "new": 200}, mean=tuple(MEAN), sd=tuple(SD)).responses
NORMAL = {"mean": MEAN, "sd": SD}


def evidence_of(
    specification: Specification, values: Mapping[str, float | np.ndarray], responses: Responses = RESPONSES
) -> Evidence:
    return gather(responses, "old", "new", fit=told(responses, specification, values, draws=2))


def accuracy(skill: np.ndarray, mean: float, sd: float) -> np.ndarray:
    return ndtr((skill - mean) / np.sqrt(1 + sd**2))


def parts_of(table: pd.DataFrame) -> dict[str, float]:
    return dict(zip(table["part"], table["points"], strict=True))


def test_parts_of_harder_images_are_those_of_shapley():
    values = {"skill": SKILL, **{f"population.{name}": of for name, of in NORMAL.items()}}
    found = harder_images.examine(evidence_of(recht_et_al(), values))
    old, harder, wider, both = (100 * accuracy(SKILL, mean, sd).mean() for sd in SD for mean in MEAN)
    told_parts = parts_of(found.table)
    assert told_parts["mean"] == pytest.approx((old - harder + wider - both) / 2, abs=1e-5)
    assert told_parts["spread"] == pytest.approx((old - wider + harder - both) / 2, abs=1e-5)
    assert told_parts["all"] == pytest.approx(old - both, abs=1e-5)
    assert told_parts["ends"] == pytest.approx(0, abs=1e-9)
    assert told_parts["shape"] == pytest.approx(0, abs=1e-5)
    assert found.verdict == "not testable"
    assert "--skill-loss" in found.text


ENDS = Specification(independent(), probit(), with_unmissable(with_unlearnable(normal())))
HARD, PLAIN = np.array([0.02, 0.12]), np.array([0.15, 0.05])
"""Shares: of unlearnable images among those that are not plain, and of plain ones."""


def with_ends(mean: np.ndarray = MEAN, sd: np.ndarray = SD) -> Evidence:
    return evidence_of(ENDS, {
        "skill": SKILL, "population.share": PLAIN, "population.population.share": HARD,
        "population.population.population.mean": mean, "population.population.population.sd": sd,
    })


def test_ends_are_a_part_of_their_own():
    same = np.zeros(2), np.full(2, 1.5)
    told_parts = parts_of(harder_images.examine(with_ends(*same)).table)
    old, new = (p + (1 - p) * (1 - h) * accuracy(SKILL, 0, 1.5) for p, h in zip(PLAIN, HARD, strict=True))
    assert told_parts["ends"] == pytest.approx(100 * (old - new).mean(), abs=1e-5)
    assert told_parts["all"] == pytest.approx(100 * (old - new).mean(), abs=1e-5)
    assert told_parts["mean"] == pytest.approx(0, abs=1e-5)
    every = parts_of(harder_images.examine(with_ends()).table)
    assert every["shape"] == pytest.approx(0, abs=1e-4)  # of normal populations with ends nothing else differs
    assert sum(every[part] for part in ("mean", "spread", "ends", "shape")) == pytest.approx(every["all"])


def test_labels_in_error_carry_what_they_take():
    found = label_errors.examine(with_ends())
    share = (1 - PLAIN) * HARD
    new = PLAIN[1] + (1 - PLAIN[1]) * (1 - HARD[1]) * accuracy(SKILL, 0.6, 1.9)
    expected = 100 * (new * (1 - share[0]) / (1 - share[1]) - new)
    assert found.effect is not None
    np.testing.assert_allclose(found.effect.points, expected, atol=1e-5)
    np.testing.assert_allclose(found.table["unlearnable"], 100 * share)


LOSING = Specification(losing(), probit(), normal())
OWN = np.array([0.05, -0.02, 0.0, 0.01, -0.03, -0.01])


def with_loss(trend: float) -> Evidence:
    return evidence_of(LOSING, {
        "skill.skill": SKILL, "skill.trend": np.array([0.0, trend]), "skill.own": np.stack([0 * OWN, OWN]),
        "population.mean": MEAN, "population.sd": SD,
    })


def test_adaptivity_is_what_better_models_lose_beyond_the_weakest():
    trend = 0.1
    evidence = with_loss(trend)
    found, others = adaptive_overfitting.examine(evidence), harder_images.examine(evidence)
    left = SKILL - trend * (SKILL - SKILL.mean()) - OWN
    adapted = accuracy(left + trend * (SKILL - SKILL.min()), 0.6, 1.9) - accuracy(left, 0.6, 1.9)
    assert found.effect is not None
    np.testing.assert_allclose(found.effect.points, 100 * adapted, atol=1e-5)
    assert found.effect.points.argmin() == 0
    gap = 100 * (accuracy(SKILL, 0, 1.5) - accuracy(left, 0.6, 1.9)).mean()
    assert parts_of(others.table)["all"] + 100 * adapted.mean() == pytest.approx(gap, abs=1e-5)
    # As if the new images were harder by less, since all models have gained what the average one had lost.
    harder = 0.6 - trend * (SKILL.mean() - SKILL.min())
    old, moved, wider, both = (
        100 * accuracy(SKILL, m, s).mean() for m, s in [(0, 1.5), (harder, 1.5), (0, 1.9), (harder, 1.9)]
    )
    assert parts_of(others.table)["mean"] == pytest.approx((old - moved + wider - both) / 2, abs=1e-5)


def test_parts_of_the_gap_add_up():
    evidence = with_loss(0.1)
    assert evidence.fit is not None
    parts = explain(evidence.fit, "old", "new", progress=False, explanations=[statistical_error, adaptive_overfitting])
    table = parts.decomposition().set_index("part")
    adapted = adaptive_overfitting.examine(evidence).effect
    assert adapted is not None
    np.testing.assert_allclose(table.loc["adaptivity", "points"], adapted.points.mean())
    np.testing.assert_allclose(table["points"].iloc[:3].sum(), evidence.gap.points.mean())
    # Of a fit without doubt the distribution gap is as unsure as chance in the images makes the gap.
    widths = (table["high"] - table["low"]).to_dict()
    np.testing.assert_allclose(widths["distribution"], widths["generalization"])
    assert widths["generalization"] > 1


def test_without_the_parts_there_is_no_decomposition():
    fit = with_loss(0.1).fit
    assert fit is not None
    found = explain(fit, "old", "new", progress=False, explanations=[label_errors])
    assert found.as_dict()["decomposition"] == []


def test_models_left_out_and_trouble_with_the_fit_are_told(capsys: pytest.CaptureFixture[str]):
    shown = np.ones(RESPONSES.right.shape, np.uint8)
    shown[1, 15:] = 0
    part = Responses(RESPONSES.dataset.assign(
        shown=(("model", "image"), shown), right=(("model", "image"), RESPONSES.right * shown),
    ))
    fit = told(part, recht_et_al(), {"skill": SKILL, "population.mean": MEAN, "population.sd": SD})
    fit.tree.attrs["trouble"] = '["It did not converge."]'
    found = explain(fit, "old", "new", progress=False, explanations=[label_errors])
    assert found.left_out == ["m1"]
    print_explained(found.as_dict())
    printed = capsys.readouterr().out
    assert "Left out (run on too few images of one of them): m1." in printed
    assert "not to be relied on: It did not converge." in printed


def test_a_fit_of_other_models_is_refused():
    evidence = with_loss(0.1)
    others = Responses(evidence.responses.dataset.assign_coords(model=[f"other {j}" for j in range(6)]))
    with pytest.raises(InputError, match="no model in the fit named 'other 0'"):
        gather(others, "old", "new", fit=evidence.fit)


def test_better_models_that_lose_less_were_not_adapted():
    found = examine(adaptive_overfitting, with_loss(-0.1))
    assert found.effect is not None
    assert found.effect.points == pytest.approx(np.zeros(6), abs=1e-9)
    assert found.verdict == "cannot"


def test_a_fit_that_knows_no_loss_and_no_labels_in_error_says_so():
    evidence = evidence_of(recht_et_al(), {"skill": SKILL, "population.mean": MEAN, "population.sd": SD})
    adapted, labels = examine(adaptive_overfitting, evidence), examine(label_errors, evidence)
    assert adapted.verdict == labels.verdict == "not testable"
    assert "--skill-loss" in adapted.text
    assert "--unlearnable" in labels.text


def test_slopes_move_models_from_a_typical_one_of_their_accuracy():
    slope = np.exp(np.linspace(-0.4, 0.4, 6))
    specification = Specification(independent(), slopes(), normal())
    values = {"skill": SKILL, "curve.slope": slope, "population.mean": MEAN, "population.sd": SD}
    found = model_slopes.examine(evidence_of(specification, values))
    of_typical = slope.mean()

    def probit_accuracy(skill: np.ndarray, slope: np.ndarray | float, k: int) -> np.ndarray:
        return slope * (skill - MEAN[k]) / np.sqrt(1 + slope**2 * SD[k] ** 2)

    same = probit_accuracy(SKILL, slope, 0) * np.sqrt(1 + of_typical**2 * SD[0] ** 2) / of_typical
    expected = 100 * (ndtr(probit_accuracy(same, of_typical, 1)) - ndtr(probit_accuracy(SKILL, slope, 1)))
    assert found.effect is not None
    np.testing.assert_allclose(found.effect.points, expected, atol=1e-3)
    assert np.ptp(expected) > 1
    alike = evidence_of(recht_et_al(), {name: of for name, of in values.items() if name != "curve.slope"})
    assert "--slopes" in examine(model_slopes, alike).text


def test_slopes_draw_by_draw_and_beside_what_models_lose_by_themselves():
    slope, moved = np.exp(np.linspace(-0.4, 0.4, 6)), np.array([[-0.3], [0.3]])
    # Without a trend with skill, which a typical model would share.
    apart = np.array([0.2, -0.3, 0.1, 0.1, -0.3, 0.2])
    specification = Specification(losing(), slopes(), normal())
    fit = told(RESPONSES, specification, {
        "skill.skill": SKILL, "skill.trend": np.zeros(2), "skill.own": np.stack([0 * apart, apart]),
        "curve.slope": slope, "population.mean": MEAN, "population.sd": SD,
    }, draws=2)
    both = {"skill.skill": (("chain", "draw", "model"), (SKILL + moved)[None])}
    fit.tree["posterior"] = xr.DataTree(fit.tree["posterior"].to_dataset().assign(both))
    of_typical, skill = slope.mean(), SKILL + moved

    def scale(a: np.ndarray | float, k: int) -> np.ndarray:
        return a / np.sqrt(1 + np.square(a) * SD[k] ** 2)

    before = scale(slope, 0) * skill
    typical = scale(of_typical, 1) * (before / scale(of_typical, 0) - MEAN[1])
    found = model_slopes.examine(gather(RESPONSES, "old", "new", fit=fit))
    assert found.effect is not None
    expected = 100 * (ndtr(typical) - ndtr(scale(slope, 1) * (skill - MEAN[1])))
    np.testing.assert_allclose(found.effect.draws, expected, atol=2e-3)


def test_what_a_covariate_makes_harder():
    blur = np.where(RESPONSES.member[1], 1.0, 0.0) + np.random.default_rng(0).normal(0, 0.5, 500)
    responses = Responses(RESPONSES.dataset.assign_coords(blur=("image", blur)))
    specification = Specification(independent(), probit(), regressed(normal(), ["blur"]))
    evidence = evidence_of(specification, {
        "skill": SKILL, "population.population.mean": np.zeros(2), "population.population.sd": np.full(2, 1.2),
        "population.coefficient": np.array([0.5]),
    }, responses)
    parts = parts_of(harder_images.examine(evidence).table)
    # The populations are the same but for blur, which differs by its means alone, up to chance in its spread.
    assert parts["mean, by blur"] == pytest.approx(parts["mean"], rel=0.1)
    assert parts["mean"] == pytest.approx(parts["all"], rel=0.1)
