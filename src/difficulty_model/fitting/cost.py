"""What a fit will cost in time and memory, from one timed gradient."""

import time
from dataclasses import dataclass

import jax

from difficulty_model.fitting.density import Density
from difficulty_model.fitting.nuts import BURN_IN, WARMUP
from difficulty_model.populations import AcrossClasses
from difficulty_model.specification import modifiers

LEAPFROGS = 7
"""Gradients per draw of the whitened sampler (measured: 7 for nearly all draws, 11 during warm-up)."""

COMPILING = 15.0
"""Seconds that compiling takes, whatever the data (measured on 2 cores)."""

BASE_MEMORY = 1.2e9
"""Bytes that the process takes, whatever the data: libraries and compiled programs (measured)."""


@dataclass(frozen=True)
class Cost:
    """What a fit will take.

    Attributes
    ----------
    seconds, memory
        Wall time in seconds, and peak memory of the process in bytes.
    """

    seconds: float
    memory: float

    def __str__(self) -> str:
        """Say it as people would."""
        minutes = self.seconds / 60
        span = f"{minutes:.0f} min" if minutes >= 2 else f"{self.seconds:.0f} s"
        return f"about {span} and {self.memory / 2**30:.1f} GiB on {jax.default_backend()}"


def estimate(density: Density, *, draws: int, chains: int, method: str) -> Cost:
    """Return what a fit by one of the marginal methods will take."""
    start = density.start
    grid = density.grid_at(start[None])
    jax.block_until_ready(density.potential.value_and_gradient(start, density.patterns, grid))
    began = time.perf_counter()
    jax.block_until_ready(density.potential.value_and_gradient(start, density.patterns, grid))
    gradient = time.perf_counter() - began
    # The mode takes some 150 gradients; three Hessians, as many columns as unknowns at twice a gradient each.
    gradients = 150 + 6 * density.potential.size
    if method == "nuts":
        gradients += 1.6 * LEAPFROGS * WARMUP + LEAPFROGS * chains * (BURN_IN + draws)
    if method == "laplace":
        gradients += chains * draws / 2
    if any(isinstance(part, AcrossClasses) for part in modifiers(density.potential.specification)):
        gradients += chains * draws  # to draw effects of classes afterwards
    data = sum(leaf.nbytes for leaf in jax.tree.leaves(density.patterns)) + density.patterns.of_image.size * 8 * 100
    return Cost(COMPILING + gradients * gradient, BASE_MEMORY + 3 * data)
