"""Responses of models to images: one validated xarray.Dataset per collection.

A response is right, wrong or not observed; where an image was shown to a model several times, the counts of
right and of shown are kept. An import of top-k predictions also keeps the `position` of the right class among
the k stored, from which top-1, top-k and another column order all derive.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import beta

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.files import existing, written_whole
from difficulty_model.types import IMAGE, MODEL, STRATUM, TEST_SET, BoolArray, FloatArray, IntArray

NOT_STORED = -1
"""Value of `position` where the right class is not among those stored, or the image was not shown."""


@dataclass(frozen=True)
class Strata:
    """The exclusive cells of a membership table.

    Attributes
    ----------
    names : list of str
        Names of the S strata, in the order of the test sets; a stratum of one test set has that set's name.
    of_image : int array, (image,)
        The stratum of every image.
    weights : float array, (test_set, stratum)
        Share of a test set's images that lie in each stratum; rows sum to 1.
    """

    names: list[str]
    of_image: IntArray
    weights: FloatArray


@dataclass(frozen=True)
class Responses:
    """Responses of models to images, validated on construction.

    Attributes
    ----------
    dataset : xarray.Dataset
        `right` and `shown` (model, image): counts; `member` (test_set, image): which images make up which test
        set; optionally `position` (model, image): rank from 0 of the right class among the classes stored, or
        -1; optionally the coordinate `label` (image). Attributes: `top_k`, the number of leading positions
        that count as right, and `history`, one line for everything that was done to the responses.

    Raises
    ------
    InputError
        If dimensions, types or values are not as described, a name stands twice, an image is in no test set,
        or nothing was observed at all.
    """

    dataset: xr.Dataset

    def __post_init__(self) -> None:
        """Refuse anything that is not a collection of responses."""
        _validate(self.dataset)

    @classmethod
    def from_arrays(
        cls,
        right: IntArray | BoolArray,
        *,
        models: Sequence[str],
        images: Sequence[str],
        member: Mapping[str, BoolArray],
        shown: IntArray | BoolArray | None = None,
        position: IntArray | None = None,
        top_k: int = 1,
        labels: Sequence[str] | IntArray | None = None,
        history: Sequence[str] = (),
    ) -> "Responses":
        """Build responses from plain arrays.

        Parameters
        ----------
        right : (model, image)
            How often the model was right on the image; 0 and 1 for single showings.
        models, images
            Names, unique each.
        member : mapping of test set to (image,) mask
            Which images each test set is made of.
        shown : (model, image), optional
            How often the model was shown the image; 1 everywhere if not given. 0 means not observed.
        position : (model, image), optional
            Rank from 0 of the right class among the classes stored; -1 where it is not among them.
        top_k
            Number of leading positions that count as right.
        labels : (image,), optional
            The right class of every image.
        history
            Provenance: one line for everything that was done.
        """
        answers = np.asarray(right)
        counts = np.ones(answers.shape, np.uint8) if shown is None else np.asarray(shown)
        variables = {
            "right": ((MODEL, IMAGE), _as_counts(answers, "right")),
            "shown": ((MODEL, IMAGE), _as_counts(counts, "shown")),
            "member": ((TEST_SET, IMAGE), np.array([member[name] for name in member], bool)),
        }
        if position is not None:
            position = np.asarray(position)
            largest = np.iinfo(np.int8).max
            if position.size and not NOT_STORED <= position.min() <= position.max() <= largest:
                raise InputError(f"`position` must be ranks from 0 to {largest}, or {NOT_STORED}; "
                                 f"got {position.min()} to {position.max()}")
            variables["position"] = ((MODEL, IMAGE), np.asarray(position, np.int8))
        coordinates = {
            MODEL: np.asarray(models, np.str_),
            IMAGE: np.asarray(images, np.str_),
            TEST_SET: np.asarray(list(member), np.str_),
        }
        try:
            dataset = xr.Dataset(
                variables, coordinates, {"top_k": top_k, "history": json.dumps(list(history))}
            )
            if labels is not None:
                dataset = dataset.assign_coords(label=(IMAGE, np.asarray(labels)))
        except ValueError as error:
            raise InputError(f"shapes do not go together: {error}") from error
        return cls(dataset)

    @property
    def models(self) -> list[str]:
        """Names of the models."""
        return self.dataset[MODEL].values.tolist()

    @property
    def images(self) -> list[str]:
        """Ids of the images."""
        return self.dataset[IMAGE].values.tolist()

    @property
    def test_sets(self) -> list[str]:
        """Names of the test sets; the first is the reference."""
        return self.dataset[TEST_SET].values.tolist()

    @property
    def right(self) -> IntArray:
        """How often each model was right on each image, (model, image)."""
        return self.dataset["right"].values

    @property
    def shown(self) -> IntArray:
        """How often each model was shown each image, (model, image); 0 is not observed."""
        return self.dataset["shown"].values

    @property
    def member(self) -> BoolArray:
        """Which images belong to which test set, (test_set, image)."""
        return self.dataset["member"].values

    @property
    def history(self) -> list[str]:
        """What was done to these responses since they were read, one line each."""
        return json.loads(self.dataset.attrs["history"])

    def noting(self, *lines: str) -> "Responses":
        """Return the same responses with lines added to their history."""
        return Responses(self.dataset.assign_attrs(history=json.dumps([*self.history, *lines])))

    def select(
        self,
        *,
        models: Collection[str] | None = None,
        exclude: Collection[str] = (),
        test_sets: Sequence[str] | None = None,
    ) -> "Responses":
        """Return the responses of some models to the images of some test sets.

        Parameters
        ----------
        models
            Models to keep; all if not given.
        exclude
            Models to leave out.
        test_sets
            Test sets to keep, in this order, the first becoming the reference; all if not given.

        Raises
        ------
        InputError
            If a name does not exist (with the nearest ones), or no model or image remains.
        """
        for kind, asked, known in [
            ("model", models or (), self.models),
            ("model", exclude, self.models),
            ("test set", test_sets or (), self.test_sets),
        ]:
            for name in asked:
                if name not in known:
                    raise unknown_name(kind, name, known)
        kept = [m for m in self.models if (models is None or m in models) and m not in exclude]
        if not kept:
            raise InputError(f"no model remains of {len(self.models)}; exclude fewer")
        dataset = self.dataset.sel({MODEL: kept})
        if test_sets is not None:
            dataset = dataset.sel({TEST_SET: list(dict.fromkeys(test_sets))})
            dataset = dataset.isel({IMAGE: dataset["member"].values.any(0)})
        return Responses(dataset)

    def scored(self, top_k: int) -> "Responses":
        """Return the responses with the first `top_k` stored positions counting as right.

        Raises
        ------
        InputError
            If the responses keep no positions.
        """
        if "position" not in self.dataset:
            raise InputError("these responses keep no positions of the right class, only right and wrong; "
                             "import top-k predictions to choose k afterwards")
        return self._with_position(self.dataset["position"].values, top_k)

    def reordered(self, model: str, images: BoolArray, order: Sequence[int]) -> "Responses":
        """Return the responses with the stored columns of one model put into another order on some images.

        Parameters
        ----------
        model
            Whose predictions.
        images : (image,)
            On which images.
        order
            The stored columns from best to worst: ``order[0]`` is the column that holds the top prediction.
        """
        if "position" not in self.dataset:
            raise InputError("these responses keep no positions of the right class; columns cannot be reordered")
        position = self.dataset["position"].values.copy()
        row = self.models.index(model)
        rank_of_column = np.append(np.argsort(order), NOT_STORED)  # position -1 picks the appended -1
        position[row, images] = rank_of_column[position[row, images]]
        return self._with_position(position, int(self.dataset.attrs["top_k"]))

    def _with_position(self, position: IntArray, top_k: int) -> "Responses":
        if top_k < 1:
            raise InputError(f"top_k must be at least 1; got {top_k}")
        right = ((position != NOT_STORED) & (position < top_k)).astype(np.uint8)
        dataset = self.dataset.assign(
            position=((MODEL, IMAGE), position.astype(np.int8)), right=((MODEL, IMAGE), right)
        )
        return Responses(dataset.assign_attrs(top_k=top_k))

    def strata(self) -> Strata:
        """Return the exclusive cells of the membership table, ordered by the test sets they belong to."""
        cells, of_image = np.unique(self.member, axis=1, return_inverse=True)
        of_image = of_image.ravel()
        # A cell's place: single sets first and in the order of the sets, then their overlaps.
        places = sorted(range(cells.shape[1]), key=lambda c: (cells[:, c].sum(), tuple(~cells[:, c])))
        names = [" & ".join(np.array(self.test_sets)[cells[:, c]]) for c in places]
        of_image = np.argsort(places)[of_image]
        sizes = np.bincount(of_image, minlength=len(places))
        share = cells[:, places] * sizes
        return Strata(names, of_image, share / share.sum(1, keepdims=True))

    def accuracies(self, *, level: float = 0.95) -> pd.DataFrame:
        """Return every model's observed accuracy on these images, per test set.

        Parameters
        ----------
        level
            Coverage of the Clopper-Pearson interval.

        Returns
        -------
        pandas.DataFrame
            Columns `model`, `test_set`, `right`, `shown`, `accuracy`, `low`, `high`; accuracies as shares.
            Not a number where a model was never shown an image of the set.
        """
        frames = []
        for name, mask in zip(self.test_sets, self.member, strict=True):
            right = self.right[:, mask].sum(1, dtype=np.int64)
            shown = self.shown[:, mask].sum(1, dtype=np.int64)
            low, high = clopper_pearson(right, shown, level=level)
            with np.errstate(invalid="ignore"):
                accuracy = right / shown
            frames.append(pd.DataFrame({
                MODEL: self.models, TEST_SET: name, "right": right, "shown": shown,
                "accuracy": accuracy, "low": low, "high": high,
            }))
        return pd.concat(frames, ignore_index=True)

    def save(self, path: Path | str) -> None:
        """Write the responses to a netCDF4 file, whole or not at all."""
        with written_whole(path) as temporary:
            encoding = {name: {"zlib": True, "complevel": 4, "shuffle": True} for name in self.dataset.data_vars}
            self.dataset.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)


def load_responses(path: Path | str) -> Responses:
    """Read responses that `Responses.save` wrote.

    Raises
    ------
    InputError
        If the file does not exist, is not netCDF4, or does not hold valid responses.
    """
    path = existing(path, "a responses file, as `difficulty-model import` writes it")
    try:
        dataset = xr.load_dataset(path, engine="h5netcdf")
    except Exception as error:  # h5py raises whatever a broken file leads it to
        raise InputError(f"{path} is not a readable netCDF4 file: {error}; make responses files with "
                         "`difficulty-model import`") from error
    if "posterior" in dataset or "right" not in dataset:
        raise InputError(f"{path} holds no responses (no variable `right`; it has "
                         f"{sorted(map(str, dataset.variables))[:8]}); make responses files with "
                         "`difficulty-model import`")
    try:
        return Responses(dataset)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def combine(*collections: Responses) -> Responses:
    """Join collections: the union of models, images and test sets.

    Images with the same id are one image. Where two collections answer differently for the same model and image,
    the response counts as not observed, and the history says how many did.

    Raises
    ------
    InputError
        If collections were scored with different k, disagree on a label, or nothing is given.
    """
    if not collections:
        raise InputError("nothing to combine; give at least one collection of responses")
    scores = {int(c.dataset.attrs["top_k"]) for c in collections}
    if len(scores) > 1:
        raise InputError(f"collections are scored by different top_k {sorted(scores)}; score them alike first")
    models = list(dict.fromkeys(m for c in collections for m in c.models))
    images = list(dict.fromkeys(i for c in collections for i in c.images))
    test_sets = list(dict.fromkeys(t for c in collections for t in c.test_sets))
    row_of = {m: r for r, m in enumerate(models)}
    column_of = {i: r for r, i in enumerate(images)}
    dtype = np.result_type(*(c.shown.dtype for c in collections))
    right = np.zeros((len(models), len(images)), dtype)
    shown = np.zeros((len(models), len(images)), dtype)
    keeps_position = all("position" in c.dataset for c in collections)
    position = np.full((len(models), len(images)), NOT_STORED, np.int8)
    member = np.zeros((len(test_sets), len(images)), bool)
    labels = np.full(len(images), "", object)
    conflict = np.zeros((len(models), len(images)), bool)
    for c in collections:
        columns = [column_of[i] for i in c.images]
        cell = np.ix_([row_of[m] for m in c.models], columns)
        member[np.ix_([test_sets.index(t) for t in c.test_sets], columns)] |= c.member
        if "label" in c.dataset.coords:
            ours, theirs = labels[columns], c.dataset["label"].values.astype(str)
            differ = (ours != "") & (ours != theirs)
            if differ.any():
                i = int(np.flatnonzero(differ)[0])
                raise InputError(f"image {c.images[i]!r} has label {ours[i]!r} in one collection and "
                                 f"{str(theirs[i])!r} in another; image ids must be unique by content")
            labels[columns] = theirs
        before, now = shown[cell] > 0, c.shown > 0
        differ = (right[cell] != c.right) | (shown[cell] != c.shown)
        if keeps_position:
            differ |= position[cell] != c.dataset["position"].values
            position[cell] = np.where(now, c.dataset["position"].values, position[cell])
        conflict[cell] |= before & now & differ
        right[cell] = np.where(now, c.right, right[cell])
        shown[cell] = np.where(now, c.shown, shown[cell])
    right[conflict], shown[conflict], position[conflict] = 0, 0, NOT_STORED
    lines = list(dict.fromkeys(line for c in collections for line in c.history))
    lines += [
        f"{int(row.sum())} responses of model {m!r} to images that several collections share differ between them;"
        " they count as not observed"
        for m, row in zip(models, conflict, strict=True) if row.any()
    ]
    return Responses.from_arrays(
        right, models=models, images=images, member=dict(zip(test_sets, member, strict=True)), shown=shown,
        position=position if keeps_position else None, top_k=scores.pop(),
        labels=labels.astype(str) if (labels != "").all() else None, history=lines,
    )


def clopper_pearson(right: IntArray, shown: IntArray, *, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return the exact binomial confidence interval of a share (Clopper and Pearson, 1934).

    Parameters
    ----------
    right, shown
        Counts, of any one shape.
    level
        Coverage, at least this for every true share.

    Returns
    -------
    low, high
        Bounds as shares, of the same shape; 0 and 1 where nothing was shown.
    """
    tail = (1 - level) / 2
    right, wrong = np.asarray(right), np.asarray(shown) - np.asarray(right)
    # The beta quantiles are undefined where a count is 0; there the bound is that of the unit interval.
    low = np.where(right > 0, beta.ppf(tail, np.maximum(right, 1), wrong + 1), 0.0)
    high = np.where(wrong > 0, beta.ppf(1 - tail, right + 1, np.maximum(wrong, 1)), 1.0)
    return low, high


