import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from difficulty_model.errors import InputError
from difficulty_model.responses import NOT_STORED, Responses, clopper_pearson, combine, load_responses


def random_responses(
    seed: int, *, with_position: bool = False, with_classes: bool = False, counts: bool = False
) -> Responses:
    """Three overlapping test sets with missing responses; every image in one of them at least."""
    rng = np.random.default_rng(seed)
    models, images = int(rng.integers(1, 6)), int(rng.integers(3, 30))
    member = rng.random((3, images)) < 0.5
    member[0, ~member.any(0)] = True
    member[:, :3] |= np.eye(3, dtype=bool)
    shown = rng.integers(0, 400 if counts else 2, (models, images))
    shown[0, :3] = 1  # every test set has something observed
    position = rng.integers(-1, 5, (models, images))
    position[shown == 0] = NOT_STORED
    right = (position == 0) & (shown > 0) if with_position else rng.integers(0, shown + 1)
    labels = rng.integers(0, 9, images)
    another = (labels + rng.integers(1, 9, (models, images))) % 9
    predicted = np.where((shown == 0) | (rng.random(shown.shape) < 0.2), NOT_STORED, np.where(right, labels, another))
    return Responses.from_arrays(
        right, models=[f"m{j}" for j in range(models)], images=[f"i{i}" for i in range(images)], shown=shown,
        member=dict(zip("abc", member, strict=True)), position=position if with_position else None,
        predicted=predicted if with_classes else None, labels=labels.astype(str).tolist(), history=["made up"],
    )


def assert_same(one: Responses, other: Responses) -> None:
    """Equal but for the order of models and images."""
    ours = one.dataset
    theirs = other.dataset.sel(model=one.models, image=one.images, test_set=one.test_sets)
    assert sorted(one.models) == sorted(other.models)
    assert sorted(one.images) == sorted(other.images)
    assert ours.drop_attrs().identical(theirs.drop_attrs())


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_selections_combine_to_the_whole(seed: int, with_position: bool, with_classes: bool):
    whole = random_responses(seed, with_position=with_position, with_classes=with_classes)
    assert_same(whole, combine(*(whole.select(test_sets=[name]) for name in whole.test_sets)))
    seen = [name for name, shown in zip(whole.models, whole.shown, strict=True) if shown.any()]
    assert_same(whole, combine(*(whole.select(models=[name]) for name in seen), whole, whole))


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32), st.sampled_from([(), ("position",), ("classes",), ("position", "classes"), ("counts",)]))
def test_files_keep_everything(tmp_path_factory: pytest.TempPathFactory, seed: int, parts: tuple[str, ...]):
    path = tmp_path_factory.mktemp("saved") / "r.nc"
    responses = random_responses(
        seed, with_position="position" in parts, with_classes="classes" in parts, counts="counts" in parts
    )
    responses.save(path)
    assert load_responses(path).dataset.identical(responses.dataset)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32))
def test_strata_partition_the_images_and_weigh_up_to_each_test_set(seed: int):
    responses = random_responses(seed)
    strata = responses.strata()
    assert len(set(strata.names)) == len(strata.names)
    assert set(strata.of_image) == set(range(len(strata.names)))
    for s, name in enumerate(strata.names):
        inside = np.isin(responses.test_sets, name.split(" & "))
        np.testing.assert_array_equal(
            strata.of_image == s, (responses.member == inside[:, None]).all(0), err_msg=name)
    for weights, member in zip(strata.weights, responses.member, strict=True):
        share = np.bincount(strata.of_image[member], minlength=len(strata.names)) / member.sum()
        np.testing.assert_allclose(weights, share, rtol=1e-15)
    sizes = [len(name.split(" & ")) for name in strata.names]
    assert sizes == sorted(sizes)  # single test sets come first


def test_strata_of_disjoint_test_sets_are_the_test_sets():
    first = np.arange(6) < 2
    responses = Responses.from_arrays(
        np.ones((1, 6), int), models=["m"], images=list("uvwxyz"), member={"b": first, "a": ~first})
    strata = responses.strata()
    assert strata.names == ["b", "a"]
    np.testing.assert_array_equal(strata.weights, np.eye(2))


