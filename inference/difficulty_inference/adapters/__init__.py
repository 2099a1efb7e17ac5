"""Where classifiers come from: one source per module, each a line of a zoo that can be loaded."""

from difficulty_inference.adapters.entry import Entry
from difficulty_inference.adapters.estimator import EstimatorEntry
from difficulty_inference.adapters.module import ModuleEntry
from difficulty_inference.adapters.timm import TimmEntry

__all__ = ["Entry", "EstimatorEntry", "ModuleEntry", "TimmEntry"]
