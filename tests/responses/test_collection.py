"""A collection of responses: strata, accuracies, parts of it, other scores."""


import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from collections_of_responses import build, random_responses
from difficulty_model.errors import InputError
from difficulty_model.responses import NOT_STORED, Responses, clopper_pearson


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32))
def test_strata_partition_the_images_and_weigh_up_to_each_test_set(seed: int):
    responses = random_responses(seed)
    strata = responses.strata()
    assert len(set(strata.names)) == len(strata.names)
    assert set(strata.of_image) == set(range(len(strata.names)))
    for s, name in enumerate(strata.names):
        inside = np.isin(responses.test_sets, name.split(" & "))
        np.testing.assert_array_equal(
            strata.of_image == s, (responses.member == inside[:, None]).all(0), err_msg=name)
    for weights, member in zip(strata.weights, responses.member, strict=True):
        share = np.bincount(strata.of_image[member], minlength=len(strata.names)) / member.sum()
        np.testing.assert_allclose(weights, share, rtol=1e-15)
    sizes = [len(name.split(" & ")) for name in strata.names]
    assert sizes == sorted(sizes)  # single test sets come first


def test_strata_of_disjoint_test_sets_are_the_test_sets():
    first = np.arange(6) < 2
    responses = Responses.from_arrays(
        np.ones((1, 6), int), models=["m"], images=list("uvwxyz"), member={"b": first, "a": ~first})
    strata = responses.strata()
    assert strata.names == ["b", "a"]
    np.testing.assert_array_equal(strata.weights, np.eye(2))


@settings(deadline=None)
@given(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.5, 0.9, 0.95]),
)
def test_intervals_are_clopper_and_pearsons(counts: tuple[int, int], level: float):
    right, shown = counts
    exact = binomtest(right, shown).proportion_ci(level, method="exact")
    low, high = clopper_pearson(np.array(right), np.array(shown), level=level)
    np.testing.assert_allclose([low, high], [exact.low, exact.high], rtol=1e-9, atol=1e-12)


def test_accuracies_count_every_test_set_apart():
    right = np.array([[1, 0, 1, 1], [0, 3, 0, 0]])
    shown = np.array([[1, 1, 1, 1], [0, 4, 0, 0]])
    member = {"front": np.array([1, 1, 0, 0], bool), "back": np.array([0, 1, 1, 1], bool)}
    table = Responses.from_arrays(
        right, shown=shown, models=["x", "y"], images=list("abcd"), member=member
    ).accuracies().set_index(["model", "test_set"])
    assert table.loc[("x", "front"), "accuracy"] == 1 / 2
    assert table.loc[("x", "back"), "accuracy"] == 2 / 3
    assert table.loc[("y", "front"), "accuracy"] == 3 / 4
    assert table.loc[("y", "front"), "shown"] == 4


def test_a_model_never_shown_has_no_accuracy_and_the_interval_of_ignorance():
    responses = Responses.from_arrays(
        np.array([[1], [0]]), shown=np.array([[1], [0]]), models=["x", "y"], images=["a"],
        member={"t": np.array([True])})
    row = responses.accuracies().set_index("model").loc["y"]
    assert np.isnan(row["accuracy"])
    assert (row["low"], row["high"]) == (0, 1)


@pytest.mark.parametrize("seed", range(3))
def test_scoring_by_k_counts_the_first_k_positions(seed: int):
    responses = random_responses(seed, with_position=True)
    position = responses.dataset["position"].values
    for k in (1, 2, 5):
        scored = responses.scored(k)
        np.testing.assert_array_equal(scored.right, (position >= 0) & (position < k))
        assert scored.dataset.attrs["top_k"] == k
    assert responses.scored(5).scored(1).dataset.identical(responses.dataset)
    with pytest.raises(InputError, match="top_k"):
        responses.scored(0)


@pytest.mark.parametrize("seed", range(3))
def test_reordering_columns_is_reading_a_reordered_file(seed: int):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, 40)
    stored = np.array([rng.permutation(6)[:5] for _ in range(40)])  # five of six classes

    def read(classes: np.ndarray, predicted: np.ndarray) -> Responses:
        hit = classes == labels[:, None]
        position = np.where(hit.any(1), hit.argmax(1), NOT_STORED)[None]
        return Responses.from_arrays(position == 0, models=["m"], images=[f"i{i}" for i in range(40)],
                                     member={"t": np.ones(40, bool)}, position=position, predicted=predicted[None])

    some = rng.random(40) < 0.6
    for order, first in [(np.append(rng.permutation(4) + 1, 0), NOT_STORED), (np.array([0, 3, 1, 4, 2]), stored[:, 0])]:
        expected = read(np.where(some[:, None], stored[:, order], stored), np.where(some, first, stored[:, 0]))
        found = read(stored, stored[:, 0]).reordered("m", some, order.tolist())
        assert found.dataset.identical(expected.dataset)


@pytest.mark.parametrize("order", [[0, 0, 1, 2, 3], [0, 1, 2, 3, 5], [1, 2, 3, 4], [1, 0], []])
def test_reordering_needs_every_stored_column_once(order: list[int]):
    responses = build(right=np.array([[0, 1]]), position=np.array([[4, 0]]))
    with pytest.raises(InputError, match="each of the columns 0 to 4 of model 'm' once"):
        responses.reordered("m", np.ones(2, bool), order)
    with pytest.raises(InputError, match="no model named 'n'"):
        responses.reordered("n", np.ones(2, bool), [0, 1, 2, 3, 4])


def test_without_positions_nothing_can_be_scored_or_reordered():
    responses = random_responses(0)
    with pytest.raises(InputError, match="no positions"):
        responses.scored(5)
    with pytest.raises(InputError, match="no positions"):
        responses.reordered("m0", np.ones(len(responses.images), bool), [1, 0])


def test_selecting_orders_test_sets_and_names_what_does_not_exist():
    responses = random_responses(1)
    selected = responses.select(test_sets=["c", "a"])
    assert selected.test_sets == ["c", "a"]
    assert selected.member.any(0).all()
    assert responses.select(exclude=["m0"], models=["m0", "m1"]).models == ["m1"]
    with pytest.raises(InputError, match="no model named 'm9'"):
        responses.select(exclude=["m9"])
    with pytest.raises(InputError, match="no model remains"):
        responses.select(exclude=responses.models)


def test_history_grows_by_what_is_noted():
    responses = random_responses(0).noting("first", "second")
    assert responses.history == ["made up", "first", "second"]
