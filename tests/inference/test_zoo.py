"""Zoo files: every mistake is told in one sentence, and what is right becomes entries."""
# ruff: noqa: E402 - what the imports need may not be installed

from pathlib import Path

import pytest

pytest.importorskip("torch")

from difficulty_inference.adapters import EstimatorEntry, ModuleEntry, TimmEntry
from difficulty_inference.importing import Code
from difficulty_inference.zoo import read_zoo, require_safe_name
from difficulty_model.errors import InputError


def zoo(folder: Path, text: str) -> Path:
    path = folder / "zoo.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_kind_of_entry_is_read_as_it_is_written(tmp_path):
    path = zoo(tmp_path, """
        [[model]]
        timm = "resnet50.a1_in1k"
        [[model]]
        name = "mine"
        timm = "test_resnet"
        pretrained = false
        weights = "weights/mine.safetensors"
        options = {num_classes = 10}
        [[model]]
        module = "package.networks:wide.deep"
        [[model]]
        name = "svm-C=5[n=200]"
        estimator = "sklearn.svm:SVC"
        options = {C = 5, kernel = "rbf"}
        train_on = "training"
        training_images = 200
        seed = 7
    """)
    assert read_zoo(path) == [
        TimmEntry("resnet50.a1_in1k", "resnet50.a1_in1k"),
        TimmEntry("mine", "test_resnet", tmp_path / "weights/mine.safetensors", pretrained=False,
                  options={"num_classes": 10}),
        ModuleEntry("wide.deep", Code("package.networks:wide.deep", tmp_path)),
        EstimatorEntry("svm-C=5[n=200]", Code("sklearn.svm:SVC", tmp_path), {"C": 5, "kernel": "rbf"},
                       tmp_path / "training", 200, 7),
    ]


def test_a_name_comes_from_the_model_where_none_is_given(tmp_path):
    path = zoo(tmp_path, '[[model]]\ntimm = "hf-hub:somebody/their-network"\n[[model]]\nestimator = "a.b:C"')
    assert [entry.name for entry in read_zoo(path)] == ["their-network", "C"]


def test_files_are_seen_from_the_zoo_and_not_from_where_the_command_runs(tmp_path, monkeypatch):
    (tmp_path / "zoos").mkdir()
    zoo(tmp_path / "zoos", '[[model]]\ntimm = "a"\nweights = "w.pth"')
    monkeypatch.chdir(tmp_path)
    [entry] = read_zoo(Path("zoos/zoo.toml"))
    assert isinstance(entry, TimmEntry)
    assert entry.weights == tmp_path / "zoos" / "w.pth"


@pytest.mark.parametrize(("text", "sentence"), [
    ("", "holds nothing; expected one table"),
    ("model = 3", "holds 'model'; expected one table"),
    ("model = []", "expected one table"),
    ("model = [3]", "model 1 of .*nothing about where it comes from"),
    ('[model]\ntimm = "a"', "expected one table"),
    ('[[models]]\ntimm = "a"', "holds 'models'; expected"),
    ('[[model]]\ntimm = "a"\n[other]\n', "holds 'model', 'other'; expected"),
    ("[[model]]\ntimm = ", "not readable as TOML"),
    ("[[model]]", "model 1 of .*says nothing about where it comes from; expected one of timm, module, estimator"),
    ('[[model]]\nname = "a"', "says nothing"),
    ('[[model]]\ntimm = "a"\nmodule = "a:b"', "says timm and module"),
    ('[[model]]\ntimm = "a"\n[[model]]\ntimm = "b"\nweight = "f"', "model 2 of .*'weight'; nearest.*'weights'"),
    ('[[model]]\nmodule = "a:b"\ntrain_on = "x"', "no key of a model from module named 'train_on'"),
    ('[[model]]\ntimm = "a"\n[[model]]\nmodule = "b:a"', "several models named 'a'"),
    ("[[model]]\ntimm = 5", "timm = 5 is a int; expected str"),
    ('[[model]]\ntimm = "a"\nname = 5', "name = 5 is a int; expected str"),
    ('[[model]]\ntimm = "a"\npretrained = "no"', "pretrained = 'no' is a str; expected bool"),
    ('[[model]]\ntimm = "a"\npretrained = 0', "pretrained = 0 is a int; expected bool"),
    ('[[model]]\ntimm = "a"\nweights = 1', "weights = 1 is a int; expected Path"),
    ('[[model]]\ntimm = "a"\noptions = "x"', "options = 'x' is a str; expected Mapping"),
    ('[[model]]\nestimator = "a:b"\nseed = 1.5', "seed = 1.5 is a float; expected int"),
    ('[[model]]\nestimator = "a:b"\nseed = true', "seed = True is a bool; expected int"),
    ('[[model]]\nestimator = "a:b"\ntraining_images = "all"', "expected int"),
    ('[[model]]\nestimator = "a:b"\noptions = {since = 2020-01-01}', "date or a time .*write it as text"),
    ('[[model]]\nestimator = "a:b"\noptions = {since = [{at = 12:00:00}]}', "date or a time"),
    ('[[model]]\nmodule = "a.b"', "'a.b' does not name a function; expected package.module:function"),
    ('[[model]]\nmodule = "a:b:c"', "does not name a function"),
    ('[[model]]\nmodule = "../a:b"', "does not name a function"),
    ('[[model]]\nmodule = ":b"', "does not name a function"),
    *((f'[[model]]\ntimm = "a"\nname = {name!r}', "cannot name a file") for name in (
        "../x", "a/b", "", ".hidden", "-x", "a b", "a\\b", "a:b", "ä", "x" * 201)),
])  # fmt: skip
def test_a_mistake_in_a_zoo_is_one_sentence(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence) as told:
        read_zoo(zoo(tmp_path, text))
    assert "\n" not in str(told.value)
    assert "zoo.toml" in str(told.value)


def test_a_zoo_that_is_no_text_is_told(tmp_path):
    path = tmp_path / "zoo.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not readable as TOML"):
        read_zoo(path)
    with pytest.raises(InputError, match="not readable as TOML"):
        read_zoo(tmp_path)
    with pytest.raises(InputError, match="expected a zoo file in TOML"):
        read_zoo(tmp_path / "absent.toml")


@pytest.mark.parametrize("name", ["..", "../x", "/x", ".", "a\nb", "a\0", "con/../x", "~"])
def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(InputError, match="cannot name a file"):
        require_safe_name(name, "test set")


@pytest.mark.parametrize("name", ["resnet50.a1_in1k", "0", "svm[C=5]", "a+b@c,d", "x" * 200])
def test_ordinary_names_are_taken(name):
    assert require_safe_name(name, "name") == name
