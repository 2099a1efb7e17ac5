"""The best of several variants, on images that it was picked on and on others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from difficulty_model.explanations import Evidence, gather, hyperparameter_tuning
from difficulty_model.responses import Responses, combine
from explained import SIZES, found, points, saved


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
