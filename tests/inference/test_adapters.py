"""Adapters: networks and estimators answer as they do without the pipeline, and what cannot be loaded is told."""
# ruff: noqa: E402 - what the imports need may not be installed

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch

from difficulty_inference.adapters import EstimatorEntry, ModuleEntry, TimmEntry
from difficulty_inference.arithmetic import arithmetic_on
from difficulty_inference.importing import Code
from difficulty_inference.manifest import NAME, Manifest, content_id, write_manifest
from difficulty_inference.predicting import BatchSize, answer
from difficulty_inference.predictions import Answers
from difficulty_inference.predictor import Predictor
from difficulty_inference.test_sets import TestSet, load_test_set, pixels_and_labels
from difficulty_model.errors import InputError
from inference_models import CLASSES, HERE, Reader, entry, in_turn, pictures, written_set

REFERENCE = arithmetic_on("cpu", reference=True)
FAST = arithmetic_on("cpu", reference=False)
RESNET = "test_resnet"


def answers_to(predictor: Predictor, shown: TestSet) -> Answers:
    return answer(
        predictor, shown, indices=range(len(shown)), arithmetic=REFERENCE, batch_size=BatchSize(16), workers=0
    )


def tell(source: object) -> str:
    """The sentence with which loading is refused."""
    with pytest.raises(InputError) as told:
        source.load(REFERENCE)  # pyright: ignore[reportAttributeAccessIssue]
    assert "\n" not in str(told.value)
    return str(told.value)


# timm


@pytest.fixture(scope="module")
def timm(torchvision_importable):
    return pytest.importorskip("timm")


def random_resnet(**keys) -> TimmEntry:
    return TimmEntry("r", RESNET, **({"pretrained": False, "options": {"num_classes": CLASSES}} | keys))


@pytest.fixture(scope="module")
def trained(timm):
    """A network whose weights are not those that a random one has."""
    torch.manual_seed(5)
    return timm.create_model(RESNET, num_classes=CLASSES).eval()


def test_a_network_of_timm_sees_images_through_its_own_transform(timm, trained, tmp_path):
    """Against the loop that timm's documentation shows."""
    shown = written_set(tmp_path / "big", in_turn(23), size=200)
    torch.save(trained.state_dict(), tmp_path / "w.pth")
    found = answers_to(random_resnet(weights=tmp_path / "w.pth").load(REFERENCE), shown)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(trained), is_training=False)
    with torch.inference_mode():
        images = [transform(Image.open(shown.folder / path).convert("RGB")) for path in shown.manifest.paths]
        scores = torch.cat([trained(image[None]) for image in images])
    np.testing.assert_array_equal(found.top, scores.argsort(dim=1, descending=True)[:, :5].numpy())
    own = scores[torch.arange(23), torch.tensor(shown.manifest.labels)]
    others = scores.scatter(1, torch.tensor(shown.manifest.labels)[:, None], -torch.inf).amax(1)
    # Scores are sums of some hundred products of order 1: rounding of float32 is of order 1e-6.
    np.testing.assert_allclose(found.margin, own - others, atol=2e-5)


def test_grey_and_transparent_pictures_are_shown_in_colour(timm):
    predictor = random_resnet().load(REFERENCE)
    for mode in ("L", "RGBA", "P", "CMYK", "LA", "1"):
        assert predictor.prepare(Image.new(mode, (70, 50))).shape == (3, 160, 160)


