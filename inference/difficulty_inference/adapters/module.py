"""Networks that a function of the user's makes, or any other that is a `torch.nn.Module`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image

from difficulty_inference.arithmetic import REFERENCE, Arithmetic
from difficulty_inference.importing import Code
from difficulty_inference.predictor import Predictor
from difficulty_model.errors import InputError


@dataclass(frozen=True)
class ModuleEntry:
    """A network made by a function.

    Attributes
    ----------
    name : str
        What it is called.
    module : Code
        Returns a `torch.nn.Module` from RGB pictures, (image, 3, height, width) from 0 to 1, to scores, (image,
        class); or a pair of a module and the transform that makes its input from a PIL picture.
    options : dict
        Keyword arguments of the function.
    """

    name: str
    module: Code
    options: Mapping[str, Any] = field(default_factory=dict)

    def configuration(self) -> Mapping[str, Any]:
        """Return what decides the answers: the function, its code, its options."""
        return {"module": self.module.name, "code": self.module.fingerprint(), "options": dict(self.options)}

    def load(self, arithmetic: Arithmetic) -> Predictor:
        """Return the network, in evaluation mode, on its device."""
        made: Any = self.module.call(self.options)
        pair: tuple[Any, Any] = made if isinstance(made, tuple) and len(made) == 2 else (made, rgb_tensor)
        if not isinstance(pair[0], torch.nn.Module) or not callable(pair[1]):
            raise InputError(f"{self.module.name} returned {type(made).__name__}; expected a torch.nn.Module, or a "
                             "pair of one and a transform of PIL pictures")
        return Network(*pair, arithmetic)


class Network:
    """A `torch.nn.Module` as a predictor."""

    def __init__(
        self, module: torch.nn.Module, transform: Callable[[Image.Image], torch.Tensor], arithmetic: Arithmetic
    ) -> None:
        # Channels last is quicker on GPUs; the reference keeps the layout that the network was made in.
        layout = torch.contiguous_format if arithmetic.precision == REFERENCE else torch.channels_last
        self._module = module.eval().to(device=arithmetic.device, memory_format=layout)  # type: ignore[call-overload]
        self._transform = transform
        self._device = arithmetic.device
        self._layout = layout

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """Return the transformed picture."""
        return self._transform(image.convert("RGB"))

    def scores(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the network's scores, on its device."""
        layout = self._layout if batch.ndim == 4 else torch.contiguous_format
        return self._module(batch.to(self._device, non_blocking=True, memory_format=layout))


def rgb_tensor(image: Image.Image) -> torch.Tensor:
    """Return an RGB picture as a tensor from 0 to 1, (3, height, width)."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
