"""The loop: a predictor sees the images of a test set, and answers."""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from difficulty_inference.arithmetic import Arithmetic
from difficulty_inference.predictions import TOP, Answers
from difficulty_inference.predictor import Predictor
from difficulty_inference.test_sets import TestSet, Unreadable
from difficulty_model.errors import InputError

logger = logging.getLogger("difficulty_inference")

NOT_NUMBERS = "its scores are not numbers"
"""Why an image was not observed that could be read."""

Item: TypeAlias = tuple[int, torch.Tensor | str]
"""A position among the images asked for, with the prepared image, or with why there is none."""


@dataclass(frozen=True)
class Batch:
    """Prepared images, and those that could not be read.

    Attributes
    ----------
    positions : int tensor, (image,)
        Where the prepared images stand among those asked for.
    images : tensor, (image, …), optional
        Nothing if no image could be read.
    trouble : dict of int to str
        Why an image, by its position, could not be read.
    """

    positions: torch.Tensor
    images: torch.Tensor | None
    trouble: dict[int, str]

    def pin_memory(self) -> "Batch":
        """Return the same batch in memory from which a GPU can copy; called by the loader."""
        return Batch(
            self.positions.pin_memory(), None if self.images is None else self.images.pin_memory(), self.trouble
        )


@dataclass
class BatchSize:
    """How many images a predictor is shown at once; halved, for good, when the device's memory does not hold them."""

    images: int

    def halve(self) -> None:
        """Take half as many from now on."""
        if self.images == 1:
            raise InputError("out of memory with a single image; give the device more memory, or run the model on "
                             "another one")
        self.images //= 2


def answer(
    predictor: Predictor, test_set: TestSet, *, indices: Sequence[int], arithmetic: Arithmetic, batch_size: BatchSize,
    workers: int, title: str | None = None,
) -> Answers:
    """Return what a predictor answers to images of a test set.

    Parameters
    ----------
    predictor
        The classifier, loaded under the same `arithmetic`.
    test_set, indices
        The images, in the order in which they are answered.
    arithmetic
        Where and how exactly it computes.
    batch_size
        Halved here when memory runs out.
    workers
        Processes that load images; 0 loads them in this one.
    title
        Of the progress bar; none without it.

    Raises
    ------
    InputError
        If the scores do not fit the labels: fewer classes than the labels need, or of a wrong shape.
    """
    labels = torch.from_numpy(test_set.manifest.labels[np.asarray(indices, np.int64)])
    trouble: dict[int, str] = {}
    classes, results = 0, None
    bar = tqdm(total=len(indices), desc=title, unit=" images", disable=None if title else True, leave=False)
    with bar, torch.inference_mode(), arithmetic.applied():
        for batch in batches(predictor, test_set, indices, arithmetic, batch_size=batch_size.images, workers=workers):
            trouble |= batch.trouble
            bar.update(len(batch.positions) + len(batch.trouble))
            if batch.images is None:
                continue
            for rows, scores in _scores(predictor, batch.images, batch_size):
                positions = batch.positions[rows]
                classes = _require_fitting(scores, len(positions), labels[positions])
                # Results stay on the device until the end: to fetch them each time would make it wait.
                results = results or _Results.empty(len(indices), min(TOP, classes), scores.device)
                results.put(positions, *best(scores, labels[positions].to(scores.device, non_blocking=True)))
    return _as_answers(results, trouble, size=len(indices), classes=classes)


def batches(
    predictor: Predictor, test_set: TestSet, indices: Sequence[int], arithmetic: Arithmetic, *, batch_size: int,
    workers: int,
) -> Iterable[Batch]:
    """Return the images of a test set in batches, prepared for a predictor by loading processes."""
    # Forked, as is the custom on Linux, in processes too that were spawned themselves: nothing has to be sent to them,
    # neither the weights nor a transform, which may be any function.
    context = "fork" if workers and sys.platform == "linux" else None
    return DataLoader(
        _Prepared(predictor, test_set, indices), batch_size=batch_size, num_workers=workers, collate_fn=_collated,
        pin_memory=arithmetic.device.type == "cuda", multiprocessing_context=context,
    )


