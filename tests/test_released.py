"""The main job on the released ImageNetV2 predictions: the figures that the package stands for."""

from pathlib import Path

import numpy as np
import pytest

from difficulty_model import Responses, agreement, check_responses, fit, fix_responses, law_between
from difficulty_model.explanations import adaptive_overfitting, gather
from difficulty_model.family import recht_et_al
from difficulty_model.fitting.images import patterns_of
from difficulty_model.readers import read_imagenetv2

ORIGINAL, NEW = "imagenet-validation-original", "imagenetv2-b-33"


@pytest.mark.slow
def test_the_fit_predicts_the_line_that_is_observed(real_data: Path) -> None:
    responses = read_imagenetv2(real_data / "imagenetv2", test_sets=[ORIGINAL, NEW])
    responses = fix_responses(responses, check_responses(responses))
    fitted = fit(responses, random_seed=0, method="laplace", progress=False)
    law = law_between(fitted, ORIGINAL, NEW)
    observed = law.observed.least_squares
    assert (len(responses.models), law.observed.left_out) == (67, [])
    assert observed.u == pytest.approx(0.952, abs=0.001)
    assert observed.v == pytest.approx(-0.316, abs=0.001)
    assert law.observed.r2 == pytest.approx(0.998, abs=0.0005)
    assert np.mean(law.predicted.u) == pytest.approx(observed.u, abs=0.03)
    assert np.mean(law.predicted.v) == pytest.approx(observed.v, abs=0.03)
    assert fitted.diagnostics["grid_error"] < 1e-2
    assert fitted.trouble == []


def test_published_slopes_of_accuracies(real_data: Path) -> None:
    # Recht et al. (2019): of 64 convolutional networks, slope 1.11, between 1.07 and 1.19, and intercept −20.2 points.
    responses = read_imagenetv2(real_data / "imagenetv2", test_sets=[ORIGINAL, NEW])
    responses = fix_responses(responses, check_responses(responses))
    networks = [model for model in responses.models if not model.startswith("fv_")]
    lines = adaptive_overfitting.examine(gather(responses.select(models=networks), ORIGINAL, NEW)).table
    slope, intercept = (lines.iloc[row].to_dict() for row in (0, 1))
    assert len(networks) == 64
    assert slope["value"] == pytest.approx(1.11, abs=0.005)
    assert [slope["models_low"], slope["models_high"]] == pytest.approx([1.07, 1.19], abs=0.015)
    assert intercept["value"] == pytest.approx(-20.2, abs=0.1)


def test_agreement_lies_on_a_line_close_to_that_of_accuracies(real_data: Path) -> None:
    responses = read_imagenetv2(real_data / "imagenetv2", test_sets=[ORIGINAL, NEW])
    found = agreement(fix_responses(responses, check_responses(responses)), ORIGINAL, NEW)
    # Without fv_16k, of which the classes are not known once its columns are in order.
    assert (len(found.models), len(found.pairs)) == (66, 66 * 65 // 2)
    lines = found.lines.set_index("of")[["u", "v"]]
    assert lines.loc["agreement"].tolist() == pytest.approx([0.969, -0.272], abs=0.001)
    assert lines.loc["accuracy"].tolist() == pytest.approx([0.951, -0.315], abs=0.001)
    assert [found.error, found.error_by_labels] == pytest.approx([2.03, 0.36], abs=0.01)


@pytest.mark.slow
def test_images_of_two_test_sets_count_once(real_data: Path) -> None:
    responses = read_imagenetv2(real_data / "imagenetv2", test_sets=["imagenetv2-a-44", NEW])
    responses = fix_responses(responses, check_responses(responses))
    shared = responses.member.all(0)
    assert shared.sum() == 3186
    patterns = patterns_of(responses, recht_et_al())
    counted = np.bincount(np.repeat(patterns.chunks.stratum, patterns.chunks.count.shape[1]),
                          patterns.chunks.count.ravel())
    assert counted.tolist() == [6814, 6814, 3186]
    # The same with shared images as two: skills seem surer than they are, by the images that are counted twice.
    twice = np.concatenate([np.flatnonzero(member) for member in responses.member])
    second = np.arange(20_000) >= 10_000
    apart = Responses.from_arrays(
        responses.right[:, twice], models=responses.models, images=[f"i{i}" for i in range(20_000)],
        member={"a": ~second, "b": second},
    )
    # Beside their mean, since the location is that of the first stratum, which is another one.
    once, double = (
        (skill - skill.mean("model")).std(("chain", "draw")) for skill in (
            fit(of, random_seed=0, method="mode", draws=500, progress=False).posterior["skill"]
            for of in (responses, apart)
        )
    )
    assert float((double / once).mean()) == pytest.approx(np.sqrt(16_814 / 20_000), abs=0.03)
