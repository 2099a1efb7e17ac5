"""Leaving out one image at a time, by importance sampling from the posterior given all.

The unit is an image with the responses of all models: its difficulty is integrated out, so that it is independent of
the others given skills and populations, and leaving it out moves these little. Images of one response pattern have the
same terms, which are computed once.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float
from tqdm.auto import tqdm

from difficulty_model.errors import InputError
from difficulty_model.fitting import Fit
from difficulty_model.fitting.diagnostics import GOOD_K, elpd_data, leave_one_out
from difficulty_model.fitting.images import patterns_of
from difficulty_model.fitting.result import grid_of
from difficulty_model.likelihood import Chunk, Grid, Patterns, of_patterns, tabulate
from difficulty_model.specification import Specification
from difficulty_model.types import IMAGE

FEWEST_DRAWS = 100
"""The tail that is smoothed is a fifth of the draws, and needs some."""

AT_ONCE = 2**24
"""Terms, one per pattern and draw, that are held at once: 128 MiB. The tables of a draw are made again for every such
part of the patterns; those of families of models are more work than the patterns themselves."""


@dataclass(frozen=True)
class Loo:
    """Leave-one-image-out predictive density (PSIS-LOO; Vehtari et al., 2017, Stat. Comput. 27:1413).

    Attributes
    ----------
    images : xarray.Dataset
        Of every image: `elpd`, the log predictive density of its responses given all other images, in nats; `p`, its
        part in the effective number of parameters; `pareto_k`, the shape of its importance ratios.
    draws
        Number of posterior draws.
    """

    images: xr.Dataset
    draws: int

    @property
    def elpd(self) -> float:
        """Expected log predictive density of as many new images, in nats."""
        return float(self.images["elpd"].sum())

    @property
    def se(self) -> float:
        """Standard error of `elpd`: images vary."""
        return float(np.sqrt(self.images.sizes[IMAGE] * self.images["elpd"].var()))

    @property
    def p(self) -> float:
        """Effective number of parameters."""
        return float(self.images["p"].sum())

    @property
    def doubtful(self) -> int:
        """Number of images with Pareto k above 0.7, whose terms cannot be relied on."""
        return int((self.images["pareto_k"] > GOOD_K).sum())

    def to_arviz(self) -> Any:  # noqa: ANN401
        """Return the same as the `ELPDData` of the installed ArviZ, for its `compare` and its plots."""
        return elpd_data(self.images["elpd"].values, self.p, self.images["pareto_k"].values, draws=self.draws)


def loo(fit: Fit, *, progress: bool = True) -> Loo:
    """Return how well a fit predicts each image from all others.

    Its draws are taken for those of the posterior: of method "mode", which does not check that, the result is as
    approximate as they are. An image that no model was shown counts 0.

    Parameters
    ----------
    fit
        With at least 100 draws.
    progress
        Show a progress bar, if there is a terminal to show it in.

    Raises
    ------
    InputError
        If the fit has too few draws.
    """
    draws = fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"]
    if draws < FEWEST_DRAWS:
        raise InputError(f"leaving images out needs at least {FEWEST_DRAWS} draws; this fit has {draws}. Fit with more")
    patterns = patterns_of(fit.responses, fit.specification)
    chunks, length = patterns.chunks.count.shape
    together = max(1, AT_ONCE // (draws * length))
    terms = np.zeros((3, chunks, length))
    with jax.enable_x64(True):
        numbers = fit.numbers()
        grid = grid_of(numbers, jax.tree.map(jnp.asarray, patterns))
        bar = tqdm(total=draws * chunks, desc="leaving images out", unit=" draws", unit_scale=1 / chunks,
                   disable=None if progress else True, leave=False)
        for start in range(0, chunks, together):
            of_part = jax.tree.map(lambda leaf, start=start: leaf[start : start + together], patterns.chunks)
            log_likelihood = np.asarray(_log_likelihood(numbers, of_part, patterns, grid))
            for n, real in enumerate(of_part.count > 0):  # the rest fills the chunk up
                of_chunk = leave_one_out(log_likelihood[:, n, real].T)
                terms[:, start + n, real] = of_chunk.elpd, of_chunk.p, of_chunk.pareto_k
                bar.update(draws)
        bar.close()
    of_image = terms.reshape(3, -1)[:, patterns.of_image]
    names = ("elpd", "p", "pareto_k")
    images = xr.Dataset({name: (IMAGE, of) for name, of in zip(names, of_image, strict=True)})
    return Loo(images.assign_coords({IMAGE: fit.responses.images}), draws)


@jax.jit
def _log_likelihood(
    numbers: Specification, chunks: Chunk, patterns: Patterns, grid: Grid
) -> Float[Array, "draw chunk pattern"]:
    """Return log p(responses of one image) of every pattern of some chunks for every draw, in nats."""

    def of_draw(drawn: Specification) -> Float[Array, "chunk pattern"]:
        tables = tabulate(drawn.skill, drawn.curve, drawn.population, grid, patterns)
        return jax.lax.map(lambda chunk: of_patterns(tables, chunk), chunks)

    return jax.lax.map(of_draw, numbers)
