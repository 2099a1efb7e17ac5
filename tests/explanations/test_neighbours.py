"""Near-duplicates by distance: found where there are some, else as many as by chance; and wrong files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from difficulty_model.errors import InputError
from difficulty_model.explanations import Evidence, gather, near_duplicates
from difficulty_model.readers import read_experiment
from difficulty_model.responses import Responses
from explained import (
    SIZES,
    changed,
    experiment,
    found,
    neighbours,
    none_but_by_chance,
    stored,
    wherever_it_is_wrong,
    world,
)


def of_images(seed: int, originals: int, news: int, *, shared: int = 0) -> Evidence:
    """Two models and images that are all alike, some of them in both test sets."""
    images = originals + news - shared
    place = np.arange(images)
    return gather(Responses.from_arrays(
        np.random.default_rng(seed).integers(0, 2, (2, images)), models=["a", "b"],
        images=[f"i{i}" for i in range(images)],
        member={"original": place < originals, "new": place >= originals - shared},
    ), "original", "new")


def chance(share: float, *images: int) -> float:
    """Four standard errors of a share of images that are below a quantile of others."""
    return 4 * (share * (1 - share) * sum(1 / of for of in images)) ** 0.5


def known_by_heart(seed: int) -> tuple[Evidence, set[str], np.ndarray]:
    """No shift; three in ten original images are training images with a little noise, and known by heart."""
    rng = np.random.default_rng(seed)
    plain = world(seed, mean=0.0).responses
    training = rng.normal(size=(2000, 8))
    features = rng.normal(size=(len(plain.images), 8))
    copies = rng.permutation(SIZES["original"])[: SIZES["original"] * 3 // 10]
    features[copies] = training[rng.integers(0, 2000, len(copies))] + rng.normal(0, 0.01, (len(copies), 8))
    right = plain.right.copy()
    right[:, copies] = 1
    known = Responses(plain.dataset.assign(right=(plain.dataset["right"].dims, right)))
    names = set(np.array(plain.images)[copies].tolist())
    return gather(known, "original", "new"), names, cdist(features, training).min(1)


def test_copies_with_a_little_noise_are_found_and_have_the_share_that_they_have(tmp_path: Path):
    evidence, copies, distance = known_by_heart(0)
    examination = found(near_duplicates, evidence, stored(tmp_path, neighbours(evidence, distance)))
    table = examination.table
    assert copies <= set(table["image"])
    others = SIZES["original"] - len(copies)
    assert (len(table) - len(copies)) / others == pytest.approx(0.01, abs=chance(0.01, others, SIZES["new"]))
    # Nearest first, with what somebody needs to look at each.
    assert set(table["image"][: len(copies)]) == copies
    assert table["distance"].is_monotonic_increasing
    assert table["nearest"].tolist() == [f"like {image}" for image in table["image"]]
    assert f"{len(table) / SIZES['original']:.1%} of the images of 'original' are nearer" in examination.text
    assert examination.effect is not None
    share = examination.effect.share()
    assert share.low < 1 < share.high
    # Nobody has looked at them yet.
    assert examination.verdict == "not testable"
    assert "look at the pairs" in examination.text


def test_the_pairs_that_are_real_are_then_given_as_a_list(tmp_path: Path):
    evidence, copies, distance = known_by_heart(1)
    table = found(near_duplicates, evidence, stored(tmp_path, neighbours(evidence, distance))).table
    (tmp_path / "names.txt").write_text("\n".join(table.loc[table["distance"] < 0.1, "image"]))
    examination = found(near_duplicates, evidence, tmp_path / "names.txt")
    assert examination.verdict == "explains it"
    assert "30.0% of the images of 'original' have near-duplicates, by the list" in examination.text


def test_where_there_are_none_as_many_are_found_as_by_chance(shifted: Evidence, tmp_path: Path):
    rng = np.random.default_rng(2)
    features, training = rng.normal(size=(sum(SIZES.values()), 8)), rng.normal(size=(2000, 8))
    distance = cdist(features, training).min(1)
    examination = found(near_duplicates, shifted, stored(tmp_path, neighbours(shifted, distance)))
    assert examination.verdict == "cannot"
    assert none_but_by_chance(examination)
    assert len(examination.table) / SIZES["original"] == pytest.approx(0.01, abs=chance(0.01, *SIZES.values()))


def test_of_few_new_images_too_one_in_a_hundred_is_found_by_chance(tmp_path: Path):
    evidence, rng, worlds = of_images(0, 200, 149), np.random.default_rng(3), 100
    shares = [
        len(found(near_duplicates, evidence, stored(tmp_path, neighbours(evidence, rng.random(349)))).table) / 200
        for _ in range(worlds)
    ]
    assert np.mean(shares) == pytest.approx(0.01, abs=chance(0.01, 200, 149) / worlds**0.5)


def test_fewer_than_99_new_images_do_not_show_one_in_a_hundred(tmp_path: Path):
    for news, needed in [(98, True), (99, False)]:
        evidence = of_images(1, 20, news)
        examination = found(near_duplicates, evidence, stored(tmp_path, neighbours(evidence, np.ones(20 + news))))
        assert examination.text.startswith("Needs at least 99 new images") == needed
        assert ("there are 98" in examination.text) == needed
        assert needed or examination.text.startswith("0.0% of the images")  # all are equally near


def test_new_images_that_are_original_ones_too_are_no_control(tmp_path: Path):
    evidence = of_images(2, 300, 300, shared=100)
    distance = np.random.default_rng(4).uniform(1, 2, 500)
    distance[200:300] = 0  # those of both
    table = found(near_duplicates, evidence, stored(tmp_path, neighbours(evidence, distance))).table
    assert {f"i{i}" for i in range(200, 300)} <= set(table["image"])
    of_few = of_images(2, 300, 198, shared=100)
    untested = found(near_duplicates, of_few, stored(tmp_path, neighbours(of_few, distance[:398])))
    assert "there are 98" in untested.text


def test_images_that_no_model_was_run_on_count_for_nothing(tmp_path: Path):
    evidence = of_images(3, 100, 200)
    content = neighbours(evidence, np.random.default_rng(5).uniform(1, 2, 300))
    plain = found(near_duplicates, evidence, stored(tmp_path, content))
    further = [{"test_set": name, "image": f"{name} {i}", "nearest": "t", "distance": 0}
               for name in ("original", "new", "training") for i in range(50)]
    more = found(near_duplicates, evidence, stored(tmp_path, {**content, "rows": content["rows"] + further}))
    assert (more.text, more.table.to_dict("list")) == (plain.text, plain.table.to_dict("list"))


def test_all_original_images_next_to_training_ones_leave_nothing(tmp_path: Path):
    evidence = of_images(4, 50, 100)
    distance = np.where(evidence.in_original, 0.0, 1.0)
    assert "Needs responses of every model" in found(
        near_duplicates, evidence, stored(tmp_path, neighbours(evidence, distance))
    ).text


def good() -> tuple[Evidence, dict[str, Any]]:
    evidence = of_images(5, 40, 120)
    return evidence, neighbours(evidence, np.linspace(2, 1, 160))


def test_neighbours_are_read_as_they_are(tmp_path: Path):
    content = good()[1]
    read = read_experiment(stored(tmp_path, content), "neighbours")
    assert read.rows.to_dict("records") == content["rows"]
    assert read.estimates.empty
    with pytest.raises(InputError, match="no estimate of 'accuracy'"):
        read.mean("accuracy")


def test_whatever_is_wrong_in_a_file_of_neighbours_is_said(tmp_path: Path):
    evidence, content = good()
    # All rows are alike.
    wrong = wherever_it_is_wrong(near_duplicates, evidence, content, tmp_path, rows=(0, 40, 159))
    assert wrong > 200


WRONG: Mapping[str, tuple[Any, ...]] = {
    "another experiment": (lambda c: c | {"experiment": "folds"}, "has the experiment 'folds'; expected 'neighbours'"),
    "no rows": (lambda c: c | {"rows": []}, "`rows` of "),
    "other test sets": (
        lambda c: c | {"sets": experiment("neighbours", original="old")["sets"]},
        "is on the original test set 'old'; expected 'original': run `difficulty-inference experiment neighbours`",
    ),
    "an original image missing": (
        lambda c: c | {"rows": c["rows"][1:]}, "lacks 1 of 40 images of 'original', such as 'i0'; expected all"
    ),
    "new images missing": (lambda c: c | {"rows": c["rows"][:-5]}, "lacks 5 of 120 images of 'new', such as 'i155'"),
    "a negative distance": (
        lambda c: changed(c, ("rows", 1, "distance"), -0.1), "record 2 of `rows` of ", "a distance that is not negative"
    ),
    "no number": (
        lambda c: changed(c, ("rows", 2, "distance"), float("nan")),
        "`distance` in record 3 of `rows` of ", "is nan; expected a number",
    ),
    "twice": (
        lambda c: c | {"rows": [*c["rows"], c["rows"][0] | {"distance": 0.5}]},
        "record 161 of `rows` of ", "every image once",
    ),
    "a list of names in JSON": (lambda c: ["i0", "i1"], "is not the result of an experiment"),
}


@pytest.mark.parametrize("name", WRONG)
def test_messages_say_what_is_wrong_with_neighbours(tmp_path: Path, name: str):
    evidence, content = good()
    change, *said = WRONG[name]
    examination = found(near_duplicates, evidence, stored(tmp_path, change(content)))
    assert examination.text.startswith("Wrong file: ")
    for words in said:
        assert words in examination.text


def test_near_duplicates_are_found_in_what_the_experiment_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    from difficulty_inference.experiments.features import pixel_features
    from difficulty_inference.experiments.neighbours import nearest_in_training
    from difficulty_inference.experiments.result import write_result
    from image_arrays import written

    monkeypatch.setenv("TQDM_DISABLE", "1")
    rng = np.random.default_rng(6)
    pixels = {name: rng.integers(3, 253, (200, 3, 3)) for name in ("training", "original", "new")}
    pixels["original"][:20] = pixels["training"][:20] + rng.integers(-2, 3, (20, 3, 3))
    sets = {name: written(tmp_path, name, images.astype(np.uint8)) for name, images in pixels.items()}
    features = pixel_features(sets["original"], sets["new"], sets["training"])
    write_result(nearest_in_training(*features), tmp_path / "neighbours.json")
    names = [*sets["original"].manifest.ids.tolist(), *sets["new"].manifest.ids.tolist()]
    place = np.arange(400)
    responses = Responses.from_arrays(
        rng.integers(0, 2, (3, 400)), models=["a", "b", "c"], images=names,
        member={"original": place < 200, "new": place >= 200},
    )
    table = found(near_duplicates, gather(responses, "original", "new"), tmp_path / "neighbours.json").table
    assert set(table["image"][:20]) == set(names[:20])
    assert dict(zip(table["image"], table["nearest"], strict=True)).items() >= dict(
        zip(names[:20], sets["training"].manifest.ids[:20].tolist(), strict=True)
    ).items()
