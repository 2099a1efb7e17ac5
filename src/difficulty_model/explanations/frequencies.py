"""How much of a gap selection frequencies explain, by what annotators said of every image.

Models that are right on an image of selection frequency s with probability p(s), by the new test set, would score
∫ p dF on images of which F are the frequencies. Of the gap, frequencies explain what models would gain on the new test
set if it had the original's frequencies, ∫ p dF_original − ∫ p dF_new; what remains is the gap at equal frequency.

Frequencies are known from few annotators each, whose noise an estimator has to undo (Engstrom et al., 2020). All three
here take selections as independent given the frequency. They are not if images were chosen by the same selections: the
counts have to be of other annotators.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import xlog1py, xlogy
from scipy.stats import binom, hypergeom

from difficulty_model.collecting.given import ASKED, SELECTED
from difficulty_model.errors import InputError
from difficulty_model.explanations.evidence import Copies, Evidence, NotTestableError
from difficulty_model.explanations.examination import MINOR
from difficulty_model.readers.covariates import read_covariates
from difficulty_model.types import FloatArray, IntArray

FILE = "counts"
"""Name of the file of counts, which explanations by frequencies take."""

BINS = 10
"""Steps between bins of observed frequency, which are around 0, 0.1, …, 1."""

DEGREE = 4
"""Of p(s), a polynomial."""

COMPONENTS = 40
"""Beta distributions that frequencies are a mixture of."""

EM_STEPS = 100
"""Of the weights of the mixture; ten times as many move estimates by a tenth of a point."""

ORDER = 2
"""Of the jackknife: it leaves out so many annotators at most."""

NEARLY_NONE = 1e-9
"""Weight of a bin next to one that has responses itself."""

FREQUENCY = (np.arange(200) + 0.5) / 200
"""Frequencies over which the mixture is integrated."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Images of two test sets, the original one first, gathered by what annotators said of them.

    Attributes
    ----------
    selected, asked
        How many annotators selected the images of a cell, of how many who saw them.
    images
        How many images are in each cell.
    right, shown
        How often models were right on them, and were shown them.
    """

    selected: Float[np.ndarray, "cell"]
    asked: Float[np.ndarray, "cell"]
    images: Float[np.ndarray, "resample 2 cell"]
    right: Float[np.ndarray, "resample 2 cell model"]
    shown: Float[np.ndarray, "resample 2 cell model"]

    @property
    def share(self) -> Float[np.ndarray, "resample 2 cell"]:
        """Which share of its test set's images each cell has."""
        return self.images / self.images.sum(2, keepdims=True)

    def mean_frequency(self) -> Float[np.ndarray, "resample 2"]:
        """Return the mean observed frequency on each test set."""
        return self.share @ (self.selected / self.asked)

    def binned(self) -> "Cells":
        """Return the same images in one cell per bin of observed frequency, around 0, 0.1, …, 1."""
        step = (2 * BINS * self.selected + self.asked) // (2 * self.asked)
        into = (step == np.arange(BINS + 1)[:, None]).astype(float)
        return Cells(
            np.arange(BINS + 1.0), np.full(BINS + 1, float(BINS)), self.images @ into.T, into @ self.right,
            into @ self.shown,
        )

    def of_more_annotators(self, number: int) -> "Cells":
        """Return the cells of images that more than so many annotators saw."""
        kept = self.asked > number
        return Cells(self.selected[kept], self.asked[kept], self.images[..., kept], self.right[:, :, kept],
                     self.shown[:, :, kept])


