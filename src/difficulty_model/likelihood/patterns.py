"""Response patterns: images with the same responses and the same stratum, counted once.

Of 60,000 images and 67 models about half remain: nearly all that every model, or no model, gets right fall
together.
"""

from dataclasses import dataclass, field

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Integer

CHUNK = 2048
"""Patterns per chunk: at 100 grid nodes a chunk's temporaries (1.6 MB each) stay in a core's cache; longer and shorter
chunks are slower (`benchmarks/kernel.py`)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Patterns:
    """Distinct response patterns in chunks of equal length, the last filled up with patterns of count 0.

    Attributes
    ----------
    responses
        Without repeats or gaps: 1 where the model is right, one column per model. Otherwise the counts of right,
        then the counts of wrong, two columns per model.
    stratum
        Stratum of the pattern's images.
    count
        Number of images with this pattern in this stratum.
    of_image
        Number of every image's pattern, counted through the chunks.
    showings
        How often each model was shown an image at most.
    complete
        Whether every model answered every image exactly once.
    """

    responses: Integer[Array, "chunk pattern column"]
    stratum: Int[Array, "chunk pattern"]
    count: Float[Array, "chunk pattern"]
    of_image: Int[Array, "image"]
    showings: Int[Array, "model"]
    complete: bool = field(metadata={"static": True})


def collapse(
    right: Integer[np.ndarray, "model image"],
    shown: Integer[np.ndarray, "model image"],
    stratum: Int[np.ndarray, "image"],
) -> Patterns:
    """Return the distinct patterns.

    Parameters
    ----------
    right, shown
        How often each model was right on, and was shown, each image.
    stratum
        Stratum of every image.
    """
    complete = bool((shown == 1).all())
    columns = right if complete else np.concatenate([right, shown - right])
    rows = np.ascontiguousarray(columns.T)
    keys = np.packbits(rows, axis=1) if rows.max() <= 1 else rows.view(np.uint8).reshape(len(rows), -1)
    keys = np.concatenate([keys, stratum[:, None].astype(np.int32).view(np.uint8).reshape(-1, 4)], axis=1)
    # One void scalar per row: sorting bytes is many times faster than np.unique(axis=0).
    keys = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1]))).ravel()
    _, first, pattern_of_image, count = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    chunk = min(CHUNK, len(first))
    padding = -len(first) % chunk
    return Patterns(
        np.pad(rows[first], ((0, padding), (0, 0))).reshape(-1, chunk, rows.shape[1]),  # pyright: ignore[reportArgumentType]
        np.pad(stratum[first].astype(np.int32), (0, padding)).reshape(-1, chunk),  # pyright: ignore[reportArgumentType]
        np.pad(count.astype(np.float64), (0, padding)).reshape(-1, chunk),  # pyright: ignore[reportArgumentType]
        pattern_of_image,  # pyright: ignore[reportArgumentType]
        shown.max(axis=1),  # pyright: ignore[reportArgumentType]
        complete,
    )
