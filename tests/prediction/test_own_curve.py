"""Curves of fitted models, inferred as if each were new."""

import jax
import numpy as np
import pytest

from difficulty_model.family import recht_et_al
from difficulty_model.prediction.known_images import known_images
from difficulty_model.prediction.own_curve import APART, FEWEST, KNOTS, Prior, prior_of_another
from told import told
from worlds import simulate


def prior(slope: np.ndarray, *, missing: float) -> Prior:
    """That of a world whose models are equally skilled and have such slopes, told that all slopes are 1."""
    skill, sd = np.full(len(slope), 0.3), (1.5, 1.5)
    world = simulate(95, skill=skill, images={"old": 4000, "new": 4000}, mean=(0.0, 0.5), sd=sd, slope=slope,
                     missing=missing)
    values = {"skill": skill, "population.mean": np.array([0.0, 0.5]), "population.sd": np.array(sd)}
    (drawn,), patterns, grid = known_images(told(world.responses, recht_et_al(), values, draws=1), at_most=1)
    with jax.enable_x64(True):
        return prior_of_another(drawn, patterns, grid)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_models_that_are_as_they_should_be_do_not_depart(missing: float):
    # If a model's own responses told how difficult images are, its curve would seem steeper than it is.
    found = prior(np.ones(6), missing=missing)
    np.testing.assert_allclose(found.location, 0, atol=0.15)
    assert np.sqrt(np.diag(found.apart)).max() < 0.25


def test_models_with_other_slopes_depart_at_the_ends():
    slope = np.exp(np.linspace(-0.5, 0.5, 8))
    found = prior(slope, missing=0.0)
    # Beside what the prior of departures adds, where they are six models' worth.
    beyond = np.diag(found.apart)[: len(KNOTS)] - FEWEST * APART**2 / (len(slope) - 2 + FEWEST)
    assert beyond[[0, -1]].min() > 0.04
    assert np.abs(beyond[2]) < 0.01
