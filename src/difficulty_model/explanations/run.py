"""Examining every explanation of a gap: one table, and the decomposition of the gap."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.explanations import adaptive_overfitting, statistical_error
from difficulty_model.explanations.catalogue import EXPLANATIONS
from difficulty_model.explanations.effect import Effect, tails
from difficulty_model.explanations.evidence import Evidence, NotTestableError, gather
from difficulty_model.explanations.examination import Examination, Explanation, verdict_of
from difficulty_model.files import json_values
from difficulty_model.fitting import Fit
from difficulty_model.posterior import LEVEL

NOT_IDENTIFIED = (
    "A loss of skill that is equal for all models cannot be told from harder images: it counts as distribution."
)


@dataclass(frozen=True, eq=False)
class Explained:
    """A gap, and what came out of every explanation of it.

    Attributes
    ----------
    original, new : str
        Names of the test sets.
    gap : Effect
        Points that models lose from the original to the new one.
    examinations : list of Examination
        One per explanation.
    left_out : list of str
        Models of the fit that were run on too few images of one of the test sets.
    trouble : list of str
        Why the fit is not to be relied on, if it is not.
    """

    original: str
    new: str
    gap: Effect
    examinations: list[Examination]
    left_out: list[str]
    trouble: list[str]

    def __getitem__(self, name: str) -> Examination:
        """Return what came out of the explanation of that name.

        Raises
        ------
        InputError
            If there is none.
        """
        named = {one.name: one for one in self.examinations}
        if name not in named:
            raise unknown_name("explanation", name, named)
        return named[name]

    def table(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Return a row per explanation.

        Returns
        -------
        pandas.DataFrame
            `explanation`, `verdict`; `points` that it can carry of the mean gap, with `low` and `high`; `share` of the
            gap, with `share_low` and `share_high`; not numbers where it is not testable.
        """
        rows = []
        for one in self.examinations:
            row: dict[str, Any] = {"explanation": one.name, "verdict": one.verdict}
            for name, of in {"points": "average", "share": "share"}.items():
                found = None if one.effect is None else getattr(one.effect, of)(level=level)
                prefix = "share_" if name == "share" else ""
                row[name] = np.nan if found is None else found.value
                row[f"{prefix}low"] = np.nan if found is None else found.low
                row[f"{prefix}high"] = np.nan if found is None else found.high
            rows.append(row)
        return pd.DataFrame(rows)

    def decomposition(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Return the gap as adaptivity + distribution + generalization (Recht et al., 2019, section 2).

        Adaptivity is what better models lose more than the weakest, which is taken to have lost nothing; unknown if
        the fit has no lost skill, and then it is a part of distribution. Generalization is expected to be 0, but for
        the chance in which images were drawn.

        Returns
        -------
        pandas.DataFrame
            Columns `part`, `points`, `low`, `high`; the parts add up to the last row, the gap.

        Raises
        ------
        InputError
            If the explanations that the parts are from were not examined.
        """
        gap, chance = self.gap, self[statistical_error.NAME].effect
        adaptivity = self[adaptive_overfitting.NAME].effect
        noise = np.zeros(1) if chance is None else chance.draws.mean(1)
        lost = np.zeros(1) if adaptivity is None else adaptivity.draws.mean(1)
        lost_points = 0.0 if adaptivity is None else float(adaptivity.points.mean())
        rng = np.random.default_rng(0)
        # Fit and resamples are different draws; of independent ones any pairing will do.
        lost_drawn = rng.choice(lost, len(noise))
        parts = {
            "adaptivity": (np.nan if adaptivity is None else lost_points, lost),
            "distribution": (float(gap.points.mean()) - lost_points, gap.points.mean() + noise - lost_drawn),
            "generalization": (0.0, noise),
            "gap": (float(gap.points.mean()), gap.points.mean() + np.zeros(1)),
        }
        rows = []
        for part, (value, draws) in parts.items():
            low, high = np.quantile(draws, tails(level))
            known = np.isfinite(value)
            rows.append({"part": part, "points": value, "low": low if known else np.nan,
                         "high": high if known else np.nan})
        return pd.DataFrame(rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold; with no decomposition if not all of it was examined."""
        names = {one.name for one in self.examinations}
        known = {statistical_error.NAME, adaptive_overfitting.NAME} <= names
        return json_values({
            "from": self.original, "to": self.new, "level": LEVEL, "gap": self.gap.average().as_dict(),
            "left_out": self.left_out, "trouble": self.trouble,
            "decomposition": self.decomposition().to_dict("records") if known else [],
            "not_identified": NOT_IDENTIFIED, "explanations": [one.as_dict() for one in self.examinations],
        })


def explain(
    fit: Fit,
    original: str,
    new: str,
    *,
    files: Mapping[str, Path] | None = None,
    explanations: Iterable[Explanation] = EXPLANATIONS,
    random_seed: int = 0,
    progress: bool = True,
) -> Explained:
    """Return how much of the gap between two test sets each explanation can carry.

    Parameters
    ----------
    fit
        Of both test sets.
    original, new
        Their names; a gap is what models lose from the first to the second.
    files
        What explanations ask for by name: those that lack a file say so, those that got a wrong one say what is wrong,
        and the others are examined.
    explanations
        Which; your own may be among them (`Explanation`).
    random_seed
        Of resamples and draws.
    progress
        Show a progress bar, if there is a terminal to show it in.

    Raises
    ------
    InputError
        If a test set was not fitted, the two are the same, no model was run on enough images of both, or a file has
        a name that no explanation asks for.
    """
    every = list(explanations)
    known = sorted(filter(None, {getattr(one, "FILE", None) for one in every}))
    for name in files or {}:
        if not known:
            raise InputError(f"{', '.join(one.NAME for one in every)} takes no file; got {name!r}: leave it out")
        if name not in known:
            raise unknown_name("file that an explanation asks for", name, known)
    evidence = gather(fit.responses, original, new, fit=fit, files=files, random_seed=random_seed)
    kept = set(evidence.responses.models)
    left_out = [model for model in fit.responses.models if model not in kept]
    with tqdm(every, desc="examining", unit=" explanations", disable=None if progress else True,
              leave=False) as bar:
        examined = [examine(explanation, evidence) for explanation in bar]
    return Explained(original, new, evidence.gap, examined, left_out, fit.trouble)


def examine(explanation: Explanation, evidence: Evidence) -> Examination:
    """Return what evidence says of one explanation; if it does not test it, or a file is wrong, the reason."""
    untested = Examination(
        explanation.NAME, explanation.QUESTION, explanation.SOURCE, "not testable", "", None, pd.DataFrame()
    )
    try:
        outcome = explanation.examine(evidence)
    except NotTestableError as needs:
        return replace(untested, text=f"Needs {needs}.")
    except InputError as error:
        return replace(untested, text=f"Wrong file: {error}")
    if outcome.verdict is not None:
        verdict, text = outcome.verdict, outcome.text
    elif outcome.effect is None:
        verdict, text = "not testable", outcome.text
    else:
        share = outcome.effect.share()
        verdict, text = verdict_of(share), outcome.text
        if verdict == "not testable":
            text += (f" It may be {share.low:.0%} to {share.high:.0%} of the gap: too wide an interval to tell; needs "
                     "more images.")
    return replace(untested, verdict=verdict, text=text, effect=outcome.effect, table=outcome.table)