@settings(deadline=None)
@given(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.5, 0.9, 0.95]),
)
def test_intervals_are_clopper_and_pearsons(counts: tuple[int, int], level: float):
    right, shown = counts
    exact = binomtest(right, shown).proportion_ci(level, method="exact")
    low, high = clopper_pearson(np.array(right), np.array(shown), level=level)
    np.testing.assert_allclose([low, high], [exact.low, exact.high], rtol=1e-9, atol=1e-12)


def test_accuracies_count_every_test_set_apart():
    right = np.array([[1, 0, 1, 1], [0, 3, 0, 0]])
    shown = np.array([[1, 1, 1, 1], [0, 4, 0, 0]])
    member = {"front": np.array([1, 1, 0, 0], bool), "back": np.array([0, 1, 1, 1], bool)}
    table = Responses.from_arrays(
        right, shown=shown, models=["x", "y"], images=list("abcd"), member=member
    ).accuracies().set_index(["model", "test_set"])
    assert table.loc[("x", "front"), "accuracy"] == 1 / 2
    assert table.loc[("x", "back"), "accuracy"] == 2 / 3
    assert table.loc[("y", "front"), "accuracy"] == 3 / 4
    assert table.loc[("y", "front"), "shown"] == 4


def test_a_model_never_shown_has_no_accuracy_and_the_interval_of_ignorance():
    responses = Responses.from_arrays(
        np.array([[1], [0]]), shown=np.array([[1], [0]]), models=["x", "y"], images=["a"],
        member={"t": np.array([True])})
    row = responses.accuracies().set_index("model").loc["y"]
    assert np.isnan(row["accuracy"])
    assert (row["low"], row["high"]) == (0, 1)


@pytest.mark.parametrize("seed", range(3))
def test_conflicting_responses_count_as_not_observed(seed: int):
    rng = np.random.default_rng(seed)
    answers = rng.integers(0, 2, (2, 3, 20))
    images, everywhere = [f"i{i}" for i in range(20)], np.ones(20, bool)
    both = combine(*(
        Responses.from_arrays(right, models=list("xyz"), images=images, member={name: everywhere})
        for name, right in zip("ab", answers, strict=True)
    ))
    agree = answers[0] == answers[1]
    np.testing.assert_array_equal(both.shown, agree)
    np.testing.assert_array_equal(both.right, agree & (answers[0] == 1))
    told = {line.split("model ")[1].split(" ")[0]: int(line.split(" ")[0]) for line in both.history}
    assert told == {repr(m): n for m, n in zip("xyz", (~agree).sum(1), strict=True) if n}


def test_combining_fills_what_either_has_not_observed():
    one, other = (
        Responses.from_arrays(np.array([right]), shown=np.array([shown]), models=["m"], images=["a", "b"],
                              member={"t": np.ones(2, bool)})
        for right, shown in [([1, 0], [1, 0]), ([0, 1], [0, 1])]
    )
    both = combine(one, other)
    np.testing.assert_array_equal(both.shown, [[1, 1]])
    np.testing.assert_array_equal(both.right, [[1, 1]])


def test_another_position_is_another_answer_even_among_the_first_k():
    one, other = (
        build(right=np.array([[1, 1]]), position=np.array([positions]), top_k=5)
        for positions in ([0, 2], [0, 3])
    )
    both = combine(one, other)
    np.testing.assert_array_equal(both.shown, [[1, 0]])
    np.testing.assert_array_equal(both.dataset["position"], [[0, NOT_STORED]])


def answers(*predicted: int, images: str = "abc", models: str = "m", right_class: int = 0) -> Responses:
    """Return responses of one model or more to images of one right class, from the classes predicted."""
    classes = np.array(predicted).reshape(len(models), len(images))
    return build(
        right=classes == right_class, predicted=classes, shown=classes != NOT_STORED, models=list(models),
        images=list(images), member={"t": np.ones(len(images), bool)},
    )


def classes_of(responses: Responses) -> list[list[int]]:
    return responses.dataset["predicted"].values.tolist()


