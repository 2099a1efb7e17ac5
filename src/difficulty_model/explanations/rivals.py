"""Rival stories of a gap as statistical models: each says what differs between two test sets, and all else is the same.

That is independent skills, the logistic curve, and a normal population with images that no model gets right and images
that all do. They are fitted to the same responses and compared by images and by models that are left out, so that
which story fits is answered with numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from difficulty_model import populations
from difficulty_model.comparison import Comparison, compare, predict_left_out
from difficulty_model.curves import ResponseCurve
from difficulty_model.errors import InputError
from difficulty_model.explanations.evidence import gather
from difficulty_model.family import LOCATION, SHARE, SPREAD, independent, logistic, losing, slopes
from difficulty_model.files import json_values
from difficulty_model.fitting import Fit, fit
from difficulty_model.posterior import population_accuracies
from difficulty_model.responses import Responses
from difficulty_model.specification import Prior, Specification
from difficulty_model.types import TEST_SET

FEWEST = 3
"""Models: when one is left out, two tell of difficulties."""


# Fields of formulas are declared as the arrays that they see; in a specification priors and numbers stand there.
def _same(distribution: Any) -> Any:  # noqa: ANN401
    return Prior(distribution)


def _of_each(distribution: Any, *, reference: float | None = None) -> Any:  # noqa: ANN401
    return Prior(distribution, "stratum", reference)


MEAN = _of_each(LOCATION, reference=0.0)
"""Of each test set, the original one's being the location."""


def no_gap() -> Specification:
    """Return one population for both test sets."""
    return _specification()


def mean_shift() -> Specification:
    """Return populations of one spread, the new one harder or easier."""
    return _specification(mean=MEAN)


def mean_and_spread() -> Specification:
    """Return populations of other mean and spread."""
    return _specification(mean=MEAN, sd=_of_each(SPREAD))


def skill_loss() -> Specification:
    """Return populations of one spread, and models of which each loses skill by a trend and by itself.

    What they all lose alike is the shift of the population, which it cannot be told from.
    """
    return _specification(skill=losing(), mean=MEAN)


def two_subpopulations() -> Specification:
    """Return the same images in both test sets but for the share of those that every model gets right."""
    return _specification(plain=_of_each(SHARE))


def label_errors() -> Specification:
    """Return the same images in both test sets but for the share of those that no model gets right."""
    return _specification(impossible=_of_each(SHARE))


def own_slopes() -> Specification:
    """Return populations of other mean and spread, and a slope for every model."""
    return _specification(curve=slopes(logistic()), mean=MEAN, sd=_of_each(SPREAD))


RIVALS: Mapping[str, Callable[[], Specification]] = MappingProxyType({
    "no gap": no_gap,
    "mean shift": mean_shift,
    "mean and spread": mean_and_spread,
    "skill loss": skill_loss,
    "two subpopulations": two_subpopulations,
    "label errors": label_errors,
    "slopes": own_slopes,
})
"""By name, what differs between the test sets."""


@dataclass(frozen=True, eq=False)
class Rivals:
    """Rival stories compared.

    Attributes
    ----------
    fits : dict of str to Fit
        Of each rival.
    comparison : Comparison
        By images left out, the best first.
    left_out : pandas.DataFrame
        By models left out, and predicted on the new test set from the original one: `fit`; `log_score` of a response,
        in nats; `mean_error`, `largest_error`, absolute and in points.
    """

    fits: dict[str, Fit]
    comparison: Comparison
    left_out: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """Return a row per rival, the best first.

        Returns
        -------
        pandas.DataFrame
            `rival`; `difference` of its leave-one-image-out density to the best, in nats, with standard error `dse`;
            `u`, `v`, `u_sd`, `v_sd` of its line; `gap`, the mean loss of accuracy that it predicts, with `gap_sd`, and
            `observed`, in points; `log_score`, `mean_error`, `largest_error` of models left out; `troubled`, whether
            its fit is not to be relied on.
        """
        rows = self.comparison.table.merge(self.left_out, on="fit")
        gaps = [_gap(self.fits[name]) for name in rows["fit"]]
        rows["gap"], rows["gap_sd"], rows["observed"] = np.transpose(gaps)
        columns = ["difference", "dse", "u", "u_sd", "v", "v_sd", "gap", "gap_sd", "observed", "log_score",
                   "mean_error", "largest_error", "troubled"]
        return pd.DataFrame({"rival": rows["fit"], **{column: rows[column] for column in columns}})

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold."""
        rivals = self.table().to_dict("records")
        return json_values({"from": self.comparison.original, "to": self.comparison.new, "rivals": rivals})


def compare_rivals(
    responses: Responses, original: str, new: str, *, random_seed: int = 0, progress: bool = True
) -> Rivals:
    """Return the rival stories of the gap between two test sets, fitted and compared.

    They are fitted by the method "laplace". Leaving models out takes most of the time, as long as some fifty fits.

    Parameters
    ----------
    responses
        Of models to both test sets.
    original, new
        Their names.
    random_seed
        Of the draws.
    progress
        Show progress bars, if there is a terminal to show them in.

    Raises
    ------
    InputError
        If a test set does not exist, the two are the same, or fewer than `FEWEST` models were run on enough images of
        both.
    """
    pair = gather(responses, original, new).responses
    if len(pair.models) < FEWEST:
        raise InputError(f"{len(pair.models)} models were run on enough images of both {original!r} and {new!r}; to "
                         f"leave out some and predict them, rivals need at least {FEWEST}")
    fits = {
        name: fit(pair, specification(), method="laplace", random_seed=random_seed, progress=progress)
        for name, specification in RIVALS.items()
    }
    left_out = [
        {"fit": name, **predict_left_out(of, random_seed=random_seed, progress=progress).test_sets.iloc[0]}
        for name, of in fits.items()
    ]
    return Rivals(fits, compare(fits, progress=progress), pd.DataFrame(left_out).drop(columns=TEST_SET))


def _gap(fitted: Fit) -> tuple[float, float, float]:
    """Return the mean gap that a fit predicts, its sd, and the one observed, in points."""
    of_draw = population_accuracies(fitted).mean("model").values.reshape(-1, 2)
    predicted = 100 * (of_draw[:, 0] - of_draw[:, 1])
    accuracies = fitted.responses.accuracies()["accuracy"].to_numpy().reshape(2, -1)
    observed = 100 * (accuracies[0] - accuracies[1]).mean()
    return float(predicted.mean()), float(predicted.std()), float(observed)


def _specification(
    *,
    skill: Any = None,  # noqa: ANN401
    curve: ResponseCurve | None = None,
    mean: Any = 0.0,  # noqa: ANN401
    sd: Any = None,  # noqa: ANN401
    impossible: Any = None,  # noqa: ANN401
    plain: Any = None,  # noqa: ANN401
) -> Specification:
    """Return what all rivals share, with what differs in its place.

    Were the shape poor that they share, the rival would win that mends it, not the one that tells what differs.
    """
    population = populations.Normal(mean, _same(SPREAD) if sd is None else sd)
    population = populations.WithUnlearnable(population, _same(SHARE) if impossible is None else impossible)
    population = populations.WithUnmissable(population, _same(SHARE) if plain is None else plain)
    skill = independent() if skill is None else skill
    return Specification(skill, logistic() if curve is None else curve, population)
