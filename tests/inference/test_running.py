"""Running: whatever happens to a run, finished files stay, the rest is computed, and nothing is computed twice."""
# ruff: noqa: E402 - what the imports need may not be installed

import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch

from difficulty_inference.adapters import Entry, ModuleEntry, TimmEntry
from difficulty_inference.arithmetic import arithmetic_on
from difficulty_inference.importing import Code
from difficulty_inference.manifest import NAME
from difficulty_inference.predictions import read_predictions
from difficulty_inference.running import Run, run
from difficulty_inference.test_sets import TestSet, load_test_set
from difficulty_model.errors import InputError
from difficulty_model.readers.predictions import read_predictions as read_responses
from inference_models import (
    CLASSES,
    HERE,
    Reader,
    array_set,
    command,
    command_as_nobody,
    command_with_small_files,
    entry,
    in_turn,
    pictures,
    written_set,
)

REFERENCE = arithmetic_on("cpu", reference=True)
FAST = arithmetic_on("cpu", reference=False)

# Commands run in processes that are forked from one that has imported everything: they start at once, may be killed.
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload([
    "inference_models", "difficulty_inference.running", "difficulty_inference.zoo", "tqdm.contrib.logging",
])  # fmt: skip

PROCESSES = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes cannot be listed here")

ZOO = """
[[model]]
name = "first"
module = "inference_models:reader"
options = {{pause = {pause}, log = "{log}"}}
[[model]]
name = "second"
module = "inference_models:ordinary"
[[model]]
name = "third"
module = "inference_models:reader"
options = {{classes = 12, pause = {pause}, log = "{log}"}}
"""


def plan_of(folder: Path, zoo: Sequence[Entry], *test_sets: TestSet, **options) -> Run:
    return replace(Run(zoo, test_sets, folder, REFERENCE), **options)


