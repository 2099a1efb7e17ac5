"""Models to run on a new test set: what is left unknown, and whether others would leave less."""

from itertools import combinations

import numpy as np
import pytest

from difficulty_model.errors import InputError
from difficulty_model.family import recht_et_al
from difficulty_model.fitting import Fit
from difficulty_model.prediction import choose_models, predict_test_set
from told import told
from worlds import simulate

SKILL = np.array([-0.8, -0.2, 0.3, 0.6, 0.8, 1.1, 1.5, 2.4])
SPEC = recht_et_al()
OLD = simulate(4, skill=SKILL, images={"old": 4000}, mean=(0.0,), sd=(1.5,))


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return told(OLD.responses, SPEC, {"skill": SKILL, "population.mean": np.zeros(1), "population.sd": np.full(1, 1.5)})


def spread(fitted: Fit, models: list[str], images: int, times: int = 6) -> float:
    """Return the sd of predicted accuracies, in points, where new test sets turn out like the old one."""
    variance = []
    for seed in range(times):
        new = simulate(100 + seed, skill=SKILL, images={"new": images}, mean=(0.0,), sd=(1.5,))
        responses = new.responses.select(models=models)
        predicted = predict_test_set(fitted, responses, images=10**6, random_seed=seed, progress=False)
        variance.append(predicted.accuracy.var("draw").values.mean())
    return 100 * float(np.sqrt(np.mean(variance)))


@pytest.mark.parametrize("images", [200, 2000])
def test_what_is_left_unknown_is_what_predictions_then_say(fitted: Fit, images: int):
    planned = choose_models(fitted, 4, images)
    assert np.all(np.diff(planned["sd"]) < 0)
    for k in (1, 2, 4):
        sd = spread(fitted, planned["model"].tolist()[:k], images)
        assert planned["sd"].iloc[k - 1] == pytest.approx(sd, rel=0.3)


def test_the_first_is_the_best_and_no_pair_is_much_better(fitted: Fit):
    planned = choose_models(fitted, 2, 1000)
    every = {model: spread(fitted, [model], 1000, times=3) for model in OLD.responses.models}
    assert every[planned["model"].iloc[0]] < 1.1 * min(every.values())
    pairs = {pair: spread(fitted, list(pair), 1000, times=2) for pair in combinations(OLD.responses.models, 2)}
    chosen = tuple(sorted(planned["model"], key=OLD.responses.models.index))
    assert pairs[chosen] < 1.15 * min(pairs.values())
    assert pairs[chosen] < 0.85 * max(pairs.values())


def test_more_images_leave_less_and_departures_remain(fitted: Fit):
    sd = [choose_models(fitted, 8, images)["sd"].iloc[-1] for images in (10, 1000, 10**9)]
    assert sd[0] > sd[1] > sd[2] > 0


def test_what_cannot_be_planned_is_told(fitted: Fit):
    with pytest.raises(InputError, match="'odl'.*'old'"):
        choose_models(fitted, 2, 100, like="odl")
    for models in (0, 9):
        with pytest.raises(InputError, match=f"{models} models cannot be run of the 8"):
            choose_models(fitted, models, 100)
    with pytest.raises(InputError, match="at least one image"):
        choose_models(fitted, 2, 0)
