"""The examples that come with the package."""

import csv

import numpy as np
import pytest

from difficulty_model.errors import InputError
from difficulty_model.examples import EXAMPLES, example_path, load_example
from difficulty_model.responses import Responses


@pytest.fixture(scope="module")
def digits() -> Responses:
    return load_example("digits")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_is_its_file(name: str) -> None:
    responses = load_example(name)
    with example_path(name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert responses.images == [row["image"] for row in rows]
    for j, model in enumerate(responses.models):
        assert responses.right[j].tolist() == [int(row[model]) for row in rows]
    assert (responses.shown == 1).all()


def test_digits_have_many_models_and_two_large_test_sets(digits: Responses) -> None:
    assert len(digits.models) >= 60
    assert digits.test_sets == ["original", "new-writers"]  # the first is the reference
    original, new = digits.member.sum(1)
    assert original >= 400
    assert new >= 700
    assert not digits.member.all(0).any()


def test_digits_by_new_writers_are_harder_for_most_models(digits: Responses) -> None:
    original, new = (digits.right[:, member].mean(1) for member in digits.member)
    assert original.mean() > new.mean()
    assert np.mean(original > new) > 0.8


def test_accuracies_spread_widely(digits: Responses) -> None:
    accuracy = digits.right.mean(1)
    assert accuracy.min() < 0.5
    assert accuracy.max() > 0.95
    assert np.diff(np.sort(accuracy)).max() < 0.1  # no gap between weak and strong models


def test_no_two_models_are_twins(digits: Responses) -> None:
    right = digits.right.astype(bool)
    agreement = (right[:, None] == right[None]).mean(2)
    np.fill_diagonal(agreement, 0)
    strong = right.mean(1) > 0.99
    assert not ((agreement >= 0.995) & ~(strong[:, None] & strong[None])).any()


def test_an_unknown_example_is_answered_with_the_known_ones() -> None:
    for ask in (load_example, example_path):
        with pytest.raises(InputError, match="no example named 'digit'; nearest: 'digits'"):
            ask("digit")
