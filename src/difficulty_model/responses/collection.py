"""A collection of responses: what it holds, parts of it, and its file."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.files import written_whole
from difficulty_model.records import as_history, history_of, load_record
from difficulty_model.responses.intervals import clopper_pearson
from difficulty_model.responses.validity import (
    NOT_STORED,
    as_classes,
    as_counts,
    as_masks,
    require_classes,
    require_ranks,
    require_valid_responses,
)
from difficulty_model.types import IMAGE, MODEL, TEST_SET, BoolArray, FloatArray, IntArray


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
        require_valid_responses(self.dataset)

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
            "right": ((MODEL, IMAGE), as_counts(answers, "right")),
            "shown": ((MODEL, IMAGE), as_counts(counts, "shown")),
            "member": ((TEST_SET, IMAGE), as_masks(member)),
        }
        if position is not None:
            position = np.asarray(position)
            require_ranks(position)
            variables["position"] = ((MODEL, IMAGE), position.astype(np.int8))
        if predicted is not None:
            predicted = np.asarray(predicted)
            require_classes(predicted)
            variables["predicted"] = ((MODEL, IMAGE), as_classes(predicted))
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

    def showings(self) -> IntArray:
        """Return how often each model was shown images of each test set, (test_set, model)."""
        return np.array([self.shown[:, mask].sum(1, dtype=np.int64) for mask in self.member])

    def sometimes_right(self) -> BoolArray:
        """Return which models are right and wrong at least once on every test set: probits of others are infinite."""
        right = np.array([self.right[:, mask].sum(1, dtype=np.int64) for mask in self.member])
        return np.asarray(((right > 0) & (right < self.showings())).all(0))

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
    return load_record(path, "right", "responses, as `difficulty-model import` writes them", Responses)
