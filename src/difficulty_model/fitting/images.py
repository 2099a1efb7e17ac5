"""What a specification needs to know of images: their stratum, covariates and classes, from the responses."""

import numpy as np

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.likelihood import Patterns, collapse
from difficulty_model.populations import BENDS
from difficulty_model.responses import Responses
from difficulty_model.skills import InFamilies
from difficulty_model.specification import Specification, covariates_of, has_classes
from difficulty_model.types import IMAGE, MODEL, STRATUM, FloatArray, IntArray

FAMILY = "family"
"""Coordinate of the responses that holds the models' families."""

LABEL = "label"
"""Coordinate of the responses that holds the images' classes."""


def patterns_of(
    responses: Responses, specification: Specification, *, only: IntArray | slice = slice(None)
) -> Patterns:
    """Return the response patterns of all images or of those `only`, with what the specification needs to know of them.

    Raises
    ------
    InputError
        If the specification needs a covariate, classes or families that the responses do not have.
    """
    stratum, covariates, class_ = _known_of_images(responses, specification)
    return collapse(
        responses.right[:, only], responses.shown[:, only], stratum[only], covariates[only],
        None if class_ is None else class_[only], families(responses, specification),
    )


def kinds_of_images(responses: Responses, specification: Specification) -> Patterns:
    """Return images that the specification does not tell apart before any response, as patterns without responses."""
    nothing = np.zeros((1, len(responses.images)), np.uint8)
    return collapse(nothing, nothing + 1, *_known_of_images(responses, specification))


def _known_of_images(
    responses: Responses, specification: Specification
) -> tuple[IntArray, FloatArray, IntArray | None]:
    covariates = standardized(responses, covariates_of(specification))
    classes = np.unique(labels(responses), return_inverse=True)[1] if has_classes(specification) else None
    return responses.strata().of_image, covariates, classes


def names_of(responses: Responses, specification: Specification) -> dict[str, list[str]]:
    """Return the names along every dimension that a prior may vary over."""
    return {
        MODEL: responses.models,
        STRATUM: responses.strata().names,
        "covariate": list(covariates_of(specification)),
        "class_": np.unique(labels(responses)).astype(str).tolist() if has_classes(specification) else [],
        "bend": [str(n + 1) for n in range(BENDS)],
    }


def families(responses: Responses, specification: Specification) -> IntArray | None:
    """Return the number of every model's family, or None if the specification has no effects of families."""
    if not isinstance(specification.skill, InFamilies):
        return None
    if FAMILY not in responses.dataset.coords:
        raise InputError("effects of families need to know the family of every model, which these responses do not "
                         f"tell; give it by `Responses.with_families`, or set the coordinate `{FAMILY}` of models")
    names = responses.dataset[FAMILY].values.astype(str)
    family = np.unique(names, return_inverse=True)[1]
    family = np.where(names == "", len(names) + np.arange(len(names)), family)
    family = np.unique(family, return_inverse=True)[1]
    if np.bincount(family).max() < 2:
        raise InputError("every family is of one model only, so that nothing tells of effects of families; give models "
                         "that are alike the same family, or fit them without")
    return family


def labels(responses: Responses) -> IntArray:
    """Return the class of every image."""
    if LABEL not in responses.dataset.coords:
        raise InputError("effects of classes need the images' labels, which these responses do not have; import them "
                         f"with a column or file of labels, or set the coordinate `{LABEL}`")
    return responses.dataset[LABEL].values


def scale_of(responses: Responses, covariate: str) -> tuple[float, float]:
    """Return mean and standard deviation of a covariate among the images: what coefficients are per unit of."""
    values = responses.dataset[covariate].values.astype(np.float64)
    return float(values.mean()), float(values.std())


def standardized(responses: Responses, names: tuple[str, ...]) -> FloatArray:
    """Return covariates of all images with mean 0 and standard deviation 1, (image, covariate)."""
    known = [str(name) for name, of in responses.dataset.coords.items() if of.dims == (IMAGE,) and name != IMAGE]
    columns = np.zeros((len(responses.images), len(names)))
    for n, name in enumerate(names):
        if name not in known:
            raise unknown_name("covariate of the images", name, known)
        values = responses.dataset[name].values
        if values.dtype.kind not in "fiub":
            raise InputError(f"covariate {name!r} holds {values.dtype} values, such as {str(values[0])[:20]!r}; "
                             "numbers are needed (classes go into effects of classes)")
        values = values.astype(np.float64)
        missing = np.flatnonzero(~np.isfinite(values))
        if len(missing):
            raise InputError(f"covariate {name!r} is missing for {len(missing)} of {len(values)} images, the first "
                             f"{responses.images[missing[0]]!r}; give it for all, or leave these images out")
        if np.ptp(values) == 0:
            raise InputError(f"covariate {name!r} is {values[0]:g} for all images, so that it can explain nothing; "
                             "leave it out")
        mean, sd = scale_of(responses, name)
        columns[:, n] = (values - mean) / sd
    if len(names) and np.linalg.matrix_rank(columns) < len(names):
        raise InputError(f"covariates {', '.join(map(repr, names))} are linearly dependent: each one must say "
                         "something that the others do not; leave one out")
    return columns
