"""Classifiers with scikit-learn's interface: fitted elsewhere, or fitted here on images."""

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from difficulty_inference.arithmetic import Arithmetic, reproducible
from difficulty_inference.importing import Code
from difficulty_inference.lots import draw
from difficulty_inference.manifest import Manifest
from difficulty_inference.predictor import Predictor
from difficulty_inference.test_sets import TestSet, load_test_set, pixels_and_labels, pixels_of
from difficulty_model.errors import InputError


@dataclass(frozen=True)
class EstimatorEntry:
    """A classifier with scikit-learn's interface.

    Attributes
    ----------
    name : str
        What it is called.
    estimator : Code
        Returns the classifier: a class of scikit-learn, or any function.
    options : dict
        Keyword arguments of the function.
    train_on : Path, optional
        Test set whose images it is fitted to; without it the function returns a fitted classifier.
    training_images : int, optional
        To how many of them, drawn by lot; all if not given.
    seed : int
        With `lot`, decides which images are drawn and the classifier's `random_state`: a classifier answers the same
        whichever others are in the zoo.
    lot : str, optional
        The name if not given. Classifiers of one lot draw the same images, so that nothing but their options differs.
    """

    name: str
    estimator: Code
    options: Mapping[str, Any] = field(default_factory=dict)
    train_on: Path | None = None
    training_images: int | None = None
    seed: int = 0
    lot: str | None = None

    def configuration(self) -> Mapping[str, Any]:
        """Return what decides the answers: the function, its code, its options, and what it is fitted to."""
        plain = {"estimator": self.estimator.name, "code": self.estimator.fingerprint(), "options": dict(self.options)}
        if self.train_on is None:
            return plain
        return plain | {
            "name": self.lot or self.name, "train_on": self.training_set().manifest.fingerprint,
            "training_images": self.training_images, "seed": self.seed,
        }

    def load(self, arithmetic: Arithmetic) -> Predictor:
        """Return the fitted classifier."""
        if self.train_on is None:
            return Estimator(self.estimator.call(self.options), self.name)
        training = self.training_set()
        estimator = self.fitted(*pixels_and_labels(training, self.drawn(training.manifest).tolist()))
        # A class may be missing among the images drawn.
        return Estimator(estimator, self.name, classes=int(training.manifest.labels.max()) + 1)

    def training_set(self) -> TestSet:
        """Return the images it is fitted to.

        Raises
        ------
        InputError
            If none are named, or there is no such test set.
        """
        if self.train_on is None:
            raise InputError(f"model {self.name!r} comes fitted and cannot be trained; give it `train_on`")
        return load_test_set("training", self.train_on)

    def drawn(self, manifest: Manifest) -> NDArray[np.int64]:
        """Return which images of a manifest it is fitted to: ascending positions.

        Raises
        ------
        InputError
            If there are fewer than asked for.
        """
        wanted = len(manifest) if self.training_images is None else self.training_images
        if not 0 < wanted <= len(manifest):
            raise InputError(f"model {self.name!r} is to learn from {wanted} images; {self.train_on} has "
                             f"{len(manifest)}")
        return draw(manifest.ids.tolist(), wanted, f"{self.seed} {self.lot or self.name}")

    def fitted(self, pixels: NDArray[np.float32], labels: NDArray[np.int64]) -> Any:
        """Return a new classifier, fitted to images given as rows of pixels from 0 to 1."""
        estimator = self.estimator.call(self._seeded_options())
        with reproducible():
            return estimator.fit(pixels, labels)

    def _seeded_options(self) -> dict[str, Any]:
        try:
            takes_seed = "random_state" in inspect.signature(self.estimator.resolve()).parameters
        except ValueError:  # defined in C
            takes_seed = False
        own_seed = int.from_bytes(hashlib.sha256(f"{self.seed} {self.lot or self.name}".encode()).digest()[:4])
        return ({"random_state": own_seed} if takes_seed else {}) | dict(self.options)


class Estimator:
    """A fitted classifier of scikit-learn as a predictor."""

    def __init__(self, estimator: Any, name: str, *, classes: int = 0) -> None:
        seen = getattr(estimator, "classes_", None)
        if seen is None:
            raise InputError(f"model {name!r} is not fitted; give it `train_on`, or return a fitted classifier")
        self._columns = np.asarray(seen)
        if self._columns.dtype.kind not in "iu" or self._columns.min() < 0:
            raise InputError(f"model {name!r} was fitted to classes {self._columns[:3].tolist()}…; expected numbers "
                             "from 0, as in manifests")
        self._classes = max(classes, int(self._columns.max()) + 1)
        self._estimator = estimator

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """Return the image as a row of pixels from 0 to 1."""
        return torch.from_numpy(pixels_of(image))

    def scores(self, batch: torch.Tensor) -> torch.Tensor:
        """Return decision values, or else probabilities, or else 1 for the predicted class.

        A class that the classifier has never seen scores minus infinity.
        """
        values = self._values(batch.numpy())
        scores = np.full((len(values), self._classes), -np.inf)
        scores[:, self._columns] = values
        return torch.from_numpy(scores)

    def _values(self, rows: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return a column of values for each of the classes seen."""
        if hasattr(self._estimator, "decision_function"):
            values = np.asarray(self._estimator.decision_function(rows))
            return np.column_stack([-values, values]) if values.ndim == 1 else values
        if hasattr(self._estimator, "predict_proba"):
            return np.asarray(self._estimator.predict_proba(rows))
        return (np.asarray(self._estimator.predict(rows))[:, None] == self._columns).astype(float)