@dataclass(frozen=True, eq=False)
class Annotated:
    """Two test sets whose images annotators saw.

    Attributes
    ----------
    images
        How many there are in all.
    selected, asked
        Of every cell.
    members
        The images of every cell, by number among all; for the original test set and for the new one.
    answers
        How often models were right on these images and, below, how often they were shown them.
    """

    images: int
    selected: Float[np.ndarray, "cell"]
    asked: Float[np.ndarray, "cell"]
    members: Sequence[Sequence[IntArray]]
    answers: Sequence[Sequence[FloatArray]]

    def cells(self, copies: Copies) -> Cells:
        """Return the images in cells, with so many copies of each."""
        shape = (2, len(self.asked))
        images = np.empty((len(copies), *shape))
        answers = np.empty((len(copies), *shape, len(self.answers[0][0])))
        for k in range(2):
            for c, (members, of_cell) in enumerate(zip(self.members[k], self.answers[k], strict=True)):
                of_members = copies[:, members]
                images[:, k, c] = of_members.sum(1)
                answers[:, k, c] = of_members @ of_cell.T
        right, shown = np.split(answers, 2, axis=-1)
        return Cells(self.selected, self.asked, images, right, shown)

    def as_they_are(self) -> Cells:
        """Return the images in cells, each of them once."""
        return self.cells(np.ones((1, self.images), np.float32))

    def require_enough(self, gap: float) -> None:
        """Refuse counts that cannot tell what frequencies explain.

        Original images of frequencies that no new image has may be right or wrong, for all that is known of the new
        ones: as many points are open as their share is. These must be a minor part of the gap.

        Parameters
        ----------
        gap
            In points.

        Raises
        ------
        NotTestableError
            If no image of one of the test sets was seen by three annotators, as the jackknife needs; or if too many
            original images have frequencies that no new one has.
        """
        cells = self.as_they_are()
        if not cells.of_more_annotators(ORDER).images[0].any(1).all():
            raise NotTestableError(f"counts of at least {ORDER + 1} annotators per image, on both test sets")
        binned = cells.binned()
        alone = float(binned.share[0, 0] @ (binned.images[0, 1] == 0))
        if 100 * alone > MINOR * abs(gap):
            raise NotTestableError(f"new images of all frequencies that original ones have; {alone:.1%} of these have "
                                   "frequencies that none of the new ones has")


def annotated(evidence: Evidence) -> Annotated:
    """Return two test sets with the counts of annotators that were given under the name `counts`.

    The file is a table of columns `image`, `selected` and `asked`: how many annotators selected the image, of how many
    who saw it.

    Raises
    ------
    NotTestableError
        If no such file was given.
    InputError
        If it lacks a column or an image, or holds counts that cannot be.
    """
    selected, asked = _counts(evidence)
    kinds, of_image = np.unique(np.stack([selected, asked]), axis=1, return_inverse=True)
    responses = evidence.responses
    stacked = np.concatenate([responses.right, responses.shown]).astype(np.float32)
    members = [
        [np.flatnonzero(mask & (of_image == c)) for c in range(kinds.shape[1])] for mask in responses.member
    ]
    answers = [[stacked[:, of_cell] for of_cell in of_set] for of_set in members]
    return Annotated(len(responses.images), kinds[0], kinds[1], members, answers)


def naive(cells: Cells) -> Float[np.ndarray, "resample model"]:
    """Return the points of the gap that observed frequencies explain, taken as if they were true.

    The new images are reweighted to the original's histogram of observed frequencies (Recht et al., 2019, section 3).
    Bins in which a model answered no new image have the accuracy of the nearest one in which it did.

    Noise hides a part: of images that are observed as frequent as the original's, those of a less frequent set are in
    truth less frequent. If p is linear and the new set's frequencies follow a beta distribution of parameters a and b,
    n annotators show n / (n + a + b) of what frequencies explain.
    """
    binned = cells.binned()
    near = NEARLY_NONE ** np.abs(np.subtract.outer(np.arange(BINS + 1), np.arange(BINS + 1)))
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = (near @ binned.right[:, 1]) / (near @ binned.shown[:, 1])
    return _points((binned.share[:, :1] @ accuracy)[:, 0], cells)


