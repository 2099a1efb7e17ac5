"""Simulated worlds: responses that follow the probit law, and the truth behind them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from difficulty_model.responses import Responses


@dataclass(frozen=True)
class World:
    """Responses, and what made them.

    Attributes
    ----------
    responses
        What a fit may see.
    skill
        Of every model.
    mean, sd
        Of every test set's population of difficulties.
    difficulty
        Of every image.
    """

    responses: Responses
    skill: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    difficulty: np.ndarray


def simulate(
    seed: int,
    *,
    skill: np.ndarray,
    images: Mapping[str, int],
    mean: tuple[float, ...] = (0.0, 0.7),
    sd: tuple[float, ...] = (1.5, 2.0),
    slope: float | np.ndarray = 1.0,
    missing: float = 0.0,
    showings: int = 1,
) -> World:
    """Return responses with P(right) = Φ(slope·(skill − difficulty)), one normal population per test set.

    Parameters
    ----------
    seed
        Of everything random.
    skill
        Of every model.
    images
        Number of images of every test set.
    mean, sd
        Of every test set's population.
    slope
        Of every model's response curve.
    missing
        Share of responses that are not observed.
    showings
        How often each model is shown an image.
    """
    rng = np.random.default_rng(seed)
    test_set = np.repeat(np.arange(len(images)), list(images.values()))
    difficulty = rng.normal(np.asarray(mean)[test_set], np.asarray(sd)[test_set])
    probability = ndtr(np.broadcast_to(slope, skill.shape)[:, None] * (skill[:, None] - difficulty))
    shown = showings * (rng.random(probability.shape) >= missing)
    responses = Responses.from_arrays(
        rng.binomial(shown, probability),
        models=[f"m{j}" for j in range(len(skill))],
        images=[f"i{i}" for i in range(len(difficulty))],
        member={name: test_set == k for k, name in enumerate(images)},
        shown=shown,
    )
    return World(responses, skill, np.asarray(mean), np.asarray(sd), difficulty)
