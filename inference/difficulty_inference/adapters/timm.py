"""Networks of timm, each with its own preprocessing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from difficulty_inference.adapters.module import Network
from difficulty_inference.arithmetic import Arithmetic
from difficulty_inference.importing import file_hash
from difficulty_inference.predictor import Predictor
from difficulty_model.errors import InputError, unknown_name
from difficulty_model.files import existing


@dataclass(frozen=True)
class TimmEntry:
    """A network of timm.

    Attributes
    ----------
    name : str
        What it is called here.
    timm : str
        What timm calls it, such as ``resnet50.a1_in1k``.
    weights : Path, optional
        File of its weights (.safetensors, .pth). Never unpickled.
    pretrained : bool
        Whether weights come from the hub, where there is no file. Without either they are random, always alike.
    options : dict
        Further keyword arguments of `timm.create_model`.
    """

    name: str
    timm: str
    weights: Path | None = None
    pretrained: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    def configuration(self) -> Mapping[str, Any]:
        """Return what decides the answers: the name, the weights, the options."""
        weights = file_hash(self.weights) if self.weights else "hub" if self.pretrained else "random"
        return {"timm": self.timm, "weights": weights, "options": dict(self.options)}

    def load(self, arithmetic: Arithmetic) -> Predictor:
        """Return the network with its weights.

        Raises
        ------
        InputError
            If timm is not installed or does not know the network, or the weights do not fit it.
        """
        try:
            import timm
            from timm.data import create_transform, resolve_model_data_config  # type: ignore[attr-defined]
        except (ImportError, RuntimeError) as error:
            raise InputError(f"timm cannot be imported ({error}); pip install timm torchvision, in versions that go "
                             f"with torch {torch.__version__}") from error
        if reserved := {"pretrained", "checkpoint_path"} & set(self.options):
            raise InputError(f"options of model {self.name!r} name {', '.join(sorted(reserved))}; give `weights` or "
                             "`pretrained` beside the options, so that the weights are known and read safely")
        architecture = self.timm.split(".")[0]
        if ":" not in self.timm and not timm.is_model(architecture):
            raise unknown_name("network of timm", architecture, timm.list_models())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = timm.create_model(self.timm, pretrained=self.pretrained and not self.weights, **self.options)
        if self.weights:
            _load_weights(module, self.weights)
        transform: Any = create_transform(**resolve_model_data_config(module), is_training=False)
        return Network(module, transform, arithmetic)


def _load_weights(module: torch.nn.Module, path: Path) -> None:
    import timm

    existing(path, "a file of weights")
    try:
        # weights_only: tensors are read, code is not run on the word of a file.
        timm.models.load_checkpoint(module, str(path), weights_only=True)
    except Exception as error:
        first = str(error).splitlines()[0]
        raise InputError(f"the weights in {path} do not fit, or are no weights: {first}") from error
