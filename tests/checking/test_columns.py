"""A wrong order of stored columns is found, in the right place, and mended exactly."""

from dataclasses import replace

import numpy as np
import pytest

from difficulty_model.checking import check_responses, fix_responses
from difficulty_model.errors import InputError
from difficulty_model.responses import combine
from difficulty_model.types import IMAGE

SEEDS = range(6)


def faults(responses):
    return [f for f in check_responses(responses) if f.severity == "fault"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("model", [0, 7, 14])
def test_reversed_columns_are_found_and_mended(simulate, seed, model):
    predictions = simulate(seed)
    sound = predictions.responses()
    broken = predictions.changed(model, "set1", lambda p: p[:, ::-1]).responses()
    (found,) = faults(broken)
    assert (found.kind, found.model, found.test_set) == ("column-order", f"m{model}", "set1")
    assert found.order == (4, 3, 2, 1, 0)
    fixed = fix_responses(broken, [found])
    np.testing.assert_array_equal(fixed.dataset["position"], sound.dataset["position"])
    np.testing.assert_array_equal(fixed.right, sound.right)
    assert len(fixed.history) == 1
    assert f"m{model}" in fixed.history[0]
    assert faults(fixed) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_any_other_order_is_found_where_the_columns_can_tell(simulate, seed):
    # 3,000 images: neighbouring columns of this model then differ by more than 5 standard errors.
    predictions = simulate(seed, images=(3000,), columns=4)
    stored = np.random.default_rng(seed).permutation(4)
    while (stored == np.arange(4)).all():
        stored = np.random.default_rng(seed + 1000).permutation(4)
    broken = predictions.changed(12, "set0", lambda p: p[:, stored]).responses()
    (found,) = faults(broken)
    assert found.order == tuple(np.argsort(stored).tolist())
    fixed = fix_responses(broken, [found])
    np.testing.assert_array_equal(fixed.right, predictions.responses().right)


@pytest.mark.parametrize("seed", SEEDS)
def test_images_in_two_test_sets_are_put_in_order_once(simulate, seed):
    predictions = simulate(seed, images=(1000, 1000, 1000), overlap=400)
    in_either = predictions.member["set1"] | predictions.member["set2"]
    classes = predictions.classes.copy()
    classes[9, in_either] = classes[9, in_either][:, ::-1]
    broken = replace(predictions, classes=classes).responses()
    found = faults(broken)
    assert {(f.kind, f.model) for f in found} == {("column-order", "m9")}
    assert {"set1", "set2"} <= {f.test_set for f in found}
    # set0 shares 400 images with set1: whether the mixture there is told depends on the share.
    found = [f for f in found if f.test_set != "set0"]
    fixed = fix_responses(broken, found)
    np.testing.assert_array_equal(fixed.right, predictions.responses().right)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_of_two_overlapping_files_reversed(simulate, seed):
    """What `combine` leaves of shared images is the same in both orders: mending it does no harm."""
    predictions = simulate(seed, images=(1500, 1500), overlap=500)
    whole = predictions.responses()
    broken = predictions.changed(5, "set1", lambda p: p[:, ::-1]).responses()
    combined = combine(whole.select(test_sets=["set0"]), broken.select(test_sets=["set1"]))
    found = faults(combined)
    assert {(f.kind, f.model, f.test_set) for f in found} == {("column-order", "m5", "set1")}
    fixed = fix_responses(combined, found)
    assert fixed.images == whole.images
    seen = fixed.shown > 0
    np.testing.assert_array_equal(fixed.right[seen], whole.right[seen])
    assert 0 < (~seen).sum() <= 500


@pytest.mark.parametrize("seed", SEEDS)
def test_columns_are_judged_whatever_k_counts_as_right(simulate, seed):
    broken = simulate(seed).changed(6, "set0", lambda p: p[:, ::-1]).responses(top_k=5)
    orders = {(f.model, f.test_set, f.order) for f in check_responses(broken) if f.kind == "column-order"}
    assert orders == {("m6", "set0", (4, 3, 2, 1, 0))}


@pytest.mark.parametrize("seed", SEEDS)
def test_class_ids_off_by_one_are_not_mistaken_for_columns(simulate, seed):
    """Second guesses that are right by a wrong id rise with rank, but bring no model into step."""
    predictions = simulate(seed, images=(2000, 2000))

    def confuse(p):  # the second guess is the neighbour of the first, then all ids move by one
        moved = p.copy()
        moved[:, 1] = np.where(np.arange(len(p)) % 3 == 0, (p[:, 0] - 1) % 10, p[:, 1])
        return (moved + 1) % 10

    found = faults(predictions.changed(10, "set1", confuse).responses())
    assert {(f.model, f.test_set) for f in found} == {("m10", "set1")}
    assert all(f.order is None for f in found)


def test_without_positions_nothing_is_mended(simulate):
    broken = simulate(0).changed(7, "set1", lambda p: p[:, ::-1]).responses(positions=False)
    findings = check_responses(broken)
    assert all(f.order is None for f in findings)
    assert fix_responses(broken, findings) is broken


def test_findings_of_other_responses_are_refused(simulate):
    broken = simulate(0).changed(7, "set1", lambda p: p[:, ::-1]).responses()
    found = faults(broken)
    with pytest.raises(InputError, match="no model named 'm7'"):
        fix_responses(broken.select(exclude=["m7"]), found)
    with pytest.raises(InputError, match="no test set named 'set1'"):
        fix_responses(broken.select(test_sets=["set0"]), found)


def test_images_keep_their_place(simulate):
    broken = simulate(1).changed(3, "set1", lambda p: p[:, ::-1]).responses()
    fixed = fix_responses(broken, check_responses(broken))
    assert fixed.dataset[IMAGE].identical(broken.dataset[IMAGE])
    outside = ~broken.member[1]
    np.testing.assert_array_equal(fixed.right[:, outside], broken.right[:, outside])
