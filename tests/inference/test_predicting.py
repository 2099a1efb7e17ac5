"""The loop: every image is answered once, in its place, whatever happens to memory, files and numbers."""
# ruff: noqa: E402 - what the imports need may not be installed

import os
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import torch

from difficulty_inference.adapters.module import Network, rgb_tensor
from difficulty_inference.arithmetic import Arithmetic, arithmetic_on
from difficulty_inference.predicting import BatchSize, answer, best
from difficulty_inference.predictions import TOP, Answers
from difficulty_inference.predictor import Predictor
from difficulty_inference.test_sets import TestSet
from difficulty_model.errors import InputError
from inference_models import CLASSES, Reader, entry, in_turn, written_set

CPU = arithmetic_on("cpu", reference=True)


def answers_to(
    predictor: Predictor, shown: TestSet, *, batch_size: int | BatchSize = 8, workers: int = 0,
    arithmetic: Arithmetic = CPU,
) -> Answers:
    size = batch_size if isinstance(batch_size, BatchSize) else BatchSize(batch_size)
    return answer(
        predictor, shown, indices=range(len(shown)), arithmetic=arithmetic, batch_size=size, workers=workers
    )


def of(function: str, **options: object) -> Predictor:
    return entry(function, None, **options).load(CPU)


def same(first: Answers, second: Answers) -> bool:
    np.testing.assert_array_equal(first.top, second.top)
    np.testing.assert_array_equal(first.margin, second.margin)
    return first.trouble == second.trouble and first.classes == second.classes


@dataclass(frozen=True)
class Watched:
    """A predictor that remembers the batches it was shown."""

    inner: Predictor
    sizes: list[int] = field(default_factory=list)

    def prepare(self, image: Image.Image) -> torch.Tensor:
        return self.inner.prepare(image)

    def scores(self, batch: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(batch))
        return self.inner.scores(batch)


@dataclass(frozen=True)
class Giving:
    """A predictor that gives whatever a function makes of a batch."""

    make: object

    def prepare(self, image: Image.Image) -> torch.Tensor:
        return rgb_tensor(image)

    def scores(self, batch: torch.Tensor) -> torch.Tensor:
        return self.make(batch)  # pyright: ignore[reportCallIssue]


# The best classes and the margin


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [1, 2, 5, 40])
def test_best_classes_and_margins_are_those_of_a_plain_loop(seed, classes):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-3, 4, (50, classes)).astype(np.float32)  # with many ties
    labels = rng.integers(0, classes, 50)
    top, margin = best(torch.from_numpy(scores), torch.from_numpy(labels))
    for i, (row, label) in enumerate(zip(scores, labels, strict=True)):
        order = sorted(range(classes), key=lambda c: (-row[c], c))  # of equal scores the first
        assert top[i].tolist() == order[:TOP]
        assert margin[i] == row[label] - max((row[c] for c in range(classes) if c != label), default=-np.inf)
        assert margin[i] >= 0 if top[i, 0] == label else margin[i] <= 0


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
def test_margins_are_of_the_precision_of_the_scores(kind):
    scores = torch.tensor([[1.0, 1.0009765625, 0.0]]).to(getattr(torch, kind))
    top, margin = best(scores, torch.tensor([1]))
    exact = scores.double()
    assert float(margin[0]) == float(exact[0, 1] - exact[0, 0])
    assert top[0, 0] == (0 if kind == "bfloat16" else 1)


def test_what_cannot_be_ranked_has_no_class_and_no_margin():
    nan, inf = np.nan, np.inf
    scores = torch.tensor([[nan, 1, 2], [nan, nan, nan], [inf, inf, 0], [-inf, -inf, -inf], [0, 1, 2]])
    top, margin = best(scores, torch.tensor([1, 0, 0, 0, 2]))
    assert top[:, 0].tolist() == [-1, -1, -1, -1, 2]
    assert (top[:4] == -1).all()
    assert margin.isnan().tolist() == [True, True, True, True, False]
    # An estimator scores classes it has never seen minus infinity: that can be ranked.
    top, margin = best(torch.tensor([[1.0, -inf, 2.0]]), torch.tensor([1]))
    assert (int(top[0, 0]), float(margin[0])) == (2, -inf)


# Images in their places


@pytest.mark.parametrize("images", [1, 7, 8, 9, 53])
@pytest.mark.parametrize("batch_size", [1, 8, 100])
def test_every_image_is_answered_in_its_place_however_batches_fall(tmp_path, images, batch_size):
    shown = written_set(tmp_path / "set", in_turn(images))
    alone = torch.cat([Reader()(rgb_tensor(shown.image(i).convert("RGB"))[None]) for i in range(images)])
    top, margin = best(alone.detach(), torch.from_numpy(shown.manifest.labels))
    found = answers_to(of("reader"), shown, batch_size=batch_size)
    assert same(found, Answers(top.numpy(), margin.numpy(), {}, CLASSES))


