"""The layout of the ImageNetV2 release."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from difficulty_model.errors import InputError
from difficulty_model.readers import (
    read_imagenetv2,
)
from difficulty_model.responses import NOT_STORED, Responses
from outcomes import members, outcome

CLASSES = 7


class Release:
    """A small release in the layout of ImageNetV2."""

    def __init__(self, folder: Path, sizes: dict[str, int]):
        self.folder = folder
        self.data = folder / "data"
        for part in ("datasets", "metadata", "predictions"):
            (self.data / part).mkdir(parents=True)
        self.cid_of = {f"n{w}": (3 * w) % CLASSES for w in range(CLASSES)}
        self.write("metadata/class_info.json", [{"wnid": w, "cid": c} for w, c in self.cid_of.items()])
        self.images = {}
        for name, size in sizes.items():
            self.list_images(name, [(f"{name}-{i}", f"n{i % CLASSES}") for i in range(size)])

    def write(self, path: str, content: object) -> None:
        (self.data / path).write_text(json.dumps(content))

    def list_images(self, test_set: str, images: Sequence[tuple[str, str]]) -> None:
        self.images[test_set] = images
        self.write(f"datasets/{test_set}.json", {"image_filenames": images})

    def predict(
        self, test_set: str, model: str, predictions: np.ndarray | None = None, *, seed: int = 0
    ) -> np.ndarray:
        if predictions is None:
            rng = np.random.default_rng(seed)
            predictions = np.array([rng.permutation(CLASSES)[:5] for _ in self.images[test_set]])
        (self.data / "predictions" / test_set).mkdir(exist_ok=True)
        np.save(self.data / "predictions" / test_set / f"{model}.npy", predictions, allow_pickle=True)
        return predictions


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_imagenetv2_is_right_where_the_class_is_among_the_first_k(tmp_path: Path, seed: int, top_k: int):
    release = Release(tmp_path, {"val": 40, "v2": 10})
    stored = {s: release.predict(s, "net", seed=seed) for s in ("val", "v2")}
    responses = read_imagenetv2(tmp_path, top_k=top_k)
    for test_set, predictions in stored.items():
        for (image, wnid), row in zip(release.images[test_set], predictions.tolist(), strict=True):
            cid = release.cid_of[wnid]
            assert outcome(responses, "net", image) == (int(cid in row[:top_k]), 1)
            position = responses.dataset["position"].sel(model="net", image=image)
            assert position == (row.index(cid) if cid in row else NOT_STORED)
            assert responses.dataset["predicted"].sel(model="net", image=image) == row[0]
            assert responses.dataset["label"].sel(image=image) == wnid
    assert responses.scored(1).dataset["right"].equals(read_imagenetv2(tmp_path).dataset["right"])


def test_imagenetv2_takes_the_largest_test_set_as_reference_or_the_first_asked_for(tmp_path: Path):
    release = Release(tmp_path, {"b": 5, "a": 5, "whole": 9, "unpredicted": 20})
    for name in ("a", "b", "whole"):
        release.predict(name, "net")
    assert read_imagenetv2(tmp_path).test_sets == ["whole", "a", "b"]
    assert read_imagenetv2(tmp_path / "data", test_sets=["b", "whole"]).test_sets == ["b", "whole"]
    with pytest.raises(InputError, match=r"no test set .*named 'unpredicted'; nearest.*'whole'"):
        read_imagenetv2(tmp_path, test_sets=["unpredicted"])
    with pytest.raises(InputError, match="2 paths given"):
        read_imagenetv2([tmp_path, tmp_path])


def test_imagenetv2_images_of_one_id_are_one_image(tmp_path: Path):
    release = Release(tmp_path, {"a": 6})
    release.list_images("b", [*release.images["a"][:2], ("only-b", "n0")])
    predictions = release.predict("a", "net")
    release.predict("b", "net", predictions[:3])
    responses = read_imagenetv2(tmp_path)
    assert members(responses) == {"a": [f"a-{i}" for i in range(6)], "b": ["a-0", "a-1", "only-b"]}
    assert len(responses.images) == 7
    assert responses.shown.all()


def spelt(folder: Path, files: dict[str, list[str]]) -> Responses:
    release = Release(folder, dict.fromkeys(files, 4))
    for test_set, models in files.items():
        for model in models:
            release.predict(test_set, model)
    return read_imagenetv2(folder)


def test_a_model_spelt_otherwise_in_one_test_set_is_one_model(tmp_path: Path):
    files = {"a": ["fv_64k_model", "net"], "b": ["fv_64k", "net"], "c": ["fv_64k", "net"]}
    responses = spelt(tmp_path, files)
    assert sorted(responses.models) == ["fv_64k", "net"]
    assert responses.shown.all()
    assert "model 'fv_64k' is spelt 'fv_64k_model' in a: read as one model" in responses.history
    alone = read_imagenetv2(tmp_path, test_sets=["a"])  # so that it can be combined with the others later
    assert sorted(alone.models) == ["fv_64k", "net"]
    assert not any("is spelt" in line for line in read_imagenetv2(tmp_path, test_sets=["b"]).history)


@pytest.mark.parametrize("files", [
    {"a": ["vgg", "vgg_bn"], "b": ["vgg"], "c": ["vgg"]},  # both in one test set
    {"a": ["vgg_bn", "net"], "b": ["vgg"], "c": ["net"]},  # not exactly where the other is missing
    {"a": ["vgg11"], "b": ["vgg1"], "c": ["vgg1"]},  # not a further part of the name
    {"a": ["vgg_bn", "vgg_tf"], "b": ["vgg"], "c": ["vgg"]},  # two candidates
])
def test_models_that_may_differ_stay_apart(tmp_path: Path, files: dict[str, list[str]]):
    responses = spelt(tmp_path, files)
    assert set(responses.models) == {model for models in files.values() for model in models}
    assert not any("one model" in line for line in responses.history)


def test_with_no_usual_spelling_models_stay_apart_and_the_history_says_so(tmp_path: Path):
    responses = spelt(tmp_path, {"a": ["net_v2"], "b": ["net"]})
    assert sorted(responses.models) == ["net", "net_v2"]
    assert any("'net' and 'net_v2'" in line and "perhaps one model" in line for line in responses.history)


GOOD = np.zeros((4, 5), int)


@pytest.mark.parametrize(("predictions", "message"), [
    (GOOD[:3], r"'net' on val .* shape \(3, 5\); expected 4 rows"),
    (GOOD[None], "expected 4 rows"),
    (GOOD[:, :0], "store 0"),
    (GOOD.astype(float), "float64"),
    (np.full((4, 5), np.nan), "nan"),
    (GOOD.astype(str), "whole numbers"),
    (GOOD + [0, 0, CLASSES, 0, 0], "hold 7 in row 0, column 2; expected class ids from 0 to 6"),
    (GOOD - [[0], [0], [0], [1]], "hold -1 in row 3, column 0"),
    (GOOD.astype(object), "pickled objects are refused"),
])
def test_imagenetv2_refuses_predictions_that_are_none(tmp_path: Path, predictions: np.ndarray, message: str):
    release = Release(tmp_path, {"val": 4})
    release.predict("val", "net", predictions)
    with pytest.raises(InputError, match=message):
        read_imagenetv2(tmp_path)


def test_imagenetv2_refuses_more_than_is_stored(tmp_path: Path):
    release = Release(tmp_path, {"val": 4})
    release.predict("val", "net", GOOD[:, 0])  # one class per image needs no columns
    assert read_imagenetv2(tmp_path).right.sum() == 1
    for top_k in (0, 2):
        with pytest.raises(InputError, match=f"top_k={top_k} .* give 1 to 1"):
            read_imagenetv2(tmp_path, top_k=top_k)


@pytest.mark.parametrize(("images", "message"), [
    ([["x", "n0"], ["x", "n1"]], "image 'x' stands twice"),
    ([["x", "n0"], ["y", "n99"]], "wnid 'n99'"),
    ([["x", "n0"], ["y"]], "entry 1 of `image_filenames`"),
    ([["x", "n0"], ["y", 3]], "entry 1 of `image_filenames`"),
    ([], "no list `image_filenames`"),
    ({"x": "n0"}, "no list `image_filenames`"),
])
def test_imagenetv2_refuses_lists_of_images_that_are_none(tmp_path: Path, images: object, message: str):
    release = Release(tmp_path, {"val": 2})
    release.predict("val", "net")
    release.write("datasets/val.json", {"image_filenames": images})
    with pytest.raises(InputError, match=message):
        read_imagenetv2(tmp_path)


@pytest.mark.parametrize("content", [{"n0": 1}, [1], [{"wnid": "n0"}], [{"wnid": "n0", "cid": "1"}], []])
def test_imagenetv2_refuses_classes_that_are_none(tmp_path: Path, content: object):
    release = Release(tmp_path, {"val": 2})
    release.predict("val", "net")
    release.write("metadata/class_info.json", content)
    with pytest.raises(InputError, match="class_info"):
        read_imagenetv2(tmp_path)


def test_the_released_imagenetv2_predictions_give_the_published_accuracies(real_data: Path):
    responses = read_imagenetv2(real_data / "imagenetv2")
    val, threshold, matched = responses.test_sets
    assert (val, matched) == ("imagenet-validation-original", "imagenetv2-b-33")
    assert responses.dataset.sizes["model"] == 67
    assert (responses.member[1] & responses.member[2]).sum() == 3186
    assert responses.dataset.sizes["image"] == 50_000 + 20_000 - 3186
    assert responses.shown.all()  # the model spelt in two ways is one, and shared images agree
    assert sum("read as one model" in line for line in responses.history) == 1
    accuracy = responses.accuracies().set_index(["model", "test_set"])["accuracy"]
    published = {"pnasnet_large_tf": (82.9, 72.2), "alexnet": (56.5, 44.0)}  # Recht et al. (2019)
    for model, percents in published.items():
        assert tuple(round(100 * float(accuracy.loc[(model, s)]), 1) for s in (val, matched)) == percents
    assert threshold == "imagenetv2-a-44"
