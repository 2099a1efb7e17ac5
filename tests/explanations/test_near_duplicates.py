"""Near-duplicates: where they make the gap, where not, and wrong lists."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from difficulty_model.explanations import Evidence, gather, near_duplicates
from difficulty_model.responses import Responses
from explained import SIZES, found, none_but_by_chance, world


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


@pytest.mark.parametrize(("rest", "enough"), [(19, False), (20, True)])
def test_what_is_left_without_near_duplicates_has_to_be_enough(
    shifted: Evidence, tmp_path: Path, rest: int, enough: bool
):
    names = shifted.responses.images[rest : SIZES["original"]]
    text = found(near_duplicates, shifted, listed(tmp_path, names)).text
    needs = "Needs responses of every model to at least 20 original images without near-duplicates"
    assert text.startswith(needs) != enough


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
