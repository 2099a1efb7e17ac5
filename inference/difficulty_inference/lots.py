"""Drawing by lot, the same with every version of every library."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def draw(ids: Sequence[str], size: int, key: str) -> NDArray[np.int64]:
    """Return the ascending positions of `size` ids, drawn without replacement; the order of hashes is the lot."""
    lots = [hashlib.sha256(f"{key} {name}".encode()).digest() for name in ids]
    return np.sort(np.array(sorted(range(len(ids)), key=lots.__getitem__)[:size], np.int64))
