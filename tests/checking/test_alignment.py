"""Rows and class ids in another order are found and told apart; honest models are left alone."""

import numpy as np
import pytest

from difficulty_model.checking import check_responses

SEEDS = range(6)
ORDERS = {"column-order", "row-order", "class-order", "out-of-step"}


def faults(responses):
    return [f for f in check_responses(responses) if f.severity == "fault"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("model", [5, 14])
def test_rows_in_another_order(simulate, seed, model):
    shuffle = np.random.default_rng(seed).permutation
    broken = simulate(seed, images=(2000, 2000)).changed(model, "set1", lambda p: p[shuffle(len(p))])
    (found,) = faults(broken.responses())
    assert (found.kind, found.model, found.test_set) == ("row-order", f"m{model}", "set1")
    (found,) = faults(broken.responses(labelled=False))  # nothing can tell rows from classes then
    assert (found.kind, found.model, found.test_set) == ("out-of-step", f"m{model}", "set1")


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_in_another_order_in_the_only_test_set(simulate, seed):
    shuffle = np.random.default_rng(seed).permutation
    predictions = simulate(seed, images=(2500,), classes=25)
    (found,) = faults(predictions.changed(13, "set0", lambda p: p[shuffle(len(p))]).responses())
    assert (found.kind, found.model, found.test_set) == ("row-order", "m13", "set0")


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_in_another_order_within_classes(simulate, seed):
    """The accuracy stays as it is, and so does all that goes by class."""
    predictions = simulate(seed, images=(2000, 2000))
    labels = predictions.labels[predictions.member["set1"]]
    rows, rng = np.arange(2000), np.random.default_rng(seed)
    for c in range(10):
        rows[labels == c] = rng.permutation(rows[labels == c])
    broken = predictions.changed(8, "set1", lambda p: p[rows]).responses()
    assert broken.right[8].sum() == predictions.responses().right[8].sum()
    (found,) = faults(broken)
    assert (found.kind, found.model, found.test_set) == ("row-order", "m8", "set1")


@pytest.mark.parametrize("seed", SEEDS)
def test_classes_in_another_order(simulate, seed):
    """As often happens when class folders are sorted as text; some ids stay in their place."""
    predictions = simulate(seed, images=(2000, 2000), classes=20)
    as_text = np.array(sorted(range(20), key=str))  # 0, 1, 10, 11, ...: the first two stay
    for ids in [as_text, np.roll(np.arange(20), 7)]:
        broken = predictions.changed(11, "set1", lambda p, ids=ids: ids[p])
        for responses in [broken.responses(), broken.responses(positions=False)]:
            (found,) = faults(responses)
            assert (found.kind, found.model, found.test_set) == ("class-order", "m11", "set1")


@pytest.mark.parametrize("shape", [
    {"models": 10, "images": (200,)},
    {"models": 10, "images": (200, 150), "missing": 0.3},
    {"models": 20, "images": (500, 400, 300), "overlap": 150},
    {"models": 20, "images": (600, 600), "skills": (-5.0, 2.0)},  # the weakest are right once in 500 images
    {"models": 12, "images": (300, 300), "skills": (2.0, 6.0)},  # the best are hardly ever wrong
    {"models": 40, "images": (3000,), "missing": 0.1, "columns": 3},
    {"models": 6, "images": (100, 60)},
])
def test_no_false_alarm_in_forty_sound_worlds(simulate, shape):
    alarms = [f for seed in range(40) for f in faults(simulate(1000 + seed, **shape).responses())]
    assert alarms == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fallen_model_that_stays_in_step_is_a_caution(simulate, seed):
    """A model of which the skill drops by 1.5 in one test set is weak there, not out of order."""
    strong = simulate(seed, models=15, images=(3000, 3000), skills=(0.0, 3.0))
    weaker = simulate(seed, models=15, images=(3000, 3000), skills=(-2.5, 0.5))  # the same images
    np.testing.assert_array_equal(strong.labels, weaker.labels)
    broken = strong.changed(6, "set1", lambda p: weaker.classes[6, weaker.member["set1"]]).responses()
    about = [f for f in check_responses(broken) if f.model == "m6"]
    assert [(f.kind, f.test_set) for f in about] == [("fallen", "set1")]


def test_nothing_is_said_where_too_few_models_could_tell(simulate):
    broken = simulate(0, models=4).changed(2, "set1", lambda p: p[::-1]).responses(positions=False)
    assert ORDERS.isdisjoint(f.kind for f in check_responses(broken))
