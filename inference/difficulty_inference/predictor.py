"""What every classifier under test is to the pipeline: images in, class scores out."""

from typing import Protocol

import torch
from PIL import Image


class Predictor(Protocol):
    """A classifier, loaded and ready."""

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """Return what the classifier is shown of an image; of one shape for all images.

        Runs in processes that load images, on the CPU.
        """
        ...

    def scores(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the scores of every class for a batch of prepared images, (image, class), on any device.

        The class of the highest score is the prediction; of equal scores the first. It may raise
        `torch.OutOfMemoryError`, and is then called again with fewer images.
        """
        ...
