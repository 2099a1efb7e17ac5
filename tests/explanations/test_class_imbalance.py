"""Class imbalance: parts of classes add up, whatever test sets and models lack."""

import numpy as np
import pytest

from difficulty_model.explanations import Evidence, class_imbalance, examine, gather
from difficulty_model.responses import Responses
from gaps import HARD_CLASSES, limited, of_classes


def test_parts_of_classes_add_up_to_the_gap():
    evidence = of_classes(0, HARD_CLASSES, harder=0.3)
    found = class_imbalance.examine(evidence)
    assert found.effect is not None
    np.testing.assert_allclose(found.table["by_share"].sum(), found.effect.points.mean(), rtol=1e-5)
    np.testing.assert_allclose(found.table["gap"].sum(), evidence.gap.points.mean(), rtol=1e-5)


def test_a_class_that_a_test_set_lacks_and_labels_that_are_lacking():
    evidence = of_classes(0, np.array([0.0, 0.25, 0.25, 0.25, 0.25]), harder=0.0)
    assert np.isfinite(class_imbalance.examine(evidence).table.drop(columns="class").to_numpy()).all()
    without = Evidence(Responses(evidence.responses.dataset.drop_vars("label")))
    assert "labels" in examine(class_imbalance, without).text


def test_classes_that_a_model_was_not_run_on_are_left_out_for_it():
    evidence = of_classes(1, HARD_CLASSES, harder=0.3)
    known = np.isin(evidence.responses.dataset["label"].values, ["0", "1", "2"])
    rest = gather(Responses(evidence.responses.dataset.isel(image=known)), "old", "new")
    every = limited(evidence, "m5", known.astype(int)), rest, evidence
    effects = [class_imbalance.examine(of).effect for of in every]
    own, of_rest, whole = (effect.points for effect in effects if effect is not None)
    assert own[5] == pytest.approx(of_rest[5])
    assert np.delete(own, 5) == pytest.approx(np.delete(whole, 5))
