"""Noise in selection frequencies: images that few annotators made look as frequent as others are in truth less so."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from difficulty_model.explanations.effect import Effect, Interval
from difficulty_model.explanations.evidence import Copies, Evidence
from difficulty_model.explanations.examination import Outcome
from difficulty_model.explanations.frequencies import FILE as FILE
from difficulty_model.explanations.frequencies import annotated, beta_mixture, jackknife, naive

NAME = "noise in selection frequencies"
QUESTION = "Are the new images less frequent, and is more of the gap due to it, than few annotators per image show?"
SOURCE = "Engstrom et al. (2020): bias of frequencies that are matched or compared as they were observed"

ESTIMATORS = {"naive": naive, "jackknife": jackknife, "beta mixture": beta_mixture}
"""Of the points that frequencies explain, by name."""


def examine(evidence: Evidence) -> Outcome:
    """Return what frequencies explain beyond what the observed ones do: the beta mixture minus the naive estimate."""
    seen = annotated(evidence)
    seen.require_enough(float(evidence.gap.points.mean()))

    def estimates(copies: Copies) -> Float[np.ndarray, "resample estimator model"]:
        cells = seen.cells(copies)
        return np.stack([points(cells) for points in ESTIMATORS.values()], axis=1)

    observed, draws = evidence.over_resamples(estimates)
    gap = evidence.gap
    explained = {
        name: Effect(observed[k], draws[:, k], gap.points, gap.draws, gap.models) for k, name in enumerate(ESTIMATORS)
    }
    effect = _beyond(explained["beta mixture"], explained["naive"])
    return Outcome(effect, _in_words(explained), _table(explained))


def _beyond(one: Effect, other: Effect) -> Effect:
    """Return what an effect has beyond another."""
    return Effect(one.points - other.points, one.draws - other.draws, one.gap, one.gap_draws, one.models)


def _remaining(explained: Effect) -> Interval:
    """Return the gap that an effect leaves."""
    return Effect(
        explained.gap - explained.points, explained.gap_draws - explained.draws, explained.gap, explained.gap_draws,
        explained.models,
    ).average()


def _table(explained: Mapping[str, Effect]) -> pd.DataFrame:
    """Return a row per estimator, in points: `explained` by frequencies, and `remaining` gap at equal frequency."""
    rows = []
    for name, effect in explained.items():
        row: dict[str, object] = {"estimator": name}
        for what, found in (("explained", effect.average()), ("remaining", _remaining(effect))):
            row |= {what: found.value, f"{what}_low": found.low, f"{what}_high": found.high}
        rows.append(row)
    return pd.DataFrame(rows)


def _in_words(explained: Mapping[str, Effect]) -> str:
    told = {name: f"{_words(of.average())} points and leave {_words(_remaining(of))}" for name, of in explained.items()}
    text = (f"As they were observed, frequencies explain {told['naive']}. Corrected for the noise of few annotators, "
            f"they explain {told['beta mixture']} by a mixture of betas; {told['jackknife']} by the jackknife.")
    beyond = {name: _beyond(explained[name], explained["beta mixture"]).average() for name in ("naive", "jackknife")}
    differing = [
        f"the mixture's minus that of the {name} estimate is {_words(of)} points" for name, of in beyond.items()
        if of.low > 0 or of.high < 0
    ]
    if differing:
        text += f" The gap at equal frequency differs between estimators: {'; '.join(differing)}."
    return text


def _words(of: Interval) -> str:
    return f"{of.value:.2f} ({of.low:.2f} to {of.high:.2f})"
