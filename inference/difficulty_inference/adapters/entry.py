"""What a line of a zoo is: a classifier that is not loaded yet."""

from collections.abc import Mapping
from typing import Any, Protocol

from difficulty_inference.arithmetic import Arithmetic
from difficulty_inference.predictor import Predictor


class Entry(Protocol):
    """A classifier of a zoo, not loaded yet."""

    @property
    def name(self) -> str:
        """What the classifier is called."""
        ...

    def configuration(self) -> Mapping[str, Any]:
        """Return all that decides its answers, beside the images and the precision, as JSON.

        Files count by their content, code by the file that defines it.
        """
        ...

    def load(self, arithmetic: Arithmetic) -> Predictor:
        """Return the classifier, ready to be asked; may take long."""
        ...
