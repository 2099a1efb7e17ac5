"""Responses of models to images: one validated xarray.Dataset per collection.

A response is right, wrong or not observed; where an image was shown to a model several times, the counts of
right and of shown are kept. An import of top-k predictions also keeps the `position` of the right class among
the k stored, from which top-1, top-k and another column order all derive; and an import of classes the first class
`predicted`, in which models agree or not, right or wrong.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import betaincinv

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.files import written_whole
from difficulty_model.records import (
    as_history,
    history_of,
    load_dataset,
    require_provenance,
    require_variables,
)
from difficulty_model.types import IMAGE, MODEL, STRATUM, TEST_SET, BoolArray, FloatArray, IntArray

NOT_STORED = -1
"""Value of `position` where the right class is not among those stored, or the image was not shown; and of `predicted`
where the first class is not known."""

_LAST_POSITION = int(np.iinfo(np.int8).max)
_LAST_CLASS = int(np.iinfo(np.int32).max)


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
        `right` and `shown` (model, image): counts; `member` (test_set, image): which images make up which
        test set; optionally `position` (model, image): rank from 0 of the right class among the classes
        stored, or -1; optionally `predicted` (model, image): number of the class predicted first, or -1; optionally
        the coordinate `label` (image). Attributes: `top_k`, the number of leading positions that count as right, and
        `history`, one line for everything that was done to the responses.

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
        predicted: IntArray | None = None,
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
        predicted : (model, image), optional
            Number of the class that the model predicted first, by one numbering for all models; -1 where it is not
            known.
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
            "member": ((TEST_SET, IMAGE), _as_masks(member)),
        }
        if position is not None:
            position = np.asarray(position)
            _validate_ranks(position)
            variables["position"] = ((MODEL, IMAGE), position.astype(np.int8))
        if predicted is not None:
            predicted = np.asarray(predicted)
            _validate_classes(predicted)
            variables["predicted"] = ((MODEL, IMAGE), _as_classes(predicted))
        coordinates = {
            MODEL: np.asarray(models, np.str_),
            IMAGE: np.asarray(images, np.str_),
            TEST_SET: np.asarray(list(member), np.str_),
        }
        try:
            dataset = xr.Dataset(variables, coordinates, {"top_k": top_k, "history": as_history(history)})
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
        return history_of(self.dataset)

    def noting(self, *lines: str) -> "Responses":
        """Return the same responses with lines added to their history."""
        return Responses(self.dataset.assign_attrs(history=as_history([*self.history, *lines])))

    def with_covariates(self, table: pd.DataFrame) -> "Responses":
        """Return the same responses with columns of a table, whose index are image ids, as coordinates of the images.

        Images that the table lacks get missing values; those of the table that are not here are left aside.

        Raises
        ------
        InputError
            If no image of the table is one of these, or a column has the name of something else.
        """
        own = pd.Index(self.images)
        if not own.isin(table.index).any():
            raise InputError(f"none of the {len(table)} images of the covariates, such as {table.index[0]!r}, is among "
                             f"these responses' images, such as {own[0]!r}; give them the same ids")
        for name in map(str, table.columns):
            if name in self.dataset.variables or name in self.dataset.dims:
                raise InputError(f"a covariate cannot be called {name!r}, which is a part of the responses; rename it")
        columns = table.reindex(own)
        return Responses(self.dataset.assign_coords({str(name): (IMAGE, columns[name].to_numpy()) for name in columns}))

    def with_families(self, family_of: Mapping[str, str]) -> "Responses":
        """Return the same responses with the family of every model as the coordinate `family`.

        A model that is not named is by itself, which an empty name says.

        Raises
        ------
        InputError
            If a name is none of these models'.
        """
        for model in family_of:
            if model not in self.models:
                raise unknown_name("model", model, self.models)
        families = [family_of.get(model, "") for model in self.models]
        return Responses(self.dataset.assign_coords(family=(MODEL, families)))

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

        Which class comes first is then not known there, unless the first column stays: classes of others are not kept.

        Parameters
        ----------
        model
            Whose predictions.
        images : (image,)
            On which images.
        order
            The stored columns from best to worst: ``order[0]`` is the column that holds the top prediction.

        Raises
        ------
        InputError
            If the responses keep no positions, there is no such model, or `order` does not name every stored
            column once.
        """
        if "position" not in self.dataset:
            raise InputError("these responses keep no positions of the right class, so columns cannot be "
                             "reordered")
        if model not in self.models:
            raise unknown_name("model", model, self.models)
        position = self.dataset["position"].values.copy()
        row = self.models.index(model)
        stored = max(len(order), int(position[row].max()) + 1)
        if sorted(order) != list(range(stored)):
            raise InputError(f"order {list(order)} does not name each of the columns 0 to {stored - 1} of "
                             f"model {model!r} once")
        rank_of_column = np.append(np.argsort(order), NOT_STORED)  # position -1 picks the appended -1
        position[row, images] = rank_of_column[position[row, images]]
        known = self if order[0] == 0 else self._forgetting_classes(row, images)
        return known._with_position(position, int(self.dataset.attrs["top_k"]))

    def _forgetting_classes(self, row: int, images: BoolArray) -> "Responses":
        if "predicted" not in self.dataset:
            return self
        predicted = self.dataset["predicted"].values.copy()
        predicted[row, images] = NOT_STORED
        return Responses(self.dataset.assign(predicted=((MODEL, IMAGE), predicted)))

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
            packed = {"zlib": True, "complevel": 4, "shuffle": True}
            encoding = dict.fromkeys(self.dataset.data_vars, packed)
            self.dataset.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)


