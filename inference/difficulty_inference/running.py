"""Running a zoo on test sets: what is missing is computed, by as many processes as there are devices.

The folder of predictions is the work queue. A finished file is done and is known by the hash of its configuration;
a model at work is locked, and the lock goes when its process does, however it ends. So a run that was killed goes on
where it stopped, and several runs may share a folder.
"""

import logging
import multiprocessing
import os
import platform
import re
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from importlib import metadata
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, TypeVar

import torch
from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from difficulty_inference.adapters import Entry
from difficulty_inference.arithmetic import Arithmetic
from difficulty_inference.guards import remarks
from difficulty_inference.predicting import NOT_NUMBERS, BatchSize, answer
from difficulty_inference.predictions import (
    Answers,
    Predictions,
    hash_in,
    hash_of,
    path_of,
    read_predictions,
    write_predictions,
)
from difficulty_inference.predictor import Predictor
from difficulty_inference.ranks import Ranks, merged
from difficulty_inference.test_sets import TestSet, Unreadable
from difficulty_model.errors import InputError
from difficulty_model.files import remove_leftovers

logger = logging.getLogger("difficulty_inference")

Made = TypeVar("Made")

LOCKS = ".locks"
_own_device: Arithmetic | None = None
"""Of a process that runs models for another one."""
_VERSIONS = ("difficulty-model", "torch", "timm", "scikit-learn", "numpy", "pillow")


@dataclass(frozen=True)
class Run:
    """What is to be run, and how.

    Attributes
    ----------
    zoo
        The models.
    test_sets
        The images.
    folder : Path
        Where predictions files go.
    arithmetic
        Where and how exactly scores are computed.
    batch_size : int
        How many images a model is shown at once, until memory asks for fewer.
    workers : int
        Processes that load images, for each device.
    strict : bool
        Whether to stop at the first remark or failure, instead of going on with the next model.
    """

    zoo: Sequence[Entry]
    test_sets: Sequence[TestSet]
    folder: Path
    arithmetic: Arithmetic
    batch_size: int = 64
    workers: int = 0
    strict: bool = False


@dataclass
class Outcome:
    """What became of the models of a run, beside those that are finished.

    Attributes
    ----------
    failed : dict of str to str
        Why a model failed, by its name.
    locked : set of str
        Models that another process had in hand.
    """

    failed: dict[str, str] = field(default_factory=dict)
    locked: set[str] = field(default_factory=set)


class ModelFailure(Exception):  # noqa: N818 - the failure of a model is reported, and others go on
    """A model that cannot be run; says why."""


def run(plan: Run, *, devices: Sequence[Arithmetic] = (), ranks: Ranks | None = None) -> dict[str, str]:
    """Compute every predictions file that is missing or was made of something else.

    Parameters
    ----------
    plan
        What and how.
    devices
        Where models are to run side by side, one process per device; `plan.arithmetic` alone if not given.
    ranks
        The processes that share every test set; this one alone if not given.

    Returns
    -------
    dict of str to str
        Why a model failed, by its name; those that are not named have all their files.

    Raises
    ------
    InputError
        If the folder cannot be written to, or, with `plan.strict`, at the first remark or failure.
    """
    ranks = ranks or Ranks()
    ranks.decided(lambda: _make_folders(plan))
    outcome = _side_by_side(plan, devices) if len(devices) > 1 else _work_off(plan, ranks)
    # What other processes had in hand is waited for, and done here where they did not finish it.
    rest = [entry for entry in plan.zoo if entry.name in outcome.locked and entry.name not in outcome.failed]
    return outcome.failed | _work_off(replace(plan, zoo=rest), ranks, waiting=True).failed


def _make_folders(plan: Run) -> None:
    try:
        for folder in [LOCKS, *(test_set.name for test_set in plan.test_sets)]:
            (plan.folder / folder).mkdir(parents=True, exist_ok=True)
        (plan.folder / LOCKS / "writable").touch()
    except OSError as error:
        raise _unwritable(error, plan.folder) from error


def _unwritable(error: OSError, path: Path | str) -> InputError:
    return InputError(f"cannot write to {error.filename or path}: {error.strerror}; give a folder that can be "
                      "written to")


