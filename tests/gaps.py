"""Evidence of responses alone: test sets of classes, of plain and of impossible images, between which is a gap."""

from typing import Any

import numpy as np

from difficulty_model.explanations import Evidence, gather
from difficulty_model.responses import Responses

SKILL = np.linspace(-1.0, 2.5, 12)
MODELS = [f"m{j}" for j in range(len(SKILL))]
CLASSES, WIDTH = 5, 2.0
EVEN, HARD_CLASSES = np.full(5, 0.2), np.array([0.05, 0.1, 0.15, 0.3, 0.4])


def evidence_of(right: np.ndarray, in_new: np.ndarray, *, labels: Any = None, seed: int = 0) -> Evidence:
    responses = Responses.from_arrays(
        right, models=[f"m{j}" for j in range(len(right))], images=[f"i{i}" for i in range(right.shape[1])],
        member={"old": ~in_new, "new": in_new}, labels=labels,
    )
    return gather(responses, "old", "new", random_seed=seed)


def of_classes(seed: int, shares: np.ndarray, *, harder: float, images: int = 2000) -> Evidence:
    """Return classes of difficulties from easy to hard, the new test set with other shares or with harder images."""
    rng = np.random.default_rng(seed)
    in_new = np.arange(2 * images) >= images
    label = np.concatenate([rng.integers(0, CLASSES, images), rng.choice(CLASSES, images, p=shares)])
    difficulty = WIDTH * (label - 2) / 2 + rng.normal(0, 1, 2 * images) + harder * in_new
    right = rng.normal(SKILL[:, None] - difficulty) > 0
    return evidence_of(right, in_new, labels=label.astype(str), seed=seed)


def of_plain_cases(seed: int, share: float, *, harder: float, invalid: float = 0.0, images: int = 2000) -> Evidence:
    """Return test sets of plain images, which all models get right, of others, and in the new one of some none does."""
    rng = np.random.default_rng(seed)
    in_new = np.arange(2 * images) >= images
    kind = rng.random(2 * images)
    difficulty = 1.0 + rng.normal(0, 1.0, 2 * images) + harder * in_new
    difficulty = np.where(kind < np.where(in_new, share, 0.4), -20.0, difficulty)
    difficulty = np.where(kind > 1 - np.where(in_new, invalid, 0.0), 20.0, difficulty)
    return evidence_of(rng.normal(SKILL[:, None] - difficulty) > 0, in_new, seed=seed)


def limited(evidence: Evidence, model: str, shown: np.ndarray) -> Evidence:
    """Return evidence of which a model was shown the images so many times."""
    counts, row = evidence.responses.shown.copy(), evidence.responses.models.index(model)
    counts[row] = shown
    right = np.where(evidence.responses.right > 0, counts, 0)
    return gather(Responses(evidence.responses.dataset.assign(
        shown=(("model", "image"), counts), right=(("model", "image"), right),
    )), evidence.original, evidence.new)
