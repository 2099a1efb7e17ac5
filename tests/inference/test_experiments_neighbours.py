"""The nearest training images: by brute force, copies at any size of chunk, and images that are in both."""
# ruff: noqa: E402 - what the imports need may not be installed

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from difficulty_inference.experiments import neighbours as neighbours_module
from difficulty_inference.experiments.features import Features, pixel_features
from difficulty_inference.experiments.neighbours import nearest_in_training
from difficulty_inference.manifest import Manifest
from difficulty_inference.test_sets import TestSet
from difficulty_model.errors import InputError
from image_arrays import written


@pytest.fixture(autouse=True)
def _no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "1")


def features(name: str, values: np.ndarray, ids: Sequence[str] | None = None) -> Features:
    """Features of images that lie nowhere."""
    named = np.array([f"{name} {i}" for i in range(len(values))] if ids is None else ids)
    manifest = Manifest(named, named, np.zeros(len(values), np.int64))
    return Features(TestSet(name, manifest, Path()), values, {"features": "made up"})


def drawn(seed: int, name: str, images: int, *, size: int = 5, scale: float = 1) -> Features:
    return features(name, np.random.default_rng([seed, *name.encode()]).normal(0, scale, (images, size)))


@settings(max_examples=50, deadline=None)  # the first search loads libraries
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 60), st.integers(1, 30), st.floats(1e-3, 1e3))
def test_neighbours_are_those_of_all_pairs(seed: int, originals: int, learned: int, size: int, scale: float):
    original, new, training = (
        drawn(seed, name, images, size=size, scale=scale)
        for name, images in {"original": originals, "new": 3, "training": learned}.items()
    )
    rows = nearest_in_training(original, new, training).tables["rows"]
    pairs = cdist(np.concatenate([original.values, new.values]), training.values)
    assert [row["distance"] for row in rows] == pytest.approx(pairs.min(1), rel=1e-12)
    assert [row["nearest"] for row in rows] == [f"training {row}" for row in pairs.argmin(1)]
    assert [row["test_set"] for row in rows] == ["original"] * originals + ["new"] * 3
    assert [row["image"] for row in rows[:originals]] == [f"original {i}" for i in range(originals)]


def test_the_size_of_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    sets = drawn(0, "original", 50), drawn(0, "new", 33), drawn(0, "training", 70)
    whole = nearest_in_training(*sets).as_json()
    for size in (1, 7, 50):
        monkeypatch.setattr(neighbours_module, "AT_ONCE", size)
        assert nearest_in_training(*sets).as_json() == whole


def test_copies_are_found_and_their_distance_is_exact():
    rng = np.random.default_rng(1)
    training = rng.uniform(0, 1, (400, 300)).astype(np.float32) + 1000  # where squares leave 3 digits of a float32
    chosen = rng.permutation(400)[:60]
    original = training[chosen].copy()
    original[:30, 0] += np.float32(2**-10)  # a whole number of the last places of 1000
    rows = nearest_in_training(
        features("original", original), drawn(1, "new", 5, size=300), features("training", training)
    ).tables["rows"]
    assert [row["nearest"] for row in rows[:60]] == [f"training {i}" for i in chosen]
    assert [row["distance"] for row in rows[:60]] == [2**-10] * 30 + [0] * 30


def test_an_image_that_was_learned_from_is_its_own_neighbour_whatever_its_features():
    original, training = drawn(2, "original", 4), drawn(2, "training", 6)
    shared = features("original", original.values, ["a", "training 4", "b", "training 0"])
    rows = nearest_in_training(shared, drawn(2, "new", 2), training).tables["rows"]
    assert [(row["nearest"], row["distance"]) for row in (rows[1], rows[3])] == [("training 4", 0), ("training 0", 0)]
    alone = nearest_in_training(original, drawn(2, "new", 2), training).tables["rows"]
    assert [row["distance"] for row in rows[::2]] == [row["distance"] for row in alone[::2]]


def test_pixels_with_a_little_noise_are_next_to_what_they_are_copies_of(tmp_path: Path):
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (230, 4, 4), np.uint8)
    copies = np.clip(images[:40].astype(int) + rng.integers(-2, 3, (40, 4, 4)), 0, 255).astype(np.uint8)
    sets = [
        written(tmp_path, name, own)
        for name, own in {"original": copies, "new": images[150:], "training": images[:150]}.items()
    ]
    original, new, training = pixel_features(*sets)
    result = nearest_in_training(original, new, training)
    rows = result.tables["rows"]
    pairs = cdist(np.concatenate([original.values, new.values]), training.values)  # in double precision
    assert [row["distance"] for row in rows] == pytest.approx(pairs.min(1), rel=1e-12)
    assert [row["nearest"] for row in rows[:40]] == sets[2].manifest.ids[:40].tolist()
    assert max(row["distance"] for row in rows[:40]) <= 2 / 255 * 4  # 16 pixels, each off by 2 at most
    assert min(row["distance"] for row in rows[40:]) > 2 / 255 * 4
    assert result.settings == {"features": "pixels"}
    assert {record["role"]: record["used"] for record in result.sets} == {"training": 150, "original": 40, "new": 80}


def test_outputs_that_are_no_numbers_are_refused_but_classes_never_seen_are_not():
    sets = [drawn(4, name, 9) for name in ("original", "new", "training")]
    rows = nearest_in_training(*(replace(own, values=own.values[:, [0, 1, 3, 4]]) for own in sets)).tables["rows"]
    for own in sets:
        own.values[:, 2] = -np.inf  # as a classifier scores a class that it has not learned
    assert nearest_in_training(*sets).tables["rows"] == rows
    sets[1].values[3, 0] = np.nan
    with pytest.raises(InputError, match="not all numbers"):
        nearest_in_training(*sets)
