import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difficulty_model.likelihood import collapse


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), largest=st.sampled_from([1, 3, 300]), complete=st.booleans())
def test_patterns_hold_every_image_once(seed: int, largest: int, complete: bool):
    rng = np.random.default_rng(seed)
    models, images = int(rng.integers(1, 12)), int(rng.integers(1, 60))
    dtype = np.min_scalar_type(largest)
    shown = np.ones((models, images), dtype) if complete else rng.integers(0, largest + 1, (models, images), dtype)
    right = rng.integers(0, shown + 1, dtype=dtype)
    stratum = rng.integers(0, 3, images)
    patterns = collapse(right, shown, stratum)
    assert patterns.complete == (shown == 1).all()
    expected = right if patterns.complete else np.concatenate([right, shown - right])
    of_image = np.asarray(patterns.of_image)
    rows = np.asarray(patterns.chunks.responses).reshape(-1, len(expected))
    np.testing.assert_array_equal(rows[of_image], expected.T)
    length = patterns.chunks.responses.shape[1]
    np.testing.assert_array_equal(np.asarray(patterns.chunks.stratum)[of_image // length], stratum)
    counts = np.asarray(patterns.chunks.count).ravel()
    np.testing.assert_array_equal(counts, np.bincount(of_image, minlength=len(counts)))
    distinct = {(*column, k) for column, k in zip(expected.T.tolist(), stratum.tolist(), strict=True)}
    assert (counts > 0).sum() == len(distinct)


def test_half_of_typical_images_collapse(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("difficulty_model.likelihood.patterns.CHUNK", 4)
    right = np.array([[1, 0, 1, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 1, 0, 1]])
    patterns = collapse(right, np.ones_like(right), np.zeros(8, int))
    assert sorted(np.asarray(patterns.chunks.count).ravel()) == [1, 1, 2, 4]
    assert [leaf.shape[0] for leaf in jax.tree.leaves(patterns.chunks)] == [1] * 6
