"""What responses to two test sets tell of models, with no fit: who is robust, who dominates whom, and who agrees.

Robustness and dominance count right and wrong alone; agreement is of predicted classes, and needs no labels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.stats import norm

from difficulty_model.errors import InputError
from difficulty_model.law import by_all_others, least_squares, probit
from difficulty_model.observed import BOOTSTRAPS, off_the_edges, require_two, resamples, weighted_counts
from difficulty_model.posterior import LEVEL
from difficulty_model.responses import NOT_STORED, Responses
from difficulty_model.types import MODEL, TEST_SET, IntArray

FEWEST = 4
"""Models: a line through three others."""


def effective_robustness(
    responses: Responses, original: str, new: str, *, level: float = LEVEL, random_seed: int = 0
) -> pd.DataFrame:
    """Return how much better every model is on the new test set than its accuracy on the original one lets expect.

    That is the accuracy beyond the least-squares line through the probit accuracies of all other models (Taori et al.,
    2020, arXiv:2007.00644, with the model itself left out). Intervals are over resamples of the images, which all
    models share: they do not tell what another choice of the other models would.

    Parameters
    ----------
    responses
        Of at least four models to both test sets.
    original, new
        Names of the test sets.
    level
        Coverage of the intervals.
    random_seed
        Of the resamples.

    Returns
    -------
    pandas.DataFrame
        A row per model that is sometimes right and sometimes wrong on both, the most robust first: `model`;
        `original`, `new` and `expected` accuracies, as shares; `points` beyond the expected, with `low` and `high`.

    Raises
    ------
    InputError
        If a test set does not exist, both are one, fewer than four models are sometimes right and sometimes wrong on
        both, or all of them have the same accuracy on the original one.
    """
    pair = _run_on_both(responses, original, new)
    pair = _of_models(pair, pair.sometimes_right(), "are sometimes right and sometimes wrong on", original, new)
    accuracies = np.concatenate([_accuracies(pair, copies) for copies in _observed_and_resampled(pair, random_seed)])
    known, truth = accuracies[0]
    if np.ptp(known) == 0:
        raise InputError(f"all {len(pair.models)} models have the same accuracy on {original!r}, so that no line tells "
                         "what to expect of a better one; it needs models of different accuracies")
    beyond = _beyond(accuracies)
    points, reach = beyond[0], _reach(beyond[1:], level)
    table = pd.DataFrame({
        MODEL: pair.models, "original": known, "new": truth, "expected": truth - points / 100, "points": points,
        "low": points - reach, "high": points + reach,
    })
    return table.sort_values("points", ascending=False, ignore_index=True)


def dominance(responses: Responses) -> pd.DataFrame:
    """Return how often the weaker of two models is right where the stronger is wrong, on average over pairs.

    Models with one order of difficulty hardly ever do that (Mania and Sra, 2020, arXiv:2012.15483).

    Returns
    -------
    pandas.DataFrame
        A row per test set: `test_set`; `pairs` of models that share images; `weaker_alone`, the share of shared images;
        `independent`, what it would be if models of the same accuracies erred independently; not numbers if there are
        no pairs.
    """
    rows = []
    for name, mask in zip(responses.test_sets, responses.member, strict=True):
        seen = (responses.shown[:, mask] > 0).astype(np.float32)
        share = (responses.right[:, mask] / np.maximum(responses.shown[:, mask], 1)).astype(np.float32)
        shared, both, own = (a @ b.T for a, b in ((seen, seen), (share, share), (share, seen)))
        pairs = np.triu(shared > 0, 1)
        one, other, together = ((of[pairs] / shared[pairs]).astype(float) for of in (own, own.T, both))
        weaker, stronger = np.minimum(one, other), np.maximum(one, other)
        alone, independent = (
            float(of.mean()) if pairs.any() else np.nan for of in (weaker - together, weaker * (1 - stronger))
        )
        rows.append({TEST_SET: name, "pairs": int(pairs.sum()), "weaker_alone": alone, "independent": independent})
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Agreement:
    """How often models predict the same class on two test sets, and the line that this makes beside accuracies'.

    Attributes
    ----------
    lines : pandas.DataFrame
        The least-squares line through probits, of `agreement` and of `accuracy`: `of`; `u` and `v`, with `u_low`,
        `u_high`, `v_low` and `v_high`.
    pairs : pandas.DataFrame
        A row per pair of models with known classes of the same images in both test sets: `model`, `other`; `original`
        and `new`, the shares of these images on which both predict the same class.
    models : pandas.DataFrame
        A row per model of these pairs: `model`; `original` and `new` accuracies; `expected` on the new test set by the
        line of agreement, which needs no label there; `points` beyond the expected.
    error
        Mean of absolute `points`.
    error_by_labels
        The same by the line through the accuracies of all other models, which needs the new labels.
    """

    lines: pd.DataFrame
    pairs: pd.DataFrame
    models: pd.DataFrame
    error: float
    error_by_labels: float

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, of pairs their number."""
        return {
            "lines": self.lines.to_dict("records"), "pairs": len(self.pairs), "models": self.models.to_dict("records"),
            "error": self.error, "error_by_labels": self.error_by_labels,
        }


