"""Training the models of a zoo on images of our choice, and testing them on others."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from difficulty_inference.adapters import Entry, EstimatorEntry
from difficulty_inference.adapters.estimator import Estimator
from difficulty_inference.arithmetic import reproducible
from difficulty_inference.experiments.images import Images
from difficulty_inference.test_sets import TestSet
from difficulty_model.errors import InputError, unknown_name

logger = logging.getLogger("difficulty_inference")

Made = TypeVar("Made")


def named(zoo: Sequence[Entry], model: str) -> Entry:
    """Return the model of that name, or raise an `InputError` with the nearest names."""
    for entry in zoo:
        if entry.name == model:
            return entry
    raise unknown_name("model of the zoo", model, [entry.name for entry in zoo])


def trainable(zoo: Sequence[Entry]) -> tuple[list[EstimatorEntry], TestSet]:
    """Return the models of a zoo that can be trained, and the test set that they learn from.

    Raises
    ------
    InputError
        If there is none, or they learn from different test sets.
    """
    entries = [entry for entry in zoo if isinstance(entry, EstimatorEntry) and entry.train_on is not None]
    if not entries:
        raise InputError("no model of the zoo can be trained; expected at least one with `estimator` and `train_on`")
    folders = sorted({str(entry.train_on) for entry in entries})
    if len(folders) > 1:
        raise InputError(f"models of the zoo learn from different images ({', '.join(folders)}); put them in a zoo "
                         "for each, since the experiment compares all models on the same images")
    if fixed := [entry.name for entry in zoo if entry not in entries]:
        logger.warning("left out, since they come fitted: %s", ", ".join(fixed))
    return entries, entries[0].training_set()


def right_answers(entry: EstimatorEntry, *, learned: Images, tested: Images, key: str) -> NDArray[np.bool_]:
    """Return which of the tested images a model gets right after it has learned from others, (image,).

    Parameters
    ----------
    entry
        The model.
    learned, tested
        The images.
    key
        Decides, with the model's lot and seed, the chance in its training.

    Raises
    ------
    InputError
        If its scores are not numbers.
    """
    with reproducible():
        fitted = replace(entry, lot=f"{entry.lot or entry.name} {key}").fitted(learned.pixels, learned.labels)
        estimator = Estimator(fitted, entry.name)
        scores = estimator.scores(torch.from_numpy(tested.pixels)).numpy()
    if np.isnan(scores).any():
        raise InputError("its scores are not numbers")
    return scores.argmax(1) == tested.labels  # of equal scores the first, as in predictions


def each_model(
    entries: Sequence[EstimatorEntry], title: str, repeats: int, work: Callable[[EstimatorEntry, int], Made]
) -> tuple[dict[str, list[Made]], dict[str, str]]:
    """Return what every model gives in every repetition, and why those failed that do not.

    Raises
    ------
    InputError
        If all failed.
    """
    done: dict[str, list[Made]] = {}
    failed: dict[str, str] = {}
    with tqdm(total=len(entries) * repeats, desc=title, unit=" trainings", disable=None) as bar:
        for entry in entries:
            try:
                done[entry.name] = [_counted(work(entry, repeat), bar) for repeat in range(repeats)]
            except Exception as error:  # whatever goes wrong in a model of somebody else's, the others go on
                failed[entry.name] = f"{type(error).__name__}: {error}".splitlines()[0].removeprefix("InputError: ")
                logger.warning("%s failed: %s", entry.name, failed[entry.name])
    if not done:
        name, reason = next(iter(failed.items()))
        raise InputError(f"every model failed; {name}: {reason}")
    return done, failed


def _counted(made: Made, bar: tqdm) -> Made:
    bar.update()
    return made
