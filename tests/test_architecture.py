"""The direction of imports: numbers know nothing of labels, labels nothing of files, and nothing imports upwards."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "difficulty_model"
LAYERS = [
    {"types", "errors", "files"},
    {"skills", "curves", "populations", "distributions", "likelihood", "law"},
    {"records", "responses", "accuracies", "specification", "family"},
    {"readers", "releases", "fetching", "examples"},
    {"fitting"},
    {"posterior"},
    {"observed", "relation", "answering"},
    {"robustness"},
    {"predicted_law", "prediction", "checking", "simulation"},
    {"collecting"},
    {"misfit", "comparison", "exporting", "calibration"},
    {"explanations"},
    {"plots"},
    {"cli"},
]
THE_WAY_OUT = ("specification", "exporting")
"""`Specification.to_pymc` and its like are where users look for them: the one import downwards."""
LAYER_OF = {part: level for level, parts in enumerate(LAYERS) for part in parts}


def imported(path: Path) -> set[str]:
    """Every module that a file imports, at its head or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parts_of_package(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("difficulty_model.")}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_up_the_list_of_layers(path: Path):
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    parts = parts_of_package(imported(path))
    if part == "__init__":  # the table of contents, which loads parts when they are asked for
        return
    assert part in LAYER_OF, f"{part} has no layer yet"
    down = {(part, p) for p in parts if LAYER_OF.get(p, 99) > LAYER_OF[part]}
    assert down <= {THE_WAY_OUT}


def test_numbers_know_nothing_of_labels():
    for path in [PACKAGE / "curves.py", PACKAGE / "populations.py", *(PACKAGE / "likelihood").glob("*.py")]:
        assert {name.split(".")[0] for name in imported(path)} <= {
            "abc", "dataclasses", "jax", "jaxtyping", "numpy", "difficulty_model"
        }, path


@pytest.mark.parametrize("path", sorted((ROOT / "inference").rglob("*.py")), ids=lambda p: p.name)
def test_files_are_the_only_contact_with_inference(path: Path):
    assert parts_of_package(imported(path)) <= {"errors", "files"}


def test_importing_the_package_is_light():
    heavy = ["torch", "arviz", "pymc", "matplotlib", "jax", "numpyro"]
    code = f"import sys, difficulty_model; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_fitting_does_not_load_torch_pymc_or_plotting():
    heavy = ["torch", "pymc", "matplotlib"]
    code = f"import sys, difficulty_model.predicted_law; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