def test_a_class_is_not_known_where_collections_differ_in_it():
    # Both wrong, of other classes: still a wrong answer. One right, one wrong: not observed.
    both = combine(answers(1, 0, 3), answers(2, 4, 3))
    assert classes_of(both) == [[NOT_STORED, NOT_STORED, 3]]
    assert both.shown.tolist() == [[1, 0, 1]]
    assert both.right.tolist() == [[0, 0, 0]]
    # Nor where nothing is known of the class in one of them.
    unknown = build(right=np.array([[1, 0]]), predicted=np.full((1, 2), NOT_STORED))
    assert classes_of(combine(answers(1, 2, images="ab"), unknown)) == [[NOT_STORED, 2]]
    # Whatever the third says.
    assert classes_of(combine(answers(1, 0, 3), answers(2, 0, 3), answers(1, 0, 3))) == [[NOT_STORED, 0, 3]]


def test_a_class_is_known_from_either_collection():
    both = combine(answers(1, NOT_STORED, 0), answers(NOT_STORED, 2, 0), answers(5, images="d", models="n"))
    assert classes_of(both) == [[1, 2, 0, NOT_STORED], [NOT_STORED] * 3 + [5]]


def test_classes_of_another_numbering_are_not_kept():
    one, other = answers(0, 1, 0), answers(7, 7, 2, models="n", right_class=7)
    both = combine(one, other)
    assert "predicted" not in both.dataset
    assert any("image 'a' has number 0 in one collection and 7 in another" in line for line in both.history)
    assert both.right.tolist() == [[1, 0, 1], [1, 1, 0]]
    # No image is in both: models are never compared across the two numberings.
    apart = combine(one, answers(7, 7, 2, images="def", models="n", right_class=7))
    assert classes_of(apart) == [[0, 1, 0] + [NOT_STORED] * 3, [NOT_STORED] * 3 + [7, 7, 2]]


def test_classes_are_kept_if_all_collections_keep_them():
    one, without = answers(0, 1, 0), build(images=["d", "e"])
    both = combine(one, without)
    assert "predicted" not in both.dataset
    assert "1 of 2 collections keep no predicted classes" in both.history[-1]
    assert combine(without, without).history == []


def test_combining_refuses_what_cannot_be_one_collection():
    def one(label: str, top_k: int) -> Responses:
        return Responses.from_arrays(
            np.ones((1, 1), int), models=["m"], images=["a"], member={"t": np.array([True])},
            position=np.zeros((1, 1), int), top_k=top_k, labels=[label])

    with pytest.raises(InputError, match="label 'cat' in one collection and 'dog'"):
        combine(one("cat", 1), one("dog", 1))
    with pytest.raises(InputError, match="top_k"):
        combine(one("cat", 1), one("cat", 5))
    with pytest.raises(InputError, match="nothing to combine"):
        combine()


@pytest.mark.parametrize("seed", range(3))
def test_scoring_by_k_counts_the_first_k_positions(seed: int):
    responses = random_responses(seed, with_position=True)
    position = responses.dataset["position"].values
    for k in (1, 2, 5):
        scored = responses.scored(k)
        np.testing.assert_array_equal(scored.right, (position >= 0) & (position < k))
        assert scored.dataset.attrs["top_k"] == k
    assert responses.scored(5).scored(1).dataset.identical(responses.dataset)
    with pytest.raises(InputError, match="top_k"):
        responses.scored(0)


@pytest.mark.parametrize("seed", range(3))
def test_reordering_columns_is_reading_a_reordered_file(seed: int):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, 40)
    stored = np.array([rng.permutation(6)[:5] for _ in range(40)])  # five of six classes

    def read(classes: np.ndarray, predicted: np.ndarray) -> Responses:
        hit = classes == labels[:, None]
        position = np.where(hit.any(1), hit.argmax(1), NOT_STORED)[None]
        return Responses.from_arrays(position == 0, models=["m"], images=[f"i{i}" for i in range(40)],
                                     member={"t": np.ones(40, bool)}, position=position, predicted=predicted[None])

    some = rng.random(40) < 0.6
    for order, first in [(np.append(rng.permutation(4) + 1, 0), NOT_STORED), (np.array([0, 3, 1, 4, 2]), stored[:, 0])]:
        expected = read(np.where(some[:, None], stored[:, order], stored), np.where(some, first, stored[:, 0]))
        found = read(stored, stored[:, 0]).reordered("m", some, order.tolist())
        assert found.dataset.identical(expected.dataset)


