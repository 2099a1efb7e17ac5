"""The command: help that helps, JSON that parses, and one sentence for every mistake."""
# ruff: noqa: E402 - what the imports need may not be installed

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from difficulty_inference import cli
from difficulty_inference.manifest import NAME
from inference_models import in_turn, written_set

GOOD = '[[model]]\nmodule = "inference_models:reader"\n'


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command in this process: returns its exit code, what it printed, and what it said of errors."""
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["difficulty-inference", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capsys.readouterr()
        assert "Traceback" not in told.out + told.err
        return int(end.value.code or 0), told.out, told.err

    monkeypatch.setattr(sys, "path", sys.path[:])
    return run


@pytest.fixture
def ready(tmp_path) -> Path:
    """A folder with a zoo and a test set."""
    written_set(tmp_path / "set", in_turn(30))
    (tmp_path / "zoo.toml").write_text(GOOD)
    return tmp_path


def test_help_of_every_command_shows_an_example_and_imports_no_library():
    program = """
import sys
from typer.main import get_command
from typer.testing import CliRunner
from difficulty_inference.cli import app

def commands(command, path):
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, [*path, name])

for path in commands(get_command(app), []):
    shown = CliRunner().invoke(app, [*path, "--help"], terminal_width=100)
    assert shown.exit_code == 0, (path, shown.output)
    print("#" + " ".join(path))
    print(shown.output)
heavy = sorted({"torch", "sklearn", "scipy", "pandas", "pyarrow"} & set(sys.modules))
print("#imported", heavy)
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    pages = dict(page.split("\n", 1) for page in shown.stdout[1:].split("\n#"))
    assert "imported []" in pages
    assert {"manifest", "run", "digits"} <= pages.keys()
    groups = {name for name in pages if any(other.startswith(f"{name} ") for other in pages)} | {""}
    for name, page in pages.items():
        if name.startswith("imported") or name in groups:
            continue
        text = " ".join(page.split())
        assert f"Example: difficulty-inference {name} " in text, page


def test_a_folder_becomes_responses(command, ready):
    (ready / "set" / NAME).unlink()
    code, printed, _ = command("manifest", ready / "set")
    assert code == 0
    assert printed.strip() == f"{ready / 'set' / NAME}: 30 images, classes up to 9"
    code, printed, told = command("run", ready / "zoo.toml", "--test-set", f"set={ready / 'set'}", "-o", ready / "out",
                                  "--workers", 0)
    assert code == 0
    assert "100.0%" in printed
    assert f"difficulty-model import predictions {ready / 'out'}" in printed
    assert "reader on set: 30 of 30 right" in told


def test_json_is_for_programs(command, ready):
    (ready / "zoo.toml").write_text(GOOD + """
        [[model]]
        module = "inference_models:shocked"
        options = {label = 4}
        [[model]]
        module = "inference_models:broken"
    """)
    arguments = ["run", ready / "zoo.toml", "--test-set", f"set={ready / 'set'}", "-o", ready / "out", "--json",
                 "--workers", 0]
    for _ in range(2):  # computed, and found
        code, printed, told = command(*arguments)
        assert code == 1
        found = json.loads(printed)
        assert found["predictions"][0] == {
            "model": "reader", "test_set": "set", "images": 30, "observed": 30, "right": 30, "remarks": [],
        }
        assert found["predictions"][1]["observed"] == 27
        assert "3 of 30 images were not observed" in found["predictions"][1]["remarks"][0]
        assert len(found["predictions"]) == 2
        assert list(found["failed"]) == ["shocked"]
        assert "class 4 is too much" in found["failed"]["shocked"]
        assert "class 4 is too much" in told


def test_devices_are_those_that_were_named(command, ready):
    code, printed, _ = command("run", ready / "zoo.toml", "--test-set", f"set={ready / 'set'}", "-o", ready / "out",
                               "--device", "cpu", "--reference", "--json", "--workers", 0)
    assert code == 0
    assert json.loads(printed)["failed"] == {}


def test_strict_ends_with_an_error(command, ready):
    (ready / "set/3/3.png").write_bytes(b"no image")
    code, _, told = command("run", ready / "zoo.toml", "--test-set", f"set={ready / 'set'}", "-o", ready / "out",
                            "--strict", "--workers", 0)
    assert code == 2
    assert told.startswith("error: model 'reader': on set 1 of 30 images were not observed (3/3.png: ")
    assert not list((ready / "out/set").iterdir())


