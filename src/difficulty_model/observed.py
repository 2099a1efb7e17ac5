"""The line through observed accuracies on two test sets; no fit is needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from difficulty_model.accuracies import Accuracies
from difficulty_model.errors import InputError, unknown_name
from difficulty_model.law import Line, errors_in_both, least_squares, probit, probit_variance, r_squared
from difficulty_model.responses import Responses

BOOTSTRAPS = 200
"""Resamples of the images; the standard error of a standard error from so many is 5%."""

AT_A_TIME = 20
"""Resamples counted in one matrix product, which bounds their memory."""


@dataclass(frozen=True)
class ObservedLine:
    """The line through observed probit accuracies.

    Attributes
    ----------
    least_squares, errors_in_both
        The line with the smallest squared distances in the new accuracies, and the one with binomial errors in
        both.
    least_squares_sd, errors_in_both_sd
        Standard errors of their u and v over other images from the same populations: a bootstrap of the images,
        the same ones for all models. None where only accuracies are known.
    r2
        Of the least-squares line.
    left_out
        Models that were never right or never wrong, whose probit accuracy is infinite, or not run on both sets.
    """

    least_squares: Line
    errors_in_both: Line | None
    least_squares_sd: Line | None
    errors_in_both_sd: Line | None
    r2: float
    left_out: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return u, v and R² of the least-squares line, and the line with errors in both, as plain values."""
        return {
            **_plain_observed(self.least_squares, self.least_squares_sd),
            "r2": self.r2,
            "errors_in_both": _plain_observed(self.errors_in_both, self.errors_in_both_sd),
            "left_out": self.left_out,
        }


def observed_line(responses: Responses, original: str, new: str, *, random_seed: int = 0) -> ObservedLine:
    """Return the line through the observed probit accuracies on two test sets.

    Parameters
    ----------
    responses
        Of at least three models to both test sets.
    original, new
        Names of the test sets.
    random_seed
        Of the bootstrap.

    Raises
    ------
    InputError
        If a test set does not exist, both are one, or fewer than three models have finite probit accuracies on both.
    """
    require_two(original, new, responses.test_sets)
    pair = responses.select(test_sets=[original, new])
    right, shown = weighted_counts(pair, np.ones((1, len(pair.images)), np.float32))
    line = _line_through(right[0] / np.maximum(shown[0], 1), shown[0], pair.models)
    kept = ~np.isin(pair.models, line.left_out)
    lines = []
    for copies in resamples(len(pair.images), BOOTSTRAPS, random_seed=random_seed):
        right, shown = (counts[..., kept] for counts in weighted_counts(pair, copies))
        # Of a model that was run on very few images a resample may have none; it has no line then.
        whole = (shown > 0).all((1, 2))
        accuracy = off_the_edges(right[whole] / shown[whole], shown[whole])
        lines += [_both_lines(a, n) for a, n in zip(accuracy, shown[whole], strict=True)]
    by_squares, by_errors = (
        Line(
            np.asarray(np.std([line.u for line in of_kind], ddof=1)),
            np.asarray(np.std([line.v for line in of_kind], ddof=1)),
        )
        for of_kind in zip(*lines, strict=True)
    )
    return replace(line, least_squares_sd=by_squares, errors_in_both_sd=by_errors)


def observed_line_of_accuracies(accuracies: Accuracies, original: str, new: str) -> ObservedLine:
    """Return the line through probit accuracies of which nothing is known image by image.

    It has no standard errors, which need the images that models share; and no errors in both coordinates where
    the numbers of images are not known.

    Raises
    ------
    InputError
        If a test set does not exist, or fewer than three models have finite probit accuracies on both.
    """
    for name in (original, new):
        if name not in accuracies.test_sets:
            raise unknown_name("test set", name, accuracies.test_sets)
    columns = [accuracies.test_sets.index(name) for name in (original, new)]
    images = np.broadcast_to(accuracies.images[columns, None], (2, len(accuracies.models)))
    return _line_through(accuracies.accuracy[:, columns].T, images if images.all() else None, accuracies.models)


def require_two(original: str, new: str, test_sets: Sequence[str]) -> None:
    """Refuse one of some test sets in place of two.

    Raises
    ------
    InputError
        If both names are the same.
    """
    if original == new:
        raise InputError(f"two different test sets are needed; got {original!r} twice. There are "
                         f"{', '.join(map(repr, test_sets))}")


def _line_through(
    accuracy: Float[np.ndarray, "2 model"], images: Float[np.ndarray, "2 model"] | None, models: list[str]
) -> ObservedLine:
    kept = np.asarray(((accuracy > 0) & (accuracy < 1)).all(0))
    if kept.sum() < 3:
        raise InputError(f"only {kept.sum()} of {len(models)} models are sometimes right and sometimes wrong on both "
                         "test sets; a line needs at least 3")
    x, y = probit(accuracy[:, kept])
    line, both = (
        (least_squares(x, y), None) if images is None else _both_lines(accuracy[:, kept], images[:, kept])
    )
    return ObservedLine(
        least_squares=line, errors_in_both=both, least_squares_sd=None, errors_in_both_sd=None,
        r2=r_squared(line, x, y), left_out=[m for m, k in zip(models, kept, strict=True) if not k],
    )


def off_the_edges(accuracy: Float[np.ndarray, "..."], images: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return accuracies kept half a response away from 0 and 1, where probits are infinite.

    For resampled and replicated test sets; models whose observed accuracy is 0 or 1 are left out of lines instead.
    """
    return np.clip(accuracy, 0.5 / images, 1 - 0.5 / images)


def resamples(images: int, number: int, *, random_seed: int) -> Iterator[Float[np.ndarray, "resample image"]]:
    """Yield how many copies every image has in resamples of the images, some resamples at a time.

    Copies are Poisson numbers of mean 1, for all models and all test sets the same: models that share images, and test
    sets that do, then move together (Chamandy et al., 2012, Estimating uncertainty for massive data streams).

    Parameters
    ----------
    images
        How many there are.
    number
        Of resamples, a multiple of `AT_A_TIME`.
    random_seed
        Of the copies; the same seed gives the same ones.
    """
    rng = np.random.default_rng(random_seed)
    for _ in range(number // AT_A_TIME):
        yield rng.poisson(1.0, (AT_A_TIME, images)).astype(np.float32)


def weighted_counts(pair: Responses, copies: Float[np.ndarray, "resample image"]) -> tuple[np.ndarray, np.ndarray]:
    """Return counts of right and of shown, (resample, test_set, model), with so many copies of each image.

    Parameters
    ----------
    pair
        Responses to some test sets.
    copies
        Whole numbers: exact up to 2^24 responses of a model.
    """
    # Whole numbers below 2^24 are exact in float32.
    right, shown = (
        np.stack([copies[:, mask] @ counts[:, mask].T.astype(np.float32) for mask in pair.member], axis=1)
        for counts in (pair.right, pair.shown)
    )
    return right.astype(float), shown.astype(float)


def _both_lines(accuracy: Float[np.ndarray, "2 model"], images: Float[np.ndarray, "2 model"]) -> tuple[Line, Line]:
    """Return the least-squares line and the one with errors in both."""
    (x, y), (x_variance, y_variance) = probit(accuracy), probit_variance(accuracy, images)
    return least_squares(x, y), errors_in_both(x, y, x_variance, y_variance)


def _plain_observed(line: Line | None, sd: Line | None) -> dict[str, float | None]:
    return {
        "u": None if line is None else float(line.u),
        "v": None if line is None else float(line.v),
        "u_sd": None if sd is None else float(sd.u),
        "v_sd": None if sd is None else float(sd.v),
    }
