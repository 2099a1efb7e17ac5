"""Test sets whose images are rows of an array in a file."""

from pathlib import Path

import numpy as np

from difficulty_inference.manifest import NAME, Manifest, array_content, content_id, write_manifest
from difficulty_inference.test_sets import TestSet


def written(folder: Path, name: str, images: np.ndarray, labels: np.ndarray | None = None) -> TestSet:
    """Return a test set of images, (image, height, width) as bytes, once it is written with its manifest."""
    (folder / name).mkdir()
    np.save(folder / name / "images.npy", images)
    manifest = Manifest(
        np.array([content_id(array_content(image)) for image in images]),
        np.array([f"images.npy[{row}]" for row in range(len(images))]),
        np.zeros(len(images), np.int64) if labels is None else labels,
    )
    write_manifest(manifest, folder / name / NAME)
    return TestSet(name, manifest, folder / name)