def files_in(folder: Path) -> dict[str, bytes]:
    """The content of all files, but the locks, by their paths in a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*") if path.is_file() and ".locks" not in path.parts
    }


def times_of(folder: Path) -> dict[str, int]:
    """When each finished file was written."""
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.glob("[!.]*/[!.]*.parquet")}


def start(function: Callable[..., object], *arguments: object):
    process = FORKED.Process(target=function, args=arguments)
    process.start()
    return process


def ended(process, timeout: float = 120) -> int:
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
        pytest.fail(f"the command has not ended after {timeout} s")
    return process.exitcode


def zoo_file(folder: Path, *, pause: float = 0) -> Path:
    path = folder / "zoo.toml"
    path.write_text(ZOO.format(pause=pause, log=folder / "made.txt"))
    return path


# What a run makes


def test_every_model_answers_every_test_set_as_it_does_by_itself(tmp_path):
    """On PNG files and on an array of the same pictures, against scores computed by hand."""
    labels = in_turn(43)
    files = written_set(tmp_path / "files", labels)
    rows = array_set(tmp_path, "rows", pictures(labels), labels)
    zoo = [entry("reader"), entry("ordinary")]
    assert run(plan_of(tmp_path / "out", zoo, files, rows, batch_size=7)) == {}
    assert set(files_in(tmp_path / "out")) == {f"{s}/{m}.parquet" for s in ("files", "rows") for m in
                                               ("reader", "ordinary")}
    for shown in (files, rows):
        pixels = np.stack([np.asarray(shown.image(i)) for i in range(len(shown))])
        with torch.inference_mode():
            scores = Reader()(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255)
        found = read_predictions(tmp_path / "out" / shown.name / "reader.parquet")
        np.testing.assert_array_equal(found.images, shown.manifest.ids)
        np.testing.assert_array_equal(found.labels, shown.manifest.labels)
        np.testing.assert_array_equal(found.answers.top, scores.argsort(dim=1, descending=True)[:, :5].numpy())
        assert found.right.all()
        assert not found.remarks
    by_label = [read_predictions(tmp_path / "out" / name / "ordinary.parquet") for name in ("files", "rows")]
    # The same pictures, in the order of classes and in that of the array.
    order = np.argsort(rows.manifest.labels, kind="stable")
    np.testing.assert_allclose(by_label[0].answers.margin, by_label[1].answers.margin[order], atol=1e-5)


def test_difficulty_model_reads_what_a_run_makes(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(40))
    (shown.folder / str(shown.manifest.paths[3])).write_bytes(b"no image")
    zoo = [entry("reader"), entry("broken"), entry("reordered", order=[1, 0, *range(2, CLASSES)])]
    assert run(plan_of(tmp_path / "out", zoo, shown)) == {}
    responses = read_responses(tmp_path / "out")
    assert responses.models == ["broken", "reader", "reordered"]
    assert set(responses.images) == set(shown.manifest.ids.tolist())
    right = {name: read_predictions(tmp_path / "out" / "set" / f"{name}.parquet") for name in responses.models}
    assert {name: int(one.right.sum()) for name, one in right.items()} == {"broken": 36, "reader": 39, "reordered": 32}
    assert any("did not observe 4 of 40" in line for line in responses.history)


def test_images_that_cannot_be_read_are_named_counted_and_null(tmp_path):
    shown, whole = written_set(tmp_path / "set", in_turn(40)), written_set(tmp_path / "whole", in_turn(20), seed=1)
    for place in (3, 20):
        (shown.folder / str(shown.manifest.paths[place])).write_bytes(b"no image")
    assert run(plan_of(tmp_path / "out", [entry("reader")], whole, shown)) == {}
    found = read_predictions(tmp_path / "out" / "set" / "reader.parquet")
    assert np.flatnonzero(~found.answers.observed).tolist() == [3, 20]
    assert found.right.sum() == 38
    [remark] = found.remarks
    assert remark.startswith("2 of 40 images were not observed")
    assert shown.manifest.paths[3] in remark
    assert shown.manifest.paths[20] in remark
    assert not read_predictions(tmp_path / "out" / "whole" / "reader.parquet").remarks


def test_images_that_have_been_mended_are_observed_by_the_next_run(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(30))
    lost, spoilt = (shown.folder / str(shown.manifest.paths[i]) for i in (4, 9))
    content = lost.read_bytes()
    lost.unlink()
    spoilt.write_bytes(b"no image")
    plan = plan_of(tmp_path / "out", [entry("reader"), entry("broken")], shown)
    run(plan)
    before = times_of(tmp_path / "out")
    run(plan)
    assert times_of(tmp_path / "out") == before  # nothing was mended; images without scores are not asked again
    lost.write_bytes(content)
    run(plan)
    found = read_predictions(tmp_path / "out" / "set" / "reader.parquet")
    assert list(found.answers.trouble) == [9]
    assert all(times_of(tmp_path / "out")[name] > time for name, time in before.items())


def test_a_test_set_of_which_nothing_can_be_read_leaves_no_file(tmp_path):
    """Such as one on a disk that is not there today: it must not count as done tomorrow."""
    shown = written_set(tmp_path / "set", in_turn(10))
    plan = plan_of(tmp_path / "out", [entry("reader")], shown)
    away = shown.folder.rename(tmp_path / "away")
    assert "none of the 10 images of set was observed; the first: No such file" in run(plan)["reader"]
    assert files_in(tmp_path / "out") == {}
    away.rename(shown.folder)
    assert run(plan) == {}
    assert read_predictions(tmp_path / "out" / "set" / "reader.parquet").right.all()


def test_strict_stops_at_a_remark_without_writing_the_file(tmp_path):
    shown, whole = written_set(tmp_path / "set", in_turn(40)), written_set(tmp_path / "whole", in_turn(20), seed=1)
    (shown.folder / str(shown.manifest.paths[3])).write_bytes(b"no image")
    plan = plan_of(tmp_path / "out", [entry("reader"), entry("ordinary")], whole, shown)
    with pytest.raises(InputError, match="model 'reader': on set 1 of 40 images were not observed"):
        run(replace(plan, strict=True))
    assert set(files_in(tmp_path / "out")) == {"whole/reader.parquet"}
    assert run(plan) == {}
    before = times_of(tmp_path / "out")
    with pytest.raises(InputError, match="1 of 40 images were not observed"):  # though the file is there
        run(replace(plan, strict=True))
    assert times_of(tmp_path / "out") == before


def test_random_weights_on_noise_are_remarked_upon(tmp_path):
    labels = np.random.default_rng(0).permutation(in_turn(300)).tolist()
    shown = array_set(tmp_path, "noise", pictures([5] * 300), labels)
    assert run(plan_of(tmp_path / "out", [entry("ordinary")], shown)) == {}
    [found] = read_predictions(tmp_path / "out" / "noise" / "ordinary.parquet").remarks
    assert "near chance among 10 classes" in found


@pytest.mark.parametrize(("source", "remark"), [
    (entry("reordered", order=[*range(1, CLASSES), 0]), "labels count from 1"),
    (entry("reordered", order=[3, 7, 0, 9, 1, 8, 2, 4, 5, 6]), "labels are in another order"),
    (entry("broken"), "20 of 200 images were not observed"),
])
def test_what_is_wrong_with_answers_is_kept_with_them(tmp_path, source, remark):
    assert run(plan_of(tmp_path / "out", [source], written_set(tmp_path / "set", in_turn(200)))) == {}
    [found] = read_predictions(tmp_path / "out" / "set" / f"{source.name}.parquet").remarks
    assert remark in found


def test_a_model_that_fails_is_told_and_the_others_go_on(tmp_path, caplog):
    shown = written_set(tmp_path / "set", in_turn(30))
    zoo = [
        entry("shocked", label=7), entry("no_such_function"), entry("cramped", most=0), entry("reader", classes=3),
        entry("with_broken_transform"), entry("reader", "good"),
        TimmEntry("lost", "test_resnet", weights=tmp_path / "absent.pth"),
    ]
    zoo[3] = replace(zoo[3], name="narrow")
    for workers in (0, 1):
        failed = run(plan_of(tmp_path / f"out-{workers}", zoo, shown, workers=workers))
        assert list(files_in(tmp_path / f"out-{workers}")) == ["set/good.parquet"]
        assert {name: "\n" in reason for name, reason in failed.items()} == {
            source.name: False for source in zoo if source.name != "good"
        }
        assert failed["shocked"].startswith("ValueError: class 7 is too much (in inference_models.py, line ")
        assert "no_function" in failed["no_such_function"] or "no_such_function" in failed["no_such_function"]
        assert failed["cramped"].startswith("out of memory with a single image")
        assert failed["narrow"].startswith("the model tells 3 classes apart")
        assert failed["with_broken_transform"].startswith("ValueError: no transform of (8, 8)")
        assert failed["lost"].startswith("cannot read")
        for name, reason in failed.items():
            assert caplog.messages.count(f"{name}: {reason}") == 1
        caplog.clear()
    with pytest.raises(InputError, match="model 'shocked': ValueError: class 7 is too much"):
        run(plan_of(tmp_path / "strict", zoo, shown, strict=True))


def test_memory_that_runs_out_halves_batches_for_all_test_sets(tmp_path, caplog):
    sets = [written_set(tmp_path / name, in_turn(40), seed=seed) for seed, name in enumerate("ab")]
    assert run(plan_of(tmp_path / "halved", [entry("cramped", "m", most=5)], *sets, batch_size=32)) == {}
    assert len([message for message in caplog.messages if "out of memory" in message]) == 3  # 16, 8, 4, once
    assert run(plan_of(tmp_path / "small", [entry("cramped", "m", most=5)], *sets, batch_size=4)) == {}
    assert files_in(tmp_path / "halved") == files_in(tmp_path / "small")


# What is done again


@pytest.fixture
def done(tmp_path) -> Iterator[tuple[Path, Callable[..., set[str]]]]:
    """A finished run of two models on two test sets, and a function that runs it again and names what it redid."""
    code = "from inference_models import reader\n\ndef made(**options):\n    return reader(**options)\n"
    (tmp_path / "made_for_running.py").write_text(code)
    sets = [written_set(tmp_path / name, in_turn(20), seed=seed) for seed, name in enumerate("ab")]
    zoo = [
        ModuleEntry("made", Code("made_for_running:made", tmp_path), {"pause": 0}),
        TimmEntry("t", "test_resnet", tmp_path / "w.pth", options={"num_classes": CLASSES}),
    ]
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=CLASSES)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    plan = plan_of(tmp_path / "out", zoo, *sets)

    def again(**changes) -> set[str]:
        before = times_of(tmp_path / "out")
        assert run(replace(plan, **changes)) == {}
        after = times_of(tmp_path / "out")
        assert set(after) >= set(before)
        return {name for name in after if after[name] != before.get(name)}

    path = sys.path[:]
    again()
    yield tmp_path, again
    sys.path[:] = path
    sys.modules.pop("made_for_running", None)


ALL = {"a/made.parquet", "b/made.parquet", "a/t.parquet", "b/t.parquet"}


@pytest.mark.usefixtures("torchvision_importable")
def test_exactly_what_changed_is_done_again(done):
    folder, again = done
    made, of_timm = (
        ModuleEntry("made", Code("made_for_running:made", folder), {"pause": 0}),
        TimmEntry("t", "test_resnet", folder / "w.pth", options={"num_classes": CLASSES}),
    )
    assert again() == set()
    # What decides no answer: the order of things, how many at once, who loads them, where they lie.
    assert again(zoo=[of_timm, made], batch_size=3, workers=1) == set()
    shutil.move(folder / "a", folder / "moved")
    moved = [load_test_set("b", folder / "b"), load_test_set("a", folder / "moved")]
    assert again(test_sets=moved) == set()
    shutil.move(folder / "moved", folder / "a")
    shutil.copy(folder / "w.pth", folder / "copied.pth")
    assert again(zoo=[replace(of_timm, weights=folder / "copied.pth")]) == set()
    # What does.
    changed = replace(made, options={"pause": 0, "classes": 11})
    assert again(zoo=[changed, of_timm]) == {"a/made.parquet", "b/made.parquet"}
    assert again() == {"a/made.parquet", "b/made.parquet"}  # back again
    state = torch.load(folder / "w.pth", weights_only=True)
    state["fc.bias" if "fc.bias" in state else list(state)[-1]] += 1
    torch.save(state, folder / "w.pth")
    assert again() == {"a/t.parquet", "b/t.parquet"}
    code = folder / "made_for_running.py"
    code.write_text(code.read_text() + "# of another mind\n")
    assert again() == {"a/made.parquet", "b/made.parquet"}
    manifest = folder / "b" / NAME
    first = manifest.read_text().splitlines()[1]
    manifest.write_text(manifest.read_text().replace(first, first[: first.rindex(",")] + ",1"))
    relabelled = [load_test_set("a", folder / "a"), load_test_set("b", folder / "b")]
    assert again(test_sets=relabelled) == {"b/made.parquet", "b/t.parquet"}
    assert again(test_sets=relabelled, arithmetic=FAST) == ALL
    assert again(test_sets=relabelled, arithmetic=FAST) == set()


@pytest.mark.usefixtures("torchvision_importable")
def test_a_file_that_is_lost_or_broken_is_done_again(done):
    folder, again = done
    whole = files_in(folder / "out")
    (folder / "out/a/t.parquet").unlink()
    (folder / "out/b/made.parquet").write_bytes(whole["b/made.parquet"][:100])
    assert again() == {"a/t.parquet", "b/made.parquet"}
    assert files_in(folder / "out") == whole


# Runs that are killed


def undisturbed(folder: Path, arguments: Sequence[object], launch) -> tuple[dict[str, bytes], float]:
    """The files that a command makes, and how long it takes."""
    ended(start(int))  # the first process waits until everything is imported
    began = time.monotonic()
    process = launch(folder / "log.txt", *arguments, "-o", folder / "undisturbed")
    assert ended(process) == 0, (folder / "log.txt").read_text()
    return files_in(folder / "undisturbed"), time.monotonic() - began


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def require_killed_runs_to_go_on(
    folder: Path, options: Sequence[object], *, kills: int, seed: int, launch, pause: float = 0.01
) -> None:
    """Kill runs at random moments until `kills` of them died so, then let one finish, and look at every file."""
    folder.mkdir(exist_ok=True)
    sets = [written_set(folder / "a", in_turn(41)), written_set(folder / "b", in_turn(23), seed=1)]
    arguments = ["run", zoo_file(folder, pause=pause), "--reference",
                 *(part for one in sets for part in ("--test-set", f"{one.name}={one.folder}")), *options]
    wanted, duration = undisturbed(folder, arguments, launch)
    assert len(wanted) == 6
    moments, out = random.Random(seed), folder / "out"
    finished: dict[str, int] = {}
    shares, died = [], 0
    while died < kills:
        if len(times_of(out)) == len(wanted):  # nothing is left to be disturbed: start again
            shutil.rmtree(out)
            finished = {}
        process = launch(folder / "log.txt", *arguments, "-o", out)
        pid = process.pid
        time.sleep(moments.uniform(0, duration))
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)
            died += 1
        while is_running(pid):  # itself: what it started may live a little longer
            time.sleep(0.01)
        if isinstance(process, Launched):
            process.join(60)
        now = times_of(out)
        assert finished.items() <= now.items(), "what was finished before is as it was"
        finished = now
        shares.append(len(now))
    last = launch(folder / "log.txt", *arguments, "-o", out)
    assert ended(last) == 0, (folder / "log.txt").read_text()
    assert finished.items() <= times_of(out).items()
    assert files_in(out) == wanted, "the same bytes, and no file more"
    if kills > 5:
        assert len(set(shares)) > 2, "kills fell before, between and after files"


@PROCESSES
def test_a_run_that_is_killed_goes_on(tmp_path):
    def launch(*arguments):
        return start(command, *arguments)

    require_killed_runs_to_go_on(tmp_path / "alone", ["--workers", 0], kills=3, seed=0, launch=launch)
    require_killed_runs_to_go_on(tmp_path / "loading", ["--workers", 2], kills=3, seed=1, launch=launch)


class Launched:
    """The command as a user starts it."""

    def __init__(self, log: Path, *arguments: object) -> None:
        with log.open("a") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "difficulty_inference.cli", *map(str, arguments)], stdout=file, stderr=file,
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])},
            )
        self.pid = self.process.pid

    def join(self, timeout: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def exitcode(self) -> int | None:
        return self.process.poll()


@PROCESSES
@pytest.mark.slow
@pytest.mark.parametrize("options", [
    ["--workers", 2], ["--workers", 0, "--device", "cpu", "--device", "cpu"],
], ids=["loading", "devices"])  # fmt: skip
def test_a_command_that_is_killed_20_times_goes_on(tmp_path, options):
    require_killed_runs_to_go_on(tmp_path, options, kills=20, seed=2, launch=Launched, pause=0.05)


def children_of(pid: int) -> set[int]:
    """All processes below a process."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == pid:
            found |= {int(path.parent.name)} | children_of(int(path.parent.name))
    return found


