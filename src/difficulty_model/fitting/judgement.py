"""Whether to rely on a fit: its diagnostics in plain language. Doubt is data, not an error."""

from difficulty_model.fitting.mode import TOLERANCE

R_HAT_LIMIT = 1.05
"""Above it chains disagree. Vehtari et al. (2021) recommend 1.01 for long chains; as the largest of a hundred
parameters in chains of 250 draws, chance alone reaches 1.03."""

ESS_LIMIT = 400
"""Fewer effective draws leave intervals, and the diagnostics themselves, uncertain (Vehtari et al., 2021)."""

PARETO_K_LIMIT = 0.7
"""Above it importance sampling is unreliable at any feasible number of draws (Vehtari et al., 2024)."""

FEW_IMAGES = 20
"""With fewer the sd of difficulty of a stratum is known to no better than a factor of about 1.5."""

GRID_LIMIT = 1e-2
"""Largest error of the log-density that a fit may carry, in nats."""


def trouble_in(diagnostics: dict[str, float], *, draws: int) -> list[str]:
    """Return one sentence for each reason not to rely on a fit.

    Parameters
    ----------
    diagnostics
        Those of the method: a figure that is not there was not needed.
    draws
        Number of draws in all.
    """
    found = []
    # Written so that a figure that is not a number is trouble too.
    if not diagnostics.get("mode_decrement", 0) <= 10 * TOLERANCE:
        found.append(f"The search for the posterior mode stopped {diagnostics['mode_decrement']:.2g} standard "
                     "deviations away from it: look at the responses with `check`.")
    if not diagnostics.get("r_hat", 1) <= R_HAT_LIMIT:
        found.append(f"The chains disagree (R-hat {diagnostics['r_hat']:.2f}): take more draws.")
    for kind in ("bulk", "tail"):
        ess = diagnostics.get(f"ess_{kind}", draws)
        if not ess >= min(ESS_LIMIT, draws):
            found.append(f"Only {ess:.0f} effective draws of {draws} for the {kind} of the posterior: take more draws.")
    if diagnostics.get("divergences", 0):
        found.append(f"{diagnostics['divergences']:.0f} divergent draws: the posterior has corners that the sampler "
                     "does not reach; a simpler specification may be needed.")
    if not diagnostics.get("pareto_k", 0) <= PARETO_K_LIMIT:
        found.append(f"The normal approximation does not hold (Pareto k {diagnostics['pareto_k']:.2f}, more than "
                     f"{PARETO_K_LIMIT}): use method nuts.")
    if not diagnostics.get("grid_error", 0) <= GRID_LIMIT:
        found.append(f"The log-density is off by up to {diagnostics['grid_error']:.2g} nats on the grid of "
                     "difficulties: the responses are more extreme than it was laid out for.")
    return found


def small_strata(images: dict[str, int]) -> list[str]:
    """Return one sentence for each stratum with too few images to tell its population.

    Parameters
    ----------
    images
        Number of images of every stratum.
    """
    return [
        f"Stratum {name!r} has only {count} images: what is said of its population, and of test sets that it is a "
        "large part of, rests on the prior." for name, count in images.items() if count < FEW_IMAGES
    ]


def praise_for(diagnostics: dict[str, float], *, method: str, draws: int) -> str:
    """Return one sentence that says what was checked of a fit without trouble."""
    grid = f"log-density exact to {diagnostics['grid_error']:.1g} nats" if "grid_error" in diagnostics else ""
    if "r_hat" in diagnostics:
        ess = min(diagnostics["ess_bulk"], diagnostics["ess_tail"])
        said = (f"The chains agree (R-hat at most {diagnostics['r_hat']:.3f}), at least {ess:.0f} effective draws "
                f"of {draws}, no divergences")
    elif "pareto_k" in diagnostics:
        said = (f"The normal approximation holds (Pareto k {diagnostics['pareto_k']:.2f}), importance sampling is "
                f"worth {diagnostics['ess_importance']:.0f} of {draws} draws")
    else:
        said = f"Normal approximation at the mode, not checked by anything (method {method})"
    return f"{said}{', ' if grid else ''}{grid}."