def load_responses(path: Path | str) -> Responses:
    """Read responses that `Responses.save` wrote.

    Raises
    ------
    InputError
        If the file does not exist, is not netCDF4, or does not hold valid responses.
    """
    dataset = load_dataset(path, "right", "responses, as `difficulty-model import` writes them")
    try:
        return Responses(dataset)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


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
        ours, theirs = right_class[columns], _right_classes(c.dataset)
        differ = (ours != NOT_STORED) & (theirs != NOT_STORED) & (ours != theirs)
        if differ.any():
            i = int(np.argmax(differ))
            return (f"the right class of image {c.images[i]!r} has number {ours[i]} in one collection and {theirs[i]} "
                    "in another; numbered differently, predicted classes are not kept")
        right_class[columns] = np.where(theirs == NOT_STORED, ours, theirs)
    return None


def _right_classes(dataset: xr.Dataset) -> IntArray:
    """Return the number of every image's right class, which models tell that predict it first; -1 if none does."""
    if "position" in dataset:
        first_is_right = dataset["position"].values == 0
    else:
        first_is_right = (dataset["right"].values > 0) & (dataset.attrs["top_k"] == 1)
    return np.where(first_is_right, dataset["predicted"].values, NOT_STORED).max(0)


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


def clopper_pearson(
    right: IntArray, shown: IntArray, *, level: float = 0.95
) -> tuple[FloatArray, FloatArray]:
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
    low = np.where(right > 0, betaincinv(np.maximum(right, 1), wrong + 1, tail), 0.0)
    high = np.where(wrong > 0, betaincinv(right + 1, np.maximum(wrong, 1), 1 - tail), 1.0)
    return low, high


def _as_counts(values: np.ndarray, name: str) -> IntArray:
    """Return counts in the smallest unsigned type that holds them."""
    if values.dtype.kind not in "biu":
        raise InputError(f"`{name}` must be whole numbers (0 and 1, or counts); got {values.dtype}")
    if values.size and values.min() < 0:
        raise InputError(f"`{name}` must not be negative; got {values.min()}")
    largest = int(values.max()) if values.size else 0
    return values.astype(np.min_scalar_type(largest) if largest > 255 else np.uint8)


