"""What sampling strategies make of a pool: simulated collections, with what annotators say and with what is true."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from difficulty_model.collecting.collections import Collections
from difficulty_model.collecting.given import GivenPool, given_pools
from difficulty_model.collecting.plan import CollectionPlan, simulated_pools
from difficulty_model.collecting.pool import chosen_by
from difficulty_model.collecting.strategies import Strategy
from difficulty_model.errors import InputError
from difficulty_model.fitting import Fit
from difficulty_model.fitting.images import families
from difficulty_model.types import MODEL

SETS = 200
"""Collections that are simulated, unless asked otherwise."""


def collect(
    fit: Fit,
    pool: CollectionPlan | GivenPool,
    strategies: Mapping[str, Strategy],
    *,
    sets: int = SETS,
    random_seed: int = 0,
    progress: bool = True,
) -> Collections:
    """Return test sets that strategies choose from a pool, many times, and what a fit's models would score on them.

    Each time, the pool is one posterior draw of all that is not known: every image's difficulty and true selection
    frequency, and of a planned pool the images and what annotators say as well. Each strategy then chooses twice: by
    what annotators say, and by the true frequencies, so that what their noise does alone is known. Of a pool that
    exists, the responses that were observed count as they are, and others are drawn.

    Parameters
    ----------
    fit
        Whose models, and whose difficulties.
    pool
        One that is planned, or one that exists.
    strategies
        By which to choose, with names.
    sets
        How many times.
    random_seed
        Of everything.
    progress
        Show a progress bar, if there is a terminal to show it in.

    Raises
    ------
    InputError
        If there is no strategy, or one cannot be followed; if no test set is to be simulated; or if the fit, or the
        pool, lacks what the other needs.
    """
    if sets < 1:
        raise InputError(f"at least one collection has to be simulated; got {sets}")
    if not strategies:
        raise InputError("no strategy was given; give at least one, such as TopImages(10)")
    rng, family = np.random.default_rng(random_seed), families(fit.responses, fit.specification)
    shape = len(strategies), sets, len(fit.responses.models)
    accuracy, expected, exact = np.empty((3, *shape))
    frequency, seen, exact_frequency, harder = np.empty((4, *shape[:2]))
    reference = np.empty(shape[1:])
    pools = given_pools(fit, pool, sets, rng) if isinstance(pool, GivenPool) else simulated_pools(fit, pool, sets, rng)
    bar = tqdm(pools, total=sets, desc="collections", disable=None if progress else True, leave=False)
    for n, of in enumerate(bar):
        candidates, there = of.candidates, of.reference
        every = np.arange(len(there.cell))
        reference[n] = there.expected(every)
        for k, strategy in enumerate(strategies.values()):
            chosen = chosen_by(strategy, rng, candidates.seen, there.seen)
            by_truth = chosen_by(strategy, rng, candidates.exact(), there.exact())
            accuracy[k, n] = candidates.answered(rng, chosen, family)
            expected[k, n], exact[k, n] = candidates.expected(chosen), candidates.expected(by_truth)
            seen[k, n] = candidates.seen.frequency[chosen].mean()
            frequency[k, n] = candidates.frequency[chosen].mean()
            exact_frequency[k, n] = candidates.frequency[by_truth].mean()
            harder[k, n] = candidates.mean_difficulty(chosen) - there.mean_difficulty(every)
    coordinates = {"strategy": list(strategies), "draw": np.arange(sets), MODEL: fit.responses.models}
    of_models, of_sets = ("strategy", "draw", MODEL), ("strategy", "draw")
    return Collections(xr.Dataset(
        {
            "accuracy": (of_models, accuracy), "expected": (of_models, expected), "exact": (of_models, exact),
            "reference": (("draw", MODEL), reference), "seen": (of_sets, seen), "frequency": (of_sets, frequency),
            "exact_frequency": (of_sets, exact_frequency), "harder": (of_sets, harder),
        },
        coordinates,
    ))
