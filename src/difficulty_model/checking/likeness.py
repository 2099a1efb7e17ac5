"""Models that tell the fit less than their number suggests: always the same, copies, near-copies."""

from collections import defaultdict

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from difficulty_model.checking.comparison import correlations, loadings
from difficulty_model.checking.finding import Finding
from difficulty_model.responses import Responses
from difficulty_model.types import FloatArray, IntArray

ACCIDENT = 1e-3
"""Expected number of pairs of models, by chance as alike as this, below which identity is no accident."""

OUTLIER = 5
"""Robust standard deviations above the median pair at which two models are twins. In the released ImageNetV2
predictions all ports of one network lie beyond it, and beside them only networks of one family."""

EXCESS = 0.3
"""Correlation beyond what the common difficulty explains that twins must have besides, however narrow the
bulk: it is what two models have that share three responses in ten."""

ENOUGH = 10
"""Right and wrong responses each that a correlation with another model needs to mean anything."""

PEERS = 5
"""Models below which there is no bulk of pairs that twins could stand out from."""


def check_likeness(responses: Responses) -> list[Finding]:
    """Find models that are always right or always wrong, identical models, and near-identical models."""
    return _constants(responses) + _copies(responses) + _twins(responses)


def _constants(responses: Responses) -> list[Finding]:
    findings = []
    for test_set, mask in zip(responses.test_sets, responses.member, strict=True):
        right = responses.right[:, mask].sum(1, dtype=np.int64)
        shown = responses.shown[:, mask].sum(1, dtype=np.int64)
        for j in np.flatnonzero((shown > 0) & ((right == 0) | (right == shown))):
            always = "right" if right[j] else "wrong"
            findings.append(Finding(
                "constant", responses.models[j], test_set,
                f"{responses.models[j]!r} is always {always} in {test_set!r} ({shown[j]} responses)",
                "check that these are predictions and that its class ids are those of the labels; if all is "
                "well, only the prior bounds its skill here",
                {"right": int(right[j]), "shown": int(shown[j])},
            ))
    return findings


def _copies(responses: Responses) -> list[Finding]:
    """Find models with identical responses: in all test sets they have, or, a graver thing, only in some."""
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for k, mask in enumerate(responses.member):
        alike: dict[bytes, list[int]] = defaultdict(list)
        right, shown = responses.right[:, mask], responses.shown[:, mask]
        for j in np.flatnonzero((right < shown).any(1) & (right > 0).any(1)):
            alike[right[j].tobytes() + shown[j].tobytes()].append(int(j))
        for group in alike.values():
            if len(group) > 1 and _no_accident(right, shown, group[0]):
                places[tuple(responses.models[j] for j in group)].append(k)
    findings = []
    for models, sets in places.items():
        rows = [responses.models.index(model) for model in models]
        names = ", ".join(map(repr, models))
        where = [responses.test_sets[k] for k in sets]
        evidence = {"models": models, "test_sets": where}
        if any(_all_shown(responses, rows, k) for k in range(len(responses.test_sets)) if k not in sets):
            findings += [Finding(
                "copied", None, test_set,
                f"{names} have identical responses in {test_set!r}, but not in other test sets: one file is "
                "probably a copy of the other",
                "get the right file, or leave these models out", evidence,
            ) for test_set in where]
        else:
            findings.append(Finding(
                "duplicate", None, where[0] if len(where) == 1 else None, f"{names} have identical responses",
                "keep one of them: the others add no information, and intervals that count them are too "
                "narrow",
                evidence,
            ))
    return findings


def _all_shown(responses: Responses, rows: list[int], k: int) -> bool:
    return bool(responses.shown[np.ix_(rows, responses.member[k])].any(1).all())


def _no_accident(right: IntArray, shown: IntArray, j: int) -> bool:
    """Tell whether models as alike as the most alike others would hardly ever be identical to model j.

    Two models that differ on a share d of n images are identical with probability (1 − d)^n; d is taken from
    the nearest of the models that do differ from j, among those shown the same images.
    """
    same = (right == right[j]) & (shown == shown[j])
    differing = (~same).sum(1)
    others = differing[differing > 0]
    if len(others) == 0:
        return len(right) > 1 and right.shape[1] >= ENOUGH
    n = right.shape[1]
    pairs = len(right) * (len(right) - 1) / 2
    return bool(pairs * (1 - others.min() / n) ** n < ACCIDENT)


def _twins(responses: Responses) -> list[Finding]:
    """Find groups of models that agree far beyond what their accuracies and the common difficulty explain."""
    right = responses.right.sum(1, dtype=np.int64)
    wrong = responses.shown.sum(1, dtype=np.int64) - right
    rows = np.flatnonzero((right >= ENOUGH) & (wrong >= ENOUGH))
    if len(rows) < PEERS:
        return []
    sets = [np.flatnonzero(mask) for mask in responses.member]
    correlation, shared = correlations(responses.right[rows], responses.shown[rows], sets)
    excess = _excess(correlation)
    pairs = excess[np.triu_indices(len(rows), 1)]
    middle = np.median(pairs)
    spread = 1.4826 * np.median(np.abs(pairs - middle))  # the standard deviation, if pairs were normal
    error = 1 / np.sqrt(np.maximum(shared, 1))
    linked = np.triu(excess > np.maximum(EXCESS, middle + OUTLIER * np.maximum(spread, error)), 1)
    for a, b in np.argwhere(linked).tolist():
        linked[a, b] = not _identical(responses, rows[a], rows[b])  # which are told already
    group_of = connected_components(csr_array(linked), directed=False)[1]
    links = np.argwhere(linked)
    findings = []
    for group in np.unique(group_of[links[:, 0]]):
        pairs_here = links[group_of[links[:, 0]] == group]
        agreements = [_agreement(responses, a, b) for a, b in rows[pairs_here].tolist()]
        models = [responses.models[j] for j in rows[np.unique(pairs_here)]]
        findings.append(Finding(
            "twins", None, None,
            f"{', '.join(map(repr, models))} give the same response on {_range(agreements)} of the images, "
            "far more than models of their accuracies do: ports or variants of one network",
            "keep one of them where it matters: the fit takes errors on one image for independent",
            {
                "models": models,
                "agreement": float(min(agreements)),
                "excess_correlation": float(excess[*pairs_here.T].min()),
                "excess_correlation_of_the_median_pair": float(middle),
                "excess_correlation_spread": float(spread),
            },
        ))
    return findings


def _identical(responses: Responses, a: np.intp, b: np.intp) -> bool:
    right, shown = responses.right, responses.shown
    return bool((right[a] == right[b]).all() and (shown[a] == shown[b]).all())


def _excess(correlation: FloatArray) -> FloatArray:
    """Return the partial correlations given one common factor: what difficulty leaves unexplained."""
    load = loadings(correlation)
    rest = np.sqrt(1 - load**2)
    return (correlation - np.outer(load, load)) / np.outer(rest, rest)


def _agreement(responses: Responses, a: int, b: int) -> float:
    """Return the share of the images shown to both models on which their responses are the same."""
    both = (responses.shown[a] > 0) & (responses.shown[b] > 0)
    first = responses.right[a, both] * responses.shown[b, both].astype(np.int64)
    second = responses.right[b, both] * responses.shown[a, both].astype(np.int64)
    return float((first == second).mean()) if both.any() else 0.0


def _range(shares: list[float]) -> str:
    low, high = f"{min(shares):.1%}", f"{max(shares):.1%}"
    return low if low == high else f"{low} to {high}"
