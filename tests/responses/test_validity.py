"""What is no collection of responses, and the types that responses are kept in."""


import numpy as np
import pytest

from collections_of_responses import build, classes_of
from difficulty_model.errors import InputError


@pytest.mark.parametrize(("changes", "message"), [
    ({"right": np.array([[0.5, 1.0]])}, "whole numbers"),
    ({"right": np.array([[1, -1]])}, "must not be negative"),
    ({"right": np.array([[2, 0]])}, "is right 2 times on image 'a', which it was shown 1"),
    ({"right": np.array([[1, 0, 1]])}, "shapes do not go together"),
    ({"right": np.zeros((0, 2), int), "models": []}, "at least one model"),
    ({"images": ["a", "a"]}, "'a' stands 2 times"),
    ({"images": ["a", ""]}, "must not be empty"),
    ({"shown": np.zeros((1, 2), int), "right": np.zeros((1, 2), int)}, "all responses are missing"),
    ({"member": {"t": np.array([True, False])}}, "image 'b' belongs to no test set"),
    ({"member": {"t": np.ones(2, bool), "u": np.zeros(2, bool)}}, "test set 'u' has no images"),
    ({"top_k": 0}, "top_k"),
    ({"position": np.array([[1, 0]])}, "does not go with"),
    ({"position": np.array([[0, 256]])}, "ranks from 0 to 127"),
    ({"position": np.array([[0, -2]])}, "ranks from 0"),
    ({"position": np.array([[0.0, 1.0]])}, "`position` must be whole numbers; got float64"),
    ({"position": np.array([[0, 4]]), "shown": np.array([[1, 0]])}, "-1 where nothing was shown"),
    ({"position": np.array([[0, 1]]), "shown": np.array([[2, 1]])}, "single showings only; got 2"),
    ({"position": np.array([0, 1])}, "shapes do not go together|`position` with dims"),
    ({"predicted": np.array([[0.0, 1.0]])}, "`predicted` must be whole numbers, of classes; got float64"),
    ({"predicted": np.array([["cat", "dog"]])}, "`predicted` must be whole numbers, of classes; got <U3"),
    ({"predicted": np.array([[0, -2]])}, "classes from 0 to 2147483647, or -1; got -2 to 0"),
    ({"predicted": np.array([[0, 2**40]])}, "classes from 0 to 2147483647, or -1; got 0 to 1099511627776"),
    ({"predicted": np.array([[0, 4]]), "shown": np.array([[1, 0]])}, "`predicted` must be -1 where nothing was shown"),
    ({"predicted": np.array([[0, 1]]), "shown": np.array([[2, 1]])}, "`predicted` goes with single showings only"),
    ({"predicted": np.array([0, 1])}, "shapes do not go together|`predicted` with dims"),
    ({"models": ["m", "n"], "right": np.eye(2, dtype=int)[[0, 0]], "position": np.array([[0, 1], [0, 1]]),
      "predicted": np.array([[3, 1], [4, 1]])}, "all models of position 0 on image 'a' must predict one class"),
    ({"models": ["m", "n"], "right": np.eye(2, dtype=int), "position": np.array([[0, 1], [-1, 0]]),
      "predicted": np.array([[3, 1], [3, 2]])}, "on image 'a' must predict one class, and no other model that class"),
    ({"member": {"t": np.ones(2, bool), "u": np.ones(3, bool)}}, r"\(2,\) for 't', \(3,\) for 'u'"),
    ({"member": {"t": np.ones(3, bool)}}, "shapes do not go together"),
    ({"member": {}}, "names no test set"),
])
def test_what_is_no_collection_of_responses_is_refused(changes: dict[str, object], message: str):
    assert build().models == ["m"]
    with pytest.raises(InputError, match=message):
        build(**changes)


def test_classes_beyond_two_bytes_are_kept():
    assert classes_of(build(predicted=np.array([[70_000, 0]]))) == [[70_000, 0]]
    assert classes_of(build(predicted=np.array([[65_535, 0]], np.uint16))) == [[65_535, 0]]


def test_without_positions_several_classes_may_be_right():
    lenient = build(models=["m", "n"], right=np.ones((2, 2), int), predicted=np.array([[3, 1], [4, 1]]))
    assert classes_of(lenient) == [[3, 1], [4, 1]]


def test_counts_beyond_a_byte_are_kept():
    responses = build(right=np.array([[70_000, 0]]), shown=np.array([[70_001, 300]]))
    assert responses.right[0, 0] == 70_000
    assert responses.shown[0].tolist() == [70_001, 300]