def agreement(
    responses: Responses, original: str, new: str, *, level: float = LEVEL, random_seed: int = 0
) -> Agreement:
    """Return the line between agreements of pairs of models on two test sets, and what accuracies it predicts.

    Where accuracies lie on a line, so do agreements, and it is about the same one (Baek et al., 2022,
    arXiv:2206.13089): from labels of the original test set alone it tells accuracies on the new one. Intervals are over
    resamples of the images, which all models share: they do not tell what a choice of other models would. Time grows
    with the number of pairs.

    Parameters
    ----------
    responses
        Of at least four models to both test sets, with the classes that they predicted.
    original, new
        Names of the test sets.
    level
        Coverage of the intervals.
    random_seed
        Of the resamples.

    Raises
    ------
    InputError
        If the responses keep no predicted classes or count others than the first as right, a test set does not exist,
        both are one, or fewer than four models have known classes of the same images in both.
    """
    _require_first_classes(responses)
    pair = _run_on_both(responses, original, new)
    shared = _shared_images(pair)
    one, other = np.nonzero(np.triu((shared > 0).all(0), 1))
    judged = np.union1d(one, other)
    if len(judged) < FEWEST:
        raise InputError(f"only {len(judged)} of {len(pair.models)} models have known classes of the same images in "
                         f"both {original!r} and {new!r}; agreement on the line needs at least {FEWEST}")

    def shares(copies: Float[np.ndarray, "resample image"]) -> tuple[np.ndarray, np.ndarray]:
        agreed = off_the_edges(_agreements(pair, one, other, copies), shared[:, one, other])
        return agreed, _accuracies(pair, copies)[..., judged]

    once, *resampled = _observed_and_resampled(pair, random_seed)
    (agreed,), (accuracies,) = shares(once)
    # Of resamples lines alone are kept: all pairs of all of them would take memory that grows with models².
    lines = zip(*([_lines(of) for of in shares(copies)] for copies in resampled), strict=True)
    of_resamples = list(map(np.concatenate, lines))
    (x, y), (known, truth), names = probit(accuracies), accuracies, np.array(pair.models)
    expected = norm.cdf(least_squares(*probit(agreed)).at(x))
    return Agreement(
        lines=pd.DataFrame([
            {"of": name, **_with_intervals(_lines(of[None])[0], draws, level)}
            for name, of, draws in zip(("agreement", "accuracy"), (agreed, accuracies), of_resamples, strict=True)
        ]),
        pairs=pd.DataFrame({MODEL: names[one], "other": names[other], "original": agreed[0], "new": agreed[1]}),
        models=pd.DataFrame({
            MODEL: names[judged], "original": known, "new": truth, "expected": expected,
            "points": 100 * (truth - expected),
        }),
        error=float(100 * np.abs(truth - expected).mean()),
        error_by_labels=float(100 * np.abs(truth - norm.cdf(by_all_others(x, y))).mean()),
    )


def _require_first_classes(responses: Responses) -> None:
    if "predicted" not in responses.dataset:
        raise InputError("these responses keep no predicted classes, which agreement is of; import predictions again, "
                         "in a layout that has classes (predictions, imagenetv2 or cifar10.1)")
    top_k = responses.dataset.attrs["top_k"]
    if top_k != 1:
        raise InputError(f"the first {top_k} classes count as right in these responses, but agreement is of the first; "
                         "import with --top-k 1, or score by `scored(1)`")


