"""Explanations that need a file: where each is the cause, where not, without its file, and with a wrong one."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import binomtest, norm

from difficulty_model.errors import InputError
from difficulty_model.explanations import (
    Evidence,
    Examination,
    Explanation,
    cross_validation,
    discriminator,
    examine,
    gather,
    humans,
    hyperparameter_tuning,
    learning_the_new,
    near_duplicates,
)
from difficulty_model.readers import (
    LAYOUTS,
    read_cifar10_1,
    read_cifar10h,
    read_experiment,
    read_names,
)
from difficulty_model.responses import Responses, combine
from worlds import World, simulate

FILES: dict[str, Explanation] = {
    "duplicates": near_duplicates, "variants": hyperparameter_tuning, "new-data": learning_the_new,
    "folds": cross_validation, "discriminator": discriminator, "humans": humans,
}
EXPERIMENTS = ["new-data", "folds", "discriminator"]
SKILL = np.linspace(0.5, 2.0, 5)
SIZES = {"original": 3000, "new": 2500}


def world(seed: int = 0, *, mean: float = 0.7) -> World:
    return simulate(seed, skill=SKILL, images=SIZES, mean=(0.0, mean), sd=(1.5, 1.5))


@pytest.fixture(scope="module")
def shifted() -> Evidence:
    """Models that lose some 15 points because the new images are harder; what it knows of its gap is shared."""
    return gather(world().responses, "original", "new")


def found(explanation: Explanation, evidence: Evidence, path: Path) -> Examination:
    name = next(name for name, one in FILES.items() if one is explanation)
    with_file = replace(evidence, files={name: path})
    with_file.__dict__["gap"] = evidence.gap  # which no file changes
    return examine(explanation, with_file)


def none_but_by_chance(examination: Examination) -> bool:
    """Whether a mean effect is within four standard errors of none, beyond which it is once in 16,000 times."""
    assert examination.effect is not None, examination.text
    return abs(examination.effect.points.mean()) < 4 * examination.effect.draws.mean(1).std()


def points(examination: Examination) -> tuple[float, float, float]:
    assert examination.effect is not None, examination.text
    average = examination.effect.average()
    return average.low, average.value, average.high


@pytest.mark.parametrize("name", FILES)
def test_without_its_file_an_explanation_says_what_it_needs(shifted: Evidence, name: str):
    untested = examine(FILES[name], shifted)
    assert untested.verdict == "not testable"
    assert untested.text.startswith("Needs ")
    assert f"--file {name}=" in untested.text


@pytest.mark.parametrize("name", FILES)
def test_files_of_something_else_are_refused(shifted: Evidence, tmp_path: Path, name: str):
    (tmp_path / "noise").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    for path in ("noise", "empty", "folder", "none"):
        wrong = found(FILES[name], shifted, tmp_path / path)
        assert wrong.verdict == "not testable"
        assert wrong.text.startswith("Wrong file: ")
        assert str(tmp_path / path) in wrong.text


# Names


def test_names_are_one_a_line(tmp_path: Path):
    path = tmp_path / "names.txt"
    path.write_bytes("\ufeffa b\r\n\r\n  ö \nlast".encode())
    assert read_names(path) == ["a b", "ö", "last"]


@pytest.mark.parametrize(("content", "said"), [
    (b"", "no names"), (b" \n\n", "no names"), (b"a\xff", "not readable as text"), (b"a\nb\n\na\n", "in lines 1 and 4"),
])
def test_lists_that_are_none_are_refused(tmp_path: Path, content: bytes, said: str):
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_names(tmp_path / "names")


# Near-duplicates


def listed(folder: Path, names: Sequence[str]) -> Path:
    path = folder / "duplicates.txt"
    path.write_text("\n".join(names))
    return path


def known_by_heart(seed: int) -> tuple[Evidence, list[str]]:
    """No shift, and three in ten original images known from training: these make all of the gap."""
    plain = world(seed, mean=0.0).responses
    chosen = np.random.default_rng(seed).permutation(SIZES["original"])[: SIZES["original"] * 3 // 10]
    right = plain.right.copy()
    right[:, chosen] = 1
    known = Responses(plain.dataset.assign(right=(plain.dataset["right"].dims, right)))
    return gather(known, "original", "new"), np.array(plain.images)[chosen].tolist()


def test_near_duplicates_that_are_all_right_explain_the_gap(tmp_path: Path):
    evidence, names = known_by_heart(0)
    examination = found(near_duplicates, evidence, listed(tmp_path, names))
    assert examination.verdict == "explains it"
    assert "30.0% of the images" in examination.text
    # All of them are right, so the worst case is the case.
    np.testing.assert_allclose(examination.table["worst_case"], examination.table["on_the_rest"])
    assert examination.effect is not None
    share = examination.effect.share()
    assert share.low < 1 < share.high


def test_near_duplicates_that_are_like_other_images_do_not(shifted: Evidence, tmp_path: Path):
    names = np.random.default_rng(1).choice(shifted.responses.images[: SIZES["original"]], 600, replace=False)
    examination = found(near_duplicates, shifted, listed(tmp_path, names.tolist()))
    assert examination.verdict == "cannot"
    assert none_but_by_chance(examination)


def test_the_effect_of_near_duplicates_is_that_of_deleting_them(tmp_path: Path):
    evidence, names = known_by_heart(2)
    examination = found(near_duplicates, evidence, listed(tmp_path, names))
    kept = ~np.isin(evidence.responses.images, names)
    deleted = gather(Responses(evidence.responses.dataset.isel(image=kept)), "original", "new")
    assert examination.effect is not None
    np.testing.assert_allclose(examination.effect.points, evidence.gap.points - deleted.gap.points)


def test_the_published_worst_case():
    """Recht et al. (2018): of 93% and 8% near-duplicates 92.4% remain, so that they explain 0.6 points."""
    worst = near_duplicates.worst_case(0.93, 0.08)
    assert round(float(worst), 3) == 0.924
    assert round(100 * (0.93 - float(worst)), 1) == 0.6


@given(st.integers(1, 500), st.integers(0, 500), st.data())
def test_the_worst_case_is_the_rest_where_all_duplicates_are_right(rest: int, duplicates: int, data: st.DataObject):
    right = data.draw(st.integers(0, rest))
    images = rest + duplicates
    worst = near_duplicates.worst_case((right + duplicates) / images, duplicates / images)
    assert worst == pytest.approx(right / rest, abs=1e-12)


def test_unknown_near_duplicates_are_named_with_the_nearest(shifted: Evidence, tmp_path: Path):
    new_image = shifted.responses.images[-1]
    for names, said in [(["i1", "i99999"], "1 are not"), ([new_image], f"'{new_image}'")]:
        text = found(near_duplicates, shifted, listed(tmp_path, names)).text
        assert said in text
        assert "nearest" in text
    every = shifted.responses.images[: SIZES["original"]]
    assert "Needs responses" in found(near_duplicates, shifted, listed(tmp_path, every)).text


# Hyperparameter tuning


def varied(seed: int, gains: Sequence[float], *, images: int = 800) -> tuple[Evidence, Responses]:
    """A default that is right in 75%, as are variants but for their gains, half by the image and half by chance."""
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(0, 1, 2 * images)
    accuracy = 0.75 + np.append(0, gains)
    skill = norm.ppf(accuracy) * 2**0.5
    right = difficulty + rng.normal(0, 1, (len(skill), 2 * images)) < skill[:, None]
    right[0, :images] = rng.random(images) < 0.85  # of the original test set, for which it was tuned
    ids = [f"i{i}" for i in range(2 * images)]
    new = np.arange(2 * images) >= images
    default = Responses.from_arrays(right[:1], models=["net"], images=ids, member={"original": ~new, "new": new})
    names = ["net", *(f"net[c={j},d=0.1]" for j in range(len(gains)))]
    order = rng.permutation(images)  # ids tell which image is which, not places
    given = Responses.from_arrays(
        right[:, new][:, order], models=names, images=np.array(ids)[new][order].tolist(),
        member={"new": np.ones(images, bool)},
    )
    return gather(default, "original", "new", random_seed=seed), given


def saved(folder: Path, responses: Responses, name: str = "given.nc") -> Path:
    responses.save(folder / name)
    return folder / name


def test_of_variants_that_are_all_alike_the_best_gains_nothing_on_other_images(tmp_path: Path):
    worlds, naive, corrected, covered = 20, [], [], 0
    for seed in range(worlds):
        evidence, given = varied(seed, [0.0] * 10)
        examination = found(hyperparameter_tuning, evidence, saved(tmp_path, given))
        row = examination.table.iloc[0]
        naive.append(row["gain"])
        corrected.append(row["corrected"])
        low, value, high = points(examination)
        assert value == row["corrected"]
        covered += low <= 0 <= high
    # Means of so many worlds are within 4 standard errors of theirs but once in 16,000 times.
    error = np.std(corrected, ddof=1) / worlds**0.5
    assert abs(np.mean(corrected)) < 4 * error
    assert np.mean(naive) - 1 > np.std(naive, ddof=1) / worlds**0.5
    assert covered >= binomial_least(worlds, 0.95)


def binomial_least(worlds: int, share: float) -> int:
    """How many of so many worlds there are at least, but once in 10,000 times."""
    return next(k for k in range(worlds + 1) if binomtest(k, worlds, share, alternative="less").pvalue > 1e-4)


def test_a_variant_that_is_better_is_found(tmp_path: Path):
    worlds, corrected, best = 8, [], []
    for seed in range(worlds):
        evidence, given = varied(100 + seed, [0.0] * 4 + [0.04] + [-0.02] * 3, images=3000)
        row = found(hyperparameter_tuning, evidence, saved(tmp_path, given)).table.iloc[0]
        corrected.append(row["corrected"])
        best.append(row["best"])
    assert set(best) == {"net[c=4,d=0.1]"}
    # It is picked on every half too, so that nothing is lost by halving.
    assert abs(np.mean(corrected) - 4) < 4 * np.std(corrected, ddof=1) / worlds**0.5


def test_two_points_of_a_better_variant_are_told_from_none(tmp_path: Path):
    evidence, given = varied(7, [0.0] * 5 + [0.02], images=10_000)
    examination = found(hyperparameter_tuning, evidence, saved(tmp_path, given))
    low, _, high = points(examination)
    assert 0 < low < 2 < high
    assert examination.verdict == "part of it"
    assert examination.effect is not None
    assert examination.effect.table()["model"].tolist() == ["net"]


def test_gains_are_averaged_over_the_models_that_vary(shifted: Evidence, tmp_path: Path):
    rng = np.random.default_rng(0)
    new = shifted.responses.dataset.isel(image=shifted.in_new)
    names = [f"{base}[a={j}]" for base in ("m0", "m3") for j in range(3)] + ["unrelated"]
    right = np.concatenate([new["right"].values[[0] * 3 + [3] * 3], rng.integers(0, 2, (1, SIZES["new"]))])
    given = Responses.from_arrays(right, models=names, images=new["image"].values.tolist(),
                                  member={"new": np.ones(SIZES["new"], bool)})
    examination = found(hyperparameter_tuning, shifted, saved(tmp_path, given))
    assert examination.table["base"].tolist() == ["m0", "m3"]
    assert points(examination) == (0, 0, 0)  # variants that answer as the default does
    assert examination.verdict == "cannot"
    np.testing.assert_allclose(examination.table["accuracy"], new["right"].values[[0, 3]].mean(1))


def test_a_model_may_be_called_like_a_variant(tmp_path: Path):
    evidence, given = varied(0, [0.0, 0.0], images=200)
    longer = "net[c=0,d=0.1]"
    own = Responses(given.dataset.isel(model=[1]))
    old = evidence.responses.select(test_sets=["original"]).dataset.assign_coords(model=[longer])
    two = gather(combine(evidence.responses, Responses(old), own), "original", "new")
    named = Responses(given.dataset.assign_coords(model=["net", f"{longer}[x=[1,2]]", "net[c=1]"]))
    assert set(found(hyperparameter_tuning, two, saved(tmp_path, named)).table["base"]) == {"net", longer}


@pytest.mark.parametrize(("change", "said"), [
    (lambda d: d.assign_coords(model=[f"other[a={j}]" for j in range(3)]), "no model named 'other'"),
    (lambda d: d.assign_coords(model=["x", "y", "z"]), "base[option=value]"),
    (lambda d: d.assign_coords(test_set=["newer"]), "of the test sets 'newer'"),
    (lambda d: d.assign_coords(image=[f"x{i}" for i in range(d.sizes["image"])]), "'x0'"),
    (lambda d: d.assign_attrs(top_k=5), "top_k = 5"),
])
def test_variants_of_something_else_are_refused(tmp_path: Path, change: Any, said: str):
    evidence, given = varied(0, [0.0, 0.0], images=100)
    text = found(hyperparameter_tuning, evidence, saved(tmp_path, Responses(change(given.dataset)))).text
    assert text.startswith("Wrong file: ")
    assert said in text
    assert "given.nc" in text


def test_too_few_images_say_nothing_of_variants(tmp_path: Path):
    evidence, given = varied(0, [0.0], images=59)
    assert "at least 60 images" in found(hyperparameter_tuning, evidence, saved(tmp_path, given)).text


# Experiments


def estimates(values: Mapping[str, tuple[float, float]], models: Sequence[str]) -> list[dict[str, Any]]:
    """The same of every model and of their mean, as shares."""
    return [
        {"model": model, "quantity": quantity, "value": value, "standard_error": error,
         "low": value - 1.96 * error, "high": value + 1.96 * error}
        for model in (*models, None) for quantity, (value, error) in values.items()
    ]


def experiment(name: str, **tables: Any) -> dict[str, Any]:
    sets = [{"role": role, "name": role, "fingerprint": "ab", "images": 9, "used": 8} for role in ("original", "new")]
    return {"experiment": name, "version": 1, "seed": 0, "settings": {}, "sets": sets, **tables, "failed": {}}


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


def stored(folder: Path, content: object) -> Path:
    (folder / "experiment.json").write_text(json.dumps(content))
    return folder / "experiment.json"


GOOD = {"new-data": new_data(0.05), "folds": folds(0.05), "discriminator": told_apart(150, 200)}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_are_read_as_they_are(tmp_path: Path, name: str):
    read = read_experiment(stored(tmp_path, GOOD[name]), name)
    assert read.name == name
    assert read.settings == {}
    assert read.sets["name"].tolist() == ["original", "new"]
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


HOSTILE = [None, True, -1, 10**30, 1e308, float("nan"), float("inf"), "", "x", "\ud800", [], {}]


def places(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield at
    for key in content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ():
        yield from places(content[key], (*at, key))


def changed(content: Any, at: tuple[Any, ...], value: object) -> Any:
    if not at:
        return value
    content = copy.deepcopy(content)
    inner = content
    for key in at[:-1]:
        inner = inner[key]
    if value is Ellipsis:
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return content


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_whatever_is_wrong_in_the_file_of_an_experiment_is_said(shifted: Evidence, tmp_path: Path, name: str):
    good = {**GOOD[name], "rows": GOOD[name]["rows"][:2], "estimates": GOOD[name]["estimates"][-4:]}
    if name == "folds":
        good["estimates"] = GOOD[name]["estimates"][-6:]
    refused = 0
    for at in places(good):
        for value in [*HOSTILE, ...] if at else HOSTILE:
            examination = found(FILES[name], shifted, stored(tmp_path, changed(good, at, value)))  # raises nothing else
            if examination.effect is None:
                refused += 1
                assert examination.text.startswith("Wrong file: ")
                assert "experiment.json" in examination.text
                examination.text.encode()
            else:
                assert np.isfinite(points(examination)).all()
    assert refused > 200


@pytest.mark.parametrize(("change", "said"), [
    (("experiment", "folds"), "has the experiment 'folds'; expected 'new-data'"),
    (("version", 2), "has the version 2; expected 1"),
    (("version", True), "has the version True"),
    (("estimates", []), r"`estimates` of .* is \[\]; expected a list"),
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


def test_errors_of_gap_and_folds_add_up(shifted: Evidence, tmp_path: Path):
    effect = found(cross_validation, shifted, stored(tmp_path, folds(0.05, error=0.02))).effect
    assert effect is not None
    expected = np.hypot(shifted.gap.draws.mean(1).std(), 2)
    assert effect.draws.std() == pytest.approx(expected, rel=4 / (2 * 400) ** 0.5)  # of 400 draws


def test_folds_speak_of_the_models_that_they_share_with_the_gap(shifted: Evidence, tmp_path: Path):
    content = folds(0.05, models=["m1", "m3", "stranger"])
    for row in content["estimates"]:
        if row["model"] == "stranger":
            row |= {"value": 0.5, "low": 0.4, "high": 0.6}
    some = found(cross_validation, shifted, stored(tmp_path, content))
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
    blind = found(discriminator, shifted, stored(tmp_path, told_apart(5010, 10_000)))
    assert blind.verdict == "cannot"
    assert "sees no difference" in blind.text
    of_few = found(discriminator, shifted, stored(tmp_path, told_apart(106, 200)))
    assert of_few.verdict == "not testable"  # up to 20 points are within the interval
    assert "needs more images" in of_few.text
    worse = found(discriminator, shifted, stored(tmp_path, told_apart(40, 200)))
    assert "up to 0.0 points" in worse.text


# The bound itself: whatever is right on some images, its accuracy moves by no more than the best discriminator sees.


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()), min_size=1, max_size=12))
def test_no_accuracy_moves_by_more_than_the_best_discriminator_sees(cells: list[tuple[int, int, bool]]):
    p, q = np.array([cell[0] for cell in cells]) + 1e-9, np.array([cell[1] for cell in cells]) + 1e-9
    p, q, right = p / p.sum(), q / q.sum(), np.array([cell[2] for cell in cells])
    best = np.maximum(p, q).sum() / 2
    assert abs(p[right].sum() - q[right].sum()) <= 2 * best - 1 + 1e-9


# Humans


def people(
    of: World, skill: Sequence[float], *, same: bool, showings: int = 1, images: Sequence[str] | None = None
) -> Responses:
    """People of these skills, who find new images as much harder as models do, or not at all."""
    rng = np.random.default_rng(9)
    eased = np.where(of.responses.member[1] & (not same), of.mean[1] - of.mean[0], 0.0)
    shown = np.full((len(skill), len(of.difficulty)), showings)
    if images is not None:
        shown[:, ~np.isin(of.responses.images, images)] = 0
    right = rng.binomial(shown, ndtr(np.array(skill)[:, None] - of.difficulty + eased))
    order = rng.permutation(len(of.difficulty))
    return Responses.from_arrays(
        right[:, order], models=[f"person {j}" for j in range(len(skill))],
        images=np.array(of.responses.images)[order].tolist(), shown=shown[:, order],
        member={"whatever they are called": np.ones(len(order), bool)},
    )


def test_people_who_lose_as_much_as_models_explain_the_gap(shifted: Evidence, tmp_path: Path):
    examination = found(humans, shifted, saved(tmp_path, people(world(), [1.0, 1.5], same=True, showings=3)))
    assert examination.verdict == "explains it"
    assert examination.table["person"].tolist() == ["person 0", "person 1"]
    assert points(examination)[1] == pytest.approx(examination.table["lost"].mean())
    assert examination.table["shown_new"].tolist() == [3 * SIZES["new"]] * 2


def test_people_who_lose_nothing_do_not(shifted: Evidence, tmp_path: Path):
    examination = found(humans, shifted, saved(tmp_path, people(world(), [3.0, 4.0], same=False)))
    assert examination.verdict == "cannot"
    assert none_but_by_chance(examination)


def test_resamples_of_images_are_the_same_for_people_and_models(shifted: Evidence, tmp_path: Path):
    copies = Responses(shifted.responses.dataset.assign_coords(model=[f"person {j}" for j in range(len(SKILL))]))
    examination = found(humans, shifted, saved(tmp_path, copies))
    assert examination.effect is not None
    np.testing.assert_allclose(examination.effect.draws[:, 0], shifted.gap.draws.mean(1))
    assert examination.effect.share().low == pytest.approx(1)


def test_people_who_saw_one_test_set_count_for_nothing_but_are_listed(shifted: Evidence, tmp_path: Path):
    both = people(world(), [1.0, 1.5], same=True)
    shown = both.shown.copy()
    shown[1, np.isin(both.images, shifted.responses.images[: SIZES["original"]])] = 0
    dims = both.dataset["shown"].dims
    half = Responses(both.dataset.assign(shown=(dims, shown), right=(dims, np.minimum(both.right, shown))))
    examination = found(humans, shifted, saved(tmp_path, half))
    assert "People (1)" in examination.text
    assert points(examination)[1] == pytest.approx(examination.table["lost"].iloc[0])
    assert np.isnan(examination.table["lost"].iloc[1])


def test_people_who_saw_few_images_do_not_break_resamples(shifted: Evidence, tmp_path: Path):
    images = [*shifted.responses.images[:70], *shifted.responses.images[-70:]]
    crowd = people(world(), [1.0] * 140, same=True, images=images)
    dims, keep = crowd.dataset["shown"].dims, np.random.default_rng(0).random(crowd.shown.shape) < 0.03
    sparse = Responses(crowd.dataset.assign(shown=(dims, crowd.shown * keep), right=(dims, crowd.right * keep)))
    assert np.isfinite(points(found(humans, shifted, saved(tmp_path, sparse)))).all()


def test_of_one_test_set_humans_says_what_is_known(shifted: Evidence, tmp_path: Path):
    seen = shifted.responses.images[: SIZES["original"]]
    examination = found(humans, shifted, saved(tmp_path, people(world(), [1.2], same=True, showings=20, images=seen)))
    assert examination.verdict == "not testable"
    assert examination.text.startswith("Needs responses of people to 'new' too; on 'original' people are right in ")
    # People and models share difficulties.
    assert float(examination.text.split("correlation of ")[1].split()[0]) > 0.8
    perfect = people(world(), [99.0], same=True, images=seen)
    assert "correlation" not in found(humans, shifted, saved(tmp_path, perfect)).text


def test_people_may_have_seen_images_that_models_have_not(tmp_path: Path):
    shown = np.array([[1, 0, 1, 1]])
    responses = Responses.from_arrays(
        shown, models=["net"], images=["a", "b", "c", "d"], shown=shown,
        member={"original": np.array([True, True, False, False]), "new": np.array([False, False, True, True])},
    )
    person = Responses.from_arrays(np.ones((1, 1)).astype(int), models=["person"], images=["b"],
                                   member={"x": np.ones(1, bool)})
    text = found(humans, gather(responses, "original", "new"), saved(tmp_path, person)).text
    assert text == "Needs responses of people to 'new' too."


def test_humans_needs_people_who_saw_both_and_enough_images(shifted: Evidence, tmp_path: Path):
    names = shifted.responses.images
    few = people(world(), [1.0], same=True, images=[*names[:500], *names[-59:]])
    assert "at least 60 images of each" in found(humans, shifted, saved(tmp_path, few)).text
    first, second = (people(world(), [1.0], same=True, images=of) for of in (names[:500], names[-500:]))
    others = Responses(second.dataset.assign_coords(model=["person 9"]))
    apart = found(humans, shifted, saved(tmp_path, combine(first, others))).text
    assert "of the same people" in apart


def test_models_and_images_of_something_else_are_no_people(shifted: Evidence, tmp_path: Path):
    assert "'m0', one of the models" in found(humans, shifted, saved(tmp_path, shifted.responses)).text
    dataset = people(world(), [1.0], same=True).dataset
    others = Responses(dataset.assign_coords(image=[f"x{i}" for i in range(dataset.sizes["image"])]))
    assert "no response to any image" in found(humans, shifted, saved(tmp_path, others)).text


# CIFAR-10H


def released(folder: Path, counts: object = ((3, 1, 0), (0, 2, 5))) -> list[Path]:
    """Two images of the classes 0 and 2, with one model, and counts of people."""
    for name, labels in {"original_test_labels/cifar10_labels": [0, 2], "datasets/cifar10.1_v6_labels": [1]}.items():
        (folder / name).parent.mkdir()
        np.save(folder / f"{name}.npy", np.array(labels))
    part = folder / "model_predictions" / "original_predictions"
    part.mkdir(parents=True)
    (part / "net_predictions.json").write_text("[0, 1]")
    np.save(folder / "counts.npy", np.array(counts))
    return [folder / "counts.npy", folder]


def test_cifar10h_counts_how_often_people_name_the_right_class(tmp_path: Path):
    paths = released(tmp_path)
    read = read_cifar10h(paths)
    assert read.models == ["people"]
    assert read.right.tolist() == [[3, 5]]
    assert read.shown.tolist() == [[4, 7]]
    together = combine(read_cifar10_1(tmp_path), read)
    assert together.shown.tolist() == [[1, 1], [4, 7]]
    assert read_cifar10h(paths, test_sets=["cifar10"]).test_sets == ["cifar10"]
    assert LAYOUTS["cifar10h"].read(paths).history == read.history


@pytest.mark.parametrize(("counts", "said"), [
    ([[1, 0, 0]], r"shape \(1, 3\).* each of the 2 images"), ([[1.0, 0, 0]] * 2, "float64"), ([1, 2], r"shape \(2,\)"),
    ([[1, 1]] * 2, "2 columns"), ([[1, 0, -1]] * 2, "from -1"), ([[2**62, 0, 0]] * 2, "counts of people"),
    ([[0, 0, 0]] * 2, "all responses are missing"),
])
def test_counts_that_are_none_are_refused(tmp_path: Path, counts: object, said: str):
    with pytest.raises(InputError, match=said):
        read_cifar10h(released(tmp_path, counts))


def test_cifar10h_needs_two_paths_and_has_one_test_set_and_one_answer(tmp_path: Path):
    paths = released(tmp_path)
    with pytest.raises(InputError, match="counts.npy given; expected two paths"):
        read_cifar10h(paths[0])
    with pytest.raises(InputError, match="no test set named 'cifar10.1-v6'"):
        read_cifar10h(paths, test_sets=["cifar10.1-v6"])
    with pytest.raises(InputError, match="top_k=2"):
        read_cifar10h(paths, top_k=2)


def test_the_released_counts_have_the_order_of_the_labels(real_data: Path, tmp_path: Path):
    path, release = real_data / "cifar10h" / "data" / "cifar10h-counts.npy", real_data / "cifar10.1"
    if not path.exists():
        pytest.skip("the counts of CIFAR-10H are not on this machine")
    read = read_cifar10h([path, release])
    assert read.right.sum() / read.shown.sum() == pytest.approx(0.952, abs=5e-4)  # another order would give a tenth
    assert int(read.shown.sum()) == 511_000
    evidence = gather(read_cifar10_1(release), "cifar10", "cifar10.1-v6")
    text = found(humans, evidence, saved(tmp_path, read)).text
    assert "Needs responses of people to 'cifar10.1-v6' too" in text
    assert "people are right in 95.23%, models in 93.08%" in text
    assert "correlation of 0.42" in text


# What the experiments write


def test_explanations_read_what_experiments_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    from difficulty_inference.adapters import EstimatorEntry
    from difficulty_inference.experiments.discriminator import discriminate, pixel_features
    from difficulty_inference.experiments.folds import cross_validate
    from difficulty_inference.experiments.hyperparameters import variants
    from difficulty_inference.experiments.new_data import train_on_new
    from difficulty_inference.experiments.result import write_result
    from difficulty_inference.importing import Code
    from difficulty_inference.manifest import NAME, Manifest, array_content, content_id, write_manifest
    from difficulty_inference.test_sets import TestSet

    monkeypatch.setenv("TQDM_DISABLE", "1")
    rng = np.random.default_rng(0)
    sets = {}
    for name, darker in {"training": 0, "original": 0, "new": 40}.items():
        labels = rng.integers(0, 2, 120)
        images = (100 + 40 * labels[:, None, None] - darker + rng.integers(-40, 40, (120, 2, 2))).astype(np.uint8)
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "images.npy", images)
        ids = np.array([content_id(array_content(image)) for image in images])
        manifest = Manifest(ids, np.array([f"images.npy[{row}]" for row in range(120)]), labels)
        write_manifest(manifest, tmp_path / name / NAME)
        sets[name] = TestSet(name, manifest, tmp_path / name)
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