@pytest.mark.parametrize("order", [[0, 0, 1, 2, 3], [0, 1, 2, 3, 5], [1, 2, 3, 4], [1, 0], []])
def test_reordering_needs_every_stored_column_once(order: list[int]):
    responses = build(right=np.array([[0, 1]]), position=np.array([[4, 0]]))
    with pytest.raises(InputError, match="each of the columns 0 to 4 of model 'm' once"):
        responses.reordered("m", np.ones(2, bool), order)
    with pytest.raises(InputError, match="no model named 'n'"):
        responses.reordered("n", np.ones(2, bool), [0, 1, 2, 3, 4])


def test_without_positions_nothing_can_be_scored_or_reordered():
    responses = random_responses(0)
    with pytest.raises(InputError, match="no positions"):
        responses.scored(5)
    with pytest.raises(InputError, match="no positions"):
        responses.reordered("m0", np.ones(len(responses.images), bool), [1, 0])


def test_selecting_orders_test_sets_and_names_what_does_not_exist():
    responses = random_responses(1)
    selected = responses.select(test_sets=["c", "a"])
    assert selected.test_sets == ["c", "a"]
    assert selected.member.any(0).all()
    assert responses.select(exclude=["m0"], models=["m0", "m1"]).models == ["m1"]
    with pytest.raises(InputError, match="no model named 'm9'"):
        responses.select(exclude=["m9"])
    with pytest.raises(InputError, match="no model remains"):
        responses.select(exclude=responses.models)


def build(**changes: object) -> Responses:
    given = {
        "right": np.array([[1, 0]]), "models": ["m"], "images": ["a", "b"], "member": {"t": np.ones(2, bool)},
    } | changes
    return Responses.from_arrays(given.pop("right"), **given)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("changes", "message"), [
    ({"right": np.array([[0.5, 1.0]])}, "whole numbers"),
    ({"right": np.array([[1, -1]])}, "must not be negative"),
    ({"right": np.array([[2, 0]])}, "is right 2 times on image 'a', which it was shown 1"),
    ({"right": np.array([[1, 0, 1]])}, "shapes do not go together"),
    ({"right": np.zeros((0, 2), int), "models": []}, "at least one model"),
    ({"images": ["a", "a"]}, "'a' stands 2 times"),
    ({"images": ["a", ""]}, "must not be empty"),
    ({"shown": np.zeros((1, 2), int), "right": np.zeros((1, 2), int)}, "all responses are missing"),
    ({"member": {"t": np.array([True, False])}}, "image 'b' belongs to no test set"),
    ({"member": {"t": np.ones(2, bool), "u": np.zeros(2, bool)}}, "test set 'u' has no images"),
    ({"top_k": 0}, "top_k"),
    ({"position": np.array([[1, 0]])}, "does not go with"),
    ({"position": np.array([[0, 256]])}, "ranks from 0 to 127"),
    ({"position": np.array([[0, -2]])}, "ranks from 0"),
    ({"position": np.array([[0.0, 1.0]])}, "`position` must be whole numbers; got float64"),
    ({"position": np.array([[0, 4]]), "shown": np.array([[1, 0]])}, "-1 where nothing was shown"),
    ({"position": np.array([[0, 1]]), "shown": np.array([[2, 1]])}, "single showings only; got 2"),
    ({"position": np.array([0, 1])}, "shapes do not go together|`position` with dims"),
    ({"predicted": np.array([[0.0, 1.0]])}, "`predicted` must be whole numbers, of classes; got float64"),
    ({"predicted": np.array([["cat", "dog"]])}, "`predicted` must be whole numbers, of classes; got <U3"),
    ({"predicted": np.array([[0, -2]])}, "classes from 0 to 2147483647, or -1; got -2 to 0"),
    ({"predicted": np.array([[0, 2**40]])}, "classes from 0 to 2147483647, or -1; got 0 to 1099511627776"),
    ({"predicted": np.array([[0, 4]]), "shown": np.array([[1, 0]])}, "`predicted` must be -1 where nothing was shown"),
    ({"predicted": np.array([[0, 1]]), "shown": np.array([[2, 1]])}, "`predicted` goes with single showings only"),
    ({"predicted": np.array([0, 1])}, "shapes do not go together|`predicted` with dims"),
    ({"models": ["m", "n"], "right": np.eye(2, dtype=int)[[0, 0]], "position": np.array([[0, 1], [0, 1]]),
      "predicted": np.array([[3, 1], [4, 1]])}, "all models of position 0 on image 'a' must predict one class"),
    ({"models": ["m", "n"], "right": np.eye(2, dtype=int), "position": np.array([[0, 1], [-1, 0]]),
      "predicted": np.array([[3, 1], [3, 2]])}, "on image 'a' must predict one class, and no other model that class"),
    ({"member": {"t": np.ones(2, bool), "u": np.ones(3, bool)}}, r"\(2,\) for 't', \(3,\) for 'u'"),
    ({"member": {"t": np.ones(3, bool)}}, "shapes do not go together"),
    ({"member": {}}, "names no test set"),
])
def test_what_is_no_collection_of_responses_is_refused(changes: dict[str, object], message: str):
    assert build().models == ["m"]
    with pytest.raises(InputError, match=message):
        build(**changes)


