"""Joining collections: what they share, and where they differ."""


import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_of_responses import assert_same, build, classes_of, random_responses
from difficulty_model.errors import InputError
from difficulty_model.responses import NOT_STORED, Responses, combine


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_selections_combine_to_the_whole(seed: int, with_position: bool, with_classes: bool):
    whole = random_responses(seed, with_position=with_position, with_classes=with_classes)
    assert_same(whole, combine(*(whole.select(test_sets=[name]) for name in whole.test_sets)))
    seen = [name for name, shown in zip(whole.models, whole.shown, strict=True) if shown.any()]
    assert_same(whole, combine(*(whole.select(models=[name]) for name in seen), whole, whole))


@pytest.mark.parametrize("seed", range(3))
def test_conflicting_responses_count_as_not_observed(seed: int):
    rng = np.random.default_rng(seed)
    answers = rng.integers(0, 2, (2, 3, 20))
    images, everywhere = [f"i{i}" for i in range(20)], np.ones(20, bool)
    both = combine(*(
        Responses.from_arrays(right, models=list("xyz"), images=images, member={name: everywhere})
        for name, right in zip("ab", answers, strict=True)
    ))
    agree = answers[0] == answers[1]
    np.testing.assert_array_equal(both.shown, agree)
    np.testing.assert_array_equal(both.right, agree & (answers[0] == 1))
    told = {line.split("model ")[1].split(" ")[0]: int(line.split(" ")[0]) for line in both.history}
    assert told == {repr(m): n for m, n in zip("xyz", (~agree).sum(1), strict=True) if n}


def test_combining_fills_what_either_has_not_observed():
    one, other = (
        Responses.from_arrays(np.array([right]), shown=np.array([shown]), models=["m"], images=["a", "b"],
                              member={"t": np.ones(2, bool)})
        for right, shown in [([1, 0], [1, 0]), ([0, 1], [0, 1])]
    )
    both = combine(one, other)
    np.testing.assert_array_equal(both.shown, [[1, 1]])
    np.testing.assert_array_equal(both.right, [[1, 1]])


def test_another_position_is_another_answer_even_among_the_first_k():
    one, other = (
        build(right=np.array([[1, 1]]), position=np.array([positions]), top_k=5)
        for positions in ([0, 2], [0, 3])
    )
    both = combine(one, other)
    np.testing.assert_array_equal(both.shown, [[1, 0]])
    np.testing.assert_array_equal(both.dataset["position"], [[0, NOT_STORED]])


def answers(*predicted: int, images: str = "abc", models: str = "m", right_class: int = 0) -> Responses:
    """Return responses of one model or more to images of one right class, from the classes predicted."""
    classes = np.array(predicted).reshape(len(models), len(images))
    return build(
        right=classes == right_class, predicted=classes, shown=classes != NOT_STORED, models=list(models),
        images=list(images), member={"t": np.ones(len(images), bool)},
    )


def test_a_class_is_not_known_where_collections_differ_in_it():
    # Both wrong, of other classes: still a wrong answer. One right, one wrong: not observed.
    both = combine(answers(1, 0, 3), answers(2, 4, 3))
    assert classes_of(both) == [[NOT_STORED, NOT_STORED, 3]]
    assert both.shown.tolist() == [[1, 0, 1]]
    assert both.right.tolist() == [[0, 0, 0]]
    # Nor where nothing is known of the class in one of them.
    unknown = build(right=np.array([[1, 0]]), predicted=np.full((1, 2), NOT_STORED))
    assert classes_of(combine(answers(1, 2, images="ab"), unknown)) == [[NOT_STORED, 2]]
    # Whatever the third says.
    assert classes_of(combine(answers(1, 0, 3), answers(2, 0, 3), answers(1, 0, 3))) == [[NOT_STORED, 0, 3]]


def test_a_class_is_known_from_either_collection():
    both = combine(answers(1, NOT_STORED, 0), answers(NOT_STORED, 2, 0), answers(5, images="d", models="n"))
    assert classes_of(both) == [[1, 2, 0, NOT_STORED], [NOT_STORED] * 3 + [5]]


def test_classes_of_another_numbering_are_not_kept():
    one, other = answers(0, 1, 0), answers(7, 7, 2, models="n", right_class=7)
    both = combine(one, other)
    assert "predicted" not in both.dataset
    assert any("image 'a' has number 0 in one collection and 7 in another" in line for line in both.history)
    assert both.right.tolist() == [[1, 0, 1], [1, 1, 0]]
    # No image is in both: models are never compared across the two numberings.
    apart = combine(one, answers(7, 7, 2, images="def", models="n", right_class=7))
    assert classes_of(apart) == [[0, 1, 0] + [NOT_STORED] * 3, [NOT_STORED] * 3 + [7, 7, 2]]


def test_classes_are_kept_if_all_collections_keep_them():
    one, without = answers(0, 1, 0), build(images=["d", "e"])
    both = combine(one, without)
    assert "predicted" not in both.dataset
    assert "1 of 2 collections keep no predicted classes" in both.history[-1]
    assert combine(without, without).history == []


def test_combining_refuses_what_cannot_be_one_collection():
    def one(label: str, top_k: int) -> Responses:
        return Responses.from_arrays(
            np.ones((1, 1), int), models=["m"], images=["a"], member={"t": np.array([True])},
            position=np.zeros((1, 1), int), top_k=top_k, labels=[label])

    with pytest.raises(InputError, match="label 'cat' in one collection and 'dog'"):
        combine(one("cat", 1), one("dog", 1))
    with pytest.raises(InputError, match="top_k"):
        combine(one("cat", 1), one("cat", 5))
    with pytest.raises(InputError, match="nothing to combine"):
        combine()
