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

LENGTHS = 64
"""Chunks are a multiple of so long, so that responses of nearly as many patterns share what was compiled."""

FAMILY_ANSWERS = 64
"""Distinct answers of a family per chunk."""


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
    family_answer
        What every family of models answered: its number among `FamilyAnswers`; no column where there are no families.
    stratum
        That of all images of the chunk.
    """

    responses: Integer[Array, "... pattern column"]
    count: Float[Array, "... pattern"]
    covariates: Float[Array, "... pattern covariate"]
    class_: Int[Array, "... pattern"]
    family_answer: Int[Array, "... pattern family"]
    stratum: Int[Array, "..."]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FamilyAnswers:
    """What families of models answered: the distinct responses of each, in chunks of one family.

    Attributes
    ----------
    members
        The models of the chunk's family; any, where there are fewer than slots.
    right, wrong
        How often they were right and wrong; 0 in slots without a model.
    family
        Number of every model's family; −1 where that gives no more than one answer per image.
    """

    members: Int[Array, "chunk slot"]
    right: Float[Array, "chunk answer slot"]
    wrong: Float[Array, "chunk answer slot"]
    family: Int[Array, "model"]


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
    family_answers
        What families of models answered, if there are any.
    classes
        Number of classes of images; 1 where classes do not matter.
    complete
        Whether every model answered every image exactly once.
    """

    chunks: Chunk
    of_image: Int[Array, "image"]
    showings: Int[Array, "model"]
    family_answers: FamilyAnswers | None
    classes: int = field(metadata={"static": True})
    complete: bool = field(metadata={"static": True})


def chunk_length(patterns: int) -> int:
    """Return how long the chunks are that so many patterns of a stratum come in."""
    return min(CHUNK, -(-patterns // LENGTHS) * LENGTHS)


def collapse(
    right: Integer[np.ndarray, "model image"],
    shown: Integer[np.ndarray, "model image"],
    stratum: Int[np.ndarray, "image"],
    covariates: Float[np.ndarray, "image covariate"] | None = None,
    class_: Int[np.ndarray, "image"] | None = None,
    family: Int[np.ndarray, "model"] | None = None,
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
    family
        Number of every model's family, if models are in families.
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
    length = chunk_length(int(patterns.max()))
    chunks = -(-patterns // length)
    # Every stratum fills whole chunks: where each pattern goes among them.
    start = np.cumsum(chunks) - chunks
    place = np.concatenate([s * length + np.arange(n) for s, n in zip(start, patterns, strict=True)])

    def laid_out(values: np.ndarray) -> np.ndarray:
        shape = (int(chunks.sum()), length, *values.shape[1:])
        out = np.zeros((shape[0] * length, *shape[2:]), values.dtype)
        out[place] = values
        return out.reshape(shape)

    answers, answer = (None, np.zeros((len(first), 0), np.int32)) if family is None else _family_answers(
        right[:, first], shown[:, first], family
    )
    return Patterns(
        Chunk(
            laid_out(rows[first]),  # pyright: ignore[reportArgumentType]
            laid_out(count.astype(np.float64)),  # pyright: ignore[reportArgumentType]
            laid_out(covariates[first]),  # pyright: ignore[reportArgumentType]
            laid_out(class_[first]),  # pyright: ignore[reportArgumentType]
            laid_out(answer),  # pyright: ignore[reportArgumentType]
            np.repeat(strata.astype(np.int32), chunks),  # pyright: ignore[reportArgumentType]
        ),
        place[pattern_of_image],  # pyright: ignore[reportArgumentType]
        shown.max(axis=1),  # pyright: ignore[reportArgumentType]
        answers,
        int(class_.max()) + 1,
        complete,
    )


def _family_answers(
    right: Integer[np.ndarray, "model pattern"],
    shown: Integer[np.ndarray, "model pattern"],
    family: Int[np.ndarray, "model"],
) -> tuple[FamilyAnswers | None, Int[np.ndarray, "pattern family"]]:
    """Return the distinct answers of all families, and every pattern's.

    A family that gives one answer per image, of one model shown it once, needs none: its effect can be averaged over.
    """
    _, of_model = np.unique(family, return_inverse=True)
    several = np.bincount(of_model, weights=shown.max(axis=1)) > 1
    families = [np.flatnonzero(of_model == f) for f in np.flatnonzero(several)]
    if not families:
        return None, np.zeros((right.shape[1], 0), np.int32)
    slots, chunks, of_pattern = max(map(len, families)), [], []
    for members in families:
        answers = np.stack([right[members], (shown - right)[members]]).astype(np.float64)
        distinct, number = np.unique(answers.reshape(-1, answers.shape[-1]).T, axis=0, return_inverse=True)
        of_pattern.append(number.ravel() + len(chunks) * FAMILY_ANSWERS)
        distinct = distinct.reshape(len(distinct), 2, len(members)).swapaxes(0, 1)
        for start in range(0, distinct.shape[1], FAMILY_ANSWERS):
            of_chunk = np.zeros((2, FAMILY_ANSWERS, slots))
            part = distinct[:, start : start + FAMILY_ANSWERS]
            of_chunk[:, : part.shape[1], : len(members)] = part
            chunks.append((np.resize(members, slots), *of_chunk))
    members, times_right, times_wrong = map(np.array, zip(*chunks, strict=True))
    numbers = np.where(several, np.cumsum(several) - 1, -1)[of_model]
    found = FamilyAnswers(members, times_right, times_wrong, numbers)  # pyright: ignore[reportArgumentType]
    return found, np.stack(of_pattern, axis=1).astype(np.int32)


def _bytes(values: np.ndarray) -> np.ndarray:
    rows = np.ascontiguousarray(values.reshape(len(values), -1))
    return rows.view(np.uint8).reshape(len(values), rows.shape[1] * rows.itemsize)