@pytest.mark.parametrize(("zoo", "words"), [
    (GOOD + 'optoins = {}\n', ["'optoins'", "'options'"]),
    (GOOD + 'timm = "a"\n', ["timm and module"]),
    (GOOD + GOOD, ["several models named 'reader'"]),
    (GOOD + "options = 3\n", ["options = 3"]),
    (GOOD + 'name = "../x"\n', ["'../x' cannot name a file"]),
    ("[[model]\n", ["not readable as TOML"]),
    ("", ["holds nothing"]),
])
def test_a_mistake_in_the_zoo_is_one_sentence(command, ready, zoo, words):
    (ready / "zoo.toml").write_text(zoo)
    code, printed, told = command("run", ready / "zoo.toml", "--test-set", f"set={ready / 'set'}", "-o", ready / "out")
    assert (code, printed) == (2, "")
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    for word in words:
        assert word in told
    assert not (ready / "out").exists()


@pytest.mark.parametrize(("options", "words"), [
    (["--test-set", "set"], ["'set' has no name or no path; expected NAME=FOLDER"]),
    (["--test-set", "=x"], ["has no name or no path"]),
    (["--test-set", "set="], ["has no name or no path"]),
    (["--test-set", "../x={set}"], ["'../x' cannot name a file"]),
    (["--test-set", ".locks={set}"], ["'.locks' cannot name a file"]),
    (["--test-set", "a={set}", "--test-set", "a={set}"], ["several test sets are named 'a'"]),
    (["--test-set", "a=absent"], ["no such file or folder: absent"]),
    (["--test-set", "a={set}/3"], ["has no manifest.csv; make it with: difficulty-inference manifest"]),
    (["--test-set", "a={set}/3/3.png"], ["is not a manifest"]),
    (["--test-set", "a={set}", "--device", "gpu"], ["device 'gpu' is not available here", "cpu"]),
    (["--test-set", "a={set}", "--device", "cuda:77"], ["device 'cuda:77' is not available here"]),
])
def test_a_mistake_in_the_arguments_is_one_sentence(command, ready, options, words):
    given = [option.replace("{set}", str(ready / "set")) for option in options]
    code, printed, told = command("run", ready / "zoo.toml", *given, "-o", ready / "out")
    assert (code, printed) == (2, "")
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    for word in words:
        assert word in told
    assert not (ready / "out").exists()


@pytest.mark.parametrize("options", [
    [], ["--batch-size", "0"], ["--workers", "-1"], ["--batch-size", "many"], ["--no-such-option"],
])
def test_options_that_are_none_are_told(command, ready, options):
    enough = ["--test-set", f"set={ready / 'set'}"] if options else []
    code, printed, told = command("run", ready / "zoo.toml", *enough, *options, "-o", ready / "out")
    assert (code, printed) == (2, "")
    assert "Usage" in told


@pytest.mark.parametrize(("model", "words"), [
    ('module = "no_such_module:f"', ["no_such_module:f cannot be imported"]),
    ('module = "inference_models:no_function"', ["cannot be imported"]),
    ('module = "broken_module_of_cli:f"', ["SyntaxError"]),
    ('module = "inference_models:reader"\noptions = {claases = 3}', ["does not take the options", "claases"]),
    ('module = "builtins:str"', ["returned str; expected a torch.nn.Module"]),
    ('module = "inference_models:reader"\noptions = {classes = 3}', ["tells 3 classes apart"]),
    ('module = "inference_models:cramped"\noptions = {most = 0}', ["out of memory with a single image"]),
    ('estimator = "sklearn.svm:SVC"', ["is not fitted"]),
    ('estimator = "sklearn.svm:SVC"\ntrain_on = "absent"', ["no such file or folder"]),
    ('timm = "test_resnet"\nweights = "absent.pth"', ["cannot read"]),
])
def test_a_model_that_cannot_be_run_is_one_sentence_and_the_others_run(command, ready, model, words):
    (ready / "broken_module_of_cli.py").write_text("def f(:\n")
    (ready / "zoo.toml").write_text(f'[[model]]\nname = "bad"\n{model}\n' + GOOD)
    code, printed, told = command("run", ready / "zoo.toml", "--test-set", f"set={ready / 'set'}", "-o", ready / "out",
                                  "--workers", 0, "--json")
    assert code == 1
    found = json.loads(printed)
    assert [row["model"] for row in found["predictions"]] == ["reader"]
    reason = found["failed"]["bad"]
    assert "\n" not in reason
    for word in words:
        assert word in reason
    assert f"bad: {reason}" in told


def test_a_mistake_of_manifest_is_one_sentence(command, tmp_path):
    code, printed, told = command("manifest", tmp_path / "absent")
    assert (code, printed) == (2, "")
    assert told.startswith("error: no such file or folder")
    assert told.count("\n") == 1
