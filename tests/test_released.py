"""The main job on the released ImageNetV2 predictions: the figures that the package stands for."""

from pathlib import Path

import numpy as np
import pytest

from difficulty_model import check_responses, fit, fix_responses, law_between
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