def _as_counts(values: np.ndarray, name: str) -> IntArray:
    """Return counts in the smallest unsigned type that holds them."""
    if values.dtype.kind not in "biu":
        raise InputError(f"`{name}` must be whole numbers (0 and 1, or counts); got {values.dtype}")
    if values.size and values.min() < 0:
        raise InputError(f"`{name}` must not be negative; got {values.min()}")
    largest = int(values.max()) if values.size else 0
    return values.astype(np.min_scalar_type(largest) if largest > 255 else np.uint8)


def _validate(dataset: xr.Dataset) -> None:
    for name, dims in {"right": (MODEL, IMAGE), "shown": (MODEL, IMAGE), "member": (TEST_SET, IMAGE)}.items():
        if name not in dataset or dataset[name].dims != dims:
            found = dataset[name].dims if name in dataset else "nothing"
            raise InputError(f"responses need a variable `{name}` with dims {dims}; got {found}")
    for dim in (MODEL, IMAGE, TEST_SET):
        if dataset.sizes[dim] == 0:
            raise InputError(f"responses need at least one {dim}; got none")
        if dim not in dataset.coords:
            raise InputError(f"responses need names along `{dim}`")
        names, times = np.unique(dataset[dim].values.astype(str), return_counts=True)
        if (times > 1).any():
            raise InputError(f"{dim} names must be unique; {str(names[times > 1][0])!r} stands "
                             f"{times[times > 1][0]} times ({int((times > 1).sum())} such names)")
        if "" in names:
            raise InputError(f"{dim} names must not be empty")
    right, shown = dataset["right"].values, dataset["shown"].values
    if right.dtype.kind not in "biu" or shown.dtype.kind not in "biu":
        raise InputError(f"`right` and `shown` must be whole numbers; got {right.dtype} and {shown.dtype}")
    if (right > shown).any():
        j, i = np.argwhere(right > shown)[0]
        raise InputError(f"model {str(dataset[MODEL].values[j])!r} is right {right[j, i]} times on image "
                         f"{str(dataset[IMAGE].values[i])!r}, which it was shown {shown[j, i]} times")
    if not shown.any():
        raise InputError("all responses are missing; at least one model must have been shown one image")
    member = dataset["member"].values
    if member.dtype != bool:
        raise InputError(f"`member` must be true or false; got {member.dtype}")
    if not member.any(0).all():
        orphan = dataset[IMAGE].values[~member.any(0)][0]
        raise InputError(f"image {str(orphan)!r} belongs to no test set")
    if not member.any(1).all():
        empty = dataset[TEST_SET].values[~member.any(1)][0]
        raise InputError(f"test set {str(empty)!r} has no images")
    top_k = dataset.attrs.get("top_k", 1)
    if not isinstance(top_k, int | np.integer) or top_k < 1:
        raise InputError(f"`top_k` must be a whole number of at least 1; got {top_k!r}")
    try:
        history = json.loads(dataset.attrs.get("history", ""))
    except (TypeError, json.JSONDecodeError):
        history = None
    if not isinstance(history, list):
        raise InputError("`history` must be a JSON list of lines")
    if "position" in dataset:
        position = dataset["position"].values
        expected = (position != NOT_STORED) & (position < top_k)
        if position.dtype.kind != "i" or shown.max() > 1 or (expected != (right > 0))[shown > 0].any():
            raise InputError("`position` does not go with `right`: right must be position < top_k")


__all__ = ["NOT_STORED", "STRATUM", "Responses", "Strata", "clopper_pearson", "combine", "load_responses"]
