"""The test sets of some responses, each with the models that were run on it."""

from dataclasses import dataclass

import numpy as np

from difficulty_model.responses import Responses
from difficulty_model.types import IntArray


@dataclass(frozen=True, eq=False)
class Part:
    """One test set: numbers of its images, and of the models that were shown any."""

    name: str
    images: IntArray
    models: IntArray

    def of(self, counts: np.ndarray) -> np.ndarray:
        """Return what belongs to it of an array (model, image)."""
        return counts[self.models[:, None], self.images]


def parts_of(responses: Responses, *, at_least: int) -> list[Part]:
    """Return every test set that so many models were run on."""
    parts = []
    for name, mask in zip(responses.test_sets, responses.member, strict=True):
        models = np.flatnonzero(responses.shown[:, mask].any(1))
        if len(models) >= at_least:
            parts.append(Part(name, np.flatnonzero(mask), models))
    return parts


def left_out_of(responses: Responses, parts: list[Part]) -> str:
    """Return a sentence about models that were not run on a test set, empty where all were."""
    names = responses.models
    absent = {part.name: [m for j, m in enumerate(names) if j not in part.models] for part in parts}
    said = [f"{', '.join(map(repr, models))} out of {name!r}" for name, models in absent.items() if models]
    return f" Left out, not run: {'; '.join(said)}." if said else ""
