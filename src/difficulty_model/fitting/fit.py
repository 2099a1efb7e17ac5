"""The verb: from responses and a specification to a posterior."""

import json
import logging
from collections.abc import Callable
from typing import Literal

import jax
import numpy as np
import xarray as xr

from difficulty_model.errors import InputError
from difficulty_model.family import recht_et_al
from difficulty_model.fitting import difficulties
from difficulty_model.fitting.classes import effects_integrated_out, with_effects
from difficulty_model.fitting.cost import estimate
from difficulty_model.fitting.density import posterior_density
from difficulty_model.fitting.diagnostics import mixing
from difficulty_model.fitting.images import families, names_of, patterns_of
from difficulty_model.fitting.joint import sample_joint
from difficulty_model.fitting.judgement import praise_for, small_strata, trouble_in
from difficulty_model.fitting.laplace import sample_laplace
from difficulty_model.fitting.mode import sample_mode
from difficulty_model.fitting.nuts import sample_nuts
from difficulty_model.fitting.result import Fit, grid_of, numbers_of
from difficulty_model.fitting.sample import Sample
from difficulty_model.likelihood import Patterns
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification, require_identified, require_valid, to_json, unknowns
from difficulty_model.types import IMAGE, MODEL, STRATUM, TEST_SET, IntArray

Method = Literal["nuts", "laplace", "mode", "joint"]

SAMPLERS: dict[Method, Callable[..., Sample]] = {
    "nuts": sample_nuts,
    "laplace": sample_laplace,
    "mode": sample_mode,
    "joint": sample_joint,
}

QUANTILES = (0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975)
"""Of every image's difficulty, kept with the fit."""

DIFFICULTY_DRAWS = 200
"""Draws of skills and populations that images' posteriors are averaged over."""

logger = logging.getLogger(__name__)


def fit(
    responses: Responses,
    specification: Specification | None = None,
    *,
    draws: int = 250,
    chains: int = 4,
    random_seed: int,
    method: Method = "nuts",
    progress: bool = True,
) -> Fit:
    """Return the posterior of skills, populations and difficulties given responses.

    Parameters
    ----------
    responses
        Of at least two models. Test sets that share images are fitted by strata, so that every image counts once.
    specification
        What is assumed; `recht_et_al` if not given.
    draws, chains
        Draws kept per chain, and chains. Draws of "nuts" are nearly independent.
    random_seed
        The same seed on the same machine gives the same fit.
    method
        "nuts": the No-U-Turn sampler on the marginal posterior. "laplace": the normal approximation at the mode,
        corrected by importance sampling; its Pareto k says whether that holds. "mode": the normal approximation
        alone, unchecked. "joint": NUTS over every image's difficulty too, hundreds of times slower; it is there
        to compare with.
    progress
        Show progress bars, if there is a terminal to show them in.

    Raises
    ------
    InputError
        If there are fewer than two models, draws or chains are too few, the specification is not one or cannot be
        identified, or it needs covariates or classes that the responses do not have.
    """
    specification = specification or recht_et_al()
    require_valid(specification)
    if len(responses.models) < 2:
        raise InputError(f"only one model ({responses.models[0]!r}): difficulties need the responses of at least "
                         "two models to the same images")
    if draws < 4 or chains < 1:
        raise InputError(f"need at least 4 draws and 1 chain; got {draws} draws and {chains} chains")
    if method not in SAMPLERS:
        raise InputError(f"no method {method!r}; there are {', '.join(SAMPLERS)}")
    strata = responses.strata()
    names = names_of(responses, specification)
    patterns = patterns_of(responses, specification)
    sizes = {dim: len(of) for dim, of in names.items()}
    require_identified(specification, sizes)
    _tell_of_families_of_one(responses, families(responses, specification))
    with jax.enable_x64(True):
        sampled = specification if method == "joint" else effects_integrated_out(specification)
        density = posterior_density(sampled, sizes, patterns)
        logger.info("This takes %s.", estimate(density, draws=draws, chains=chains, method=method))
        sample = SAMPLERS[method](density, draws=draws, chains=chains, random_seed=random_seed, progress=progress)
        if sampled != specification:
            sample = with_effects(sample, specification, density, random_seed=random_seed, progress=progress)
        posterior = _labelled(sample, specification, names)
        difficulty = _difficulty(specification, posterior, density.patterns, responses.images, progress=progress)
    diagnostics = sample.diagnostics
    if method in ("nuts", "joint"):
        mixed = mixing(posterior[list(unknowns(specification))])
        diagnostics = diagnostics | {
            "r_hat": mixed.r_hat, "ess_bulk": mixed.ess_bulk, "ess_tail": mixed.ess_tail,
            "divergences": int(sample.statistics["diverging"].sum()),
        }
    trouble = trouble_in(diagnostics, draws=draws * chains)
    trouble += small_strata(dict(zip(strata.names, np.bincount(strata.of_image).tolist(), strict=True)))
    tree = xr.DataTree.from_dict({
        "posterior": posterior,
        "sample_stats": xr.Dataset({k: (("chain", "draw"), v) for k, v in sample.statistics.items()}),
        "observed_data": responses.dataset,
        "constant_data": xr.Dataset(
            {"weight": ((TEST_SET, STRATUM), strata.weights), "stratum_of_image": (IMAGE, strata.of_image)},
            {TEST_SET: responses.test_sets, STRATUM: strata.names, IMAGE: responses.images},
        ),
        "difficulty": difficulty,
    })
    tree.attrs = {
        "specification": to_json(specification),
        "method": method,
        "random_seed": random_seed,
        "diagnostics": json.dumps(diagnostics),
        "trouble": json.dumps(trouble),
        "verdict": " ".join(trouble) or praise_for(diagnostics, method=method, draws=draws * chains),
    }
    return Fit(tree, specification)


