"""NUTS on the marginal posterior, whitened by the Hessian at the mode.

With that fixed dense mass matrix the posterior is close to a standard normal: trajectories of about seven
leapfrogs, and draws that are nearly independent. NumPyro's sampler runs in compiled blocks of draws, so that
progress can be shown between them.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.infer.hmc import HMCState, hmc
from tqdm.auto import tqdm

from difficulty_model.fitting.density import Density, Flat
from difficulty_model.fitting.mode import Mode, draw_normal, find_mode
from difficulty_model.fitting.sample import Sample, sample_of
from difficulty_model.likelihood import Grid, Patterns

WARMUP = 200
"""Draws of the first chain that adapt the step size, the only thing left to adapt. NumPyro adapts afresh in the
last 50 of them; with 100 draws that last stretch is 10 long, and step sizes came out up to ten times too small."""

BURN_IN = 30
"""Draws that every chain forgets its start in. The start is a draw of the normal approximation already."""

DEPTH = 6
"""Trajectories double up to so often, to 63 leapfrogs: nine times what a whitened posterior needs. One that needs
more mixes slowly, which the effective draws tell."""

RESONANCE = (0.85 * np.pi, 1.15 * np.pi)
"""Lengths of a trajectory of 2^k − 1 leapfrogs that are too close to half an oscillation. In a whitened posterior every
direction swings with period 2π, and a trajectory turns once it is longer than half of that. If it is a little shorter,
the next, twice as long, ends where it began and has not turned either; so it goes on, now and then for hundreds of
leapfrogs, to draws that are near those before."""

ACCEPTANCE = 0.8, 0.95
"""Mean acceptance that the step size is adapted to; the second where draws diverge at the first. A posterior with a
narrow corner, as few images leave one of a skewness, takes shorter steps than most of it needs."""

BLOCK = 10
"""Draws per compiled call."""

STATISTICS = {
    "diverging": "diverging",
    "accept_prob": "acceptance_rate",
    "num_steps": "n_steps",
    "potential_energy": "potential_energy",
    "energy": "energy",
}
"""What is recorded of every draw: NumPyro's names, and ArviZ's."""


def sample_nuts(
    density: Density, *, draws: int, chains: int, random_seed: int, progress: bool
) -> Sample:
    """Return draws of several chains, one after another, each started from the normal approximation at the mode."""
    mode = find_mode(density, progress=progress)
    # The posterior and its normal approximation reach about equally far: one grid serves both.
    grid = density.grid_at(draw_normal(mode, draws=100, random_seed=random_seed))
    options = {"draws": draws, "chains": chains, "random_seed": random_seed, "progress": progress}
    flat, recorded = _chains(density, mode, grid, ACCEPTANCE[0], **options)
    if recorded["diverging"].any():
        flat, recorded = _chains(density, mode, grid, ACCEPTANCE[1], **options)
    statistics = {ours: recorded[theirs] for theirs, ours in STATISTICS.items()}
    return sample_of(density, flat, grid, statistics=statistics, diagnostics={"mode_decrement": mode.decrement})


def _chains(
    density: Density, mode: Mode, grid: Grid, acceptance: float, *, draws: int, chains: int, random_seed: int,
    progress: bool,
) -> tuple[Float[np.ndarray, "chain draw unknown"], dict[str, np.ndarray]]:
    """Return draws with steps of a mean acceptance, and what is recorded of each."""
    start, block = _compiled(density.potential.value, acceptance)
    data = (density.patterns, grid)
    kept_blocks, burn_in_blocks, warmup_blocks = (-(-n // BLOCK) for n in (draws, BURN_IN, WARMUP))
    total = warmup_blocks + chains * (burn_in_blocks + kept_blocks)
    keys = jax.random.split(jax.random.key(random_seed), chains + 1)

    with tqdm(total=total * BLOCK, desc=f"NUTS, acceptance {acceptance}", unit=" draws",
              disable=None if progress else True, leave=False) as bar:

        def advance(state: HMCState, blocks: int) -> tuple[HMCState, list]:
            recorded = []
            for _ in range(blocks):
                state, of_block = block(state, *data)
                recorded.append(jax.tree.map(np.asarray, of_block))
                bar.update(BLOCK)
            return state, recorded

        adapted, _ = advance(start(keys[0], mode.location, mode.covariance, *data), warmup_blocks)
        step_size = _off_resonance(float(adapted.adapt_state.step_size))
        collected = []
        for key in keys[1:]:
            fresh = start(key, mode.location, mode.covariance, *data)
            # Counting as past its warm-up, a chain keeps the step size that the first one found.
            state = fresh._replace(
                i=adapted.i, adapt_state=fresh.adapt_state._replace(step_size=jnp.asarray(step_size))
            )
            state, _ = advance(state, burn_in_blocks)
            _, kept = advance(state, kept_blocks)
            collected.append(jax.tree.map(lambda *parts: np.concatenate(parts)[:draws], *kept))
    return jax.tree.map(lambda *parts: np.stack(parts), *collected)


def _off_resonance(step_size: float) -> float:
    """Return the step size, or the next longer one at which no trajectory is about half an oscillation long."""
    shortest, longest = RESONANCE
    for leapfrogs in 2.0 ** np.arange(1, DEPTH + 1) - 1:
        if shortest < leapfrogs * step_size < longest:
            return float(longest / leapfrogs)
    return step_size


@lru_cache(maxsize=len(ACCEPTANCE))
def _compiled(
    potential: Callable[[Flat, Patterns, Grid], Float[Array, ""]], acceptance: float
) -> tuple[Callable[..., HMCState], Callable[..., tuple[HMCState, Any]]]:
    """Return how a chain starts and how it goes on by a block of draws, compiled.

    Kept until another potential is sampled: fits one after another that share theirs, as those of calibration do, share
    the compiled sampler.
    """
    # NumPyro's functional interface: the model's own set-up would search for a start that we have.
    initialize, sample = hmc(
        potential_fn_gen=lambda patterns, grid: lambda flat: potential(flat, patterns, grid), algo="NUTS"
    )

    def start(key: Array, location: Flat, covariance: Array, patterns: Patterns, grid: Grid) -> HMCState:
        start_key, kernel_key = jax.random.split(key)
        drawn = location + jnp.linalg.cholesky(covariance) @ jax.random.normal(start_key, location.shape)
        return initialize(
            drawn, WARMUP, inverse_mass_matrix=covariance, dense_mass=True, adapt_mass_matrix=False,
            max_tree_depth=DEPTH, target_accept_prob=acceptance, model_args=(patterns, grid), model_kwargs={},
            rng_key=kernel_key,
        )

    def block(state: HMCState, patterns: Patterns, grid: Grid) -> tuple[HMCState, Any]:
        def step(state: HMCState, _: None) -> tuple[HMCState, Any]:
            state = sample(state, model_args=(patterns, grid), model_kwargs={})
            recorded = {theirs: getattr(state, theirs) for theirs in STATISTICS}
            return state, (state.z, recorded)

        return jax.lax.scan(step, state, length=BLOCK)

    return jax.jit(start), jax.jit(block)
