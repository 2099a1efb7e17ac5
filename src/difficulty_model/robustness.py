"""What accuracies on two test sets tell of models, with no fit: who is robust, and who dominates whom.

Both count right and wrong alone. Agreement on the line (Baek et al., 2022) is of predicted classes, which responses do
not keep.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import norm

from difficulty_model.errors import InputError
from difficulty_model.law import by_all_others, probit
from difficulty_model.observed import BOOTSTRAPS, off_the_edges, resamples, weighted_counts
from difficulty_model.posterior import LEVEL
from difficulty_model.responses import Responses
from difficulty_model.types import MODEL, TEST_SET

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
        A row per model that was run on both, the most robust first: `model`; `original`, `new` and `expected`
        accuracies, as shares; `points` beyond the expected, with `low` and `high`.

    Raises
    ------
    InputError
        If a test set does not exist, or fewer than four models were run on both.
    """
    pair = responses.select(test_sets=[original, new])
    shown = np.array([pair.shown[:, mask].sum(1, dtype=np.int64) for mask in pair.member])
    kept = np.asarray((shown > 0).all(0))
    if kept.sum() < FEWEST:
        raise InputError(f"only {kept.sum()} of {len(kept)} models were run on both {original!r} and {new!r}; a line "
                         f"through the others needs at least {FEWEST}")
    shown = shown[:, kept]

    def accuracies(copies: Float[np.ndarray, "resample image"]) -> Float[np.ndarray, "resample 2 model"]:
        right, of = (counts[..., kept] for counts in weighted_counts(pair, copies))
        return off_the_edges(right / np.maximum(of, 1), shown)

    observed = accuracies(np.ones((1, len(pair.images)), np.float32))
    draws = np.concatenate([
        _beyond(accuracies(copies)) for copies in resamples(len(pair.images), BOOTSTRAPS, random_seed=random_seed)
    ])
    points = _beyond(observed)[0]
    # Of so few resamples the sd is surer than quantiles.
    reach = norm.ppf((1 + level) / 2) * draws.std(0, ddof=1)
    table = pd.DataFrame({
        MODEL: np.array(pair.models)[kept], "original": observed[0, 0], "new": observed[0, 1],
        "expected": observed[0, 1] - points / 100, "points": points, "low": points - reach, "high": points + reach,
    })
    return table.sort_values("points", ascending=False, ignore_index=True)


def dominance(responses: Responses) -> pd.DataFrame:
    """Return how often the weaker of two models is right where the stronger is wrong, on average over pairs.

    Models with one order of difficulty hardly ever do that (Mania and Sra, 2020, arXiv:2012.15483).

    Returns
    -------
    pandas.DataFrame
        A row per test set: `test_set`; `pairs` of models that share images; `weaker_alone`, the share of shared images;
        `independent`, what it would be if models of the same accuracies erred independently.
    """
    rows = []
    for name, mask in zip(responses.test_sets, responses.member, strict=True):
        seen = (responses.shown[:, mask] > 0).astype(np.float32)
        share = (responses.right[:, mask] / np.maximum(responses.shown[:, mask], 1)).astype(np.float32)
        shared, both, own = (a @ b.T for a, b in ((seen, seen), (share, share), (share, seen)))
        pairs = np.triu(shared > 0, 1)
        one, other, together = ((of[pairs] / shared[pairs]).astype(float) for of in (own, own.T, both))
        weaker, stronger = np.minimum(one, other), np.maximum(one, other)
        rows.append({
            TEST_SET: name, "pairs": int(pairs.sum()), "weaker_alone": float((weaker - together).mean()),
            "independent": float((weaker * (1 - stronger)).mean()),
        })
    return pd.DataFrame(rows)


def _beyond(accuracies: Float[np.ndarray, "resample 2 model"]) -> Float[np.ndarray, "resample model"]:
    """Return points beyond the line through the probit accuracies of all other models."""
    x, y = probit(accuracies).swapaxes(0, 1)
    return 100 * (accuracies[:, 1] - norm.cdf(by_all_others(x, y)))