def test_weights_of_either_format_are_those_that_were_saved(timm, trained, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    state = trained.state_dict()
    safetensors.save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "w.safetensors")
    torch.save(state, tmp_path / "w.pth")
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "checkpoint.pth.tar")
    batch = torch.randn(3, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = trained(batch)
        for name in ("w.safetensors", "w.pth", "checkpoint.pth.tar"):
            assert torch.equal(random_resnet(weights=tmp_path / name).load(REFERENCE).scores(batch), wanted), name
        assert not torch.equal(random_resnet().load(REFERENCE).scores(batch), wanted)


def test_random_weights_are_always_alike_and_leave_the_generator_alone(timm):
    batch = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        first = random_resnet().load(REFERENCE).scores(batch)
        torch.manual_seed(77)
        before = torch.get_rng_state()
        second = random_resnet().load(REFERENCE).scores(batch)
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", [pickle.dump, torch.save], ids=["pickle", "torch"])
def test_code_in_a_file_of_weights_is_not_run(timm, trained, tmp_path, save):
    with (tmp_path / "w.pth").open("wb") as file:
        save({"state_dict": trained.state_dict(), "bomb": Bomb(tmp_path / "exploded")}, file)
    sentence = tell(random_resnet(weights=tmp_path / "w.pth"))
    assert str(tmp_path / "w.pth") in sentence
    assert not (tmp_path / "exploded").exists()


def test_weights_that_do_not_fit_are_told(timm, trained, tmp_path):
    torch.save(trained.state_dict(), tmp_path / "w.pth")
    (tmp_path / "no.pth").write_text("nothing")
    (tmp_path / "no.safetensors").write_bytes(b"")
    assert "do not fit" in tell(random_resnet(weights=tmp_path / "w.pth", options={"num_classes": 11}))
    assert "are no weights" in tell(random_resnet(weights=tmp_path / "no.pth"))
    assert "are no weights" in tell(random_resnet(weights=tmp_path / "no.safetensors"))
    assert "expected a file of weights" in tell(random_resnet(weights=tmp_path / "absent.pth"))


def test_a_network_that_timm_does_not_know_is_told_with_those_it_does(timm):
    assert "nearest" in tell(TimmEntry("r", "resnet5O", pretrained=False))
    assert "'resnet50'" in tell(TimmEntry("r", "resnet5O.a1_in1k", pretrained=False))


@pytest.mark.parametrize("option", ["checkpoint_path", "pretrained"])
def test_weights_that_would_pass_unseen_are_refused(timm, option):
    with pytest.raises(InputError, match=f"name {option}; give `weights`"):
        TimmEntry("a", "test_resnet", options={option: "weights.pth"}).load(REFERENCE)


def test_what_decides_the_answers_of_a_network_of_timm_is_in_its_configuration(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"a")
    (tmp_path / "b.pth").write_bytes(b"a")
    (tmp_path / "c.pth").write_bytes(b"c")
    base = TimmEntry("r", RESNET, tmp_path / "a.pth").configuration()
    assert TimmEntry("other name", RESNET, tmp_path / "b.pth").configuration() == base
    for other in (
        TimmEntry("r", "resnet18", tmp_path / "a.pth"), TimmEntry("r", RESNET, tmp_path / "c.pth"),
        TimmEntry("r", RESNET), TimmEntry("r", RESNET, pretrained=False),
        TimmEntry("r", RESNET, tmp_path / "a.pth", options={"num_classes": 3}),
    ):
        assert other.configuration() != base
    with pytest.raises(InputError, match=r"cannot read .*absent"):
        TimmEntry("r", RESNET, tmp_path / "absent").configuration()


# Networks made by a function


def test_a_network_answers_as_it_does_by_itself(tmp_path):
    shown = written_set(tmp_path / "set", in_turn(31))
    found = answers_to(entry("reader").load(REFERENCE), shown)
    images = [np.asarray(Image.open(shown.folder / path)) for path in shown.manifest.paths]
    with torch.inference_mode():
        scores = Reader()(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255)
    np.testing.assert_array_equal(found.top[:, 0], scores.argmax(1).numpy())
    np.testing.assert_array_equal(found.top[:, 0], shown.manifest.labels)


def test_a_network_brings_its_own_transform(tmp_path):
    labels = in_turn(20)
    for i, label in enumerate(labels):
        Image.fromarray(pictures([label], seed=i, size=5 + i)[0]).save(tmp_path / f"{i}.png")
    ids = np.array([content_id((tmp_path / f"{i}.png").read_bytes()) for i in range(20)])
    write_manifest(Manifest(ids, np.array([f"{i}.png" for i in range(20)]), np.array(labels)), tmp_path / NAME)
    shown = load_test_set("sizes", tmp_path)
    np.testing.assert_array_equal(answers_to(entry("with_transform").load(REFERENCE), shown).top[:, 0], labels)
    with pytest.raises(InputError, match=r"different shapes, \(3, 5, 5\) and .*transform must bring them to one"):
        answers_to(entry("reader").load(REFERENCE), shown)


def test_a_network_is_in_evaluation_mode(tmp_path):
    """Else batch normalisation would make an answer depend on the other images in the batch."""
    predictor = entry("ordinary").load(REFERENCE)
    batch = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        # 1024 products of order 0.1: rounding of float32 is below 1e-6.
        torch.testing.assert_close(predictor.scores(batch)[:1], predictor.scores(batch[:1]), atol=1e-5, rtol=0)


def test_the_layout_of_memory_decides_no_answer():
    batch = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(
            entry("ordinary").load(FAST).scores(batch), entry("ordinary").load(REFERENCE).scores(batch),
            atol=1e-5, rtol=0,
        )


@pytest.mark.parametrize(("name", "options", "sentence"), [
    ("no_such_module:f", {}, "no_such_module:f cannot be imported: No module named 'no_such_module'"),
    ("inference_models:no_function", {}, "cannot be imported.*no_function"),
    ("inference_models:CLASSES", {}, "is a int; expected a function or a class"),
    ("inference_models:reader", {"claases": 3}, "does not take the options.*claases"),
    ("inference_models:cramped", {}, "does not take the options.*most"),
    ("builtins:str", {}, "returned str; expected a torch.nn.Module"),
    ("builtins:tuple", {}, "returned tuple; expected a torch.nn.Module"),
])
def test_a_function_that_makes_no_network_is_told(name, options, sentence):
    with pytest.raises(InputError, match=sentence):
        ModuleEntry("m", Code(name, HERE), options).load(REFERENCE)


def test_the_code_that_makes_a_network_is_in_its_configuration(tmp_path):
    code = "import torch\ndef made(width=1):\n    return torch.nn.Flatten()\n"
    for name in ("module_of_adapters_1", "module_of_adapters_2"):
        (tmp_path / f"{name}.py").write_text(code)
    first, second = (ModuleEntry("m", Code(f"module_of_adapters_{i}:made", tmp_path)) for i in (1, 2))
    before = first.configuration()
    assert first.configuration() == before
    assert second.configuration() != before  # under another name
    assert ModuleEntry("m", first.module, {"width": 2}).configuration() != before
    assert ModuleEntry("other", first.module).configuration() == before
    (tmp_path / "module_of_adapters_1.py").write_text(code + "# a remark\n")
    assert first.configuration() != before
    first.load(REFERENCE)


def test_modules_beside_a_zoo_do_not_hide_those_that_are_installed(tmp_path):
    (tmp_path / "fractions.py").write_text("raise AssertionError")
    assert Code("fractions:Fraction", tmp_path).resolve()(1, 2) == 0.5


# Estimators


def test_an_estimator_is_trained_and_asked_as_without_the_pipeline(tmp_path):
    from sklearn.linear_model import RidgeClassifier

    training = written_set(tmp_path / "training", in_turn(60))
    shown = written_set(tmp_path / "set", in_turn(40), seed=1)
    code = Code("sklearn.linear_model:RidgeClassifier", HERE)
    found = answers_to(
        EstimatorEntry("l", code, {"alpha": 3.0}, train_on=tmp_path / "training").load(REFERENCE), shown
    )
    by_hand = RidgeClassifier(alpha=3.0).fit(*pixels_and_labels(training))
    scores = by_hand.decision_function(pixels_and_labels(shown)[0])
    np.testing.assert_array_equal(found.top[:, 0], scores.argmax(1))
    right = scores[np.arange(40), shown.manifest.labels]
    scores[np.arange(40), shown.manifest.labels] = -np.inf
    np.testing.assert_allclose(found.margin, right - scores.max(1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("code", "options"), [
    ("sklearn.svm:SVC", {}), ("sklearn.neighbors:KNeighborsClassifier", {"n_neighbors": 1}),
    ("sklearn.linear_model:Perceptron", {}), ("sklearn.neighbors:NearestCentroid", {}),
])
def test_estimators_answer_what_they_predict_even_about_classes_they_never_saw(tmp_path, code, options):
    """Of decision values, probabilities or bare predictions; of two classes there is one decision value."""
    shown = written_set(tmp_path / "set", in_turn(30), seed=1)
    for classes in ([0, 1], [2, 5, 7]):
        training = written_set(tmp_path / f"training-{len(classes)}", classes * 10)
        source = EstimatorEntry("e", Code(code, HERE), options, train_on=training.folder)
        found = answers_to(source.load(REFERENCE), _without(shown, above=max(classes)))
        fitted = source.fitted(*pixels_and_labels(training))
        wanted = fitted.predict(pixels_and_labels(_without(shown, above=max(classes)))[0])
        np.testing.assert_array_equal(found.top[:, 0], wanted)


def _without(shown: TestSet, *, above: int) -> TestSet:
    """The images of classes up to a largest one."""
    keep = shown.manifest.labels <= above
    manifest = shown.manifest
    return TestSet("part", Manifest(manifest.ids[keep], manifest.paths[keep], manifest.labels[keep]), shown.folder)


def test_randomness_of_an_estimator_is_decided_by_its_seed_and_name_alone(tmp_path):
    training = written_set(tmp_path / "training", in_turn(60))
    pixels, labels = pixels_and_labels(training)
    labels = np.roll(labels, 7)  # not to be learned, so that randomness shows

    def trees(name: str, seed: int) -> np.ndarray:
        code = Code("sklearn.ensemble:RandomForestClassifier", HERE)
        source = EstimatorEntry(name, code, {"n_estimators": 3}, train_on=training.folder, seed=seed)
        return source.fitted(pixels, labels).predict_proba(pixels)

    first = trees("a", 0)
    np.random.default_rng().random()
    np.testing.assert_array_equal(trees("a", 0), first)
    assert (trees("b", 0) != first).any()
    assert (trees("a", 1) != first).any()


def test_images_to_learn_from_are_drawn_by_lot_and_all_different(tmp_path):
    training = written_set(tmp_path / "training", in_turn(60))

    def drawn(name: str, images: int | None, seed: int = 0) -> list[int]:
        code = Code("sklearn.svm:SVC", HERE)
        source = EstimatorEntry(name, code, train_on=training.folder, training_images=images, seed=seed)
        return source.drawn(training.manifest).tolist()

    assert drawn("a", None) == drawn("a", 60) == list(range(60))
    assert len(set(drawn("a", 20))) == 20
    assert drawn("a", 20) == drawn("a", 20)
    assert drawn("a", 20) != drawn("b", 20)
    assert drawn("a", 20) != drawn("a", 20, seed=1)
    for wrong in (0, -1, 61):
        with pytest.raises(InputError, match=f"is to learn from {wrong} images; .* has 60"):
            drawn("a", wrong)


def test_what_decides_the_answers_of_an_estimator_is_in_its_configuration(tmp_path):
    training = written_set(tmp_path / "training", in_turn(20))
    moved = written_set(tmp_path / "moved", in_turn(20))
    other = written_set(tmp_path / "other", in_turn(20), seed=1)
    code = Code("sklearn.svm:SVC", HERE)
    base = EstimatorEntry("e", code, {"C": 1}, training.folder, 10, 0)
    assert EstimatorEntry("e", code, {"C": 1}, moved.folder, 10, 0).configuration() == base.configuration()
    for changed in (
        EstimatorEntry("e", Code("sklearn.svm:NuSVC", HERE), {"C": 1}, training.folder, 10, 0),
        EstimatorEntry("e", code, {"C": 2}, training.folder, 10, 0),
        EstimatorEntry("e", code, {"C": 1}, other.folder, 10, 0),
        EstimatorEntry("e", code, {"C": 1}, training.folder, 11, 0),
        EstimatorEntry("e", code, {"C": 1}, training.folder, 10, 1),
        EstimatorEntry("f", code, {"C": 1}, training.folder, 10, 0),
    ):
        assert changed.configuration() != base.configuration()


def test_estimators_that_cannot_be_asked_are_told(tmp_path):
    assert "is not fitted; give it `train_on`" in tell(EstimatorEntry("e", Code("sklearn.svm:SVC", HERE)))
    absent = EstimatorEntry("e", Code("sklearn.svm:SVC", HERE), train_on=tmp_path / "absent")
    assert "expected a manifest" in tell(absent)
    training = written_set(tmp_path / "training", in_turn(20))
    next(training.folder.glob("3/*.png")).unlink()
    gone = EstimatorEntry("e", Code("sklearn.svm:SVC", HERE), train_on=training.folder)
    assert "to be learned from, is unreadable" in tell(gone)