def jackknife(cells: Cells) -> Float[np.ndarray, "resample model"]:
    """Return the points of the gap that frequencies explain, by the jackknife of second order over annotators.

    If θ(n) is the estimate from n annotators, and θ(n − d) that from all but d of every image, on average over which,
    then the parabola in 1/n through θ(n), θ(n − 1) and θ(n − 2) is, at 1/n = 0, free of bias in 1/n and 1/n²
    (Quenouille, 1956, and Engstrom et al., 2020, to first order; Schucany, Gray and Owen, 1971, to higher ones). First
    order alone leaves a fifth to a third of the naive bias with ten annotators. Of either test set the extrapolation is
    its own, since more annotators may have seen one than the other; where images of a test set differ in that, bias
    goes with the mean of 1/asked.

    In place of averages in bins, which depend on n, p is the polynomial that is nearest to what was observed. Images
    that no more than two annotators saw are left out.
    """
    several = cells.of_more_annotators(ORDER)
    fewer = [_without(several, number) for number in range(ORDER + 1)]
    inverse = np.stack([several.share @ (1 / (several.asked - number)) for number in range(ORDER + 1)])
    of_original, of_new = np.moveaxis(_at_zero(inverse), -1, 0)
    original = np.stack([several.share[:, 0] @ first for first, _ in fewer])
    curves = np.stack([_coefficients(several, *moments) for moments in fewer])
    at_equal = _integral(
        (of_new[..., None, None] * curves).sum(0), (of_original[..., None] * original).sum(0)
    )
    return _points(at_equal, cells)


def beta_mixture(cells: Cells) -> Float[np.ndarray, "resample model"]:
    """Return the points of the gap that frequencies explain, by a model of what annotators say (Engstrom et al., 2020).

    Frequencies of either test set are a mixture of beta distributions, counts given the frequency are binomial, and
    weights of the mixture are fitted to the counts by EM. Then p, a polynomial, is the one whose mean among images of
    the same counts, whose frequencies follow from the new set's mixture, is nearest to the share that models get right:
    least squares, which for a p that is linear in its coefficients needs no more of a frequency than its moments
    (regression calibration; Carroll et al., 2006, chapter 4). It is kept between 0 and 1, and integrated over the
    original's mixture.

    The components are Bernstein polynomials, Beta(j, J + 1 − j) for j = 1, …, J, so that the mixture can have any
    smooth shape. A resample is fitted anew, from equal weights, as the images themselves are.

    Where the original has frequencies that hardly any new image has, p is a continuation there, and may be off by much.
    """
    basis = _bernstein(FREQUENCY, DEGREE)
    k, n = cells.selected[:, None], cells.asked[:, None]
    likelihood = xlogy(k, FREQUENCY) + xlog1py(n - k, -FREQUENCY)
    likelihood = np.exp(likelihood - likelihood.max(1, keepdims=True))
    original, new = (_mixture(cells.images[:, of_set], likelihood) for of_set in range(2))
    posterior = likelihood * new[:, None]
    posterior /= posterior.sum(2, keepdims=True)
    first = posterior @ basis
    curve = _coefficients(cells, first, first[..., None] * first[..., None, :])
    return _points(_integral(np.clip(curve @ basis.T, 0, 1), original), cells)


def _points(at_equal: Float[np.ndarray, "resample model"], cells: Cells) -> Float[np.ndarray, "resample model"]:
    """Return the points by which models would gain, of the accuracies on new images as frequent as the original's."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return 100 * (at_equal - cells.right[:, 1].sum(1) / cells.shown[:, 1].sum(1))


def _integral(
    curve: Float[np.ndarray, "resample model part"], weights: Float[np.ndarray, "resample part"]
) -> Float[np.ndarray, "resample model"]:
    return (curve @ weights[..., None])[..., 0]


def _bernstein(s: FloatArray, degree: int) -> Float[np.ndarray, "... part"]:
    """Return the polynomials of Bernstein's basis, which sum to 1."""
    return binom.pmf(np.arange(degree + 1), degree, s[..., None])


def _without(
    cells: Cells, number: int
) -> tuple[Float[np.ndarray, "cell part"], Float[np.ndarray, "cell part part"]]:
    """Return means of the basis and of its products in every cell, so many annotators being left out."""
    selected, asked, lost = cells.selected[:, None], cells.asked[:, None], np.arange(number + 1)
    weight = hypergeom.pmf(lost, asked, selected, number)
    # More selections cannot be lost than there are; such ways have no weight.
    basis = _bernstein(np.clip((selected - lost) / (asked - number), 0, 1), DEGREE)
    return np.einsum("cw,cwj->cj", weight, basis), np.einsum("cw,cwi,cwj->cij", weight, basis, basis)


