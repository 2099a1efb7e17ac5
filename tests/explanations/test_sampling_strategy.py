"""Sampling strategies: accuracies at the original's mean selection frequency, by lines through new test sets."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from difficulty_model.explanations import Evidence, NotTestableError, examine, gather, sampling_strategy
from difficulty_model.family import recht_et_al
from difficulty_model.responses import Responses
from told import told

SKILL = np.array([-0.5, 0.0, 0.5, 1.0])
FREQUENCY = {"old": 0.7, "new": 0.6, "often": 0.8, "at all": 0.95}


def chosen(seed: int, *, harder: float, images: int = 3000, run_on_all: int = 4) -> Evidence:
    """Return test sets in which probits go with the mean frequency, beside harder new images.

    So many models were run on the further sets too.
    """
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(FREQUENCY)), images)
    frequency = np.array(list(FREQUENCY.values()))[of]
    right = rng.random((4, len(of))) < norm.cdf(SKILL[:, None] + 3 * (frequency - 0.7) - harder * (of > 0))
    shown = (np.arange(4)[:, None] < run_on_all) | (of < 2)
    responses = Responses.from_arrays(
        right & shown, shown=shown, models=[f"m{j}" for j in range(4)], images=[f"i{i}" for i in range(len(of))],
        member={name: of == k for k, name in enumerate(FREQUENCY)},
    )
    fit = told(responses, recht_et_al(), {"skill": SKILL, "population.mean": np.zeros(4), "population.sd": np.ones(4)})
    return gather(responses, "old", "new", fit=fit, random_seed=seed)


def with_table(evidence: Evidence, folder: Path, text: str | None = None) -> Evidence:
    path = folder / "frequencies.csv"
    rows = "".join(f"{name},{of}\n" for name, of in FREQUENCY.items())
    path.write_text(f"test_set,frequency\n{rows}" if text is None else text)
    return replace(evidence, files={"frequencies": path})


@pytest.mark.parametrize(("harder", "verdict"), [(0.0, "explains it"), (0.5, "part of it")])
def test_points_are_those_between_the_frequencies(tmp_path: Path, harder: float, verdict: str):
    found = examine(sampling_strategy, with_table(chosen(0, harder=harder), tmp_path))
    assert found.effect is not None
    truth = 100 * (norm.cdf(SKILL - harder) - norm.cdf(SKILL - 0.3 - harder))
    error = found.effect.draws.std(0)
    assert np.all(np.abs(found.effect.points - truth) < 4 * error)
    assert np.all(error < 1)
    assert found.verdict == verdict
    assert found.table["test_set"].tolist() == list(FREQUENCY)
    assert "mean frequency of 0.70" in found.text
    assert "line through 3 new test sets" in found.text


def test_of_sets_that_are_selected_as_often_nothing_is_explained(tmp_path: Path):
    evidence = chosen(1, harder=0.8)
    as_often = "test_set,frequency\nold,0.6\nnew,0.6\noften,0.8\n"
    found = examine(sampling_strategy, with_table(evidence, tmp_path, as_often))
    assert found.verdict == "cannot"
    assert found.effect is not None
    assert found.effect.points == pytest.approx(0, abs=1e-9)


def test_resamples_hold_the_truth(tmp_path: Path):
    """Of 30 worlds, 90% intervals hold the mean in 20 at least; in fewer by chance once in 11,000 times."""
    truth = 100 * (norm.cdf(SKILL) - norm.cdf(SKILL - 0.3)).mean()
    held = 0
    for seed in range(30):
        effect = examine(sampling_strategy, with_table(chosen(seed, harder=0.0, images=500), tmp_path)).effect
        assert effect is not None
        of = effect.average(level=0.9)
        held += of.low < truth < of.high
    assert held >= 20


@pytest.mark.parametrize(("text", "said"), [
    ("test_set,frequency\nold,0.7\nnew,0.6\n", "Needs a fit with a further new test set"),
    ("test_set,frequency\nold,0.7\nnew,0.6\nunknown,0.8\n", "Needs a fit with a further new test set"),
    ("test_set,frequency\nold,0.7\nnew,0.6\noften,0.6\n", "Needs a fit with a further.*another mean"),
    ("test_set,frequency\nold,0.7\noften,0.8\n", "Wrong file: .*'new'"),
    ("test_set,frequency\nold,70\nnew,60\noften,80\n", "Wrong file: .*70 of test set 'old'.*from 0 to 1"),
    ("test_set,frequency\nold,0.7\nnew,many\noften,0.8\n", "Wrong file: .*'many' as frequency of test set 'new'"),
    ("test_set,frequency\nold,0.7\nnew,0.6\nnew,0.6\n", "Wrong file: .*test set 'new' more than once"),
    ("test_set,share\nold,0.7\n", "Wrong file: .*frequency"),
])
def test_what_is_lacking_or_wrong_is_told(tmp_path: Path, text: str, said: str):
    found = examine(sampling_strategy, with_table(chosen(2, harder=0.5, images=50), tmp_path, text))
    assert found.verdict == "not testable"
    assert re.search(said, found.text), found.text


def test_models_that_were_not_run_on_all_sets_are_left_out(tmp_path: Path):
    some = examine(sampling_strategy, with_table(chosen(4, harder=0.5, images=50, run_on_all=2), tmp_path)).effect
    assert some is not None
    assert some.models == ("m0", "m1")
    none = examine(sampling_strategy, with_table(chosen(4, harder=0.5, images=50, run_on_all=0), tmp_path))
    assert none.text.startswith("Needs models that were run on 20 images at least of each of 'old', 'new', 'often', ")


def test_without_a_fit_or_a_file_it_asks_for_them(tmp_path: Path):
    evidence = chosen(3, harder=0.5, images=50)
    with pytest.raises(NotTestableError, match="--file frequencies="):
        sampling_strategy.examine(evidence)
    with pytest.raises(NotTestableError, match="fit"):
        sampling_strategy.examine(replace(with_table(evidence, tmp_path), fit=None))