def _tell_of_families_of_one(responses: Responses, family: IntArray | None) -> None:
    alone = [] if family is None else np.flatnonzero(np.bincount(family)[family] == 1)
    if len(alone):
        logger.warning("%d of %d models are by themselves in their family, such as %r: their responses count as "
                       "independent evidence, and tell nothing of effects of families.",
                       len(alone), len(responses.models), responses.models[alone[0]])


def _labelled(sample: Sample, specification: Specification, names: dict[str, list[str]]) -> xr.Dataset:
    """Return draws as a dataset with named dimensions."""
    over = {path: prior.dims for path, prior in unknowns(specification).items()} | {"difficulty": (IMAGE,)}
    variables = {path: (("chain", "draw", *over[path]), value) for path, value in sample.values.items()}
    used = {MODEL, STRATUM}.union(*over.values())
    return xr.Dataset(variables, {dim: of for dim, of in names.items() if dim in used})


def _difficulty(
    specification: Specification, posterior: xr.Dataset, patterns: Patterns, images: list[str], *, progress: bool
) -> xr.Dataset:
    """Return what the posterior says of every image.

    Mean, sd and quantiles of its difficulty, given that it is finite; where there are images that no model can get
    right, or that none misses, the probability that it is one; and where images differ in discrimination, the mean of
    that.
    """
    numbers = numbers_of(specification, posterior, at_most=DIFFICULTY_DRAWS)
    grid = grid_of(numbers, patterns, refinement=difficulties.REFINEMENT)
    every = difficulties.average_posterior(numbers, patterns, grid, progress=progress)
    probability = difficulties.finite(every, grid)
    mean, sd = difficulties.moments(probability, np.asarray(grid.nodes))
    levels = difficulties.quantiles(probability, grid, np.asarray(QUANTILES))
    of_pattern = {"mean": mean, "sd": sd}
    for n, infinity in enumerate(numbers.population.log_atoms(), start=grid.size):
        of_pattern["unlearnable" if infinity > 0 else "unmissable"] = every[:, n]
    if grid.discriminations is not None:
        of_pattern["discrimination"] = difficulties.discriminations(every, grid)
    of_image = np.asarray(patterns.of_image)
    return xr.Dataset(
        {name: (IMAGE, values[of_image]) for name, values in of_pattern.items()}
        | {"quantiles": ((IMAGE, "quantile"), levels[of_image])},
        {IMAGE: images, "quantile": list(QUANTILES)},
    )
