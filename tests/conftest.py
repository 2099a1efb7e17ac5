"""Fixtures that every test may use."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KEPT: list[object] = []


@pytest.fixture(scope="module", autouse=True)
def compiled_code_goes() -> Iterator[None]:
    """Let go of what a module of tests compiled: it takes gigabytes, and more maps than Linux lets a process have."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the released predictions; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("DIFFICULTY_MODEL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "imagenetv2").is_dir():
        pytest.skip("the released predictions are not on this machine; set DIFFICULTY_MODEL_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def torchvision_importable() -> None:
    """See to it that timm can import torchvision, which without its compiled operators cannot be by itself."""
    torch = pytest.importorskip("torch")
    try:
        import torchvision  # noqa: F401
    except RuntimeError:  # operator torchvision::nms does not exist
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        KEPT.append(library)  # what it defines goes when it does
    except ImportError:
        pass
    pytest.importorskip("torchvision")