@PROCESSES
def test_no_process_outlives_a_run_with_two_devices_that_is_killed(tmp_path):
    """They would keep their GPUs."""
    shown = written_set(tmp_path / "set", in_turn(40))
    process = start(
        command, tmp_path / "log.txt", "run", zoo_file(tmp_path, pause=0.1), "--test-set", f"set={shown.folder}",
        "-o", tmp_path / "out", "--device", "cpu", "--device", "cpu", "--workers", 1,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "made.txt").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.pid
    below = children_of(process.pid)
    assert len(below) >= 2
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    deadline = time.monotonic() + 20  # loading processes look for their parent every 5 s
    while any(map(is_running, below)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, below))
    assert "first.parquet" not in {path.name for path in (tmp_path / "out").rglob("*.parquet")}


# Several at once


def test_two_runs_on_one_folder_compute_every_file_once(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(30))
    lines = "\n".join(
        f'[[model]]\nname = "m{i}"\nmodule = "inference_models:reader"\n'
        f'options = {{pause = 0.01, classes = {10 + i}, log = "{tmp_path / "made.txt"}"}}' for i in range(6)
    )
    (tmp_path / "zoo.toml").write_text(lines)
    both = [
        start(command, tmp_path / f"log{i}.txt", "run", tmp_path / "zoo.toml", "--test-set", f"set={shown.folder}",
              "-o", tmp_path / "out", "--workers", i, "--json")
        for i in (0, 1)
    ]
    for i, process in enumerate(both):
        assert ended(process) == 0, (tmp_path / f"log{i}.txt").read_text()
    makers = (tmp_path / "made.txt").read_text().split()
    assert len(makers) == 6
    assert len(set(makers)) == 2, "both took part"
    assert len(files_in(tmp_path / "out")) == 6


