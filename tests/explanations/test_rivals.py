"""Rival stories: each differs between test sets in what it says, and the true one wins."""

import numpy as np
import pytest

from difficulty_model.errors import InputError
from difficulty_model.explanations import rivals
from difficulty_model.explanations.rivals import RIVALS, compare_rivals
from difficulty_model.responses import Responses
from difficulty_model.specification import unknowns

OF_STRATA = {
    "no gap": set(),
    "mean shift": {"population.population.population.mean"},
    "mean and spread": {"population.population.population.mean", "population.population.population.sd"},
    "skill loss": {"population.population.population.mean", "skill.trend", "skill.own"},
    "two subpopulations": {"population.share"},
    "label errors": {"population.population.share"},
    "slopes": {"population.population.population.mean", "population.population.population.sd"},
}


@pytest.mark.parametrize("name", RIVALS)
def test_test_sets_differ_in_what_the_rival_says(name: str):
    differing = {path for path, prior in unknowns(RIVALS[name]()).items() if "stratum" in prior.dims}
    assert differing == OF_STRATA[name]


SKILL = np.linspace(-1.0, 2.5, 10)


def test_two_models_are_refused_before_any_fit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rivals, "fit", pytest.fail)
    with pytest.raises(InputError, match="2 models were run on enough images of both 'old' and 'new'"):
        compare_rivals(world(0).select(models=["m1", "m2"]), "old", "new")


def world(seed: int, *, harder: float = 0.0, plain: float = 0.2, impossible: float = 0.05) -> Responses:
    rng = np.random.default_rng(seed)
    in_new = np.arange(3000) >= 1500
    kind = rng.random(3000)
    difficulty = rng.normal(harder * in_new, 1.5)
    difficulty = np.where(kind < np.where(in_new, impossible, 0.05), np.inf, difficulty)
    difficulty = np.where(kind > 1 - np.where(in_new, plain, 0.2), -np.inf, difficulty)
    return Responses.from_arrays(
        rng.logistic(size=(10, 3000)) / 1.702 < SKILL[:, None] - difficulty, models=[f"m{j}" for j in range(10)],
        images=[f"i{i}" for i in range(3000)], member={"old": ~in_new, "new": in_new},
    )


@pytest.mark.slow
@pytest.mark.parametrize(("true", "options", "other"), [
    ("mean shift", {"harder": 1.0}, "label errors"),
    ("two subpopulations", {"plain": 0.0}, "mean shift"),
    ("label errors", {"impossible": 0.3}, "mean shift"),
])
def test_the_true_story_wins(true: str, options: dict[str, float], other: str):
    table = compare_rivals(world(0, **options), "old", "new", progress=False).table().set_index("rival")
    # Rivals that hold the true one within them may come first by what chance gives them.
    assert table.loc[true, "difference"] > -4 * max(float(table.loc[true, "dse"]), 1.0)
    assert table.loc[other, "difference"] - table.loc[true, "difference"] < -4 * table.loc[other, "dse"]
    assert abs(table.loc[true, "gap"] - table.loc[true, "observed"]) < 4 * table.loc[true, "gap_sd"]
