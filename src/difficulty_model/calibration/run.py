"""The verb: many worlds, one after another, to a report."""

import time

import pandas as pd
from tqdm.auto import tqdm

from difficulty_model.calibration.ranks import SAMPLERS, Method, rank_world
from difficulty_model.calibration.report import LEVELS, Calibration
from difficulty_model.calibration.uniformity import WORLDS_PER_BIN
from difficulty_model.calibration.worlds import CLASSES, draw_world
from difficulty_model.errors import InputError
from difficulty_model.fitting.images import names_of
from difficulty_model.specification import Specification, require_identified, require_valid

MULTIPLE = 20
"""Ranks among 19, 39, … draws can be split at the bounds of the intervals whose coverage is counted."""


def calibrate(
    specification: Specification,
    *,
    worlds: int = 100,
    models: int = 8,
    images: int = 150,
    draws: int = 99,
    method: Method = "nuts",
    random_seed: int,
    progress: bool = True,
) -> Calibration:
    """Return how often posteriors hold the truth of worlds that are drawn from a specification's priors.

    Simulation-based calibration: if unknowns are drawn from the prior and responses given these, then each truth takes
    every place among draws of its posterior equally often (Talts et al., 2018, arXiv:1804.06788). The log-likelihood
    is ranked too, which notices errors that no single unknown shows (Modrák et al., 2023, Bayesian Analysis).

    Parameters
    ----------
    specification
        What worlds are drawn from and fitted by. The priors of the family make worlds in which some models get
        everything right, from which nothing can be learned: give `narrowed` ones.
    worlds
        Number of worlds.
    models, images
        Of every world; images of each of two test sets.
    draws
        Number of posterior draws that a truth is ranked among, nearly independent ones; one less than a multiple of 20.
    method
        The sampler, as `fit` takes it.
    random_seed
        World n has the seed `random_seed` + n.
    progress
        Show a progress bar, if there is a terminal to show it in.

    Raises
    ------
    InputError
        If the specification is not one, or a number is too small.
    """
    require_valid(specification)
    if method not in SAMPLERS:
        raise InputError(f"no method {method!r} to calibrate; there are {', '.join(SAMPLERS)}")
    if worlds < 2 * WORLDS_PER_BIN or models < 3 or images < CLASSES:
        raise InputError(f"need at least {2 * WORLDS_PER_BIN} worlds of 3 models and {CLASSES} images per test set; "
                         f"got {worlds} worlds, {models} models, {images} images")
    if draws < 1 or (draws + 1) % MULTIPLE:
        raise InputError(f"draws must be one less than a multiple of {MULTIPLE}, such as 99, so that intervals of "
                         f"{' and '.join(f'{level:.0%}' for level in LEVELS)} have bounds among them; got {draws}")
    first = draw_world(specification, models=models, images=images, random_seed=random_seed)
    names = names_of(first.responses, specification)
    require_identified(specification, {dim: len(of) for dim, of in names.items()})
    ranks, autocorrelation, left_out = {}, {}, {}
    started = time.monotonic()
    seeds = range(random_seed, random_seed + worlds)
    for seed in tqdm(seeds, desc="worlds", unit=" worlds", disable=None if progress else True, leave=False):
        world = draw_world(specification, models=models, images=images, random_seed=seed)
        found = rank_world(world, specification, draws=draws, method=method, random_seed=seed)
        if found.trouble:
            left_out[seed] = found.trouble
        else:
            ranks[seed], autocorrelation[seed] = found.ranks, found.autocorrelation
    if len(ranks) < 2 * WORLDS_PER_BIN:
        raise InputError(f"only {len(ranks)} of {worlds} worlds could be fitted without trouble, too few to judge by; "
                         f"the first said: {next(iter(left_out.values()))[0]}")
    return Calibration(
        specification=specification, method=method, models=models, images=images, draws=draws,
        ranks=pd.DataFrame.from_dict(ranks, orient="index"),
        autocorrelation=pd.DataFrame.from_dict(autocorrelation, orient="index"),
        left_out=left_out, seconds=(time.monotonic() - started) / worlds,
    )
