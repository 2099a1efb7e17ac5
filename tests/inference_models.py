"""Tiny classifiers for zoos, each with one habit, and images whose brightness tells their class."""

import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from difficulty_inference import cli
from difficulty_inference.adapters import ModuleEntry
from difficulty_inference.cataloguing import catalogue
from difficulty_inference.importing import Code
from difficulty_inference.manifest import NAME, write_manifest
from difficulty_inference.test_sets import TestSet, load_test_set

CLASSES = 10
HERE = Path(__file__).parent


class Reader(torch.nn.Module):
    """Reads the class off the brightness; image by image, so that no bit depends on which others are in the batch."""

    def __init__(self, classes: int = CLASSES, habit: Callable[[int, float], None] | None = None) -> None:
        super().__init__()
        self.levels = torch.nn.Parameter((torch.arange(classes) + 0.5) / CLASSES)
        self.habit = habit

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return minus the squared distance of each image's brightness from that of every class."""
        return torch.stack([self.of_one(image, len(images)) for image in images])

    def of_one(self, image: torch.Tensor, images: int) -> torch.Tensor:
        brightness = image.contiguous().mean()  # added up in one order whatever the layout
        if self.habit:
            self.habit(images, float(brightness))
        return -((brightness - self.levels) ** 2)


class Reordered(Reader):
    """Reads the class and calls it by another number."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__(len(order))
        self.order = list(order)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the scores of classes in another order."""
        return super().forward(images)[:, self.order]


class Broken(Reader):
    """Has no numbers for images of the darkest class."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return scores, some of them not numbers."""
        dark = images.flatten(1).mean(1) < 1 / CLASSES
        return super().forward(images).masked_fill(dark[:, None], torch.nan)


def reader(classes: int = CLASSES, pause: float = 0, log: str = "") -> torch.nn.Module:
    """Make a good model; it rests after every image. Like others here, it cannot be sent to another process."""
    note(log)
    return Reader(classes, lambda images, brightness: time.sleep(pause))


def reordered(order: list[int]) -> torch.nn.Module:
    """Make a good model whose classes are numbered otherwise."""
    return Reordered(order)


def broken() -> torch.nn.Module:
    """Make a model whose scores of dark images are not numbers."""
    return Broken()


def cramped(most: int) -> torch.nn.Module:
    """Make a good model that has memory for so many images."""
    def habit(images: int, brightness: float) -> None:
        if images > most:
            raise torch.OutOfMemoryError(f"there is no memory for {images} images")

    return Reader(habit=habit)


def shocked(label: int, log: str = "") -> torch.nn.Module:
    """Make a model that cannot bear images of one class."""
    note(log)

    def habit(images: int, brightness: float) -> None:
        if int(brightness * CLASSES) == label:
            raise ValueError(f"class {label} is too much\nfor me")

    return Reader(habit=habit)


def killed(log: str = "") -> torch.nn.Module:
    """Die at once, as a process does that the system has no memory for."""
    os.kill(os.getpid(), 9)
    raise AssertionError


def ordinary(seed: int = 0, size: int = 8) -> torch.nn.Module:
    """Make a network of random weights, with products over the whole batch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.BatchNorm2d(16), torch.nn.ReLU(), torch.nn.Flatten(),
            torch.nn.Linear(16 * size * size, 64), torch.nn.ReLU(), torch.nn.Linear(64, CLASSES),
        )


def with_transform() -> tuple[torch.nn.Module, Callable[[Image.Image], torch.Tensor]]:
    """Make a good model of pictures of any size, with a transform of its own."""
    return Reader(), brightness_of


def with_broken_transform() -> tuple[torch.nn.Module, Callable[[Image.Image], torch.Tensor]]:
    """Make a model whose transform fails."""
    return Reader(), broken_transform


def brightness_of(image: Image.Image) -> torch.Tensor:
    """Return the mean of all pixels."""
    return torch.tensor([np.asarray(image).mean() / 255], dtype=torch.float32)


def broken_transform(image: Image.Image) -> torch.Tensor:
    """Fail with more than one line."""
    raise ValueError(f"no transform of {image.size}\n  could be found\nhere")


def note(log: str) -> None:
    """Add the number of this process to a file, if one is named."""
    if log:
        with Path(log).open("a") as file:
            file.write(f"{os.getpid()}\n")


def entry(function: str, name: str | None = None, **options: object) -> ModuleEntry:
    """Return a line of a zoo: one of the functions above with its options."""
    return ModuleEntry(name or function, Code(f"inference_models:{function}", HERE), options)


def in_turn(images: int, classes: int = CLASSES) -> list[int]:
    """Return labels 0, 1, …, 0, 1, … of so many images."""
    return [i % classes for i in range(images)]


def pictures(labels: Sequence[int], *, seed: int = 0, size: int = 8) -> np.ndarray:
    """Return noisy images whose brightness tells their labels, (image, size, size, 3)."""
    level = 255 * (np.array(labels) + 0.5) / CLASSES
    noise = np.random.default_rng(seed).uniform(-10, 10, (len(labels), size, size, 3))
    return np.clip(level[:, None, None, None] + noise, 0, 255).astype(np.uint8)


def written_set(folder: Path, labels: Sequence[int], *, seed: int = 0, size: int = 8) -> TestSet:
    """Write PNG files in class folders with their manifest, and return them as a test set named as the folder."""
    for i, (label, pixels) in enumerate(zip(labels, pictures(labels, seed=seed, size=size), strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / str(label) / f"{i}.png")
    write_manifest(catalogue(folder, root=folder).manifest, folder / NAME)
    return load_test_set(folder.name, folder)


def array_set(folder: Path, name: str, images: np.ndarray, labels: Sequence[int]) -> TestSet:
    """Write an array of images with its manifest, and return it as a test set."""
    np.save(folder / f"{name}.npy", images)
    np.save(folder / f"{name}-labels.npy", np.array(labels))
    listed = catalogue(folder / f"{name}.npy", labels=folder / f"{name}-labels.npy", root=folder)
    write_manifest(listed.manifest, folder / f"{name}.csv")
    return load_test_set(name, folder / f"{name}.csv")


def command(log: Path, *arguments: object) -> None:
    """Run `difficulty-inference` in this process, and end it; all that it says goes to a file."""
    sys.exit(exit_code(log, *arguments))


def command_with_small_files(most: int, log: Path, *arguments: object) -> None:
    """Run `difficulty-inference` where no file may have more bytes, as on a disk that is nearly full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    command(log, *arguments)


def command_as_nobody(warm: Path, log: Path, *arguments: object) -> None:
    """Run `difficulty-inference` as a user with no rights.

    Such a user may be unable to import what was not imported before: hence a first run to another folder.
    """
    if os.getuid() == 0:
        exit_code(warm.with_suffix(".txt"), *arguments, "-o", warm)
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    os._exit(exit_code(log, *arguments))  # without tidying up what belongs to root


def exit_code(log: Path, *arguments: object) -> int:
    """Run `difficulty-inference` and return the code it ends with."""
    with log.open("a") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    sys.argv = ["difficulty-inference", *map(str, arguments)]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0
