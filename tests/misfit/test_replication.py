"""Replicated data sets and the probabilities of being right, against simulation and quadrature of the plainest kind."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from difficulty_model.family import (
    discriminating,
    in_classes,
    in_families,
    independent,
    losing,
    normal,
    probit,
    recht_et_al,
    regressed,
    slopes,
    with_unlearnable,
)
from difficulty_model.misfit.replication import draws_of, expected_right, replicate
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification
from told import told

MODELS, IMAGES = 4, 3000
SKILL, SLOPE = np.array([-0.5, 0.3, 1.0, 1.6]), np.array([0.6, 0.9, 1.2, 1.5])
ONLY_A, ONLY_B = np.arange(IMAGES) < 1200, np.arange(IMAGES) >= 2000  # between them lie images of both
STRATUM = np.select([ONLY_A, ONLY_B], [0, 1], 2)
MEAN, SD = np.array([0.0, 0.8, 0.4]), np.array([1.0, 1.5, 1.2])
LABEL = np.random.default_rng(0).integers(0, 3, IMAGES)
FREQUENCY = np.random.default_rng(1).normal(size=IMAGES)
EFFECT = np.array([-1.0, 0.2, 1.5])


def lost() -> tuple[np.ndarray, np.ndarray]:
    own = 0.3 * np.random.default_rng(2).normal(size=(3, MODELS))
    own[0] = 0
    skill = SKILL[:, None] - np.array([0, 0.4, 0.2]) * (SKILL - SKILL.mean())[:, None]
    return own, skill - (own - own.mean(1, keepdims=True)).T


POPULATION = {"population.mean": MEAN, "population.sd": SD}
INSIDE = {f"population.{path}": value for path, value in POPULATION.items()}
SPECIFICATIONS: dict[str, tuple[Specification, dict]] = {
    "losing, slopes, atom": (
        Specification(losing(), slopes(), with_unlearnable(normal())),
        {"skill.skill": SKILL, "skill.trend": [0, 0.4, 0.2], "skill.own": lost()[0],
         "curve.slope": SLOPE, "population.population.mean": MEAN, "population.population.sd": SD,
         "population.share": [0.05, 0.2, 0.1]},
    ),
    "discriminations": (
        Specification(independent(), probit(), discriminating(normal())),
        {"skill": SKILL, "population.population.mean": MEAN, "population.population.sd": SD, "population.spread": 0.6},
    ),
    "classes and a covariate": (
        Specification(independent(), probit(), regressed(in_classes(normal()), ["frequency"])),
        {"skill": SKILL, "population.population.population.mean": MEAN, "population.population.population.sd": SD,
         "population.population.spread": 0.7, "population.population.effect": EFFECT, "population.coefficient": -0.6},
    ),
    "families": (
        Specification(in_families(), slopes(), normal()),
        {"skill.skill": SKILL, "skill.spread": 1.5, "curve.slope": SLOPE} | POPULATION,
    ),
}


def simulated(name: str, rng: np.random.Generator) -> np.ndarray:
    """Answers of every model to every image, written down as one would say it."""
    difficulty = rng.normal(MEAN[STRATUM], SD[STRATUM])
    skill, slope = SKILL[:, None], np.ones((1, 1))
    never = np.zeros(IMAGES, bool)
    if name == "families":
        skill, slope = skill + 1.5 * rng.normal(size=(3, IMAGES))[[0, 1, 0, 2]], SLOPE[:, None]
    if name.startswith("losing"):
        skill, slope = lost()[1][:, STRATUM], SLOPE[:, None]
        never = rng.random(IMAGES) < np.array([0.05, 0.2, 0.1])[STRATUM]
    if name == "discriminations":
        slope = rng.normal(1, 0.6, IMAGES)
    if name.startswith("classes"):
        standard = (FREQUENCY - FREQUENCY.mean()) / FREQUENCY.std()
        difficulty = difficulty + 0.7 * EFFECT[LABEL] - 0.6 * standard
    return (rng.random((MODELS, IMAGES)) < ndtr(slope * (skill - difficulty))) & ~never


def responses(right: np.ndarray, shown: np.ndarray) -> Responses:
    made = Responses.from_arrays(
        right, models=list("wxyz"), images=[f"i{i}" for i in range(IMAGES)],
        member={"a": ~ONLY_B, "b": ~ONLY_A}, shown=shown, labels=LABEL,
    )
    return Responses(made.dataset.assign_coords(frequency=("image", FREQUENCY), family=("model", list("abac"))))


def moments(right: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Share right of every model and pair of models, per stratum and for the images of class 2 that are seldom."""
    groups = [s == STRATUM for s in range(3)] + [(LABEL == 2) & (FREQUENCY < 0)]
    pairs = [(a, b) for a in range(MODELS) for b in range(a, MODELS)]
    both = [[g & (shown[a] > 0) & (shown[b] > 0) for a, b in pairs] for g in groups]
    return np.array([
        [(right[a] * right[b])[mask].mean() for (a, b), mask in zip(pairs, of_group, strict=True)] for of_group in both
    ])


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_replicates_are_other_images_answered_one_by_one(name: str):
    rng = np.random.default_rng(5)
    shown = (rng.random((MODELS, IMAGES)) < 0.8).astype(np.uint8)
    specification, values = SPECIFICATIONS[name]
    draws = draws_of(told(responses(simulated(name, rng) * shown, shown), specification, values), at_most=40)
    assert len(draws) == 40
    ours = np.array([moments(replicate(draws, d, rng), shown) for d in range(40)])
    theirs = np.array([moments(simulated(name, rng) * shown, shown) for _ in range(100)])
    error = np.sqrt(ours.var(0, ddof=1) / 40 + theirs.var(0, ddof=1) / 100)
    assert (np.abs(ours.mean(0) - theirs.mean(0)) / error).max() < 5
    # They scatter alike: standard deviations of 40 and of 100 numbers are known to 11% and 7%.
    ratio = np.log(ours.std(0, ddof=1) / theirs.std(0, ddof=1))
    assert np.abs(ratio).max() < 5 * np.sqrt(1 / 78 + 1 / 198)
    assert np.array_equal(replicate(draws, 0, rng)[shown == 0], np.zeros((shown == 0).sum()))


