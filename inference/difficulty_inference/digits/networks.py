"""Small torch networks as scikit-learn estimators, for images of a few pixels."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import nn

from difficulty_model.errors import InputError

BATCH = 32
LEARNING_RATE = 2e-3


class Network(ClassifierMixin, BaseEstimator, ABC):
    """A network that is trained with Adam on the cross-entropy, in small shuffled batches.

    Attributes
    ----------
    classes_ : array, (class,)
        The labels it was trained on, ascending; of a fitted network.
    """

    epochs: int
    random_state: int

    @abstractmethod
    def layers(self, *, pixels: int, classes: int) -> nn.Module:
        """Return the untrained network, from rows of pixels to one logit per class."""

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Show every image `epochs` times, in an order that `random_state` decides, as it does the first weights.

        Parameters
        ----------
        X : (image, pixel)
            Pixels from 0 to 1.
        y : (image,)
            Labels.
        """
        images = _tensor(X)
        self.classes_, targets = np.unique(y, return_inverse=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.module_ = self.layers(pixels=images.shape[1], classes=len(self.classes_))
            _train(self.module_, images, torch.from_numpy(targets), epochs=self.epochs)
        return self

    @torch.inference_mode()
    def decision_function(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the logits, (image, class); of two classes how far the second is ahead, (image,)."""
        logits = self.module_(_tensor(X)).numpy()
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the label of the highest logit of each image, (image,)."""
        scores = self.decision_function(X)
        return self.classes_[scores.argmax(1) if scores.ndim == 2 else (scores > 0).astype(int)]


class Perceptron(Network):
    """A multilayer perceptron of `depth` hidden layers of `width` rectified units.

    Parameters
    ----------
    width, depth
        Its size.
    epochs
        How often every training image is shown.
    random_state
        Decides the first weights and the order of the images.
    """

    def __init__(self, width: int = 64, depth: int = 1, epochs: int = 60, random_state: int = 0) -> None:
        self.width = width
        self.depth = depth
        self.epochs = epochs
        self.random_state = random_state

    def layers(self, *, pixels: int, classes: int) -> nn.Module:
        """Return the untrained network, from rows of pixels to one logit per class."""
        return nn.Sequential(*self._hidden(pixels), nn.Linear(self.width if self.depth else pixels, classes))

    def _hidden(self, pixels: int) -> Iterator[nn.Module]:
        for given, made in pairwise([pixels] + [self.width] * self.depth):
            yield nn.Linear(given, made)
            yield nn.ReLU()


class Convolutional(Network):
    """A convolutional network on square grey images.

    It has `depth` 3 × 3 layers, each followed by a pooling that halves the sides. The first layer has `width`
    channels, each further one twice as many.

    Parameters
    ----------
    width, depth
        Its size.
    epochs
        How often every training image is shown.
    random_state
        Decides the first weights and the order of the images.
    """

    def __init__(self, width: int = 16, depth: int = 2, epochs: int = 40, random_state: int = 0) -> None:
        self.width = width
        self.depth = depth
        self.epochs = epochs
        self.random_state = random_state

    def layers(self, *, pixels: int, classes: int) -> nn.Module:
        """Return the untrained network, from rows of pixels to one logit per class."""
        side = math.isqrt(pixels)
        left = side >> self.depth
        if side**2 != pixels:
            raise InputError(f"a convolutional network here needs square grey images; got rows of {pixels} pixels")
        if not left:
            raise InputError(f"halving the {side} pixels of a side {self.depth} times leaves none; give a depth of "
                             f"at most {side.bit_length() - 1}")
        channels = [1] + [self.width << layer for layer in range(self.depth)]
        return nn.Sequential(
            nn.Unflatten(1, (1, side, side)), *_convolutions(channels), nn.Flatten(),
            nn.Linear(channels[-1] * left**2, classes),
        )


def _convolutions(channels: list[int]) -> Iterator[nn.Module]:
    for given, made in pairwise(channels):
        yield nn.Conv2d(given, made, kernel_size=3, padding=1)
        yield nn.ReLU()
        yield nn.MaxPool2d(2)


def _train(module: nn.Module, images: torch.Tensor, targets: torch.Tensor, *, epochs: int) -> None:
    optimiser = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(BATCH):
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(images[batch]), targets[batch]).backward()
            optimiser.step()


def _tensor(images: ArrayLike) -> torch.Tensor:
    return torch.tensor(np.asarray(images, np.float32))
