"""Evidence: who was run on enough, and what counts as an image."""

import numpy as np
import pytest

from difficulty_model.errors import InputError
from difficulty_model.explanations import (
    gather,
    invalid_images,
)
from difficulty_model.explanations.evidence import FEWEST
from difficulty_model.responses import Responses
from gaps import EVEN, MODELS, limited, of_classes, of_plain_cases


def test_models_run_on_hardly_any_image_of_a_test_set_are_left_out():
    left = of_classes(0, EVEN, harder=0.5, images=200)
    for model, seen in {"m2": 0, "m3": FEWEST - 1, "m4": FEWEST}.items():
        left = limited(left, model, ~left.in_new | (left.in_new.cumsum() <= seen))
    assert set(MODELS) - set(left.responses.models) == {"m2", "m3"}
    assert np.isfinite(left.gap.draws).all()


def test_a_gap_of_hardly_any_images_is_refused():
    with pytest.raises(InputError, match=r"at least 20 images of both 'old' and 'new'; at most on 7 of both\. "):
        of_classes(0, EVEN, harder=0.5, images=7)


def test_a_class_of_many_showings_of_one_image_is_of_one_image():
    evidence = of_classes(1, EVEN, harder=0.3, images=200)
    often = np.where(evidence.in_new, 0, 1)
    often[np.flatnonzero(evidence.in_new)[0]] = 200
    assert "m5" not in limited(evidence, "m5", often).responses.models


def test_images_that_no_model_was_run_on_are_not_missed():
    evidence = of_plain_cases(3, 0.4, harder=0.0, invalid=0.2, images=500)
    seen = np.arange(1000) % 5 > 0
    unseen = evidence
    for model in MODELS:
        unseen = limited(unseen, model, seen.astype(int))
    rest = gather(Responses(evidence.responses.dataset.isel(image=seen)), "old", "new")
    found, expected = invalid_images.examine(unseen), invalid_images.examine(rest)
    assert found.text.partition(" That is")[0] == expected.text.partition(" That is")[0]
    assert found.effect is not None
    assert expected.effect is not None
    assert found.effect.points == pytest.approx(expected.effect.points)
