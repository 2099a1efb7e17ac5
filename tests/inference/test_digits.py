"""The digits example: its images, their split, its networks, its zoo and its file."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
torch = pytest.importorskip("torch")

from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from difficulty_inference import cli  # noqa: E402
from difficulty_inference.adapters import EstimatorEntry  # noqa: E402
from difficulty_inference.arithmetic import arithmetic_on  # noqa: E402
from difficulty_inference.digits.build import packaged_zoo, write_digits, write_wide  # noqa: E402
from difficulty_inference.digits.data import (  # noqa: E402
    CUT,
    FILLINGS,
    TEST_SETS,
    TRAINING,
    TRAINING_IMAGES,
    Digits,
    read_digits,
    split_digits,
    unique_digits,
)
from difficulty_inference.digits.networks import Convolutional, Network, Perceptron  # noqa: E402
from difficulty_inference.predictions import Answers, Predictions, path_of, write_predictions  # noqa: E402
from difficulty_inference.test_sets import load_test_set, pixels_and_labels  # noqa: E402
from difficulty_inference.zoo import read_zoo  # noqa: E402
from difficulty_model.errors import InputError  # noqa: E402
from difficulty_model.readers import read_wide  # noqa: E402

SHIPPED = Path(__file__).parents[2] / "data" / "digits" / "responses.csv"

QUICK = ("gaussian-bayes-n500", "bernoulli-bayes-n60", "knn1-n150")
"""Classifiers without random parts or iterations: they answer alike with every version of a library."""

NETWORKS = (Perceptron(width=64, depth=1), Perceptron(width=32, depth=2), Convolutional(width=8, depth=2))


@pytest.fixture(scope="module")
def digits() -> Digits:
    return read_digits()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "digits"
    write_digits(folder, seed=0)
    return folder


@pytest.fixture(scope="module")
def shipped() -> list[dict[str, str]]:
    with SHIPPED.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def untrained(network: Network, *, epochs: int, random_state: int = 0) -> Network:
    copy = clone(network)
    assert isinstance(copy, Network)
    return copy.set_params(epochs=epochs, random_state=random_state)


@pytest.fixture
def _one_thread() -> Iterator[None]:
    with arithmetic_on("cpu", reference=True).applied():
        yield


def test_images_are_the_ink_in_256_steps(digits: Digits) -> None:
    ink = np.asarray(load_digits(return_X_y=True)[0]).reshape(-1, 8, 8)[digits.rows]
    assert digits.images.dtype == np.uint8
    assert (digits.images.min(), digits.images.max()) == (0, 255)
    assert abs(digits.images / 255 - ink / 16).max() <= 0.5 / 255 + 1e-12
    assert (np.round(digits.images / 255 * 16) == ink).all()  # nothing is lost


def test_every_filling_follows_the_form(digits: Digits) -> None:
    form = digits.labels[: FILLINGS[1]].tolist()  # the first filling is whole
    assert form[:30] == 3 * list(range(10))
    assert len(form) == 130
    otherwise = 0
    for filling in np.split(digits.labels, FILLINGS[1:]):
        rest = iter(form)
        otherwise += sum(digit not in rest for digit in filling.tolist())  # `in` consumes up to the match
    assert len(FILLINGS) == 14
    assert otherwise == 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_image_is_in_training_and_test(digits: Digits, seed: int) -> None:
    split = split_digits(digits, seed=seed)
    assert list(split) == [TRAINING, *TEST_SETS]
    assert len(split[TRAINING]) == TRAINING_IMAGES
    together = np.concatenate(list(split.values()))
    assert sorted(together.tolist()) == list(range(len(digits.ids)))  # each once: disjoint, none lost
    assert all((np.diff(part) > 0).all() for part in split.values())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_new_writers_are_never_trained_on(digits: Digits, seed: int) -> None:
    split = split_digits(digits, seed=seed)

    def fillings(images: np.ndarray) -> set[int]:
        return set(np.searchsorted(FILLINGS, digits.rows[images], side="right").tolist())

    assert CUT in FILLINGS
    assert fillings(split[TRAINING]) == fillings(split["original"])
    assert not fillings(split[TRAINING]) & fillings(split["new-writers"])


def test_training_images_follow_the_seed(digits: Digits) -> None:
    drawn = [set(split_digits(digits, seed=seed)[TRAINING].tolist()) for seed in range(3)]
    assert drawn[0] == set(split_digits(digits, seed=0)[TRAINING].tolist())
    # Two independent draws of 500 of 906 share 276 on average, with a standard deviation of 7.5.
    assert all(230 < len(a & b) < 320 for a, b in zip(drawn, drawn[1:] + drawn[:1], strict=True))


def test_equal_images_are_one_image() -> None:
    a, b = np.zeros((1, 8, 8), np.uint8), np.full((1, 8, 8), 255, np.uint8)
    digits = unique_digits(np.concatenate([a, b, a, b, a]), np.array([0, 1, 2, 3, 4]))
    assert digits.rows.tolist() == [0, 1]
    assert digits.labels.tolist() == [0, 1]
    assert len(set(digits.ids)) == 2
    assert digits.images.max((1, 2)).tolist() == [0, 255]


def test_what_is_written_is_read_back_image_for_image(digits: Digits, written: Path) -> None:
    for name, members in split_digits(digits, seed=0).items():
        test_set = load_test_set(name, written / name)
        assert test_set.manifest.ids.tolist() == [digits.ids[i] for i in members]
        assert test_set.manifest.labels.tolist() == digits.labels[members].tolist()
        pixels, _ = pixels_and_labels(test_set)  # compares the contents with the ids
        np.testing.assert_allclose(pixels, digits.images[members].reshape(-1, 64) / 255, rtol=1e-6)


def test_writing_again_gives_the_same_bytes_and_another_seed_others(written: Path, tmp_path: Path) -> None:
    write_digits(tmp_path / "again", seed=0)
    write_digits(tmp_path / "other", seed=1)
    names = sorted(path.relative_to(written) for path in written.rglob("*") if path.is_file())
    assert len(names) == 7  # an array and a manifest for each of three folders, and the zoo
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (written / name).read_bytes()
    differing = {str(name) for name in names
                 if (tmp_path / "other" / name).read_bytes() != (written / name).read_bytes()}
    assert {str(name) for name in names} - differing == {"new-writers/images.npy", "new-writers/manifest.csv"}


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot make the folder"):
        write_digits(tmp_path / "file", seed=0)


@pytest.mark.parametrize("seed", [0, 7])
def test_the_zoo_learns_from_training_images_only_and_takes_the_seed(tmp_path: Path, seed: int) -> None:
    write_digits(tmp_path, seed=seed)
    zoo = read_zoo(tmp_path / "zoo.toml")
    assert len(zoo) >= 60
    for entry in zoo:
        assert isinstance(entry, EstimatorEntry)
        assert entry.train_on is not None
        assert entry.train_on.resolve() == (tmp_path / TRAINING).resolve()
        assert entry.seed == seed
        assert entry.name.endswith(f"-n{entry.training_images}")
        assert entry.training_images is not None
        assert entry.training_images <= TRAINING_IMAGES
        assert entry.estimator.call(entry.options) is not None  # exists, and takes its options


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_a_network_learns_the_labels_it_is_shown(digits: Digits, network: Network) -> None:
    images, labels = digits.images[:200].reshape(-1, 64) / 255, digits.labels[:200]
    # 200 images are easily learned by heart, with whatever labels.
    for shown in (labels, 7 * ((labels + 1) % 10) + 2, np.where(labels < 5, 3, 8)):
        fitted = untrained(network, epochs=50).fit(images, shown)
        assert fitted.classes_.tolist() == sorted(set(shown.tolist()))
        assert (fitted.predict(images) == shown).mean() > 0.95


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_predictions_are_the_classes_of_the_highest_scores(digits: Digits, network: Network) -> None:
    images, labels = digits.images[:100].reshape(-1, 64) / 255, digits.labels[:100]
    fitted = untrained(network, epochs=2).fit(images, labels)
    assert (fitted.predict(images) == fitted.classes_[fitted.decision_function(images).argmax(1)]).all()
    two = untrained(network, epochs=2).fit(images, np.where(labels < 5, 3, 8))
    scores = two.decision_function(images)
    assert scores.shape == (100,)  # what scikit-learn has decided for two classes
    assert (two.predict(images) == np.where(scores > 0, 8, 3)).all()


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_training_follows_its_random_state_alone(digits: Digits, network: Network) -> None:
    images, labels = digits.images[:50].reshape(-1, 64) / 255, digits.labels[:50]

    def scores(random_state: int) -> np.ndarray:
        fitted = untrained(network, epochs=2, random_state=random_state).fit(images, labels)
        return fitted.decision_function(images)

    before = torch.get_rng_state()
    first = scores(2**32 - 1)
    torch.manual_seed(11)
    assert (scores(2**32 - 1) == first).all()
    assert (scores(5) != first).any()
    torch.set_rng_state(before)
    scores(0)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (Perceptron(width=5, depth=0), 64 * 10 + 10),
        (Perceptron(width=5, depth=1), 64 * 5 + 5 + 5 * 10 + 10),
        (Perceptron(width=5, depth=3), 64 * 5 + 5 + 2 * (5 * 5 + 5) + 5 * 10 + 10),
        (Convolutional(width=3, depth=1), 9 * 3 + 3 + 3 * 16 * 10 + 10),
        (Convolutional(width=3, depth=3), 9 * 3 + 3 + 9 * 3 * 6 + 6 + 9 * 6 * 12 + 12 + 12 * 10 + 10),
    ],
    ids=repr,
)
def test_a_network_has_the_size_it_says(network: Network, parameters: int) -> None:
    layers = network.layers(pixels=64, classes=10)
    assert sum(parameter.numel() for parameter in layers.parameters()) == parameters


def test_a_convolutional_network_refuses_what_has_no_sides_to_halve() -> None:
    with pytest.raises(InputError, match="at most 3"):
        Convolutional(depth=4).layers(pixels=64, classes=10)
    with pytest.raises(InputError, match="rows of 63 pixels"):
        Convolutional().layers(pixels=63, classes=10)


def answers(right: np.ndarray, labels: np.ndarray, observed: np.ndarray) -> Answers:
    first = np.where(observed, np.where(right, labels, (labels + 1) % 10), -1)
    trouble = {int(i): "it is gone" for i in np.flatnonzero(~observed)}
    return Answers(first[:, None].astype(np.int32), np.where(observed, 1, np.nan).astype(np.float32), trouble, 10)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_wide_file_says_what_the_predictions_say(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    models, sets = ["b", "a", "c"], {"second": 5, "first": 8}
    right, observed, images = [], [], []
    for name, size in sets.items():
        (tmp_path / name).mkdir()
        ids, labels = np.array([f"{name}{i}" for i in range(size)]), random.integers(0, 10, size)
        images += ids.tolist()
        right.append(random.random((len(models), size)) < 0.5)
        observed.append(random.random((len(models), size)) < 0.8)
        for j, model in enumerate(models):
            given = answers(right[-1][j], labels, observed[-1][j])
            write_predictions(Predictions(model, name, ids, labels, given, {}), path_of(tmp_path, model, name))
    write_wide(tmp_path, models, list(sets), tmp_path / "responses.csv")
    responses = read_wide(tmp_path / "responses.csv")
    assert (responses.models, responses.test_sets, responses.images) == (models, list(sets), images)
    shown = np.hstack(observed)
    assert (responses.shown == shown).all()
    assert (responses.right == (np.hstack(right) & shown)).all()


def test_predictions_on_other_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    labels, seen = np.array([1, 2]), np.ones(2, bool)
    for model, ids in [("a", ["x", "y"]), ("b", ["y", "x"])]:
        given = Predictions(model, "t", np.array(ids), labels, answers(seen, labels, seen), {})
        write_predictions(given, path_of(tmp_path, model, "t"))
    with pytest.raises(InputError, match="other images"):
        write_wide(tmp_path, ["a", "b"], ["t"], tmp_path / "responses.csv")
    assert not (tmp_path / "responses.csv").exists()


def test_the_shipped_file_has_the_columns_and_rows_of_the_split(
    digits: Digits, written: Path, shipped: list[dict[str, str]]
) -> None:
    zoo = [entry.name for entry in read_zoo(written / "zoo.toml")]
    assert list(shipped[0]) == ["image", "test_set", "label", *zoo]
    split = split_digits(digits, seed=0)
    # The rows of the test sets, one after the other, are in the order of scikit-learn's file.
    assert [(row["image"], row["test_set"], int(row["label"])) for row in shipped] == sorted(
        ((digits.ids[i], name, int(digits.labels[i])) for name in TEST_SETS for i in split[name].tolist()),
        key=lambda row: digits.ids.index(row[0]),
    )


def test_the_command_makes_the_shipped_file_and_the_same_bytes_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped: list[dict[str, str]]
) -> None:
    few = [*QUICK, "tree-n50", "forest-t5-n100", "mlp-w64-d2-n50", "cnn-w8-d2-n60"]
    models = [line for line in packaged_zoo().splitlines() if any(f'"{name}"' in line for name in few)]
    zoo = "\n".join(["model = [", *models, "]"])
    monkeypatch.setattr("difficulty_inference.digits.build.packaged_zoo", lambda: zoo)

    def responses(folder: str, seed: int) -> bytes:
        done = CliRunner().invoke(cli.app, ["digits", str(tmp_path / folder), "--seed", str(seed)])
        assert done.exit_code == 0, done.output
        return (tmp_path / folder / "responses.csv").read_bytes()

    first = responses("a", 0)
    assert responses("b", 0) == first
    rows = list(csv.DictReader(first.decode().splitlines()))
    assert sorted(rows[0]) == sorted(["image", "test_set", "label", *few])
    for column in ("image", "test_set", "label", *QUICK):
        assert [row[column] for row in rows] == [row[column] for row in shipped]
    # In the same folder a new seed replaces all that depends on it.
    assert responses("b", 1) == responses("c", 1) != first
