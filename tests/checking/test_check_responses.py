"""What is counted, how findings are ordered and written, and what is found in the released predictions."""

import json

import numpy as np
import pytest
from scipy.stats import norm

from difficulty_model.checking import check_responses, fix_responses
from difficulty_model.checking.finding import SEVERITY
from difficulty_model.readers import read_cifar10_1, read_imagenetv2
from difficulty_model.responses import Responses


def of_kind(responses, kind):
    return [f for f in check_responses(responses) if f.kind == kind]


@pytest.fixture
def small() -> Responses:
    """Six models on 200 images: ten that nobody solves, thirty that everybody does, fifty in both sets."""
    rng = np.random.default_rng(0)
    right = (rng.random((6, 200)) < 0.5).astype(np.uint8)
    right[:, :10], right[:, 10:40] = 0, 1
    undecided = right[:, 40:]
    undecided[0], undecided[1] = 1, 0  # so that nothing else is solved by all or by none
    place = np.arange(200)
    return Responses.from_arrays(
        right, models=list("abcdef"), images=[f"i{i}" for i in place],
        member={"near": place < 125, "far": place >= 75},
    )


def test_images_are_counted(small):
    (shared,) = of_kind(small, "shared-images")
    assert shared.evidence == {"test_sets": ["near", "far"], "images": 50, "share_of_smaller": 0.4}
    (unsolved,) = of_kind(small, "unsolved")
    assert (unsolved.test_set, unsolved.evidence["images"]) == ("near", 10)
    (solved,) = of_kind(small, "solved")
    assert (solved.test_set, solved.evidence["images"]) == ("near", 30)


def test_images_not_shown_are_neither_solved_nor_unsolved(small):
    shown = small.shown.copy()
    shown[:, :5] = 0
    right = np.where(shown > 0, small.right, 0)
    member = dict(zip(small.test_sets, small.member, strict=True))
    responses = Responses.from_arrays(
        right, models=small.models, images=small.images, member=member, shown=shown
    )
    (unsolved,) = of_kind(responses, "unsolved")
    assert unsolved.evidence["images"] == 5


def test_too_few(small):
    few = small.select(models=["a", "c", "d", "e"])
    (found,) = of_kind(few, "too-few-models")
    assert found.evidence == {"models": 4}
    assert of_kind(small, "too-few-models") == []
    assert of_kind(small, "too-few-images") == []
    place = np.arange(60)
    tiny = Responses.from_arrays(
        small.right[:, :60], models=small.models, images=small.images[:60], member={"near": place < 60}
    )
    (found,) = of_kind(tiny, "too-few-images")
    assert (found.test_set, found.evidence["images"]) == ("near", 60)


def test_a_model_absent_from_a_test_set(simulate):
    responses = simulate(0).responses(positions=False)
    shown = responses.shown.copy()
    shown[3, responses.member[1]] = 0
    shown[5, np.flatnonzero(responses.member[0])[:150]] = 0
    member = dict(zip(responses.test_sets, responses.member, strict=True))
    gaps = Responses.from_arrays(
        np.where(shown > 0, responses.right, 0), models=responses.models, images=responses.images,
        member=member, shown=shown,
    )
    (absent,) = of_kind(gaps, "missing-block")
    assert (absent.model, absent.test_set, absent.evidence["share_missing"]) == ("m3", "set1", 1.0)
    (missing,) = of_kind(gaps, "missing")
    assert missing.test_set == "set0"
    assert missing.evidence["share_missing"] == pytest.approx(150 / 1500 / 15)
    assert not [f for f in check_responses(gaps) if f.severity == "fault"]


def test_images_dealt_out_by_design_leave_no_model_absent(simulate):
    sparse = simulate(0, missing=0.7).responses()
    assert of_kind(sparse, "missing-block") == []
    assert {f.test_set for f in of_kind(sparse, "missing")} == {"set0", "set1"}


def test_findings_come_most_serious_first_and_go_into_json(simulate):
    predictions = simulate(2, overlap=100).changed(7, "set1", lambda p: p[:, ::-1])
    findings = check_responses(predictions.responses())
    ranks = [list(SEVERITY).index(f.kind) for f in findings]
    assert ranks == sorted(ranks)
    assert len({f.severity for f in findings}) > 1
    for finding in findings:
        again = json.loads(json.dumps(finding.as_dict(), allow_nan=False))
        assert again["kind"] == finding.kind
        assert (again["model"], again["test_set"]) == (finding.model, finding.test_set)
        assert again["message"]
        assert again["remedy"]
        assert again["order"] == (None if finding.order is None else list(finding.order))


def test_checking_changes_nothing(simulate):
    responses = simulate(3).changed(7, "set1", lambda p: p[:, ::-1]).responses()
    before = responses.dataset.copy(deep=True)
    fix_responses(responses, check_responses(responses))
    assert responses.dataset.identical(before)


def test_the_least_that_responses_can_be():
    one = Responses.from_arrays(np.array([[1]]), models=["a"], images=["i"], member={"s": np.array([True])})
    assert {f.severity for f in check_responses(one)} <= {"caution", "note"}


def test_released_imagenetv2_predictions(real_data):
    """One model has its columns reversed in two test sets; mended, it lies on the line of all models."""
    responses = read_imagenetv2(real_data / "imagenetv2")
    faults = [f for f in check_responses(responses) if f.severity == "fault"]
    assert len(faults) == 2
    assert {f.kind for f in faults} == {"column-order"}
    assert {f.order for f in faults} == {(4, 3, 2, 1, 0)}
    assert len({f.model for f in faults}) == 1
    assert {f.test_set for f in faults} == {"imagenetv2-a-44", "imagenetv2-b-33"}

    fixed = fix_responses(responses, faults)
    assert not [f for f in check_responses(fixed) if f.severity == "fault"]
    accuracy = fixed.accuracies().pivot(index="model", columns="test_set", values="accuracy")
    x, y = norm.ppf(accuracy["imagenet-validation-original"]), norm.ppf(accuracy["imagenetv2-b-33"])
    slope, intercept = np.polyfit(x, y, 1)
    assert len(x) == 67
    assert slope == pytest.approx(0.952, abs=1e-3)
    assert intercept == pytest.approx(-0.316, abs=1e-3)
    assert np.corrcoef(x, y)[0, 1] ** 2 == pytest.approx(0.998, abs=5e-4)


@pytest.mark.parametrize("top_k", [2, 5])
def test_released_imagenetv2_predictions_by_more_guesses(real_data, top_k):
    """Weak models, of which the first guesses go little with the others, are not taken for misplaced."""
    faults = [
        f for f in check_responses(read_imagenetv2(real_data / "imagenetv2", top_k=top_k))
        if f.severity == "fault"
    ]
    assert {(f.kind, f.test_set) for f in faults} == {
        ("column-order", "imagenetv2-a-44"), ("column-order", "imagenetv2-b-33")
    }
    assert len({f.model for f in faults}) == 1


def test_released_imagenetv2_predictions_of_a_single_test_set(real_data):
    """The fault shows without any other test set to compare with."""
    responses = read_imagenetv2(real_data / "imagenetv2", test_sets=["imagenetv2-b-33"])
    (fault,) = [f for f in check_responses(responses) if f.severity == "fault"]
    assert fault.order == (4, 3, 2, 1, 0)


def test_released_cifar10_1_predictions(real_data):
    findings = check_responses(read_cifar10_1(real_data / "cifar10.1"))
    assert {f.kind for f in findings} <= {"twins", "unsolved", "solved"}