def _as_classes(predicted: np.ndarray) -> IntArray:
    """Return class numbers in the smaller type that holds them."""
    largest = int(predicted.max()) if predicted.size else 0
    return predicted.astype(np.int16 if largest <= np.iinfo(np.int16).max else np.int32)


def _as_masks(member: Mapping[str, BoolArray]) -> BoolArray:
    """Return the masks of all test sets as one table."""
    masks = {name: np.asarray(mask, bool) for name, mask in member.items()}
    if not masks:
        raise InputError("`member` names no test set; give at least one mask of images")
    if len({mask.shape for mask in masks.values()}) > 1:
        shapes = ", ".join(f"{mask.shape} for {name!r}" for name, mask in masks.items())
        raise InputError(f"`member` must have one mask of all images for each test set; got shapes {shapes}")
    return np.array(list(masks.values()))


def _validate(dataset: xr.Dataset) -> None:
    answers = (MODEL, IMAGE)
    require_variables(dataset, {"right": answers, "shown": answers, "member": (TEST_SET, IMAGE)})
    require_provenance(dataset)
    _validate_answers(dataset)
    _validate_membership(dataset)
    if "position" in dataset:
        _validate_position(dataset)
    if "predicted" in dataset:
        _validate_predicted(dataset)
    if "label" in dataset.coords and dataset["label"].dims != (IMAGE,):
        raise InputError(f"`label` must have the dim {IMAGE!r}; got {dataset['label'].dims}")


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
    _validate_ranks(position)
    if shown.max() > 1:
        raise InputError(f"`position` goes with single showings only; got {shown.max()} of one image")
    if ((position != NOT_STORED) > shown).any():
        raise InputError(f"`position` must be {NOT_STORED} where nothing was shown")
    top_k = dataset.attrs["top_k"]
    if (((position != NOT_STORED) & (position < top_k)) != (right > 0)).any():
        raise InputError("`position` does not go with `right`: right must be position < top_k")


def _validate_ranks(position: np.ndarray) -> None:
    if position.dtype.kind != "i":
        raise InputError(f"`position` must be whole numbers; got {position.dtype}")
    if position.size and not NOT_STORED <= position.min() <= position.max() <= _LAST_POSITION:
        raise InputError(f"`position` must be ranks from 0 to {_LAST_POSITION}, or {NOT_STORED}; "
                         f"got {position.min()} to {position.max()}")


def _validate_predicted(dataset: xr.Dataset) -> None:
    require_variables(dataset, {"predicted": (MODEL, IMAGE)})
    predicted, shown = dataset["predicted"].values, dataset["shown"].values
    _validate_classes(predicted)
    if shown.max() > 1:
        raise InputError(f"`predicted` goes with single showings only; got {shown.max()} of one image")
    if ((predicted != NOT_STORED) > shown).any():
        raise InputError(f"`predicted` must be {NOT_STORED} where nothing was shown")
    if "position" not in dataset:  # several classes of an image may count as right
        return
    right_class = _right_classes(dataset)
    known = (predicted != NOT_STORED) & (right_class != NOT_STORED)
    wrong = known & ((predicted == right_class) != (dataset["position"].values == 0))
    if wrong.any():
        image = dataset[IMAGE].values[wrong.any(0)][0]
        raise InputError(f"`predicted` does not go with `position`: all models of position 0 on image {str(image)!r} "
                         "must predict one class, and no other model that class")


def _validate_classes(predicted: np.ndarray) -> None:
    if predicted.dtype.kind not in "iu":
        raise InputError(f"`predicted` must be whole numbers, of classes; got {predicted.dtype}")
    if predicted.size and not NOT_STORED <= predicted.min() <= predicted.max() <= _LAST_CLASS:
        raise InputError(f"`predicted` must be numbers of classes from 0 to {_LAST_CLASS}, or {NOT_STORED}; "
                         f"got {predicted.min()} to {predicted.max()}")


__all__ = ["NOT_STORED", "STRATUM", "Responses", "Strata", "clopper_pearson", "combine", "load_responses"]