def _at_zero(x: Float[np.ndarray, "point ..."]) -> Float[np.ndarray, "point ..."]:
    """Return how much each point weighs in the value at 0 of the polynomial through all of them (Lagrange)."""
    numbers = range(len(x))
    return np.stack([
        np.prod([x[other] / (x[other] - x[one]) for other in numbers if other != one], axis=0) for one in numbers
    ])


def _coefficients(
    cells: Cells, first: Float[np.ndarray, "... cell part"], second: Float[np.ndarray, "... cell part part"]
) -> Float[np.ndarray, "resample model part"]:
    """Return the polynomials nearest to what models get right on the new images: least squares.

    Parameters
    ----------
    cells
        Of the images.
    first, second
        Means of the basis in every cell, and of its products; for all resamples or each.
    """
    right, shown = (of[:, 1].swapaxes(1, 2) for of in (cells.right, cells.shown))
    parts = first.shape[-1]
    gram = (shown @ second.reshape(*second.shape[:-2], parts**2)).reshape(*shown.shape[:2], parts, parts)
    return np.linalg.solve(gram + _roughness(parts), (right @ first)[..., None])[..., 0]


def _roughness(parts: int) -> Float[np.ndarray, "part part"]:
    """Return a penalty that weighs as little as one image, and decides where there are none.

    Frequencies that no new image has continue the line of those that some have; it is level if all have the same.
    """
    slope, bend = (np.diff(np.eye(parts), order, axis=0) for order in (1, 2))
    return bend.T @ bend + 1e-2 * slope.T @ slope + 1e-9 * np.eye(parts)


def _mixture(
    images: Float[np.ndarray, "resample cell"], likelihood: Float[np.ndarray, "cell frequency"]
) -> Float[np.ndarray, "resample frequency"]:
    """Return how frequencies are distributed, which sum to 1, by the number of images of every cell."""
    components = _bernstein(FREQUENCY, COMPONENTS - 1).T
    components /= components.sum(1, keepdims=True)
    of_component = likelihood @ components.T
    share = images / images.sum(1, keepdims=True)
    weights = np.full((len(images), COMPONENTS), 1 / COMPONENTS)
    for _ in range(EM_STEPS):
        weights *= (share / (weights @ of_component.T)) @ of_component
    return weights @ components


def _counts(evidence: Evidence) -> tuple[Float[np.ndarray, "image"], Float[np.ndarray, "image"]]:
    path = evidence.file(
        FILE, "a table of how many annotators, others than those by whom images were chosen, selected every image: "
        f"columns image, {SELECTED} and {ASKED}"
    )
    table, images = read_covariates(path), evidence.responses.images
    for name in (SELECTED, ASKED):
        if name not in table:
            raise InputError(f"{path} has no column {name!r} but {', '.join(map(repr, table.columns))}; expected "
                             f"'image', {SELECTED!r} and {ASKED!r}, a row per image; name the columns so")
    own = table.reindex(images)
    missing = ~own.index.isin(table.index)
    if missing.any():
        raise InputError(f"{path} has no counts of {missing.sum()} of the {len(images)} images of both test sets, such "
                         f"as {images[missing.argmax()]!r}; expected a row for every one; add them, under the ids that "
                         "the responses have")
    selected, asked = own[SELECTED].to_numpy(float), own[ASKED].to_numpy(float)
    possible = (selected >= 0) & (selected <= asked) & (asked >= 1) & np.isfinite(asked)
    wrong = ~(possible & (selected == np.round(selected)) & (asked == np.round(asked)))
    if wrong.any():
        i = wrong.argmax()
        raise InputError(f"{path} has image {images[i]!r} selected by {selected[i]:g} of {asked[i]:g} annotators; "
                         "expected whole numbers, one annotator at least, and none to all of them selecting it; mend "
                         "that row")
    return selected, asked
