"""Throughput and memory of inference, beside a bare loop of the same model over the same loader.

    python benchmarks/inference.py
    python benchmarks/inference.py --device cuda --timm resnet50 --timm vit_base_patch16_224 --workers 12 --images 20000

Images are generated JPEGs; weights are random. Every round runs, one after the other in turning order: the bare loop
(load, prepare, score), `answer` (with the best classes and margins) and `run` (all of it: looked at and written to a
file). A ratio compares two of one round; given are the median and the extremes over rounds.
"""

import argparse
import gc
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from difficulty_inference.adapters import ModuleEntry, TimmEntry
from difficulty_inference.adapters.entry import Entry
from difficulty_inference.arithmetic import Arithmetic, arithmetic_on
from difficulty_inference.cataloguing import catalogue
from difficulty_inference.importing import Code
from difficulty_inference.manifest import Manifest
from difficulty_inference.predicting import BatchSize, answer, batches
from difficulty_inference.predictor import Predictor
from difficulty_inference.running import Run, run
from difficulty_inference.test_sets import TestSet

SIDE = 256
"""Pixels along each side of a generated JPEG."""

CLASSES = 1000


@dataclass(frozen=True)
class Loaded:
    """An entry whose model is loaded already, so that its loading is not timed."""

    name: str
    predictor: Predictor

    def configuration(self) -> Mapping[str, Any]:
        """Return its name."""
        return {"benchmark": self.name}

    def load(self, arithmetic: Arithmetic) -> Predictor:
        """Return the loaded model."""
        return self.predictor


def convolutions() -> torch.nn.Module:
    """Return a network of 8 convolutions at 64 pixels: some 6 ms per picture on a processor."""
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = [torch.nn.AvgPool2d(4)]
    for given, made in [(3, 32), (32, 32), (32, 64), (64, 64), (64, 64), (64, 128), (128, 128), (128, 128)]:
        layers += [torch.nn.Conv2d(given, made, 3, padding=1), torch.nn.BatchNorm2d(made), torch.nn.ReLU()]
    return torch.nn.Sequential(
        *layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(128, CLASSES)
    )


def tiny_network() -> torch.nn.Module:
    """Return a network that costs nothing, so that only what surrounds it is seen."""
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(48, 10))


def generated(folder: Path, *, images: int, side: int, suffix: str, classes: int) -> TestSet:
    """Return a test set of smooth random pictures."""
    rng = np.random.default_rng(0)
    for i in range(images):
        path = folder / str(i % classes) / f"{i}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(path)
    return TestSet("generated", catalogue(folder, root=folder).manifest, folder)


def bare_loop(predictor: Predictor, test_set: TestSet, plan: Run) -> None:
    """Do what anybody would write: load, score, keep the best class."""
    loader = batches(
        predictor, test_set, range(len(test_set)), plan.arithmetic, batch_size=plan.batch_size, workers=plan.workers
    )
    with torch.inference_mode(), plan.arithmetic.applied():
        best = [predictor.scores(batch.images).argmax(1) for batch in loader if batch.images is not None]
        torch.cat(best).cpu()


def compared(entry: Entry, test_set: TestSet, plan: Run, *, rounds: int) -> None:
    """Print images per second of the bare loop, and the ratios of `answer` and of `run` to it."""
    predictor = entry.load(plan.arithmetic)
    folders = iter(range(10**6))

    def whole() -> None:
        folder = plan.folder / str(next(folders))
        failed = run(replace(plan, zoo=[Loaded(entry.name, predictor)], test_sets=[test_set], folder=folder))
        assert not failed, failed

    ways: dict[str, Callable[[], object]] = {
        "bare": lambda: bare_loop(predictor, test_set, plan),
        "answer": lambda: answer(
            predictor, test_set, indices=range(len(test_set)), arithmetic=plan.arithmetic,
            batch_size=BatchSize(plan.batch_size), workers=plan.workers,
        ),
        "run": whole,
    }
    bare_loop(predictor, test_set, plan)  # warms up: files cached, kernels chosen
    rates: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            gc.collect()
            start = time.perf_counter()
            ways[name]()
            rates[name].append(len(test_set) / (time.perf_counter() - start))
    print(f"{entry.name} on {plan.arithmetic.device}, {plan.arithmetic.precision}, {len(test_set)} images, batches of "
          f"{plan.batch_size}, {plan.workers} loading processes: bare loop {statistics.median(rates['bare']):.0f} "
          "images per second")
    for name in names[1:]:
        ratios = [rate / bare for rate, bare in zip(rates[name], rates["bare"], strict=True)]
        print(f"  {name}: {statistics.median(ratios):.1%} of it (from {min(ratios):.1%} to {max(ratios):.1%} in "
              f"{rounds} rounds)")


def memory_of_run(images: int) -> int:
    """Return by how much a run on so many images raises the memory of its process, in bytes, at its peak."""
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        folder = Path(name)
        generated(folder / "images", images=images, side=16, suffix=".png", classes=10)
        return pool.submit(_rise_of_run, folder).result()


def _rise_of_run(folder: Path) -> int:
    test_set = TestSet("generated", catalogue(folder / "images", root=folder / "images").manifest, folder / "images")
    entry = ModuleEntry("tiny", Code("inference:tiny_network", Path(__file__).parent))
    plan = Run([entry], [test_set], folder / "predictions", arithmetic_on("cpu", reference=True))
    some = test_set.manifest
    few = Manifest(some.ids[:1000], some.paths[:1000], some.labels[:1000])
    run(replace(plan, test_sets=[TestSet("few", few, test_set.folder)]))  # warms up
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew, at what is in use
    before = _peak()
    run(plan)
    return _peak() - before


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def main() -> None:
    """Print throughput and memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where to run")
    parser.add_argument("--timm", action="append", default=[], help="network of timm, with random weights; repeatable")
    parser.add_argument("--images", type=int, default=768, help="how many pictures")
    parser.add_argument("--batch-size", type=int, default=64, help="pictures at once")
    parser.add_argument("--workers", type=int, default=1, help="loading processes")
    parser.add_argument("--rounds", type=int, default=9, help="repetitions")
    asked = parser.parse_args()
    entries: list[Entry] = [TimmEntry(name, name, pretrained=False) for name in asked.timm]
    network = ModuleEntry("network of 8 convolutions", Code("inference:convolutions", Path(__file__).parent))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        test_set = generated(folder / "images", images=asked.images, side=SIDE, suffix=".jpg", classes=CLASSES)
        arithmetic = arithmetic_on(asked.device, reference=False)
        plan = Run((), (), folder, arithmetic, batch_size=asked.batch_size, workers=asked.workers)
        for entry in entries or [network]:
            compared(entry, test_set, plan, rounds=asked.rounds)
    few, many = 20_000, 120_000
    rise = {images: memory_of_run(images) for images in (few, many)}
    print(f"memory that a run adds at its peak: {rise[few] / 2**20:.1f} MiB for {few:,} images, "
          f"{rise[many] / 2**20:.1f} MiB for {many:,}: {(rise[many] - rise[few]) / (many - few):.0f} bytes per image, "
          "answers and file included")


if __name__ == "__main__":
    main()
