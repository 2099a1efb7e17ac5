"""People, who lose as much as models or less, and who saw one test set or few images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

from difficulty_model.explanations import Evidence, gather, humans
from difficulty_model.responses import Responses, combine
from explained import SIZES, SKILL, found, none_but_by_chance, points, saved, world
from worlds import World


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
    shown = np.array([[0] + [1] * 40])
    original = np.arange(41) < 21
    responses = Responses.from_arrays(
        shown, models=["net"], images=[f"i{i}" for i in range(41)], shown=shown,
        member={"original": original, "new": ~original},
    )
    person = Responses.from_arrays(np.ones((1, 1)).astype(int), models=["person"], images=["i0"],
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
