"""What explanations may look at: responses to two test sets, a fit of them, and files that were given."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.explanations.effect import Effect
from difficulty_model.fitting import Fit
from difficulty_model.observed import require_two, resamples, weighted_counts
from difficulty_model.responses import Responses
from difficulty_model.types import BoolArray

RESAMPLES = 400
"""Of the images; ends of 90% and 95% intervals are then off by about a twentieth and a tenth of a standard error."""

FEWEST = 20
"""Images of a test set that a model has to be run on: a resample lacks all of n images once in e^n times."""

Copies = Float[np.ndarray, "resample image"]
"""How often each image stands in each resample."""


class NotTestableError(Exception):
    """What was given does not test an explanation; says what would."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of two test sets between which models lose accuracy.

    Attributes
    ----------
    responses : Responses
        Of the models that were run on enough of both test sets, to these two alone, the original one first.
    fit : Fit or None
        Of at least both test sets.
    files : mapping of str to Path
        What explanations ask for by name, such as ``counts`` or ``duplicates``.
    random_seed : int
        Of all resamples and draws.
    """

    responses: Responses
    fit: Fit | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    random_seed: int = 0

    @property
    def original(self) -> str:
        """Name of the original test set."""
        return self.responses.test_sets[0]

    @property
    def new(self) -> str:
        """Name of the new test set."""
        return self.responses.test_sets[1]

    @property
    def in_original(self) -> BoolArray:
        """Which images the original test set is made of."""
        return self.responses.member[0]

    @property
    def in_new(self) -> BoolArray:
        """Which images the new test set is made of."""
        return self.responses.member[1]

    def on_the_line(self) -> "Evidence":
        """Return the evidence of the models alone that are right and wrong at least once on both test sets.

        Lines through probits take no others. Resamples are the same as of all models.

        Raises
        ------
        NotTestableError
            If there are none, or all of them have the same accuracy on the original test set.
        """
        which = self.responses.sometimes_right()
        if not which.any() or np.ptp(self.accuracies(self.once())[0, 0, which]) == 0:
            raise NotTestableError("models that are sometimes right and sometimes wrong on both test sets, and of "
                                   f"different accuracies on {self.original!r}")
        models = np.array(self.responses.models)[which].tolist()
        return self if which.all() else replace(self, responses=self.responses.select(models=models))

    def file(self, name: str, what: str) -> Path:
        """Return the file that was given under a name.

        Raises
        ------
        NotTestableError
            If none was; it asks for `what`.
        """
        if name not in self.files:
            raise NotTestableError(f"{what} (--file {name}=…)")
        return Path(self.files[name])

    def fitted(self, what: str = "a fit of both test sets") -> Fit:
        """Return the fit.

        Raises
        ------
        NotTestableError
            If there is none; it asks for `what`.
        """
        if self.fit is None:
            raise NotTestableError(what)
        return self.fit

    @cached_property
    def gap(self) -> Effect:
        """How many points models lose from the original test set to the new one; over resamples of the images."""
        return self.resampled(lambda copies: -np.diff(100 * self.accuracies(copies), axis=1)[:, 0], of_gap=True)

    def once(self) -> Copies:
        """Return one copy of every image: the test sets as they are, in place of a resample."""
        return np.ones((1, len(self.responses.images)), np.float32)

    def accuracies(self, copies: Copies, kept: BoolArray | None = None) -> Float[np.ndarray, "resample 2 model"]:
        """Return accuracies on the two test sets with so many copies of their images, as shares.

        Parameters
        ----------
        copies
            Of every image of the responses.
        kept : (image,), optional
            Images that count; all if not given.
        """
        right, shown = weighted_counts(self.responses, copies if kept is None else copies * kept)
        with np.errstate(invalid="ignore", divide="ignore"):
            return right / shown

    def resampled(
        self, points: Callable[[Copies], Float[np.ndarray, "resample model"]], *, of_gap: bool = False
    ) -> Effect:
        """Return the effect that a function of the images computes, over resamples of the images.

        All effects of the same evidence see the same resamples, those of the gap among them: images that are in both
        test sets, and images that all models miss, move effects and gap together.

        Parameters
        ----------
        points
            From copies of every image to points of accuracy that each model loses.
        of_gap
            Whether these are the gap itself.
        """
        observed, draws = self.over_resamples(points)
        gap = None if of_gap else self.gap
        return Effect(
            observed, draws, *((observed, draws) if gap is None else (gap.points, gap.draws)),
            tuple(self.responses.models),
        )

    def over_resamples(
        self, statistic: Callable[[Copies], Float[np.ndarray, "resample ..."]]
    ) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "draw ..."]]:
        """Return what a function of the images computes, of the images as they are and in every resample."""
        observed = statistic(self.once())[0]
        drawn = resamples(len(self.responses.images), RESAMPLES, random_seed=self.random_seed)
        return observed, np.concatenate([statistic(copies) for copies in drawn])

    def estimated(self, value: float, standard_error: float, *, models: Collection[str] | None = None) -> Effect:
        """Return the effect of an estimate, of models on average, that has a normal error of its own.

        Parameters
        ----------
        value, standard_error
            Points of accuracy.
        models
            Those that it is of, whose gap it is a share of; all if not given.
        """
        rng = np.random.default_rng(self.random_seed)
        draws = rng.normal(value, standard_error, (RESAMPLES, 1))
        gap, own = self.gap, self.responses.models
        kept = np.isin(own, own if models is None else list(models))
        return Effect(np.array([value]), draws, gap.points[kept], gap.draws[:, kept], None)


def gather(
    responses: Responses,
    original: str,
    new: str,
    *,
    fit: Fit | None = None,
    files: Mapping[str, Path] | None = None,
    random_seed: int = 0,
) -> Evidence:
    """Return the evidence on two test sets.

    Raises
    ------
    InputError
        If a test set does not exist, the two are the same, no model was run on at least `FEWEST` images of both, or the
        fit is of other models or test sets.
    """
    require_two(original, new, responses.test_sets)
    pair = responses.select(test_sets=[original, new])
    known = of_models_run_on_all(pair)
    if known is None:
        raise InputError(f"no model was run on at least {FEWEST} images of both {original!r} and {new!r}; at most on "
                         f"{_images(pair).min(0).max()} of both. Intervals over fewer images would say nothing")
    if fit is not None:
        of_fit = fit.responses
        for kind, names, fitted in (("model", known.models, of_fit.models),
                                    ("test set", known.test_sets, of_fit.test_sets)):
            if missing := [name for name in names if name not in fitted]:
                raise unknown_name(f"{kind} in the fit", missing[0], fitted)
    return Evidence(known, fit, dict(files or {}), random_seed)


def of_models_run_on_all(responses: Responses) -> Responses | None:
    """Return responses of the models that were run on at least `FEWEST` images of every test set, if there are any."""
    run = (_images(responses) >= FEWEST).all(0)
    return responses.select(models=np.array(responses.models)[run].tolist()) if run.any() else None


def _images(responses: Responses) -> Int[np.ndarray, "test_set model"]:
    """Return on how many images of each test set each model was run, however often."""
    return np.array([(responses.shown[:, mask] > 0).sum(1) for mask in responses.member])