def test_devices_share_models_out_and_a_failure_is_told_once(tmp_path, caplog, capfd):
    shown, log = written_set(tmp_path / "set", in_turn(30)), tmp_path / "made.txt"
    zoo = [
        *(entry("reader", f"m{i}", pause=0.02, log=str(log)) for i in range(5)),  # so that processes end one by one
        entry("shocked", label=3, log=str(log)),
    ]
    plan = plan_of(tmp_path / "out", zoo, shown, written_set(tmp_path / "other", in_turn(10), seed=1), workers=1)
    failed = run(plan, devices=[REFERENCE, REFERENCE])
    assert list(failed) == ["shocked"]
    makers = Counter(log.read_text().split())
    assert sum(makers.values()) == 6, "every model is made once"
    assert len(makers) == 2
    assert str(os.getpid()) not in makers
    assert (caplog.text + capfd.readouterr().err).count("class 3 is too much") == 1
    assert len(files_in(tmp_path / "out")) == 10
    run(replace(plan, folder=tmp_path / "alone"))
    assert files_in(tmp_path / "out") == files_in(tmp_path / "alone")


def test_a_process_that_dies_is_told_and_strict_stops_all(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(10))
    with pytest.raises(InputError, match="a process that ran a model was killed.*run again to go on"):
        run(plan_of(tmp_path / "out", [entry("killed"), entry("reader")], shown), devices=[REFERENCE, REFERENCE])
    zoo = [entry("shocked", label=3), *(entry("reader", f"m{i}", pause=0.02) for i in range(20))]
    with pytest.raises(InputError, match="model 'shocked': ValueError: class 3 is too much"):
        run(plan_of(tmp_path / "strict", zoo, shown, strict=True), devices=[REFERENCE, REFERENCE])
    assert len(files_in(tmp_path / "strict")) < 20, "models that were not begun were left"


