"""Explanations by experiments that train: what the files say, and wrong ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from difficulty_model.errors import InputError
from difficulty_model.explanations import (
    Evidence,
    cross_validation,
    discriminator,
    gather,
    hyperparameter_tuning,
    learning_the_new,
)
from difficulty_model.readers import read_experiment
from difficulty_model.responses import Responses
from explained import (
    FILES,
    changed,
    estimates,
    experiment,
    found,
    points,
    saved,
    stored,
    wherever_it_is_wrong,
    world,
)

EXPERIMENTS = ["new-data", "folds", "discriminator"]


def new_data(gain: float, error: float = 0.003) -> dict[str, Any]:
    arms = {"untouched": (0.7, 0.01), "new": (0.72 + gain, 0.01), "original": (0.72, 0.01)}
    return experiment(
        "new-data", estimates=estimates(arms | {"new-original": (gain, error)}, ["m0", "m1"]),
        rows=[{"model": "m0", "repeat": 0, "arm": "new", "right": 7, "shown": 10}],
    )


def folds(drop: float, error: float = 0.005, models: Sequence[str] = ("m0", "m1", "m2", "m3", "m4")) -> dict[str, Any]:
    of = {"folds": (0.7, 0.003), "new": (0.7 - drop, 0.004), "folds-new": (drop, error)}
    rows = [
        {"model": model, "fold": fold, "tested": tested, "right": 690 + 10 * fold + j, "shown": 1000}
        for j, model in enumerate(models) for fold in range(3) for tested in ("folds", "new")
    ]
    return experiment("folds", estimates=estimates(of, models), rows=rows)


def told_apart(right: int, shown: int) -> dict[str, Any]:
    ends = binomtest(right, shown).proportion_ci(0.95, "exact")
    low_high = {"low": float(ends.low), "high": float(ends.high), "p_value": 0.5}
    row = {"split": 0, "learned": shown, "right": right, "shown": shown, "accuracy": right / shown, **low_high}
    estimate = {"model": None, "quantity": "accuracy", "value": right / shown, **low_high}
    return experiment("discriminator", rows=[row], estimates=[estimate])


GOOD = {"new-data": new_data(0.05), "folds": folds(0.05), "discriminator": told_apart(150, 200)}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_are_read_as_they_are(tmp_path: Path, name: str):
    read = read_experiment(stored(tmp_path, GOOD[name]), name)
    assert read.name == name
    assert read.settings == {}
    assert read.sets["name"].tolist() == ["training", "original", "new"]
    assert len(read.estimates) == len(GOOD[name]["estimates"])
    assert len(read.rows) == len(GOOD[name]["rows"])
    first = GOOD[name]["estimates"][-1]
    mean = read.mean(first["quantity"])
    assert (mean.value, mean.low, mean.high) == (first["value"], first["low"], first["high"])
    assert np.isnan(mean.standard_error) == (name == "discriminator")
    with pytest.raises(InputError, match="no estimate of 'luck'"):
        read.mean("luck")
    with pytest.raises(InputError, match="on the new test set 'new'; expected 'newer'"):
        read.between("original", "newer")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_whatever_is_wrong_in_the_file_of_an_experiment_is_said(shifted: Evidence, tmp_path: Path, name: str):
    good = {**GOOD[name], "rows": GOOD[name]["rows"][:2], "estimates": GOOD[name]["estimates"][-4:]}
    if name == "folds":
        good["estimates"] = GOOD[name]["estimates"][-6:]
    wrong = wherever_it_is_wrong(FILES[name], shifted, good, tmp_path)
    assert wrong > 200


@pytest.mark.parametrize(("change", "said"), [
    (("experiment", "folds"), "has the experiment 'folds'; expected 'new-data'"),
    (("version", 2), "has the version 2; expected 1"),
    (("version", True), "has the version True"),
    (("estimates", []), r"`estimates` of .* is \[\]; expected a list"),
    (("sets", 2, "role", "original"), "record 3 of `sets` .* every role once"),
    (("rows", 0, "right", 11), "record 1 of `rows` .* right at most as often"),
    (("estimates", 1, "low", 0.9), "record 2 of `estimates` .* between low and high"),
    (("estimates", 0, "value", "0.7"), "`value` in record 1 of `estimates` .* is '0.7'; expected a number"),
    (("estimates", 0, "standard_error", -1), "a standard error from 0 to 1"),
    (("estimates", 0, "high", 4.0), "from -3 to 3"),
    (("estimates", 0, "quantity", "new"), "record 2 .* every quantity once"),
    (("estimates", 0, "value", 70.0), "from -1 to 1"),
])
def test_messages_say_where_what_is_wrong(tmp_path: Path, change: tuple[Any, ...], said: str):
    with pytest.raises(InputError, match=said):
        read_experiment(stored(tmp_path, changed(GOOD["new-data"], change[:-1], change[-1])), "new-data")


def test_what_is_learned_from_new_images_is_what_the_shift_takes(shifted: Evidence, tmp_path: Path):
    gap = shifted.gap.points.mean()
    regained = found(learning_the_new, shifted, stored(tmp_path, new_data(gap / 100)))
    assert regained.verdict == "explains it"
    assert points(regained)[1] == pytest.approx(gap)
    assert "70.0% as they are, 72.0% with more original images" in regained.text
    assert found(learning_the_new, shifted, stored(tmp_path, new_data(0.0))).verdict == "cannot"
    part = found(learning_the_new, shifted, stored(tmp_path, new_data(0.4 * gap / 100)))
    assert part.verdict == "part of it"
    low, value, high = points(part)
    # Ends of 400 draws: the 2.5% quantile has a standard error of √(0.025·0.975/400) / φ(1.96) = 0.13 of theirs.
    assert [low, high] == pytest.approx([value - 1.96 * 0.3, value + 1.96 * 0.3], abs=4 * 0.13 * 0.3)
    assert len(part.table) == 3 * 4  # two models and their mean; three arms and a difference


def test_lessons_are_of_the_models_that_they_share_with_the_gap(shifted: Evidence, tmp_path: Path):
    content = new_data(0.05)
    strangers = [row | {"model": "stranger", "value": 0.9, "low": 0.8, "high": 1.0}
                 for row in content["estimates"] if row["model"] == "m0"]
    content["estimates"] += strangers
    for row in content["estimates"]:
        if row["model"] is None:  # the mean of all three
            row |= {"value": 0.5, "low": 0.4, "high": 0.6}
    some = found(learning_the_new, shifted, stored(tmp_path, content))
    assert points(some)[1] == pytest.approx(5)
    assert "2 models are right in 70.0% as they are" in some.text
    assert some.effect is not None
    np.testing.assert_array_equal(some.effect.gap, shifted.gap.points[[0, 1]])


@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize("others", [1, 10**9])
def test_chance_in_folds_is_that_of_original_images_and_of_training_again(tmp_path: Path, certain: bool, others: int):
    """Where nearly all images on the folds are the original ones, gap and drop are of the same images."""
    rng = np.random.default_rng(8)
    share = rng.uniform(0, 1, 4000)
    share = np.round(share) if certain else share

    def answered(images: slice) -> np.ndarray:
        return rng.random((5, len(share[images]))) < share[images]

    original, new = slice(3000), slice(3000, 4000)
    responses = Responses.from_arrays(
        answered(slice(4000)), models=[f"m{j}" for j in range(5)], images=[f"i{i}" for i in range(4000)],
        member={"original": np.arange(4000) < 3000, "new": np.arange(4000) >= 3000},
    )
    chance = float(responses.right[:, original].mean(0).std()) / np.sqrt(3000)
    content = folds(0.05)
    content["sets"][0]["used"] = others
    for estimate in content["estimates"]:
        if estimate["quantity"] == "folds":
            estimate["standard_error"] = chance if others == 1 else 0.0
    effect = found(cross_validation, gather(responses, "original", "new"), stored(tmp_path, content)).effect
    assert effect is not None
    again = np.std([100 * (answered(new).mean() - answered(new).mean()) for _ in range(400)])
    expected = np.hypot(again, 0 if others == 1 else 100 * chance)
    # Both are of 400 draws, whose standard errors are 3.5%.
    assert effect.draws.std() == pytest.approx(expected, rel=0.2, abs=0.02)


def test_a_gap_that_is_gone_on_folds_was_luck(shifted: Evidence, tmp_path: Path):
    gap = shifted.gap.points.mean()
    lucky = found(cross_validation, shifted, stored(tmp_path, folds(0.0)))
    assert lucky.verdict == "explains it"
    assert points(lucky)[1] == pytest.approx(gap)
    assert "70.2% (69.2% to 71.2% by fold)" in lucky.text
    stays = found(cross_validation, shifted, stored(tmp_path, folds(gap / 100)))
    assert points(stays)[1] == pytest.approx(0)
    assert stays.verdict == "cannot"
    assert stays.table["lowest_fold"].tolist() == pytest.approx([0.690, 0.691, 0.692, 0.693, 0.694])
    assert stays.table["gap"].tolist() == pytest.approx(shifted.gap.points.tolist())


def test_chance_of_gap_and_folds_is_that_of_what_they_do_not_share(shifted: Evidence, tmp_path: Path):
    content = folds(0.05)
    for row in content["estimates"]:
        row["standard_error"] = 0.02 if row["quantity"] == "folds" else row["standard_error"]
    effect = found(cross_validation, shifted, stored(tmp_path, content)).effect
    assert effect is not None
    accuracy = shifted.responses.right[:, shifted.in_original].mean(0)
    of_original, part = 100 * accuracy.std() / 3000**0.5, 3 / 7
    share = shifted.responses.right[:, shifted.in_new].mean(0)
    again = 100 * (2 * (share * (1 - share)).mean() / 5 / 2500) ** 0.5
    # Of the folds' variance of 2², 4/7 are of images that are not original ones.
    expected = ((1 - part) ** 2 * of_original**2 + 2**2 - part**2 * of_original**2 + again**2) ** 0.5
    assert effect.draws.std() == pytest.approx(expected, rel=4 / (2 * 400) ** 0.5)  # of 400 draws
    # The same original images move gap and effect.
    assert np.corrcoef(effect.draws[:, 0], effect.gap_draws.mean(1))[0, 1] > 0.05


def test_folds_speak_of_the_models_that_they_share_with_the_gap(shifted: Evidence, tmp_path: Path):
    content = folds(0.05, models=["m1", "m3", "stranger"])
    for row in content["estimates"]:
        if row["model"] == "stranger":
            row |= {"value": 0.5, "low": 0.4, "high": 0.6}
    for row in content["rows"]:
        row["right"] = 100 if row["model"] == "stranger" else row["right"]
    some = found(cross_validation, shifted, stored(tmp_path, content))
    alone = found(cross_validation, shifted, stored(tmp_path, folds(0.05, models=["m1", "m3"])))
    assert some.text == alone.text
    # The mean in the file has the stranger in it.
    assert points(some)[1] == pytest.approx(shifted.gap.points[[1, 3]].mean() - 5)
    assert some.effect is not None
    np.testing.assert_array_equal(some.effect.gap, shifted.gap.points[[1, 3]])
    assert np.isnan(some.table.set_index("model")["gap"]["stranger"])
    none = found(cross_validation, shifted, stored(tmp_path, folds(0.05, models=["stranger"])))
    assert "none of the models whose gap is examined, such as 'm0'" in none.text


def test_a_discriminator_bounds_what_a_shift_can_carry(shifted: Evidence, tmp_path: Path):
    apart = found(discriminator, shifted, stored(tmp_path, told_apart(1100, 2000)))
    assert apart.verdict == "part of it"
    assert "at most 10.0 points" in apart.text
    low, value, high = points(apart)
    assert value == pytest.approx(10)
    exact = binomtest(1100, 2000).proportion_ci(0.95, "exact")
    assert [low, high] == pytest.approx([100 * (2 * end - 1) for end in exact], abs=4 * 0.13 * 2.2)
    everything = found(discriminator, shifted, stored(tmp_path, told_apart(2000, 2000)))
    assert everything.verdict == "part of it"  # never more: that sets differ does not make one harder


def test_a_discriminator_at_chance_sees_nothing(shifted: Evidence, tmp_path: Path):
    blind = found(discriminator, shifted, stored(tmp_path, told_apart(50_100, 100_000)))
    assert blind.verdict == "cannot"
    assert "sees no difference" in blind.text
    of_few = found(discriminator, shifted, stored(tmp_path, told_apart(106, 200)))
    assert of_few.verdict == "not testable"  # up to 20 points are within the interval
    assert "needs more images" in of_few.text
    worse = found(discriminator, shifted, stored(tmp_path, told_apart(40, 200)))
    assert "up to 0.0 points" in worse.text
    assert points(worse) == (0, 0, 0)
    half = found(discriminator, shifted, stored(tmp_path, told_apart(502, 1000)))
    assert half.verdict == "not testable"  # up to 6.6 points are within the interval, which is no minor part


def test_a_difference_that_can_carry_next_to_nothing_cannot_be_the_cause(shifted: Evidence, tmp_path: Path):
    seen = found(discriminator, shifted, stored(tmp_path, told_apart(50_400, 100_000)))
    assert "they differ" in seen.text
    assert seen.verdict == "cannot"


# The bound itself: whatever is right on some images, its accuracy moves by no more than the best discriminator sees.


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()), min_size=1, max_size=12))
def test_no_accuracy_moves_by_more_than_the_best_discriminator_sees(cells: list[tuple[int, int, bool]]):
    p, q = np.array([cell[0] for cell in cells]) + 1e-9, np.array([cell[1] for cell in cells]) + 1e-9
    p, q, right = p / p.sum(), q / q.sum(), np.array([cell[2] for cell in cells])
    best = np.maximum(p, q).sum() / 2
    assert abs(p[right].sum() - q[right].sum()) <= 2 * best - 1 + 1e-9


def test_explanations_read_what_experiments_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    from difficulty_inference.adapters import EstimatorEntry
    from difficulty_inference.experiments.discriminator import discriminate
    from difficulty_inference.experiments.features import pixel_features
    from difficulty_inference.experiments.folds import cross_validate
    from difficulty_inference.experiments.hyperparameters import variants
    from difficulty_inference.experiments.new_data import train_on_new
    from difficulty_inference.experiments.result import write_result
    from difficulty_inference.importing import Code
    from image_arrays import written

    monkeypatch.setenv("TQDM_DISABLE", "1")
    rng = np.random.default_rng(0)
    sets = {}
    for name, darker in {"training": 0, "original": 0, "new": 40}.items():
        labels = rng.integers(0, 2, 120)
        images = (100 + 40 * labels[:, None, None] - darker + rng.integers(-40, 40, (120, 2, 2))).astype(np.uint8)
        sets[name] = written(tmp_path, name, images, labels)
    original, new = sets["original"], sets["new"]
    entry = EstimatorEntry("m1", Code("sklearn.naive_bayes:GaussianNB", tmp_path), {}, tmp_path / "training", None)
    evidence = gather(world().responses, "original", "new")
    for name, result in {
        "new-data": train_on_new([entry], new=new, original=original, repeats=2),
        "folds": cross_validate([entry], original=original, new=new, folds=2),
        "discriminator": discriminate(*pixel_features(original, new), repeats=2),
    }.items():
        write_result(result, tmp_path / f"{name}.json")
        examination = found(FILES[name], evidence, tmp_path / f"{name}.json")
        assert np.isfinite(points(examination)).all(), examination.text
        assert len(examination.table)
    named = [one.name for one in variants([entry], "m1", {"var_smoothing": [1e-9, 0.1], "priors": [None, [0.5, 0.5]]})]
    part = evidence.responses.dataset.isel(image=evidence.in_new, model=[1] * 5, test_set=[1])
    given = Responses(part.assign_coords(model=named))
    assert found(hyperparameter_tuning, evidence, saved(tmp_path, given)).table["base"].tolist() == ["m1"]