def best(scores: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the best classes and the margin of the right one.

    Parameters
    ----------
    scores : (image, class)
        Scores of every class.
    labels : (image,)
        The right class.

    Returns
    -------
    top : int tensor, (image, k)
        Classes of the highest scores, best first, of equal ones the first; -1 where there is no margin.
    margin : float tensor, (image,)
        Score of the right class less the highest of the others; not a number where a score is not, or where both
        are infinite.
    """
    scores = scores if scores.dtype == torch.float64 else scores.float()
    # A stable sort: of equal scores the class with the lower number comes first, on every device.
    top = scores.sort(dim=1, descending=True, stable=True).indices[:, : min(TOP, scores.shape[1])]
    right = scores.gather(1, labels[:, None])
    margin = right[:, 0] - scores.scatter(1, labels[:, None], -torch.inf).amax(1)
    broken = margin.isnan()  # as it is if any score is not a number
    return (
        top.to(torch.int32).masked_fill(broken[:, None], -1), margin.float().masked_fill(broken, torch.nan),
    )


@dataclass(frozen=True)
class _Prepared(Dataset[Item]):
    predictor: Predictor
    test_set: TestSet
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Item:
        try:
            image = self.test_set.image(self.indices[position])
        except Unreadable as error:
            return position, str(error)
        return position, self.predictor.prepare(image)


def _collated(items: Sequence[Item]) -> Batch:
    trouble = {position: image for position, image in items if isinstance(image, str)}
    shown = [(position, image) for position, image in items if isinstance(image, torch.Tensor)]
    if not shown:
        return Batch(torch.empty(0, dtype=torch.int64), None, trouble)
    positions, images = zip(*shown, strict=True)
    if shapes := {tuple(image.shape) for image in images} - {tuple(images[0].shape)}:
        raise InputError(f"prepared images have different shapes, {tuple(images[0].shape)} and {shapes.pop()}; the "
                         "model's transform must bring them to one size")
    return Batch(torch.tensor(positions), torch.stack(images), trouble)


def _scores(
    predictor: Predictor, images: torch.Tensor, batch_size: BatchSize
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Give the scores of a batch in as many parts as memory asks for, each with the rows that it is of."""
    start = 0
    while start < len(images):
        rows = slice(start, start + batch_size.images)
        scores = None
        try:
            scores = predictor.scores(images[rows])
        except (RuntimeError, MemoryError) as error:
            if not _out_of_memory(error):
                raise
        if scores is None:  # outside the handler, which keeps what filled the memory alive
            batch_size.halve()
            logger.warning("out of memory: going on with %d images at once", batch_size.images)
            if images.is_cuda or torch.cuda.is_initialized():
                torch.cuda.empty_cache()
            continue
        yield rows, scores
        start = rows.stop


def _out_of_memory(error: Exception) -> bool:
    # On the CPU torch raises a plain RuntimeError, which only its text tells apart.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def _require_fitting(scores: torch.Tensor, images: int, labels: torch.Tensor) -> int:
    """Return the number of classes scored, if there is a row for every image and a column for every label."""
    if not isinstance(scores, torch.Tensor):
        raise InputError(f"scores are a {type(scores).__name__}; expected a tensor, (image, class)")
    if scores.ndim != 2 or scores.shape[0] != images or not scores.is_floating_point():
        raise InputError(f"scores have shape {tuple(scores.shape)} and type {scores.dtype}; expected a score for each "
                         f"of {images} images and every class")
    largest, classes = int(labels.max()), scores.shape[1]
    if largest >= classes:
        raise InputError(f"the model tells {classes} classes apart, from 0 to {classes - 1}, but an image has label "
                         f"{largest}: it was trained on other classes, or the labels do not count from 0")
    return classes


@dataclass(frozen=True)
class _Results:
    """What `best` made of all images, on the device."""

    top: torch.Tensor
    margin: torch.Tensor

    @classmethod
    def empty(cls, images: int, stored: int, device: torch.device) -> "_Results":
        return cls(
            torch.full((images, stored), -1, dtype=torch.int32, device=device),
            torch.full((images,), torch.nan, device=device),
        )

    def put(self, positions: torch.Tensor, top: torch.Tensor, margin: torch.Tensor) -> None:
        place = positions.to(top.device, non_blocking=True)
        self.top[place], self.margin[place] = top, margin


def _as_answers(results: _Results | None, trouble: Mapping[int, str], *, size: int, classes: int) -> Answers:
    if results is None:  # no image could be shown
        return Answers(np.full((size, 1), -1, np.int32), np.full(size, np.nan, np.float32), dict(trouble), classes)
    top = results.top.cpu().numpy()
    silent = np.flatnonzero(top[:, 0] < 0).tolist()
    reasons = {i: trouble.get(i, NOT_NUMBERS) for i in silent}
    return Answers(top, results.margin.cpu().numpy(), reasons, classes)