def test_classes_beyond_two_bytes_are_kept():
    assert classes_of(build(predicted=np.array([[70_000, 0]]))) == [[70_000, 0]]
    assert classes_of(build(predicted=np.array([[65_535, 0]], np.uint16))) == [[65_535, 0]]


def test_without_positions_several_classes_may_be_right():
    lenient = build(models=["m", "n"], right=np.ones((2, 2), int), predicted=np.array([[3, 1], [4, 1]]))
    assert classes_of(lenient) == [[3, 1], [4, 1]]


def test_counts_beyond_a_byte_are_kept():
    responses = build(right=np.array([[70_000, 0]]), shown=np.array([[70_001, 300]]))
    assert responses.right[0, 0] == 70_000
    assert responses.shown[0].tolist() == [70_001, 300]


# Files that others made -----------------------------------------------------------------------------------


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("model,image,correct\n")


def folder(path: Path) -> None:
    path.mkdir()


def truncated(path: Path) -> None:
    random_responses(0).save(path)
    path.write_bytes(path.read_bytes()[:-500])


def other_netcdf(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = [1.0]


def tree_of_groups(path: Path) -> None:
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"skill": 1.0}), "observed_data": build().dataset})
    tree.to_netcdf(path, engine="h5netcdf")


def unfilled(path: Path) -> None:
    """Declare a thousand million images, and store none."""
    with h5py.File(path, "w") as file:
        for name in ("right", "shown"):
            file.create_dataset(name, (1, 10**9), np.uint8, chunks=(1, 10**6), compression="gzip")


def many_unfilled(path: Path) -> None:
    """Declare more bytes than 64 bits can count, and store none."""
    with h5py.File(path, "w") as file:
        file.create_dataset("right", (2**40, 2**40), np.uint8, chunks=(1, 10**6))


