"""Whether ranks are uniform: by their histogram, their empirical distribution, and the coverage of intervals."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import brentq
from scipy.stats import binom, binomtest, chisquare

POINTS = 39
"""Where the empirical distribution of ranks is compared with the uniform one, at most."""

WORLDS_PER_BIN = 10
BINS = 10
"""At most so many bins of the histogram of ranks, and at least so many worlds in each, expected."""


@dataclass(frozen=True)
class Band:
    """Where the empirical distribution of uniform ranks lies, at all points at once.

    Attributes
    ----------
    share
        The points, as shares of the possible ranks.
    low, high
        Bounds of the empirical distribution there.
    """

    share: Float[np.ndarray, "point"]
    low: Float[np.ndarray, "point"]
    high: Float[np.ndarray, "point"]


def chi_square_p_value(ranks: Int[np.ndarray, "world"], draws: int) -> float:
    """Return the p-value of Pearson's χ² for the histogram of ranks from 0 to `draws`, in bins of equal size."""
    bins = max(b for b in range(1, BINS + 1) if (draws + 1) % b == 0 and b <= max(2, len(ranks) // WORLDS_PER_BIN))
    counts = np.bincount(ranks * bins // (draws + 1), minlength=bins)
    return float(chisquare(counts).pvalue)


def ecdf_p_value(ranks: Int[np.ndarray, "world"], draws: int) -> float:
    """Return the p-value of the largest deviation of the empirical distribution of ranks from the uniform one.

    How large a deviation is at a point is told by its binomial p-value there; that the smallest of them is looked at is
    accounted for exactly (Säilynoja, Bürkner and Vehtari, 2022, Statistics and Computing 32:32).
    """
    points = _points(draws)
    below = (ranks[:, None] < points).sum(0)
    share = points / (draws + 1)
    tails = np.minimum(binom.cdf(below, len(ranks), share), binom.sf(below - 1, len(ranks), share))
    # Just above the smallest tail, so that its own count lies outside.
    return 1 - _probability_inside(len(ranks), draws, float(tails.min()) * (1 + 1e-9))


def band(worlds: int, draws: int, *, level: float) -> Band:
    """Return the band that holds the whole empirical distribution of uniform ranks with probability `level` at least.

    Parameters
    ----------
    worlds
        Number of ranks.
    draws
        Ranks go from 0 to it.
    level
        Of all points together.
    """
    return _band(worlds, draws, level)


def coverage_p_value(inside: int, worlds: int, level: float) -> float:
    """Return the p-value of intervals of a level that hold so many of the truths."""
    return float(binomtest(inside, worlds, level).pvalue)


def inside(ranks: Int[np.ndarray, "world"], draws: int, level: float) -> int:
    """Return how many truths lie in the central interval of a level.

    Of the draws + 1 places that a truth may take among the draws, the interval is the middle ones.
    """
    tail = (draws + 1) * (1 - level) / 2
    return int(((ranks + 0.5 > tail) & (ranks + 0.5 < draws + 1 - tail)).sum())


@lru_cache
def _band(worlds: int, draws: int, level: float) -> Band:
    def excess(log_tail: float) -> float:
        return _probability_inside(worlds, draws, float(np.exp(log_tail))) - level

    # The probability steps down as the tail grows; from the side where it is still large enough.
    bracket = np.log((1 - level) / (4 * POINTS)), np.log(0.5)
    log_tail: float = brentq(excess, *bracket, xtol=1e-3)  # pyright: ignore[reportAssignmentType]
    low, high = _bounds(worlds, draws, float(np.exp(log_tail - 1e-3)))
    return Band(_points(draws) / (draws + 1), low / worlds, high / worlds)


def _points(draws: int) -> Int[np.ndarray, "point"]:
    return np.unique(np.linspace(0, draws + 1, POINTS + 2)[1:-1].round().astype(int))


def _bounds(worlds: int, draws: int, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Return, at every point, the smallest and the largest count whose tails hold more than `tail`."""
    share = _points(draws)[:, None] / (draws + 1)
    counts = np.arange(worlds + 1)
    inside = (binom.cdf(counts, worlds, share) > tail) & (binom.sf(counts - 1, worlds, share) > tail)
    return inside.argmax(1), worlds - inside[:, ::-1].argmax(1)


def _probability_inside(worlds: int, draws: int, tail: float) -> float:
    """Return the probability that uniform ranks stay within `_bounds` at all points.

    Counts below successive points are a Markov chain: of the ranks that are not yet below, each falls between two
    points with the same probability.
    """
    low, high = _bounds(worlds, draws, tail)
    if tail >= 0.5:
        return 0.0
    before, share_before, probability = np.array([0]), 0.0, np.ones(1)
    for share, least, most in zip(_points(draws) / (draws + 1), low, high, strict=True):
        now = np.arange(least, most + 1)
        falls = binom.pmf(now - before[:, None], worlds - before[:, None], (share - share_before) / (1 - share_before))
        before, share_before, probability = now, share, probability @ falls
    return float(probability.sum())