def _side_by_side(plan: Run, devices: Sequence[Arithmetic]) -> Outcome:
    """Run the plan in one process per device; each takes the next model when it is free."""
    # Spawned, since a process that has used a GPU cannot be forked.
    context = multiprocessing.get_context("spawn")
    free: SimpleQueue[Arithmetic] = context.SimpleQueue()
    for arithmetic in devices:
        free.put(arithmetic)
    outcome = Outcome()
    with (
        tqdm(total=len(plan.zoo) * len(plan.test_sets), desc="predictions", unit=" files", disable=None) as bar,
        ProcessPoolExecutor(len(devices), context, _begin_process, (free,)) as pool,
    ):
        tasks = [pool.submit(_work_off_here, replace(plan, zoo=[entry])) for entry in plan.zoo]
        try:
            for task in as_completed(tasks):
                own = task.result()
                outcome.failed |= own.failed
                outcome.locked |= own.locked
                bar.update(len(plan.test_sets))
        except BrokenProcessPool as error:
            raise InputError("a process that ran a model was killed, perhaps because memory ran out; run again to go "
                             "on, with fewer loading processes, smaller batches or fewer devices") from error
        finally:
            pool.shutdown(cancel_futures=True)
    return outcome


def _begin_process(free: SimpleQueue[Arithmetic]) -> None:
    """Prepare this process to run models on a device of its own."""
    global _own_device
    _own_device = free.get()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent has ended, however that was; else it would wait for models for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _work_off_here(plan: Run) -> Outcome:
    assert _own_device, "the process has begun"
    return _work_off(replace(plan, arithmetic=_own_device), Ranks())


def _work_off(plan: Run, ranks: Ranks, *, waiting: bool = False) -> Outcome:
    """Run all models that nobody else has in hand; with `waiting`, those too, once they are free."""
    outcome = Outcome()
    bar = tqdm(
        total=len(plan.zoo) * len(plan.test_sets), desc="predictions", unit=" files",
        disable=True if _own_device or waiting or ranks.rank else None,
    )
    with bar:
        for entry in plan.zoo:
            lock = FileLock(plan.folder / LOCKS / f"{entry.name}.lock")
            try:
                if not ranks.decided(lambda lock=lock: _acquired(lock, waiting=waiting)):
                    outcome.locked.add(entry.name)
                    continue
                try:
                    _run_model(entry, plan, ranks)
                finally:
                    lock.release()
            except ModelFailure as failure:
                if plan.strict:
                    raise InputError(f"model {entry.name!r}: {failure}") from failure
                outcome.failed[entry.name] = str(failure)
                if ranks.rank == 0:
                    logger.error("%s: %s", entry.name, failure)
            bar.update(len(plan.test_sets))
    return outcome


def _acquired(lock: FileLock, *, waiting: bool) -> bool:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if not waiting:
            return False
        logger.info("waiting for another process to finish %s", Path(lock.lock_file).stem)
        lock.acquire()
    except OSError as error:
        raise _unwritable(error, lock.lock_file) from error
    return True


def _run_model(entry: Entry, plan: Run, ranks: Ranks) -> None:
    """Compute the predictions files of a model that are not there yet."""
    configurations = ranks.decided(lambda: _missing(entry, plan))
    if isinstance(configurations, ModelFailure):
        raise configurations
    if not configurations:
        return
    predictor = _attempt(lambda: entry.load(plan.arithmetic))
    batch_size = BatchSize(plan.batch_size)
    for test_set in plan.test_sets:
        if test_set.name not in configurations:
            continue
        parts = ranks.gathered(
            predictor if isinstance(predictor, ModelFailure)
            else _attempt(
                lambda test_set=test_set: _answer_share(predictor, entry.name, test_set, plan, ranks, batch_size)
            )
        )
        failure = ranks.decided(
            lambda test_set=test_set, parts=parts: _finish(entry, test_set, plan, configurations[test_set.name], parts)
        )
        if failure:
            raise failure


