"""Hyperparameter tuning: options were chosen for the original test set, and others suit the new one better."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.explanations.effect import Effect
from difficulty_model.explanations.evidence import Copies, Evidence, NotTestableError
from difficulty_model.explanations.examination import Outcome
from difficulty_model.explanations.matching import FEWEST, read_matched

NAME = "hyperparameter tuning"
QUESTION = "Would other hyperparameters than those tuned for the original test set do better on the new one?"
SOURCE = "Recht et al. (2018), on CIFAR-10.1: vgg16 goes from 85.25% to 85.84%; judging on other halves is ours"
FILE = "variants"

SPLITS = 10
"""Of the images into halves."""


def examine(evidence: Evidence) -> Outcome:
    """Return what the best variant of a model gains on the new test set over the model as it is, mean of all that vary.

    It takes the file ``variants``: responses to the new test set of variants named ``base[option=value]``. The best of
    many is the luckiest too, on the images that it was picked on. So it is picked on one half of the images and judged
    on the other, both ways, in `SPLITS` splits by lot. Half of the images pick worse than all of them, so that this
    gain is rather too small, where that on the images picked on is too large.
    """
    path = evidence.file(FILE, "responses to the new test set of variants of models (difficulty-inference "
                                     "experiment hyperparameters, then difficulty-model import)")
    given = read_matched(evidence, path, test_sets=[evidence.new])
    try:
        variants = _variants(given.responses.models, evidence.responses.models)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    gains = [_gains(evidence, given, base, own) for base, own in variants.items()]
    images = int(evidence.in_new.sum())
    rng = np.random.default_rng((evidence.random_seed, 1))  # another sequence than that of the resamples
    halves = rng.permuted(np.tile(np.arange(images) % 2, (SPLITS, 1)), axis=1).astype(np.float32)
    observed, draws = evidence.over_resamples(
        lambda copies: np.stack([of.corrected(copies[:, evidence.in_new], halves) for of in gains], axis=1)
    )
    rows = [evidence.responses.models.index(base) for base in variants]
    effect = Effect(observed, draws, evidence.gap.points[rows], evidence.gap.draws[:, rows], tuple(variants))
    naive = [of.naive() for of in gains]
    table = pd.DataFrame({
        "base": list(variants), "accuracy": [of.accuracy for of in gains],
        "best": [own[int(of.argmax())] for own, of in zip(variants.values(), naive, strict=True)],
        "gain": [of.max() for of in naive], "corrected": observed,
    })
    found = effect.average()
    text = (f"Of {len(variants)} models with {sum(map(len, variants.values()))} variants the best gains "
            f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f}) points on images of {evidence.new!r} that it was "
            f"not picked on, and {table['gain'].mean():.2f} on those that it was.")
    return Outcome(effect, text, table)


@dataclass(frozen=True, eq=False)
class _Gains:
    """What variants gain over their default.

    Attributes
    ----------
    accuracy
        Of the default, on the new test set.
    by_image
        Of every variant its share right less the default's, or 0 where not both were shown the image; then of every
        variant whether both were.
    """

    accuracy: float
    by_image: Float[np.ndarray, "image columns"]

    def naive(self) -> Float[np.ndarray, "variant"]:
        """Return the points that each variant gains."""
        return _points(self.by_image.sum(0))

    def corrected(self, copies: Copies, halves: Float[np.ndarray, "split image"]) -> Float[np.ndarray, "resample"]:
        """Return the points that the best one gains on the half that it was not picked on."""
        # One product for all splits: many small ones wait for each other's threads.
        on_first = (halves[:, None] * copies).reshape(-1, copies.shape[1]) @ self.by_image
        first = on_first.reshape(len(halves), len(copies), -1)
        second = copies @ self.by_image - first
        judged = [
            np.take_along_axis(_points(other), _points(picked).argmax(-1, keepdims=True), -1)[..., 0]
            for picked, other in [(first, second), (second, first)]
        ]
        return np.mean(judged, axis=(0, 1))


def _points(sums: Float[np.ndarray, "*rows columns"]) -> Float[np.ndarray, "*rows variant"]:
    gain, counts = np.split(sums, 2, axis=-1)
    return 100 * gain / counts


def _gains(evidence: Evidence, given: Evidence, base: str, variants: list[str]) -> _Gains:
    default, others = evidence.responses.select(models=[base]), given.responses.select(models=variants)
    (own_right, own), (right, shown) = (
        (of.right[:, evidence.in_new].astype(float), of.shown[:, evidence.in_new]) for of in (default, others)
    )
    both = (own > 0) & (shown > 0)
    if both.sum(1).min() < FEWEST:
        raise NotTestableError(f"responses to at least {FEWEST} images of {evidence.new!r} that both {base!r} and its "
                               "variants were shown")
    gain = np.where(both, right / np.maximum(shown, 1) - own_right / np.maximum(own, 1), 0.0)
    return _Gains(float(own_right.sum() / own.sum()), np.concatenate([gain, both]).T.astype(np.float32, order="C"))


def _variants(names: list[str], models: list[str]) -> dict[str, list[str]]:
    """Return the variants of every model that has some, in their order; of models that begin a name the longest."""
    variants: dict[str, list[str]] = {}
    for name in names:
        base, option, _ = name.partition("[")
        if not (option and name.endswith("]") and "=" in name):
            continue  # such as the default itself, which the experiment runs beside its variants
        bases = [model for model in models if name.startswith(f"{model}[")]
        if not bases:
            raise unknown_name("model", base, models)
        variants.setdefault(max(bases, key=len), []).append(name)
    if not variants:
        raise InputError(f"no model is named like a variant, base[option=value]; there are "
                         f"{', '.join(map(repr, names[:8]))}")
    return variants
