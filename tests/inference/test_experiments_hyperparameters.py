"""Hyperparameters: variants of a model, and how they compare with it unchanged."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from difficulty_inference.adapters import EstimatorEntry
from difficulty_inference.arithmetic import arithmetic_on
from difficulty_inference.experiments.hyperparameters import compared, parsed, variants
from difficulty_inference.importing import Code
from difficulty_inference.predictions import path_of, read_predictions
from difficulty_inference.running import Run, run
from difficulty_inference.test_sets import TestSet
from difficulty_model.errors import InputError
from trained import BAYES, FOREST, entry, overlapping_sets


@pytest.fixture(autouse=True)
def _no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "1")


@pytest.fixture
def overlapping(tmp_path: Path) -> tuple[TestSet, TestSet]:
    return overlapping_sets(tmp_path)


def test_options_are_read_as_toml():
    varied = parsed(["C=0.1,1,10", 'kernel="linear","rbf"', "shrinking=true", "layers=[8,8],[16]"])
    assert varied == {"C": [0.1, 1, 10], "kernel": ["linear", "rbf"], "shrinking": [True], "layers": [[8, 8], [16]]}


@pytest.mark.parametrize("text", ["C", "C=", "=1", "C=0.1;2", "kernel=rbf", "C=1]\nx=[2", "a b=1"])
def test_what_is_not_an_option_with_values_is_refused(text):
    with pytest.raises(InputError, match="does not name an option"):
        parsed([text])
    with pytest.raises(InputError, match="each option once"):
        parsed(["C=1", "C=2"])


def test_every_combination_is_a_variant_beside_the_unchanged_model(tmp_path):
    zoo = [entry(tmp_path, "sklearn.svm:SVC", name="svm", C=5)]
    made = variants(zoo, "svm", {"C": [0.1, 1], "kernel": ["rbf", "linear"]})
    assert [variant.name for variant in made] == [
        "svm", "svm[C=0.1,kernel=rbf]", "svm[C=0.1,kernel=linear]", "svm[C=1,kernel=rbf]", "svm[C=1,kernel=linear]"
    ]
    assert made[2].options == {"C": 0.1, "kernel": "linear"}
    assert made[0] is zoo[0]
    assert variants(zoo, "svm", {"kernel": ["linear"]})[1].options == {"C": 5, "kernel": "linear"}


def test_variants_that_cannot_be_are_refused(tmp_path):
    zoo = [entry(tmp_path, "sklearn.svm:SVC", name="svm"), EstimatorEntry("fitted", Code(BAYES, tmp_path))]
    with pytest.raises(InputError, match="no parameter 'gama'; it has C, kernel, degree, gamma"):
        variants(zoo, "svm", {"gama": [1]})
    with pytest.raises(InputError, match="'svm'"):
        variants(zoo, "svn", {"C": [1]})
    with pytest.raises(InputError, match="comes fitted"):
        variants(zoo, "fitted", {"priors": [1]})
    with pytest.raises(InputError, match="several combinations"):
        variants(zoo, "svm", {"C": [1, 1]})
    with pytest.raises(InputError, match="cannot name a file"):
        variants(zoo, "svm", {"kernel": ["a/b"]})


def test_a_variant_with_the_default_value_gives_the_answers_of_the_unchanged_model(tmp_path, overlapping):
    original, new = overlapping
    zoo = [entry(tmp_path, FOREST, name="forest", images=20, n_estimators=4)]
    made = variants(zoo, "forest", {"n_estimators": [4, 9]})
    plan = Run(made, [original, new], tmp_path / "predictions", arithmetic_on("cpu", reference=True))
    assert run(plan) == {}
    for test_set in (original, new):
        unchanged, same, other = (
            read_predictions(path_of(plan.folder, variant.name, test_set.name)).answers.margin for variant in made
        )
        np.testing.assert_array_equal(same, unchanged)  # the same images by lot, the same chance in the trees
        assert (other != unchanged).any()
    rows = compared(made, [original, new], plan.folder, {}).tables["rows"]
    assert [row["difference"] for row in rows[:4]] == [0, 0, 0, 0]
    for row, base in zip(rows[4:], rows[:2], strict=True):
        assert row["difference"] == pytest.approx((row["right"] - base["right"]) / row["shown"])
        assert row["low"] < row["right"] / row["shown"] < row["high"]