def test_loading_processes_change_nothing(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(41))
    (shown.folder / str(shown.manifest.paths[5])).write_bytes(b"no image")
    assert same(answers_to(of("ordinary"), shown, workers=2), answers_to(of("ordinary"), shown))


def test_a_share_of_the_images_is_answered_in_its_own_order(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(30))
    whole = answers_to(of("reader"), shown)
    for indices in ([3, 1, 29], range(1, 30, 3), []):
        part = answer(of("reader"), shown, indices=indices, arithmetic=CPU, batch_size=BatchSize(2), workers=0)
        assert part.top.tolist() == whole.top[list(indices)].tolist() if len(indices) else len(part.top) == 0
        assert part.margin.tolist() == whole.margin[list(indices)].tolist()


def test_answers_depend_little_on_the_batch(tmp_path):
    """Of a network whose products run over the whole batch: sums of 1,024 terms of order 0.1 in float32."""
    shown = written_set(tmp_path / "set", in_turn(60))
    first, second = (answers_to(of("ordinary"), shown, batch_size=size) for size in (1, 60))
    np.testing.assert_allclose(first.margin, second.margin, atol=1e-5)
    clear = np.abs(first.margin) > 1e-4
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(
        (first.top[:, 0] == shown.manifest.labels)[clear], (second.top[:, 0] == shown.manifest.labels)[clear]
    )


def test_open_files_do_not_grow_with_the_number_of_batches(tmp_path):
    """What a loading process sends is a file that stays open while it is kept."""
    shown = written_set(tmp_path / "set", in_turn(150))
    watched: list[int] = []

    def count(batch: torch.Tensor) -> torch.Tensor:
        watched.append(len(os.listdir("/proc/self/fd")))
        return Reader()(batch).detach()

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("open files cannot be counted here")
    answers_to(Giving(count), shown, batch_size=1, workers=1)
    assert watched[-1] <= watched[20] + 5  # a few batches are on their way


# Memory


@pytest.mark.parametrize(("most", "shown_at_once"), [(1, 1), (3, 2), (7, 4), (8, 8), (100, 16)])
def test_a_batch_is_halved_until_memory_holds_it_and_the_answers_are_the_same(tmp_path, most, shown_at_once, caplog):
    shown = written_set(tmp_path / "set", in_turn(37))
    size, watched = BatchSize(16), Watched(of("cramped", most=most))
    assert same(answers_to(watched, shown, batch_size=size), answers_to(of("reader"), shown, batch_size=1))
    assert size.images == shown_at_once
    assert all(images <= most for images in watched.sizes[watched.sizes.index(shown_at_once):])
    assert len([record for record in caplog.records if "out of memory" in record.message]) == 4 - int(
        np.log2(shown_at_once)
    )


@pytest.mark.parametrize("error", [
    torch.OutOfMemoryError("CUDA out of memory"), MemoryError("Unable to allocate 3 TiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried …"),
])
def test_memory_that_runs_out_is_recognised(tmp_path, error):
    def make(batch: torch.Tensor) -> torch.Tensor:
        if len(batch) > 2:
            raise error
        return Reader()(batch).detach()

    shown = written_set(tmp_path / "set", in_turn(10))
    assert same(answers_to(Giving(make), shown), answers_to(of("reader"), shown))


def test_a_real_lack_of_memory_is_recognised(tmp_path):
    def make(batch: torch.Tensor) -> torch.Tensor:
        if len(batch) > 1:
            torch.empty(2**60, dtype=torch.uint8)
        return Reader()(batch).detach()

    shown = written_set(tmp_path / "set", in_turn(4))
    assert same(answers_to(Giving(make), shown), answers_to(of("reader"), shown))


