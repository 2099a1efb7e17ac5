"""Time of one gradient of the likelihood kernel, by the number of patterns per chunk, side by side.

``python benchmarks/kernel.py`` uses a simulated world of 67 models and 60,000 images.
"""

import time

import jax
import numpy as np
from fit import simulated

from difficulty_model.family import recht_et_al
from difficulty_model.fitting.density import posterior_density
from difficulty_model.likelihood import collapse, patterns

REPEATS = 20


def main() -> None:
    """Print the median time of a gradient for several chunk lengths."""
    responses = simulated(67, 60_000, seed=0)
    right, shown, strata = responses.right, responses.shown, responses.strata()
    sizes = {"model": 67, "stratum": len(strata.names)}
    chosen = patterns.CHUNK
    for chunk in (512, 1024, chosen, 8192, 60_000):
        patterns.CHUNK = chunk
        with jax.enable_x64(True):
            density = posterior_density(recht_et_al(), sizes, collapse(right, shown, strata.of_image))
            at = density.start
            data = (density.patterns, density.grid_at(at[None]))
            jax.block_until_ready(density.potential.value_and_gradient(at, *data))
            seconds = []
            for _ in range(REPEATS):
                began = time.perf_counter()
                jax.block_until_ready(density.potential.value_and_gradient(at, *data))
                seconds.append(time.perf_counter() - began)
        print(f"{chunk:>6} patterns per chunk: {1000 * np.median(seconds):.1f} ms per gradient "
              f"({density.patterns.chunks.count.size} patterns with padding, {len(data[1].nodes)} nodes)", flush=True)


if __name__ == "__main__":
    main()