def _missing(entry: Entry, plan: Run) -> dict[str, dict[str, Any]] | ModelFailure:
    """Return the configuration of each test set that is to be run, or why there is none."""
    model = _attempt(entry.configuration)
    if isinstance(model, ModelFailure):
        return model
    configurations = {
        test_set.name: {
            "model": model, "images": test_set.manifest.fingerprint, "precision": plan.arithmetic.precision
        }
        for test_set in plan.test_sets
    }
    for test_set in plan.test_sets:
        path = path_of(plan.folder, entry.name, test_set.name)
        remove_leftovers(path)
        if hash_in(path) != hash_of(configurations[test_set.name]):
            continue
        made = read_predictions(path)
        if _is_mended(made.answers, test_set):
            continue
        if plan.strict and made.remarks:
            return ModelFailure(f"on {test_set.name} {made.remarks[0]}")
        del configurations[test_set.name]
    return configurations


def _is_mended(answers: Answers, test_set: TestSet) -> bool:
    """Return whether an image can be read that could not be read when the answers were given."""
    return any(_is_readable(test_set, i) for i, reason in answers.trouble.items() if reason != NOT_NUMBERS)


def _is_readable(test_set: TestSet, index: int) -> bool:
    try:
        test_set.image(index)
    except Unreadable:
        return False
    return True


def _answer_share(
    predictor: Predictor, model: str, test_set: TestSet, plan: Run, ranks: Ranks, batch_size: BatchSize
) -> Answers:
    return answer(
        predictor, test_set, indices=ranks.share(len(test_set)), arithmetic=plan.arithmetic,
        batch_size=batch_size, workers=plan.workers,
        title=f"{model} on {test_set.name}" if ranks.rank == 0 else None,
    )


def _finish(
    entry: Entry, test_set: TestSet, plan: Run, configuration: Mapping[str, Any],
    parts: Sequence[Answers | ModelFailure],
) -> ModelFailure | None:
    """Merge the parts, look at them, and write them; return why they cannot be used."""
    for part in parts:
        if isinstance(part, ModelFailure):
            return part
    answers = merged([part for part in parts if isinstance(part, Answers)], len(test_set))
    if not answers.observed.any():  # such as of a folder that is not mounted: nothing that should count as done
        return ModelFailure(f"none of the {len(test_set)} images of {test_set.name} was observed; the first: "
                            f"{next(iter(answers.trouble.values()))}")
    noticed = remarks(answers, test_set)
    if noticed and plan.strict:
        return ModelFailure(f"on {test_set.name} {noticed[0]}")
    predictions = Predictions(
        entry.name, test_set.name, test_set.manifest.ids, test_set.manifest.labels, answers, configuration, noticed,
        _made_with(plan.arithmetic),
    )
    write_predictions(predictions, path_of(plan.folder, entry.name, test_set.name))
    observed = int(answers.observed.sum())
    logger.info("%s on %s: %d of %d right", entry.name, test_set.name, int(predictions.right.sum()), observed)
    for remark in noticed:
        logger.warning("%s on %s: %s", entry.name, test_set.name, remark)
    return None


def _attempt(make: Callable[[], Made]) -> Made | ModelFailure:
    """Return what is made, or in one sentence why it cannot be."""
    try:
        return make()
    except Exception as error:  # whatever goes wrong in a model of somebody else's, the others go on
        logger.debug("a model failed", exc_info=True)
        return ModelFailure(_reason(error))


def _reason(error: Exception) -> str:
    text = str(error).strip()
    if loading := re.match(r"Caught (\w+) in DataLoader worker", text):
        # The text of an error in a loading process is the whole traceback of that process.
        told = re.findall(rf"^(?:[\w<>]+\.)*({loading[1]}\b.*)", text, re.MULTILINE)
        return str(told[-1]).removeprefix(f"{InputError.__name__}: ")
    first = text.split("\n")[0]
    if isinstance(error, InputError):
        return first
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {first} (in {Path(frame.filename).name}, line {frame.lineno})"


def _made_with(arithmetic: Arithmetic) -> dict[str, str]:
    """Return the versions and the device that answers were made with; they do not count as configuration."""
    versions = {"python": platform.python_version()}
    for package in _VERSIONS:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    on_gpu = arithmetic.device.type == "cuda"
    return versions | {"device": torch.cuda.get_device_name(arithmetic.device) if on_gpu else arithmetic.device.type}
