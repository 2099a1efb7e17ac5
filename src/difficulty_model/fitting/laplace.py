"""The normal approximation at the mode, corrected by importance sampling.

Its reliability is judged by the Pareto k̂ of the importance ratios (Vehtari et al., 2024, JMLR 25:72).
"""

import numpy as np
from tqdm.auto import tqdm

from difficulty_model.fitting.density import Density
from difficulty_model.fitting.diagnostics import pareto_smoothed
from difficulty_model.fitting.mode import draw_normal, find_mode
from difficulty_model.fitting.sample import Sample, sample_of


def sample_laplace(density: Density, *, draws: int, chains: int, random_seed: int, progress: bool) -> Sample:
    """Return draws of the normal approximation, resampled by their smoothed importance ratios.

    Systematic resampling: at ratios near one, nearly every draw is kept once. The draws are shuffled, and come in
    as many chains as asked for, which mean nothing here.
    """
    mode = find_mode(density, progress=progress)
    normal = draw_normal(mode, draws=draws * chains, random_seed=random_seed)
    grid = density.grid_at(normal)
    bar = tqdm(normal, desc="ratios", unit=" draws", disable=None if progress else True, leave=False)
    log_posterior = np.array([-float(density.potential.value(draw, density.patterns, grid)) for draw in bar])
    standard = np.linalg.solve(np.linalg.cholesky(mode.covariance), (np.asarray(normal) - mode.location).T)
    weights, pareto_k = pareto_smoothed(log_posterior + (standard**2).sum(0) / 2)
    rng = np.random.default_rng(random_seed)
    positions = (np.arange(len(normal)) + rng.random()) / len(normal)
    chosen = np.searchsorted(np.cumsum(weights), positions).clip(max=len(normal) - 1)
    flat = np.asarray(normal)[rng.permutation(chosen)].reshape(chains, draws, -1)
    diagnostics = {
        "mode_decrement": mode.decrement,
        "pareto_k": pareto_k,
        "ess_importance": float(1 / (weights**2).sum()),
    }
    return sample_of(density, flat, grid, statistics={}, diagnostics=diagnostics)
