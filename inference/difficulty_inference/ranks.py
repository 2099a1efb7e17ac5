"""One test set shared by several processes that `torchrun` started: of n ranks, each takes every n-th image."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch.distributed as dist

from difficulty_inference.predictions import Answers
from difficulty_model.errors import InputError

Result = TypeVar("Result")

PATIENCE = timedelta(days=7)
"""How long ranks wait for each other: one may have to load and compute much more than another."""


@dataclass(frozen=True)
class Ranks:
    """The place of this process among those that share the work.

    Attributes
    ----------
    rank, size : int
        This one, from 0, of how many.
    """

    rank: int = 0
    size: int = 1

    def share(self, images: int) -> range:
        """Return which of so many images are this rank's."""
        return range(self.rank, images, self.size)

    def gathered(self, part: Result) -> list[Result]:
        """Return the parts of all ranks, by rank, on rank 0; nothing on the others."""
        if self.size == 1:
            return [part]
        parts: list[Any] | None = [None] * self.size if self.rank == 0 else None
        dist.gather_object(part, parts)
        return parts or []

    def decided(self, decide: Callable[[], Result]) -> Result:
        """Return on every rank what rank 0 decides; where it raises an `InputError`, all do."""
        if self.size == 1:
            return decide()
        outcome: list[Result | InputError | None] = [None]
        if self.rank == 0:
            try:
                outcome[0] = decide()
            except InputError as error:
                outcome[0] = error
        dist.broadcast_object_list(outcome)
        if isinstance(outcome[0], InputError):
            raise outcome[0]
        return outcome[0]  # type: ignore[return-value]


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Join the ranks that `torchrun` started, or be alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    dist.init_process_group("gloo", timeout=PATIENCE)  # only results travel, on the CPU
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def local_rank() -> int | None:
    """Return the place of this process among those of its machine, or nothing where `torchrun` did not start it."""
    value = os.environ.get("LOCAL_RANK")
    return None if value is None else int(value)


def merged(parts: Sequence[Answers], images: int) -> Answers:
    """Return the answers to all images from the shares of all ranks.

    Raises
    ------
    InputError
        If the parts are not the shares of so many images: every image once.
    """
    shares = [Ranks(rank, len(parts)).share(images) for rank in range(len(parts))]
    if [len(part.top) for part in parts] != [len(share) for share in shares]:
        raise InputError(f"ranks answered {[len(part.top) for part in parts]} images; their shares are "
                         f"{[len(share) for share in shares]}")
    stored = max(part.top.shape[1] for part in parts)
    top = np.full((images, stored), -1, np.int32)
    margin = np.full(images, np.nan, np.float32)
    trouble: dict[int, str] = {}
    for part, share in zip(parts, shares, strict=True):
        top[share, : part.top.shape[1]] = part.top
        margin[share] = part.margin
        trouble |= {share[i]: reason for i, reason in part.trouble.items()}
    return Answers(top, margin, dict(sorted(trouble.items())), max(part.classes for part in parts))