def unfilled_names(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["right"] = np.zeros((1, 2), np.uint8)
        file.create_dataset("image", (10**9,), h5py.string_dtype(), chunks=(10**6,))


@pytest.mark.parametrize(("write", "message"), [
    (empty, "not a readable netCDF4 file"),
    (text, "not a readable netCDF4 file"),
    (folder, "is a folder; expected responses"),
    (truncated, "not a readable netCDF4 file"),
    (other_netcdf, r"no `right`; found \['x'\]"),
    (tree_of_groups, r"no `right`; found \['observed_data', 'posterior'\]"),
    (unfilled, "declares 1,907 MiB of values, but the file has 0.0"),
    (many_unfilled, "declares .* MiB of values, but the file has 0.0"),
    (unfilled_names, "declares .* MiB of values, but the file has 0.0"),
])
def test_files_of_anything_else_are_refused(tmp_path: Path, write: Callable[[Path], None], message: str):
    write(tmp_path / "r.nc")
    assert_refused(tmp_path / "r.nc", message)


def assert_refused(path: Path, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_responses(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    assert "np." not in said


@pytest.mark.parametrize(("name", "values", "message"), [
    ("right", np.array([[1.0, 0.0]]), "whole numbers; got float64"),
    ("right", np.array([[1.0, np.nan]]), "whole numbers; got float64"),
    ("right", np.array([["1", "0"]], object), "whole numbers; got (object|<U1)"),
    ("right", np.array([[-1, 0]]), "must not be negative; got -1"),
    ("shown", np.array([[1, 0]], np.float32), "whole numbers; got uint8 and float32"),
    ("member", np.array([[1, 1]]), "true or false; got int64"),
    ("position", np.array([[0, 200]]), "ranks from 0 to 127"),
    ("predicted", np.array([[0, 2**33]]), "classes from 0 to"),
    ("predicted", np.array([[0.0, np.nan]]), "whole numbers, of classes; got float64"),
    ("predicted", np.array([["7", "8"]], object), "whole numbers, of classes; got (object|<U1)"),
    ("model", np.array([7]), "model names must be text; got int64, the first 7"),
    ("image", np.array([0.5, 1.5]), "image names must be text; got float64, the first 0.5"),
    ("image", np.array([b"a", b"\xff"], "S1"), r"image names must be text; got \|S1, the first b'a'"),
    ("image", np.array([b"a", b"b"], object), "image names must be text|not a readable"),
    ("image", np.array(["a", "a"]), "'a' stands 2 times"),
])
def test_variables_of_another_kind_are_refused(
    tmp_path: Path, name: str, values: np.ndarray, message: str
):
    dataset = build(position=np.array([[0, 1]]), predicted=np.array([[3, 4]])).dataset
    dims = dataset[name].dims
    dataset.drop_vars(name).assign({name: (dims, values)}).to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    assert_refused(tmp_path / "r.nc", message)


@pytest.mark.parametrize(("name", "message"), [
    ("right", "no `right`"),
    ("shown", "a variable `shown` with dims .* is needed; got nothing"),
    ("member", "a variable `member` with dims .* is needed; got nothing"),
    ("model", "names along `model` are needed; got none"),
    ("image", "names along `image` are needed; got none"),
    ("test_set", "names along `test_set` are needed; got none"),
    ("top_k", r"an attribute `top_k` is needed; found \['history'\]"),
    ("history", r"an attribute `history` is needed; found \['top_k'\]"),
])
def test_files_that_lack_something_are_refused(tmp_path: Path, name: str, message: str):
    dataset = build().dataset.copy()
    if name in dataset.attrs:
        del dataset.attrs[name]
    else:
        dataset = dataset.drop_vars(name)
    dataset.to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    assert_refused(tmp_path / "r.nc", message)


@pytest.mark.parametrize(("attributes", "message"), [
    ({"top_k": 1.5}, "`top_k` must be a whole number of at least 1; got 1.5"),
    ({"top_k": 0}, "`top_k` must be a whole number of at least 1; got 0"),
    ({"top_k": "1"}, "`top_k` must be a whole number"),
    ({"top_k": [1, 5]}, "`top_k` must be a whole number"),
    ({"history": "made by hand"}, "JSON list"),
    ({"history": "[1, 2]"}, "JSON list"),
    ({"history": "[" * 100_000}, "JSON list"),
    ({"history": 3}, "JSON list"),
])
def test_attributes_of_another_kind_are_refused(
    tmp_path: Path, attributes: dict[str, object], message: str
):
    build().dataset.assign_attrs(attributes).to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    assert_refused(tmp_path / "r.nc", message)


def test_the_best_compressed_responses_are_no_declaration_without_content(tmp_path: Path):
    images = 300_000
    responses = Responses.from_arrays(
        np.ones((40, images), bool), models=[f"m{j}" for j in range(40)],
        images=np.arange(images).astype(str).tolist(), member={"t": np.ones(images, bool)})
    responses.save(tmp_path / "r.nc")
    assert load_responses(tmp_path / "r.nc").dataset.identical(responses.dataset)


def test_the_same_responses_make_the_same_file(tmp_path: Path):
    responses = random_responses(0, with_position=True, with_classes=True)
    responses.save(tmp_path / "one.nc")
    time.sleep(1.1)  # times in HDF5 files are whole seconds
    responses.save(tmp_path / "other.nc")
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "other.nc").read_bytes()
    load_responses(tmp_path / "one.nc").save(tmp_path / "again.nc")
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "again.nc").read_bytes()


def test_history_grows_by_what_is_noted():
    responses = random_responses(0).noting("first", "second")
    assert responses.history == ["made up", "first", "second"]
