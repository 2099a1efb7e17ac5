"""Lines of collected test sets: does a fit of the answers find the true one?"""

from collections.abc import Callable

import numpy as np
import pytest

from difficulty_model.collecting import (
    CollectionPlan,
    Frequencies,
    MatchedFrequency,
    Strategy,
    Threshold,
    collect,
    collect_responses,
)
from difficulty_model.family import recht_et_al
from difficulty_model.fitting import fit
from difficulty_model.law import least_squares, probit
from difficulty_model.predicted_law import law_between
from told import told
from worlds import simulate

SKILL = np.linspace(-1.0, 2.5, 5)
WORLD = simulate(1, skill=SKILL, images={"old": 400}, mean=(0.0,), sd=(1.5,))
PLAN = CollectionPlan(
    "old", reference=2000, candidates=8000, frequencies=Frequencies(0.71, 0.22), of_candidates=Frequencies(0.5, 0.28),
    dependence=0.5,
)
REPETITIONS, LEVEL = 100, 0.95


@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda n: MatchedFrequency(n, allow_upward=True), lambda n: Threshold(0.7, n)])
def test_fitted_lines_hold_the_true_one(make: Callable[[int], Strategy]):
    values = {"skill": SKILL, "population.mean": np.zeros(1), "population.sd": np.full(1, 1.5)}
    world, strategy = told(WORLD.responses, recht_et_al(), values, draws=2), make(2000)
    of_many = collect(world, PLAN, {"it": strategy}, sets=1000, progress=False).draws.sel(strategy="it").mean("draw")
    truth = least_squares(probit(of_many["reference"].values), probit(of_many["expected"].values))
    held = np.zeros((REPETITIONS, 2), bool)
    for r in range(REPETITIONS):
        responses = collect_responses(world, PLAN, strategy, random_seed=r)
        line = law_between(fit(responses, random_seed=r, progress=False), "reference", "chosen").predicted
        for k, (drawn, true) in enumerate(((line.u, truth.u), (line.v, truth.v))):
            low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            held[r, k] = low <= true <= high
    print(f"{strategy}: {held.sum(0)} of {REPETITIONS} intervals hold u and v")
    # Of a hundred 95% intervals fewer than 87 hold the truth once in a thousand times.
    assert held.sum(0).min() >= 87