@pytest.mark.parametrize("showings", [1, 3])
def test_repeated_and_missing_showings_stay_as_they_were(showings: int):
    rng = np.random.default_rng(6)
    shown = rng.integers(0, showings + 1, (MODELS, IMAGES)).astype(np.uint8)
    fitted = told(responses(np.zeros_like(shown), shown), recht_et_al(), {"skill": SKILL} | POPULATION)
    right = replicate(draws_of(fitted, at_most=4), 0, rng)
    assert (right <= shown).all()
    by_hand = rng.binomial(shown, ndtr(SKILL[:, None] - rng.normal(MEAN[STRATUM], SD[STRATUM])))
    error = np.sqrt(2 * IMAGES) * showings / 2
    assert (np.abs(right.sum(1, dtype=int) - by_hand.sum(1)) < 5 * error).all()


CASES: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "complete": lambda rng: np.ones((MODELS, IMAGES), np.uint8),
    "patchy": lambda rng: rng.integers(0, 3, (MODELS, IMAGES)).astype(np.uint8),
}


@pytest.mark.parametrize("case", CASES)
def test_probability_of_being_right_is_that_of_bayes(case: str):
    rng = np.random.default_rng(7)
    shown = CASES[case](rng)
    right = rng.binomial(shown, 0.5).astype(np.uint8)
    fitted = told(responses(right, shown), recht_et_al(), {"skill": SKILL} | POPULATION)
    models, given = np.array([0, 3]), np.array([1, 2, 3])
    ours = expected_right(draws_of(fitted, at_most=4), 2, right, models=models, given=given)
    nodes = np.linspace(-12, 13, 4001)
    curve = ndtr(SKILL[:, None] - nodes)
    for i in [0, 1, 1199, 1200, 1999, 2000, 2999]:
        y, n = right[given, i, None], shown[given, i, None]
        posterior = norm.pdf(nodes, MEAN[STRATUM[i]], SD[STRATUM[i]])
        posterior = posterior * (curve[given] ** y * (1 - curve[given]) ** (n - y)).prod(0)
        # Single precision of the result allows 1e-6; the grid is exact far beyond.
        np.testing.assert_allclose(ours[:, i], curve[models] @ posterior / posterior.sum(), atol=2e-6)
