"""Sampling strategy: new images were chosen to be selected more or less often than the original ones are."""

from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import norm

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.explanations.effect import Effect
from difficulty_model.explanations.evidence import FEWEST, Copies, Evidence, NotTestableError, of_models_run_on_all
from difficulty_model.explanations.examination import Outcome
from difficulty_model.law import least_squares, probit
from difficulty_model.observed import off_the_edges
from difficulty_model.readers import read_numbers
from difficulty_model.responses import Responses
from difficulty_model.types import TEST_SET

NAME = "sampling strategy"
QUESTION = "Would there be no gap, had the new images been chosen to be selected as often as the original ones?"
SOURCE = "Recht et al. (2019), table 1: mean selection frequencies 0.71 (original), 0.73, 0.85 and 0.93, and accuracies"
FILE = "frequencies"


def examine(evidence: Evidence) -> Outcome:
    """Return what models would gain on a new test set of the original's mean selection frequency.

    It takes the file ``frequencies``: a table of columns `test_set` and `frequency`, of the original, the new, and at
    least one further new test set that the fit knows, which was chosen from the same candidates by another strategy.
    Each model's accuracy at the original's frequency is on the straight line, in probits, through its accuracies on
    the new ones; models that are never right or never wrong on one of them are left out. Mean frequencies are taken as
    they are; those of single images tell more (`selection_frequency`).
    """
    path = evidence.file(FILE, "a table of the mean selection frequency of the test sets, with a further new one: "
                                     "columns test_set and frequency")
    known = read_numbers(path, TEST_SET, "frequency")
    responses, frequency = _with_further(evidence, known)
    every = replace(evidence, responses=responses).on_the_line()
    responses = every.responses
    shown = responses.showings()

    def statistic(copies: Copies) -> Float[np.ndarray, "resample 2 model"]:
        accuracies = off_the_edges(every.accuracies(copies), shown)
        gained = 100 * (_at(frequency, accuracies) - accuracies[:, 1])
        return np.stack([gained, 100 * (accuracies[:, 0] - accuracies[:, 1])], axis=1)

    observed, draws = every.over_resamples(statistic)
    effect = Effect(observed[0], draws[:, 0], observed[1], draws[:, 1], tuple(responses.models))
    table = _table(every, frequency)
    gained, gap = effect.average(), effect.gap.mean()
    text = (f"Images of {evidence.original!r} are selected with a mean frequency of {frequency[0]:.2f}, those of "
            f"{evidence.new!r} with {frequency[1]:.2f}. By the line through {len(frequency) - 1} new test sets, models "
            f"would have {gained.value:.2f} ({gained.low:.2f} to {gained.high:.2f}) points more at the original's "
            f"frequency; {gap - gained.value:.2f} remain.")
    return Outcome(effect, text, table)


def _with_further(
    evidence: Evidence, known: dict[str, float]
) -> tuple[Responses, Float[np.ndarray, "test_set"]]:
    """Return responses to the original, the new and all further new test sets, and their mean frequencies."""
    fitted = evidence.fitted().responses
    path = evidence.files[FILE]
    for name in known:
        if not 0 <= known[name] <= 1:
            raise InputError(f"{path} has the frequency {known[name]:g} of test set {name!r}; expected a share, from 0 "
                             "to 1")
    for name in (evidence.original, evidence.new):
        if name not in known:
            raise unknown_name(f"test set in {path}", name, known)
    names = [evidence.original, evidence.new,
             *(name for name in fitted.test_sets if name in known and name not in (evidence.original, evidence.new))]
    frequency = np.array([known[name] for name in names])
    if len(names) < 3 or np.ptp(frequency[1:]) == 0:
        raise NotTestableError("a fit with a further new test set, of another mean selection frequency, which "
                               f"{path} has too")
    responses = of_models_run_on_all(fitted.select(test_sets=names, models=evidence.responses.models))
    if responses is None:
        raise NotTestableError(f"models that were run on {FEWEST} images at least of each of "
                               f"{', '.join(map(repr, names))}")
    return responses, frequency


def _at(
    frequency: Float[np.ndarray, "test_set"], accuracies: Float[np.ndarray, "resample test_set model"]
) -> Float[np.ndarray, "resample model"]:
    """Return accuracies at the first test set's frequency by lines, in probits, through those on the others."""
    y = probit(accuracies[:, 1:]).swapaxes(1, 2)
    line = least_squares(np.broadcast_to(frequency[1:], y.shape), y)
    return norm.cdf(line.v + line.u * frequency[0])


def _table(evidence: Evidence, frequency: Float[np.ndarray, "test_set"]) -> pd.DataFrame:
    """Return a row per test set: `frequency`, and the mean accuracy of the models, as a share."""
    return pd.DataFrame({
        TEST_SET: evidence.responses.test_sets, "frequency": frequency,
        "accuracy": evidence.accuracies(evidence.once())[0].mean(1),
    })
