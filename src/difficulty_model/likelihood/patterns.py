"""Response patterns: images with the same responses in the same stratum, counted once.

Of 60,000 images and 67 models about half remain: nearly all that every model, or no model, gets right fall
together. Where the population depends on covariates or classes, images must share these too.
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
class Chunk:
    """Distinct patterns of one stratum; with a leading axis, several chunks of equal length.

    Attributes
    ----------
    responses
        Without repeats or gaps: 1 where the model is right, one column per model. Otherwise the counts of right,
        then the counts of wrong, two columns per model.
    count
        Number of images with this pattern; 0 where the chunk is filled up.
    covariates
        What the populations of the pattern's images depend on; no column where they do not.
    class_
        Number of the class of the pattern's images; 0 where classes do not matter.
    stratum
        That of all images of the chunk.
    """

    responses: Integer[Array, "... pattern column"]
    count: Float[Array, "... pattern"]
    covariates: Float[Array, "... pattern covariate"]
    class_: Int[Array, "... pattern"]
    stratum: Int[Array, "..."]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Patterns:
    """All distinct response patterns.

    Attributes
    ----------
    chunks
        The patterns, in chunks.
    of_image
        Number of every image's pattern, counted through the chunks.
    showings
        How often each model was shown an image at most.
    complete
        Whether every model answered every image exactly once.
    """

    chunks: Chunk
    of_image: Int[Array, "image"]
    showings: Int[Array, "model"]
    complete: bool = field(metadata={"static": True})


def collapse(
    right: Integer[np.ndarray, "model image"],
    shown: Integer[np.ndarray, "model image"],
    stratum: Int[np.ndarray, "image"],
    covariates: Float[np.ndarray, "image covariate"] | None = None,
    class_: Int[np.ndarray, "image"] | None = None,
) -> Patterns:
    """Return the distinct patterns.

    Parameters
    ----------
    right, shown
        How often each model was right on, and was shown, each image.
    stratum
        Stratum of every image.
    covariates, class_
        What is known of every image, if it matters.
    """
    images = len(stratum)
    covariates = np.zeros((images, 0)) if covariates is None else np.asarray(covariates, np.float64)
    class_ = np.zeros(images, np.int32) if class_ is None else np.asarray(class_, np.int32)
    complete = bool((shown == 1).all())
    columns = right if complete else np.concatenate([right, shown - right])
    rows = np.ascontiguousarray(columns.T)
    keys = np.packbits(rows, axis=1) if rows.max() <= 1 else _bytes(rows)
    # The stratum leads, most significant byte first, so that the sorted patterns are sorted by stratum.
    keys = np.concatenate([_bytes(stratum.astype(">i4")), _bytes(class_), _bytes(covariates), keys], axis=1)
    # One void scalar per row: sorting bytes is many times faster than np.unique(axis=0).
    keys = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1]))).ravel()
    _, first, pattern_of_image, count = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    of_stratum = stratum[first]
    strata, patterns = np.unique(of_stratum, return_counts=True)
    length = min(CHUNK, int(patterns.max()))
    chunks = -(-patterns // length)
    # Every stratum fills whole chunks: where each pattern goes among them.
    start = np.cumsum(chunks) - chunks
    place = np.concatenate([s * length + np.arange(n) for s, n in zip(start, patterns, strict=True)])

    def laid_out(values: np.ndarray) -> np.ndarray:
        shape = (int(chunks.sum()), length, *values.shape[1:])
        out = np.zeros((shape[0] * length, *shape[2:]), values.dtype)
        out[place] = values
        return out.reshape(shape)

    return Patterns(
        Chunk(
            laid_out(rows[first]),  # pyright: ignore[reportArgumentType]
            laid_out(count.astype(np.float64)),  # pyright: ignore[reportArgumentType]
            laid_out(covariates[first]),  # pyright: ignore[reportArgumentType]
            laid_out(class_[first]),  # pyright: ignore[reportArgumentType]
            np.repeat(strata.astype(np.int32), chunks),  # pyright: ignore[reportArgumentType]
        ),
        place[pattern_of_image],  # pyright: ignore[reportArgumentType]
        shown.max(axis=1),  # pyright: ignore[reportArgumentType]
        complete,
    )


def _bytes(values: np.ndarray) -> np.ndarray:
    rows = np.ascontiguousarray(values.reshape(len(values), -1))
    return rows.view(np.uint8).reshape(len(values), rows.shape[1] * rows.itemsize)
