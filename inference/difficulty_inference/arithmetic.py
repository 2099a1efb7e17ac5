"""Where and how exactly scores are computed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from threadpoolctl import threadpool_limits

from difficulty_model.errors import InputError

REFERENCE = "reference"
FLOAT32 = "float32"
_MIXED = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Arithmetic:
    """A device, and the precision of the products computed on it.

    Attributes
    ----------
    device : torch.device
        Where models run.
    precision : str
        ``reference``: float32 throughout, deterministic algorithms, one thread per process on the CPU;
        ``float32``: the same, as fast as the device has it (TF32 where it does); ``bfloat16`` or ``float16``: products
        in that type where autocast deems it safe.
    """

    device: torch.device
    precision: str

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Compute so inside the block."""
        if self.precision == REFERENCE:
            with reproducible():
                yield
            return
        with _matmul_precision("high"), _cudnn(benchmark=True, tf32=True), torch.autocast(
            self.device.type, _MIXED.get(self.precision), enabled=self.precision in _MIXED
        ):
            yield


def arithmetic_on(device: str, *, reference: bool) -> Arithmetic:
    """Return the arithmetic of a device: mixed precision on a GPU, float32 on a CPU, or the reference.

    Parameters
    ----------
    device
        As torch names it: ``cpu``, ``cuda``, ``cuda:1``.
    reference
        Whether answers should be as reproducible as the device can, rather than quick.

    Raises
    ------
    InputError
        If there is no such device here.
    """
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r} is not available here ({str(error).splitlines()[0]}); available: "
                         f"{', '.join(devices_here())}") from error
    if reference:
        return Arithmetic(chosen, REFERENCE)
    if chosen.type != "cuda":
        return Arithmetic(chosen, FLOAT32)
    return Arithmetic(chosen, "bfloat16" if torch.cuda.is_bf16_supported() else "float16")


def devices_here() -> list[str]:
    """Return the names of all GPUs, or of the CPU where there is none."""
    return [f"cuda:{i}" for i in range(torch.cuda.device_count())] or ["cpu"]


@contextmanager
def reproducible() -> Iterator[None]:
    """Compute in float32 with one thread and deterministic algorithms: sums in one order, always."""
    # cuBLAS reads it when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    try:
        with threadpool_limits(limits=1), _matmul_precision("highest"), _cudnn(benchmark=False, tf32=False):
            yield
    finally:
        torch.use_deterministic_algorithms(mode=deterministic)
        torch.set_num_threads(threads)


@contextmanager
def _matmul_precision(precision: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def _cudnn(*, benchmark: bool, tf32: bool) -> Iterator[None]:
    backend = torch.backends.cudnn
    before = backend.benchmark, backend.allow_tf32
    backend.benchmark, backend.allow_tf32 = benchmark, tf32
    try:
        yield
    finally:
        backend.benchmark, backend.allow_tf32 = before
