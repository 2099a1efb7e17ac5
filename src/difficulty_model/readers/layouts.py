"""The file layouts by the names that the command line gives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from difficulty_model.accuracies import Accuracies
from difficulty_model.readers._paths import Paths
from difficulty_model.readers.accuracies import read_accuracies
from difficulty_model.readers.cifar10_1 import read_cifar10_1
from difficulty_model.readers.cifar10h import read_cifar10h
from difficulty_model.readers.imagenetv2 import read_imagenetv2
from difficulty_model.readers.long import read_long
from difficulty_model.readers.predictions import read_predictions
from difficulty_model.readers.py_irt import read_py_irt
from difficulty_model.readers.wide import read_wide
from difficulty_model.responses import Responses


class Reader(Protocol):
    """What reads one layout."""

    def __call__(
        self, paths: Paths, *, test_sets: Sequence[str] | None = None, top_k: int = 1
    ) -> Responses | Accuracies:
        """Return what the files at `paths` hold."""
        ...


@dataclass(frozen=True)
class Layout:
    """One layout of files.

    Attributes
    ----------
    read : Reader
        The function that reads it.
    description : str
        What it is, in one line.
    example : str
        What a path or a line of it looks like.
    """

    read: Reader
    description: str
    example: str


LAYOUTS: dict[str, Layout] = {
    "predictions": Layout(
        read_predictions, "the folder that `difficulty-inference run` writes: the best classes per image",
        "predictions/<test set>/<model>.parquet",
    ),
    "imagenetv2": Layout(
        read_imagenetv2, "the folder of the ImageNetV2 release: top-k class ids per image",
        "data/predictions/<test set>/<model>.npy",
    ),
    "cifar10.1": Layout(
        read_cifar10_1, "the folder of the CIFAR-10.1 release: one class per image",
        "model_predictions/v6_predictions/<model>_predictions.json",
    ),
    "cifar10h": Layout(
        read_cifar10h, "what people answered to CIFAR-10's test set, and the folder of the CIFAR-10.1 release",
        "cifar10h-counts.npy cifar10.1",
    ),
    "long": Layout(
        read_long, "CSV or Parquet, one row per response", "model,image,correct[,test_set][,label]",
    ),
    "wide": Layout(
        read_wide, "CSV or Parquet, one row per image and one column per model",
        "image[,test_set][,label],<model>,<model>,...",
    ),
    "py-irt": Layout(
        read_py_irt, "JSON lines, one per model", '{"subject_id": "<model>", "responses": {"<image>": 1}}',
    ),
    "accuracies": Layout(
        read_accuracies, "CSV or Parquet, accuracies only, one table per test set: for the observed line",
        "model,accuracy[,images] as shares, or model,top1[,top5][,img_size] in percent",
    ),
}
