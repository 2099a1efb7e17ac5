"""How many models are right on an image: the distribution over images."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.misfit.parts import Part
from difficulty_model.misfit.record import MisfitCheck, compared_by_distance, said
from difficulty_model.types import TEST_SET, IntArray

NAME = "models-right"

DISTANCE = 3.0
"""Percent of images that would have to be moved. Replicates of 50,000 images are 0.7 ± 0.2 off, of 1,000 5 ± 1; on
ImageNet the probit model is 9 off, slopes with unlearnable images 10."""

GROUPS = 20
"""Of numbers of models between none and all: fewer images than a few hundred say nothing about finer ones."""


def edges_of(part: Part, shown: IntArray) -> IntArray:
    """Return the first number of models of every group: none, those between in groups of like width, and all."""
    most = int(part.of(shown).sum(0, dtype=np.int64).max())
    between = np.array_split(np.arange(1, most), min(GROUPS, most - 1)) if most > 1 else []
    return np.array([0, *(group[0] for group in between), most, most + 1])


def measure(part: Part, right: IntArray, edges: IntArray) -> Float[np.ndarray, "group"]:
    """Return percent of images in each group of numbers of models that are right."""
    counts = np.histogram(part.of(right).sum(0, dtype=np.int64), edges)[0]
    return 100 * counts / counts.sum()


def judge(
    parts: list[Part],
    edges: list[IntArray],
    observed: list[Float[np.ndarray, "group"]],
    replicated: list[Float[np.ndarray, "draw group"]],
) -> MisfitCheck:
    """Return whether the histograms of replicated test sets have the shape of the observed ones."""
    comparisons = tuple(
        compared_by_distance(
            "total variation distance between the histograms of models right", part.name, "% of images",
            of_part, of_draws, lambda difference: np.abs(difference).sum() / 2, threshold=DISTANCE,
        )
        for part, of_part, of_draws in zip(parts, observed, replicated, strict=True)
    )
    details = pd.concat([
        pd.DataFrame({
            TEST_SET: part.name, "from": ends[:-1], "to": ends[1:] - 1, "observed": of_part,
            "expected": of_draws.mean(0), "low": of_draws.min(0), "high": of_draws.max(0),
        })
        for part, ends, of_part, of_draws in zip(parts, edges, observed, replicated, strict=True)
    ], ignore_index=True)
    text = said(
        comparisons,
        if_fits="Images are as easy and as hard as the population has them",
        if_misfit="The population of difficulties has another shape than assumed (try a flexible one, two normals or "
        "heavy tails): accuracies between the models' own, and the curvature of the law, are off before u and v are.",
    )
    return MisfitCheck(NAME, comparisons, text, details, details.iloc[:0])
