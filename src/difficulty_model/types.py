"""The vocabulary: dimension names and array types that the whole package shares."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

MODEL = "model"
"""A classifier under test; index j in the formulas."""

IMAGE = "image"
"""A test image, one per content; index i in the formulas."""

TEST_SET = "test_set"
"""A named set of images; index k in the formulas. An image may belong to several."""

STRATUM = "stratum"
"""An exclusive cell of the membership table: images that are in exactly the same test sets."""

FloatArray: TypeAlias = NDArray[np.floating[Any]]
IntArray: TypeAlias = NDArray[np.integer[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]
