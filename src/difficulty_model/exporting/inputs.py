"""What an exported model is made from: responses as patterns, and a grid that serves their posterior."""

import logging
from dataclasses import dataclass, replace
from functools import partial

import jax
import numpy as np
from numpyro.infer.util import constrain_fn

from difficulty_model.fitting.classes import effects_integrated_out, mean_effects
from difficulty_model.fitting.density import posterior_density
from difficulty_model.fitting.images import names_of, patterns_of
from difficulty_model.fitting.mode import TOLERANCE, draw_normal, find_mode
from difficulty_model.fitting.program import draw_unknowns
from difficulty_model.likelihood import Grid, Patterns
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification, require_identified, require_valid

GRID_DRAWS = 100
"""Draws of the normal approximation at the mode that the grid serves, as many as for the package's own sampler."""

GRID_SEED = 0
"""The grid needs to know how far the posterior reaches; which draws tell it does not matter."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """What an exported model is made from.

    Attributes
    ----------
    names
        Names along every dimension that priors may vary over.
    patterns
        The responses.
    grid
        On which images are integrated out: laid for the posterior, as the package's own sampler does.
    mode
        Value of every sampled site at the posterior mode; of effects of classes the mean given all else there.
    """

    names: dict[str, list[str]]
    patterns: Patterns
    grid: Grid
    mode: dict[str, np.ndarray]

    @property
    def sizes(self) -> dict[str, int]:
        """Length of every dimension."""
        return {dim: len(of) for dim, of in self.names.items()}


def inputs_of(specification: Specification, responses: Responses) -> Inputs:
    """Return what a model of a specification's posterior given responses is made from.

    Raises
    ------
    InputError
        If the specification is not one, needs what the responses do not have, or is not identified by them.
    """
    require_valid(specification)
    names, patterns = names_of(responses, specification), patterns_of(responses, specification)
    sizes = {dim: len(of) for dim, of in names.items()}
    require_identified(specification, sizes)
    with jax.enable_x64(True):
        density = posterior_density(effects_integrated_out(specification), sizes, patterns)
        mode = find_mode(density, progress=False)
        if mode.decrement > TOLERANCE:
            logger.warning("The posterior mode was not found: the grid may not serve the posterior. Compare with a "
                           "`fit`, which measures the error of its grid.")
        grid = density.grid_at(draw_normal(mode, draws=GRID_DRAWS, random_seed=GRID_SEED))
        sampled = partial(draw_unknowns, density.potential.specification, sizes)
        sites = constrain_fn(sampled, (), {}, density.potential.unravel(mode.location))
        sites |= mean_effects(specification, density, mode.location)
        return Inputs(
            names, density.patterns, replace(grid, class_effects=None),
            {site: np.asarray(value) for site, value in sites.items()},
        )
