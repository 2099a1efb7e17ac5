"""Ranks: processes that share a test set make together the file that one makes alone."""
# ruff: noqa: E402 - what the imports need may not be installed

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from difficulty_inference.arithmetic import arithmetic_on
from difficulty_inference.predictions import Answers, read_predictions
from difficulty_inference.ranks import Ranks, local_rank, merged
from difficulty_inference.running import Run, run
from difficulty_model.errors import InputError
from inference_models import HERE, entry, in_turn, written_set

PRIMES = [2, 3, 5, 101]


def drawn(images: int, seed: int = 0, *, classes: int = 10) -> Answers:
    rng = np.random.default_rng(seed)
    top = rng.integers(0, classes, (images, 5)).astype(np.int32)
    trouble = {i: f"of {i}" for i in range(0, images, 4)}
    return Answers(top, rng.normal(size=images).astype(np.float32), trouble, classes)


def part_of(answers: Answers, share: Sequence[int]) -> Answers:
    trouble = {place: answers.trouble[i] for place, i in enumerate(share) if i in answers.trouble}
    return Answers(answers.top[list(share)], answers.margin[list(share)], trouble, answers.classes)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 11])
@pytest.mark.parametrize("images", [1, *PRIMES])
def test_shares_hold_every_image_once(size, images):
    shares = [Ranks(rank, size).share(images) for rank in range(size)]
    assert sorted(i for share in shares for i in share) == list(range(images))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 11])
@pytest.mark.parametrize("images", [1, *PRIMES])
def test_parts_of_all_ranks_are_merged_to_the_whole(size, images):
    whole = drawn(images)
    parts = [part_of(whole, Ranks(rank, size).share(images)) for rank in range(size)]
    found = merged(parts, images)
    np.testing.assert_array_equal(found.top, whole.top)
    np.testing.assert_array_equal(found.margin, whole.margin)
    assert list(found.trouble.items()) == list(whole.trouble.items())
    assert found.classes == whole.classes


def test_a_rank_that_observed_nothing_does_not_narrow_the_others():
    nothing = Answers(np.full((2, 1), -1, np.int32), np.full(2, np.nan, np.float32), {0: "gone", 1: "gone"}, 0)
    found = merged([drawn(2), nothing], 4)
    assert found.top.shape == (4, 5)
    assert found.observed.tolist() == [True, False, True, False]
    assert found.classes == 10


def test_parts_that_are_not_the_shares_are_refused():
    whole = drawn(7)
    for parts in ([whole, whole], [part_of(whole, range(3)), part_of(whole, range(3, 7))], [part_of(whole, range(6))]):
        with pytest.raises(InputError, match=r"ranks answered .* images; their shares are"):
            merged(parts, 7)


def test_alone_there_is_one_rank_that_decides():
    assert Ranks().gathered("part") == ["part"]
    assert Ranks().decided(lambda: 3) == 3
    assert local_rank() is None


def torchrun(size: int, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command under torchrun with so many processes; one that hangs fails the test."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", size, "-m",
               "difficulty_inference.cli", "run", folder / "zoo.toml", *arguments, "--workers", 0, "--device", "cpu"]
    paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )


ZOO = """
[[model]]
module = "inference_models:reader"
[[model]]
module = "inference_models:shocked"
options = {label = 9}
[[model]]
module = "inference_models:ordinary"
"""


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_make_the_file_that_one_process_makes(tmp_path, size):
    """Of a prime number of images, and of fewer than there are ranks; though a model fails on one rank alone."""
    # The last image is the only one of class 9.
    many, few = written_set(tmp_path / "many", [*in_turn(100, classes=9), 9]), written_set(tmp_path / "few", [1, 2])
    (many.folder / str(many.manifest.paths[50])).unlink()
    sets = [many, few] if size == 3 else [many]
    (tmp_path / "zoo.toml").write_text(ZOO)
    reference = arithmetic_on("cpu", reference=True)
    zoo = [entry("reader"), entry("ordinary")]
    assert run(Run(zoo, sets, tmp_path / "alone", reference)) == {}
    ended = torchrun(
        size, tmp_path, *(part for one in sets for part in ("--test-set", f"{one.name}={one.folder}")), "--reference",
        "-o", tmp_path / "out",
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.count("shocked failed: ValueError: class 9 is too much") == 1
    for one in sets:
        names = sorted(path.name for path in (tmp_path / "out" / one.name).iterdir())
        assert names == ["ordinary.parquet", "reader.parquet"]
        first, second = ((tmp_path / folder / one.name / "reader.parquet").read_bytes() for folder in ("alone", "out"))
        assert first == second
        # Products over a batch are added up in an order that depends on its size: of 1,024 terms of order 0.1.
        alone, found = (read_predictions(tmp_path / folder / one.name / "ordinary.parquet") for folder in
                        ("alone", "out"))
        np.testing.assert_array_equal(found.images, alone.images)
        np.testing.assert_array_equal(found.answers.top[:, 0], alone.answers.top[:, 0])
        np.testing.assert_allclose(found.answers.margin, alone.answers.margin, atol=1e-5)
        assert found.remarks == alone.remarks
        assert found.answers.trouble == alone.answers.trouble


@pytest.mark.slow
def test_an_error_on_one_rank_ends_all(tmp_path):
    many = written_set(tmp_path / "many", [*in_turn(100, classes=9), 9])
    (tmp_path / "zoo.toml").write_text(ZOO)
    test_set = f"many={many.folder}"
    ended = torchrun(2, tmp_path, "--test-set", test_set, "--strict", "-o", tmp_path / "out")
    assert ended.returncode != 0
    assert "error: model 'shocked': ValueError: class 9 is too much" in ended.stderr
    assert [path.name for path in (tmp_path / "out" / "many").iterdir()] == ["reader.parquet"]
    (tmp_path / "file").write_text("")
    ended = torchrun(2, tmp_path, "--test-set", test_set, "-o", tmp_path / "file")
    assert ended.returncode != 0
    assert "error: cannot write to" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("size", [4, 5])
def test_more_ranks_make_the_same_file_too(tmp_path, size):
    many = written_set(tmp_path / "many", in_turn(101))
    (tmp_path / "zoo.toml").write_text('[[model]]\nmodule = "inference_models:reader"\n')
    assert run(Run([entry("reader")], [many], tmp_path / "alone", arithmetic_on("cpu", reference=True))) == {}
    ended = torchrun(size, tmp_path, "--test-set", f"many={many.folder}", "--reference", "-o", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    first, second = ((tmp_path / folder / "many" / "reader.parquet").read_bytes() for folder in ("alone", "out"))
    assert first == second