# Disks


def require_one_sentence(log: Path, *words: str) -> None:
    errors = [line for line in log.read_text().splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, log.read_text()
    for word in words:
        assert word in errors[0]
    assert "Traceback" not in log.read_text()


def small_and_large(folder: Path) -> list[object]:
    """Arguments to run two models on two test sets, the second of which makes much larger files."""
    written_set(folder / "small", in_turn(10))
    array_set(folder, "large", pictures(in_turn(3000), size=2), in_turn(3000))
    (folder / "zoo.toml").write_text("\n".join(
        f'[[model]]\nname = "{name}"\nmodule = "inference_models:reader"' for name in ("first", "second")
    ))
    return ["run", folder / "zoo.toml", "--test-set", f"small={folder / 'small'}",
            "--test-set", f"large={folder / 'large.csv'}", "--workers", 0]


def test_files_that_may_not_grow_are_told_and_leave_the_finished_ones(tmp_path):
    arguments = [*small_and_large(tmp_path), "-o", tmp_path / "out"]
    process = start(command_with_small_files, 16_384, tmp_path / "log.txt", *arguments)
    assert ended(process) == 2, (tmp_path / "log.txt").read_text()
    require_one_sentence(tmp_path / "log.txt", str(tmp_path / "out/large/first.parquet"), "File too large")
    before = times_of(tmp_path / "out")
    assert list(files_in(tmp_path / "out")) == ["small/first.parquet"]
    assert read_predictions(tmp_path / "out/small/first.parquet").right.all()
    assert ended(start(command, tmp_path / "again.txt", *arguments)) == 0, (tmp_path / "again.txt").read_text()
    assert before.items() <= times_of(tmp_path / "out").items()
    assert len(files_in(tmp_path / "out")) == 4


def test_a_full_disk_is_told_and_leaves_the_finished_files(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.getuid() == 0 and shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    ).returncode == 0
    if not mounted:
        pytest.skip("no small disk can be made here")
    try:
        arguments = [*small_and_large(tmp_path), "-o", disk / "out"]
        assert ended(start(command, tmp_path / "log.txt", *arguments)) == 2, (tmp_path / "log.txt").read_text()
        require_one_sentence(tmp_path / "log.txt", f"cannot write {disk / 'out'}", "No space left on device")
        finished = files_in(disk / "out")
        assert finished
        for name in finished:
            assert read_predictions(disk / "out" / name).answers.observed.all()
        (disk / "out/full").write_bytes(bytes(max(0, shutil.disk_usage(disk).free)))
        assert ended(start(command, tmp_path / "more.txt", *arguments)) == 2
        require_one_sentence(tmp_path / "more.txt", "No space left on device")
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for path in folder.rglob("*"):
            if path.is_dir():
                path.chmod(0o755)


@pytest.mark.parametrize("closed", ["", "out", "out/set", "out/.locks"])
def test_a_folder_that_cannot_be_written_to_is_told(open_folder, tmp_path, closed):
    shown = written_set(open_folder / "images/set", in_turn(10))
    zoo = [entry("reader", "first"), entry("reader", "second")]
    assert run(plan_of(open_folder / "out", zoo[:1] if closed else [], shown)) == {}
    if not closed:
        shutil.rmtree(open_folder / "out")
    before = files_in(open_folder / "out")
    (open_folder / "zoo.toml").write_text("\n".join(
        f'[[model]]\nname = "{one.name}"\nmodule = "inference_models:reader"' for one in zoo
    ))
    for path in (open_folder / "out").rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    if (open_folder / "out").exists():
        (open_folder / "out").chmod(0o777)
    (open_folder / closed).chmod(0o555)
    log = open_folder.parent / f"{open_folder.name}.txt"
    log.touch(0o666)
    log.chmod(0o666)
    try:
        process = start(
            command_as_nobody, tmp_path / "warm", log, "run", open_folder / "zoo.toml", "--workers", 0, "--reference",
            "--test-set", f"set={shown.folder}", "-o", open_folder / "out",
        )
        code = ended(process)
        if closed == "out":  # nothing is written in it but in its folders
            assert code == 0, log.read_text()
            return
        assert code == 2, log.read_text()
        require_one_sentence(log, "cannot write", "Permission denied")
        assert files_in(open_folder / "out") == before
    finally:
        log.unlink()


def test_a_folder_of_predictions_that_is_a_file_is_told(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(10))
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="cannot write to .*give a folder"):
        run(plan_of(tmp_path / "out", [entry("reader")], shown))


