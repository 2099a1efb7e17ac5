"""Training small networks with torch, reproducibly on one processor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, pairwise
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Images: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int64]

Predict: TypeAlias = Callable[[Images], Labels]
"""A trained classifier: images in, one label each out."""

Train: TypeAlias = Callable[[Images, Labels, int], Predict]
"""An untrained classifier: images, their labels and a seed in; trained classifier out."""

SIDE = 8
"""Pixels along each side of an image."""

CLASSES = 10
BATCH = 32


def network(layers: Callable[[], torch.nn.Module], *, epochs: int) -> Train:
    """Return the training of a network: Adam on the cross-entropy, in small shuffled batches.

    Parameters
    ----------
    layers
        Makes the untrained network, from flat images to one logit per class.
    epochs
        How often every training image is shown.
    """

    def train(images: Images, labels: Labels, seed: int) -> Predict:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = layers()
            optimiser = torch.optim.Adam(module.parameters(), lr=2e-3)
            pixels, targets = torch.from_numpy(images), torch.from_numpy(labels)
            for _ in range(epochs):
                for batch in torch.randperm(len(pixels)).split(BATCH):
                    optimiser.zero_grad()
                    torch.nn.functional.cross_entropy(module(pixels[batch]), targets[batch]).backward()
                    optimiser.step()

        @torch.inference_mode()
        def predict(images: Images) -> Labels:
            return module(torch.from_numpy(images)).argmax(1).numpy()

        return predict

    return train


def perceptron(*, width: int, depth: int) -> torch.nn.Module:
    """Return a multilayer perceptron of `depth` hidden layers of `width` units."""
    widths = [SIDE**2] + [width] * depth
    hidden = [(torch.nn.Linear(given, made), torch.nn.ReLU()) for given, made in pairwise(widths)]
    return torch.nn.Sequential(*chain.from_iterable(hidden), torch.nn.Linear(width, CLASSES))


def convolutional(*, width: int, depth: int) -> torch.nn.Module:
    """Return a convolutional network: `depth` 3 × 3 layers, each followed by a pooling that halves the sides.

    The first layer has `width` channels, each further one twice as many; at most three halvings fit an image.
    """
    channels = [1] + [width * 2**layer for layer in range(depth)]
    hidden = [
        (torch.nn.Conv2d(given, made, kernel_size=3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2))
        for given, made in pairwise(channels)
    ]
    return torch.nn.Sequential(
        torch.nn.Unflatten(1, (1, SIDE, SIDE)),
        *chain.from_iterable(hidden),
        torch.nn.Flatten(),
        torch.nn.Linear(channels[-1] * (SIDE // 2**depth) ** 2, CLASSES),
    )


@contextmanager
def reproducible() -> Iterator[None]:
    """Compute with one thread and deterministic algorithms inside the block: sums in one order, always."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.use_deterministic_algorithms(mode=deterministic)
        torch.set_num_threads(threads)