def _shared_images(pair: Responses) -> Float[np.ndarray, "2 model other"]:
    """Return of how many images of each test set the classes are known that both of two models predicted."""
    known = (pair.dataset["predicted"].values != NOT_STORED).astype(np.float32)
    return np.array([known[:, mask] @ known[:, mask].T for mask in pair.member]).astype(float)


def _agreements(
    pair: Responses, one: IntArray, other: IntArray, copies: Float[np.ndarray, "resample image"]
) -> Float[np.ndarray, "resample 2 pair"]:
    """Return the share of images on which pairs of models predict the same class, with so many copies of each image.

    Pairs are in the order of the first model. The others of one model are compared with it at once: comparing images
    takes memory of the responses, and not of all pairs.
    """
    agreements = np.empty((len(copies), len(pair.member), len(one)))
    for k, mask in enumerate(pair.member):
        predicted, copied = pair.dataset["predicted"].values[:, mask], copies[:, mask]
        images = copied.sum(1, keepdims=True, dtype=float)
        for j in np.unique(one):
            others = predicted[other[one == j]]
            known = (others != NOT_STORED) & (predicted[j] != NOT_STORED)
            same = _counts(copied, known & (others == predicted[j]))
            shared = images if known.all() else _counts(copied, known)
            agreements[:, k, one == j] = same / np.maximum(shared, 1)
    return agreements


def _counts(
    copies: Float[np.ndarray, "resample image"], which: Bool[np.ndarray, "pair image"]
) -> Float[np.ndarray, "resample pair"]:
    """Return how many copies there are of some images; whole numbers below 2^24 are exact in float32."""
    return (copies @ which.T.astype(np.float32)).astype(float)


def _lines(shares: Float[np.ndarray, "resample 2 point"]) -> Float[np.ndarray, "resample 2"]:
    """Return u and v of the lines through probits of shares."""
    line = least_squares(*probit(shares).swapaxes(0, 1))
    return np.stack([line.u, line.v], axis=1)


def _with_intervals(
    line: Float[np.ndarray, "2"], draws: Float[np.ndarray, "resample 2"], level: float
) -> dict[str, float]:
    row = {}
    for name, value, reach in zip("uv", line.tolist(), _reach(draws, level).tolist(), strict=True):
        row |= {name: value, f"{name}_low": value - reach, f"{name}_high": value + reach}
    return row


def _run_on_both(responses: Responses, original: str, new: str) -> Responses:
    """Return the responses to two test sets of the models that were run on both."""
    require_two(original, new, responses.test_sets)
    pair = responses.select(test_sets=[original, new])
    return _of_models(pair, np.asarray((pair.showings() > 0).all(0)), "were run on", original, new)


def _of_models(pair: Responses, which: Bool[np.ndarray, "model"], what: str, original: str, new: str) -> Responses:
    if which.sum() < FEWEST:
        raise InputError(f"only {which.sum()} of {len(which)} models {what} both {original!r} and {new!r}; a line "
                         f"through the others needs at least {FEWEST}")
    return pair.select(models=np.array(pair.models)[which].tolist())


def _observed_and_resampled(pair: Responses, random_seed: int) -> Iterator[Float[np.ndarray, "resample image"]]:
    """Yield how many copies every image has: one each, as observed; then in resamples, some at a time."""
    yield np.ones((1, len(pair.images)), np.float32)
    yield from resamples(len(pair.images), BOOTSTRAPS, random_seed=random_seed)


def _accuracies(
    pair: Responses, copies: Float[np.ndarray, "resample image"]
) -> Float[np.ndarray, "resample 2 model"]:
    """Return accuracies with so many copies of each image, off the edges."""
    right, shown = weighted_counts(pair, copies)
    return off_the_edges(right / np.maximum(shown, 1), pair.showings())


def _reach(draws: Float[np.ndarray, "resample ..."], level: float) -> Float[np.ndarray, "..."]:
    """Return half the width of intervals over resamples: of so few the sd is surer than quantiles."""
    return norm.ppf((1 + level) / 2) * draws.std(0, ddof=1)


def _beyond(accuracies: Float[np.ndarray, "resample 2 model"]) -> Float[np.ndarray, "resample model"]:
    """Return points beyond the line through the probit accuracies of all other models."""
    x, y = probit(accuracies).swapaxes(0, 1)
    return 100 * (accuracies[:, 1] - norm.cdf(by_all_others(x, y)))
