"""Joining collections of responses: one model, image or test set under one name."""

from collections.abc import Mapping, Sequence

import numpy as np

from difficulty_model.errors import InputError
from difficulty_model.responses.collection import Responses
from difficulty_model.responses.validity import NOT_STORED, right_classes
from difficulty_model.types import BoolArray, IntArray


def combine(*collections: Responses) -> Responses:
    """Join collections: the union of models, images and test sets.

    Images with the same id are one image. Where two collections answer differently for the same model and
    image, the response counts as not observed, and the history says how many did. With positions of the right
    class kept, another position is another answer, even if both or neither are among the first `top_k`: the
    predictions differ, and by another k the response would be right in one collection and wrong in the other.

    Predicted classes are kept if all collections keep them and number classes alike, as the right classes of images
    that they share tell; otherwise the history says why not. Where only the first class differs and both are wrong,
    the response counts, and its class is not known.

    Raises
    ------
    InputError
        If collections were scored with different k, disagree on a label, or nothing is given.
    """
    if not collections:
        raise InputError("nothing to combine; give at least one collection of responses")
    scores = {int(c.dataset.attrs["top_k"]) for c in collections}
    if len(scores) > 1:
        raise InputError(f"collections are scored by different top_k {sorted(scores)}; score them alike "
                         "first")
    models = list(dict.fromkeys(m for c in collections for m in c.models))
    images = list(dict.fromkeys(i for c in collections for i in c.images))
    test_sets = list(dict.fromkeys(t for c in collections for t in c.test_sets))
    row_of = {m: r for r, m in enumerate(models)}
    column_of = {i: r for r, i in enumerate(images)}
    columns_of = [np.array([column_of[i] for i in c.images]) for c in collections]
    member = {t: np.zeros(len(images), bool) for t in test_sets}
    shape = len(models), len(images)
    answers = {
        "right": np.zeros(shape, np.result_type(*(c.right.dtype for c in collections))),
        "shown": np.zeros(shape, np.result_type(*(c.shown.dtype for c in collections))),
    }
    if all("position" in c.dataset for c in collections):
        answers["position"] = np.full(shape, NOT_STORED, np.int8)
    conflict = np.zeros(shape, bool)
    for c, columns in zip(collections, columns_of, strict=True):
        for test_set, mask in zip(c.test_sets, c.member, strict=True):
            member[test_set][columns[mask]] = True
        theirs = {name: c.dataset[name].values for name in answers}
        # Row by row: temporaries of whole tables would need several times the memory.
        for j, row in enumerate(row_of[m] for m in c.models):
            now = theirs["shown"][j] > 0
            both = now & (answers["shown"][row][columns] > 0)
            for name, values in answers.items():
                ours, answer = values[row], theirs[name][j]
                if both.any():
                    conflict[row][columns[both & (ours[columns] != answer)]] = True
                ours[columns] = np.where(now, answer, ours[columns])
    for name, values in answers.items():
        values[conflict] = NOT_STORED if name == "position" else 0
    predicted, remarks = _joined_classes(collections, row_of, columns_of, conflict)
    lines = list(dict.fromkeys(line for c in collections for line in c.history))
    lines += [
        f"{int(row.sum())} responses of model {m!r} to images that several collections share differ between "
        "them; they count as not observed"
        for m, row in zip(models, conflict, strict=True) if row.any()
    ]
    lines += remarks
    return Responses.from_arrays(
        answers["right"], models=models, images=images, member=member, shown=answers["shown"],
        position=answers.get("position"), predicted=predicted, top_k=scores.pop(),
        labels=_joined_labels(collections, columns_of, images), history=lines,
    )


def _joined_classes(
    collections: Sequence[Responses], row_of: Mapping[str, int], columns_of: Sequence[IntArray], conflict: BoolArray
) -> tuple[IntArray | None, list[str]]:
    """Return the class that every response predicts first, and what to note: that classes cannot be kept, and why."""
    without = sum("predicted" not in c.dataset for c in collections)
    if without:
        told = f"{without} of {len(collections)} collections keep no predicted classes, so the whole keeps none"
        return None, [told] if without < len(collections) else []
    told = _numbered_otherwise(collections, columns_of, conflict.shape[1])
    if told is not None:
        return None, [told]
    predicted = np.full(conflict.shape, NOT_STORED, np.int32)
    unknown = conflict.copy()
    for c, columns in zip(collections, columns_of, strict=True):
        for theirs, row in zip(c.dataset["predicted"].values, (row_of[m] for m in c.models), strict=True):
            ours = predicted[row, columns]
            differ = (ours != NOT_STORED) & (theirs != NOT_STORED) & (ours != theirs)
            unknown[row, columns[differ]] = True
            predicted[row, columns] = np.where(theirs == NOT_STORED, ours, theirs)
    predicted[unknown] = NOT_STORED
    return predicted, []


def _numbered_otherwise(
    collections: Sequence[Responses], columns_of: Sequence[IntArray], images: int
) -> str | None:
    """Return a sentence if the right class of an image has different numbers in two collections."""
    right_class = np.full(images, NOT_STORED)
    for c, columns in zip(collections, columns_of, strict=True):
        ours, theirs = right_class[columns], right_classes(c.dataset)
        differ = (ours != NOT_STORED) & (theirs != NOT_STORED) & (ours != theirs)
        if differ.any():
            i = int(np.argmax(differ))
            return (f"the right class of image {c.images[i]!r} has number {ours[i]} in one collection and {theirs[i]} "
                    "in another; numbered differently, predicted classes are not kept")
        right_class[columns] = np.where(theirs == NOT_STORED, ours, theirs)
    return None


def _joined_labels(
    collections: Sequence[Responses], columns_of: Sequence[IntArray], images: Sequence[str]
) -> list[str] | None:
    """Return the label of every image, or nothing where one has none."""
    labels = np.full(len(images), "", object)
    for c, columns in zip(collections, columns_of, strict=True):
        if "label" not in c.dataset.coords:
            continue
        ours, theirs = labels[columns], c.dataset["label"].values.astype(np.str_).astype(object)
        differ = (ours != "") & (ours != theirs)
        if differ.any():
            i = int(np.argmax(differ))
            raise InputError(f"image {c.images[i]!r} has label {ours[i]!r} in one collection and "
                             f"{theirs[i]!r} in another; image ids must be unique by content")
        labels[columns] = theirs
    return labels.tolist() if (labels != "").all() else None
