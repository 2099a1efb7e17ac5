"""What responses must be, and the types that they are kept in."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from difficulty_model.errors import InputError
from difficulty_model.records import require_provenance, require_variables
from difficulty_model.types import IMAGE, MODEL, TEST_SET, BoolArray, IntArray

NOT_STORED = -1
"""Value of `position` where the right class is not among those stored, or the image was not shown; and of `predicted`
where the first class is not known."""

_LAST_POSITION = int(np.iinfo(np.int8).max)
_LAST_CLASS = int(np.iinfo(np.int32).max)


def as_counts(values: np.ndarray, name: str) -> IntArray:
    """Return counts in the smallest unsigned type that holds them."""
    if values.dtype.kind not in "biu":
        raise InputError(f"`{name}` must be whole numbers (0 and 1, or counts); got {values.dtype}")
    if values.size and values.min() < 0:
        raise InputError(f"`{name}` must not be negative; got {values.min()}")
    largest = int(values.max()) if values.size else 0
    return values.astype(np.min_scalar_type(largest) if largest > 255 else np.uint8)


def as_classes(predicted: np.ndarray) -> IntArray:
    """Return class numbers in the smaller type that holds them."""
    largest = int(predicted.max()) if predicted.size else 0
    return predicted.astype(np.int16 if largest <= np.iinfo(np.int16).max else np.int32)


def as_masks(member: Mapping[str, BoolArray]) -> BoolArray:
    """Return the masks of all test sets as one table."""
    masks = {name: np.asarray(mask, bool) for name, mask in member.items()}
    if not masks:
        raise InputError("`member` names no test set; give at least one mask of images")
    if len({mask.shape for mask in masks.values()}) > 1:
        shapes = ", ".join(f"{mask.shape} for {name!r}" for name, mask in masks.items())
        raise InputError(f"`member` must have one mask of all images for each test set; got shapes {shapes}")
    return np.array(list(masks.values()))


def right_classes(dataset: xr.Dataset) -> IntArray:
    """Return the number of every image's right class, which models tell that predict it first; -1 if none does."""
    if "position" in dataset:
        first_is_right = dataset["position"].values == 0
    else:
        first_is_right = (dataset["right"].values > 0) & (dataset.attrs["top_k"] == 1)
    return np.where(first_is_right, dataset["predicted"].values, NOT_STORED).max(0)


def require_valid_responses(dataset: xr.Dataset) -> None:
    """Refuse a dataset that is not a collection of responses, as `Responses` describes it.

    Raises
    ------
    InputError
        If it lacks anything, or holds what cannot be.
    """
    answers = (MODEL, IMAGE)
    require_variables(dataset, {"right": answers, "shown": answers, "member": (TEST_SET, IMAGE)})
    require_provenance(dataset)
    _validate_answers(dataset)
    _validate_membership(dataset)
    if "position" in dataset:
        _validate_position(dataset)
    if "predicted" in dataset:
        _validate_predicted(dataset)
    if "label" in dataset.coords:
        _validate_labels(dataset)


def _validate_labels(dataset: xr.Dataset) -> None:
    label = dataset["label"]
    if label.dims != (IMAGE,):
        raise InputError(f"`label` must have the dim {IMAGE!r}; got {label.dims}")
    missing = pd.isna(label.values)
    if missing.any():
        image = dataset[IMAGE].values[missing.argmax()]
        raise InputError(f"`label` lacks the classes of {missing.sum()} of {len(missing)} images, such as "
                         f"{str(image)!r}; expected the right class of every image, or no labels at all")


def _validate_answers(dataset: xr.Dataset) -> None:
    right, shown = dataset["right"].values, dataset["shown"].values
    if right.dtype.kind not in "biu" or shown.dtype.kind not in "biu":
        raise InputError(f"`right` and `shown` must be whole numbers; got {right.dtype} and {shown.dtype}")
    if min(right.min(), shown.min()) < 0:
        raise InputError(f"`right` and `shown` must not be negative; got {min(right.min(), shown.min())}")
    if (right > shown).any():
        j, i = np.argwhere(right > shown)[0]
        raise InputError(f"model {str(dataset[MODEL].values[j])!r} is right {right[j, i]} times on image "
                         f"{str(dataset[IMAGE].values[i])!r}, which it was shown {shown[j, i]} times")
    if not shown.any():
        raise InputError("all responses are missing; at least one model must have been shown one image")


def _validate_membership(dataset: xr.Dataset) -> None:
    member = dataset["member"].values
    if member.dtype != bool:
        raise InputError(f"`member` must be true or false; got {member.dtype}")
    if not member.any(0).all():
        orphan = dataset[IMAGE].values[~member.any(0)][0]
        raise InputError(f"image {str(orphan)!r} belongs to no test set")
    if not member.any(1).all():
        empty = dataset[TEST_SET].values[~member.any(1)][0]
        raise InputError(f"test set {str(empty)!r} has no images")


def _validate_position(dataset: xr.Dataset) -> None:
    require_variables(dataset, {"position": (MODEL, IMAGE)})
    position, right, shown = (dataset[name].values for name in ("position", "right", "shown"))
    require_ranks(position)
    if shown.max() > 1:
        raise InputError(f"`position` goes with single showings only; got {shown.max()} of one image")
    if ((position != NOT_STORED) > shown).any():
        raise InputError(f"`position` must be {NOT_STORED} where nothing was shown")
    top_k = dataset.attrs["top_k"]
    if (((position != NOT_STORED) & (position < top_k)) != (right > 0)).any():
        raise InputError("`position` does not go with `right`: right must be position < top_k")


def require_ranks(position: np.ndarray) -> None:
    """Refuse ranks of the right class that are none."""
    if position.dtype.kind != "i":
        raise InputError(f"`position` must be whole numbers; got {position.dtype}")
    if position.size and not NOT_STORED <= position.min() <= position.max() <= _LAST_POSITION:
        raise InputError(f"`position` must be ranks from 0 to {_LAST_POSITION}, or {NOT_STORED}; "
                         f"got {position.min()} to {position.max()}")


def _validate_predicted(dataset: xr.Dataset) -> None:
    require_variables(dataset, {"predicted": (MODEL, IMAGE)})
    predicted, shown = dataset["predicted"].values, dataset["shown"].values
    require_classes(predicted)
    if shown.max() > 1:
        raise InputError(f"`predicted` goes with single showings only; got {shown.max()} of one image")
    if ((predicted != NOT_STORED) > shown).any():
        raise InputError(f"`predicted` must be {NOT_STORED} where nothing was shown")
    if "position" not in dataset:  # several classes of an image may count as right
        return
    right_class = right_classes(dataset)
    known = (predicted != NOT_STORED) & (right_class != NOT_STORED)
    wrong = known & ((predicted == right_class) != (dataset["position"].values == 0))
    if wrong.any():
        image = dataset[IMAGE].values[wrong.any(0)][0]
        raise InputError(f"`predicted` does not go with `position`: all models of position 0 on image {str(image)!r} "
                         "must predict one class, and no other model that class")


def require_classes(predicted: np.ndarray) -> None:
    """Refuse numbers of classes that are none."""
    if predicted.dtype.kind not in "iu":
        raise InputError(f"`predicted` must be whole numbers, of classes; got {predicted.dtype}")
    if predicted.size and not NOT_STORED <= predicted.min() <= predicted.max() <= _LAST_CLASS:
        raise InputError(f"`predicted` must be numbers of classes from 0 to {_LAST_CLASS}, or {NOT_STORED}; "
                         f"got {predicted.min()} to {predicted.max()}")
