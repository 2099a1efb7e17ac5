"""Constant, copied and near-identical models are found; models that are merely good are not."""

import numpy as np
import pytest

from difficulty_model.checking import check_responses
from difficulty_model.responses import Responses

SEEDS = range(6)


def rebuilt(responses, right, shown=None):
    return Responses.from_arrays(
        right, models=responses.models, images=responses.images,
        member=dict(zip(responses.test_sets, responses.member, strict=True)), shown=shown,
    )


def of_kind(responses, *kinds):
    return [f for f in check_responses(responses) if f.kind in kinds]


def named(finding):
    return list(finding.evidence["models"])


@pytest.mark.parametrize("always", [0, 1])
def test_constant(simulate, always):
    responses = simulate(0).responses()
    right = responses.right.copy()
    right[4, responses.member[1]] = always
    (found,) = of_kind(rebuilt(responses, right), "constant")
    assert (found.model, found.test_set) == ("m4", "set1")
    assert found.evidence == {"right": 1000 * always, "shown": 1000}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_model_given_twice_is_a_duplicate(simulate, seed):
    responses = simulate(seed, missing=0.2).responses()
    right, shown = responses.right.copy(), responses.shown.copy()
    right[9], shown[9] = right[2], shown[2]
    (found,) = of_kind(rebuilt(responses, right, shown), "duplicate", "copied", "twins")
    assert (found.kind, found.model, found.test_set) == ("duplicate", None, None)
    assert named(found) == ["m2", "m9"]


def test_models_shown_different_images_are_not_duplicates(simulate):
    responses = simulate(0).responses()
    right, shown = responses.right.copy(), responses.shown.copy()
    shown[2, ::15], right[2, ::15] = 0, 0
    right[9], shown[9] = right[2], 1  # wrong where the other was not shown
    assert of_kind(rebuilt(responses, right, shown), "duplicate", "copied") == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_file_copied_in_one_test_set_is_a_fault(simulate, seed):
    responses = simulate(seed).responses()
    right = responses.right.copy()
    right[9, responses.member[1]] = right[8, responses.member[1]]
    (found,) = of_kind(rebuilt(responses, right), "duplicate", "copied")
    assert (found.kind, found.test_set, found.severity) == ("copied", "set1", "fault")
    assert named(found) == ["m8", "m9"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_twins(simulate, seed, missing):
    """Ports of one network: 5% of the responses drawn anew, the others the same."""
    responses = simulate(seed, models=20, missing=missing).responses()
    rng = np.random.default_rng(seed)
    right = responses.right.copy()
    other = rng.random(right.shape[1]) < 0.05
    right[10] = np.where(other, right[10], right[11])
    both = (responses.shown[10] > 0) & (responses.shown[11] > 0)
    right[responses.shown == 0] = 0
    (found,) = of_kind(rebuilt(responses, right, responses.shown), "twins", "duplicate")
    assert named(found) == ["m10", "m11"]
    assert found.evidence["agreement"] == pytest.approx((right[10] == right[11])[both].mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_mere_relatives_are_not_twins(simulate, seed):
    """Models that share one response in five beyond what they would: significant, yet no port."""
    responses = simulate(seed, models=20, images=(6000,), skills=(0.8, 1.2)).responses()
    right = responses.right.copy()
    shared = np.random.default_rng(seed).random(6000) < 0.2
    right[10, shared] = right[11, shared]
    assert of_kind(rebuilt(responses, right), "twins") == []


def test_twins_are_rare_among_models_that_only_share_the_difficulty(simulate):
    found = [f for seed in range(40) for f in of_kind(simulate(seed, models=20).responses(), "twins")]
    assert found == []


@pytest.mark.parametrize("seed", range(20))
def test_good_models_that_agree_by_chance_are_not_copies(simulate, seed):
    """On a hundred images two models that fail once in a hundred often answer alike."""
    responses = simulate(seed, models=12, images=(100, 100), skills=(4.5, 6.0)).responses()
    assert of_kind(responses, "copied", "duplicate") == []


def test_everything_works_with_counts(simulate):
    """Ten showings of every image, one model answering always as another."""
    rng = np.random.default_rng(0)
    responses = simulate(0).responses()
    share = 0.1 + 0.8 * responses.right.mean(0)
    right = rng.binomial(10, np.tile(share, (15, 1)))
    right[3] = right[12]
    shown = np.full(right.shape, 10)
    counted = rebuilt(responses, right, shown)
    (found,) = of_kind(counted, "duplicate")
    assert named(found) == ["m3", "m12"]
    assert not [f for f in check_responses(counted) if f.severity == "fault"]
    right[5] = rng.permutation(right[5])
    broken = check_responses(rebuilt(responses, right, shown))
    assert {(f.kind, f.model) for f in broken if f.severity == "fault"} == {("out-of-step", "m5")}