def test_hidden_files_of_others_are_left_alone(tmp_path):
    """Only what `written_whole` leaves of the file at hand is removed."""
    shown = written_set(tmp_path / "set", in_turn(10))
    (tmp_path / "out/set").mkdir(parents=True)
    leftover = tmp_path / "out/set/.reader-0abc_def.parquet"
    others = [tmp_path / f"out/set/{name}" for name in (
        ".readers-0abc_def.parquet", ".reader-0abc_def.txt", ".reader-x.parquet", "reader-0abc_def.parquet", ".note",
    )]
    for path in [leftover, *others]:
        path.touch()
    assert run(plan_of(tmp_path / "out", [entry("reader")], shown)) == {}
    assert not leftover.exists()
    assert all(path.exists() for path in others)


def test_a_file_tells_what_it_was_made_of(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(10))
    assert run(plan_of(tmp_path / "out", [entry("reader", classes=11)], shown)) == {}
    about = json.loads(pq.read_schema(tmp_path / "out/set/reader.parquet").metadata[b"difficulty_inference"])
    assert about["configuration"]["model"]["options"] == {"classes": 11}
    assert about["configuration"]["images"] == shown.manifest.fingerprint
    assert about["configuration"]["precision"] == "reference"
    assert about["made_with"]["torch"] == torch.__version__
    assert about["made_with"]["device"] == "cpu"