def test_other_errors_of_a_model_are_not_taken_for_it(tmp_path):
    def make(batch: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        answers_to(Giving(make), written_set(tmp_path / "set", in_turn(4)))


def test_no_memory_for_a_single_image_is_told(tmp_path):
    with pytest.raises(InputError, match="out of memory with a single image"):
        answers_to(of("cramped", most=0), written_set(tmp_path / "set", in_turn(10)))


# What cannot be observed


def test_images_that_cannot_be_read_are_recorded_and_the_others_answered(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(30))
    whole = answers_to(of("reader"), shown)
    paths = [shown.folder / str(path) for path in shown.manifest.paths]
    paths[3].unlink()
    paths[11].write_bytes(paths[11].read_bytes()[:-20])
    Image.new("RGB", (8, 8)).save(paths[29])
    found = answers_to(of("reader"), shown)
    assert list(found.trouble) == [3, 11, 29]
    assert found.trouble[3] == "No such file or directory"
    assert "has changed" in found.trouble[11]
    assert "has changed" in found.trouble[29]
    assert np.flatnonzero(~found.observed).tolist() == [3, 11, 29]
    assert np.isnan(found.margin[[3, 11, 29]]).all()
    np.testing.assert_array_equal(found.top[found.observed], whole.top[found.observed])


def test_no_readable_image_at_all_is_no_error(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(9))
    for path in shown.manifest.paths:
        (shown.folder / str(path)).unlink()
    for workers in (0, 1):
        found = answers_to(of("reader"), shown, batch_size=2, workers=workers)
        assert sorted(found.trouble) == list(range(9))
        assert not found.observed.any()


def test_scores_that_are_not_numbers_are_recorded(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(30))
    found = answers_to(of("broken"), shown)
    dark = np.flatnonzero(shown.manifest.labels == 0).tolist()
    assert found.trouble == dict.fromkeys(dark, "its scores are not numbers")
    assert np.flatnonzero(~found.observed).tolist() == dark
    np.testing.assert_array_equal(found.top[found.observed, 0], shown.manifest.labels[found.observed])


@pytest.mark.parametrize(("make", "sentence"), [
    (lambda batch: torch.zeros(len(batch)), r"scores have shape \(8,\).*a score for each of 8 images and every class"),
    (lambda batch: torch.zeros(len(batch), 10, 7, 7), r"scores have shape \(8, 10, 7, 7\)"),
    (lambda batch: torch.zeros(len(batch) + 1, 10), r"scores have shape \(9, 10\)"),
    (lambda batch: torch.zeros(len(batch), 10, dtype=torch.int64), "type torch.int64"),
    (lambda batch: (torch.zeros(len(batch), 10), None), "scores are a tuple; expected a tensor"),
    (lambda batch: torch.zeros(len(batch), 4), "tells 4 classes apart, from 0 to 3, but an image has label [4-9]"),
])
def test_scores_that_do_not_fit_are_told(tmp_path, make, sentence):
    with pytest.raises(InputError, match=sentence):
        answers_to(Giving(make), written_set(tmp_path / "set", in_turn(16)))


def test_a_class_too_few_is_told_even_if_only_the_last_image_needs_it(tmp_path):
    shown = written_set(tmp_path / "set", [*in_turn(40, classes=4), 5])
    with pytest.raises(InputError, match="tells 5 classes apart, from 0 to 4, but an image has label 5"):
        answers_to(of("reader", classes=5), shown)


def test_more_classes_than_labels_are_no_error(tmp_path):
    assert answers_to(of("reader", classes=10), written_set(tmp_path / "set", in_turn(12, classes=3))).classes == 10


def test_pictures_of_different_shapes_are_told_by_whichever_process_loads_them(tmp_path):
    small, large = written_set(tmp_path / "small", in_turn(4)), written_set(tmp_path / "large", in_turn(4), size=9)
    ids = np.concatenate([small.manifest.ids, large.manifest.ids])
    paths = [f"{name}/{path}" for name, one in [("small", small), ("large", large)] for path in one.manifest.paths]
    manifest = replace(small.manifest, ids=ids, paths=np.array(paths), labels=np.tile(small.manifest.labels, 2))
    both = TestSet("both", manifest, tmp_path)
    for workers in (0, 1):
        with pytest.raises(InputError, match=r"different shapes, \(3, 8, 8\) and \(3, 9, 9\)"):
            answers_to(of("reader"), both, workers=workers)


def test_nothing_of_the_gradient_is_kept(tmp_path):
    seen = []

    def make(batch: torch.Tensor) -> torch.Tensor:
        seen.append(Reader()(batch))
        return seen[-1]

    answers_to(Giving(make), written_set(tmp_path / "set", in_turn(4)))
    assert not seen[0].requires_grad


def test_fast_arithmetic_answers_the_same_where_it_is_clear(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(50))
    for arithmetic in (arithmetic_on("cpu", reference=False), Arithmetic(torch.device("cpu"), "bfloat16")):
        network = Network(Reader(), rgb_tensor, arithmetic)
        found = answers_to(network, shown, arithmetic=arithmetic)
        np.testing.assert_array_equal(found.top[:, 0], shown.manifest.labels)
