"""Doors: one file layout per module, each to `Responses`, or to `Accuracies`."""

from difficulty_model.readers.accuracies import read_accuracies
from difficulty_model.readers.cifar10_1 import read_cifar10_1
from difficulty_model.readers.cifar10h import read_cifar10h
from difficulty_model.readers.covariates import read_covariates
from difficulty_model.readers.experiments import Experiment, read_experiment
from difficulty_model.readers.imagenetv2 import read_imagenetv2
from difficulty_model.readers.keyed import read_families, read_numbers
from difficulty_model.readers.layouts import LAYOUTS, Layout, Reader
from difficulty_model.readers.long import read_long
from difficulty_model.readers.names import read_names
from difficulty_model.readers.pictures import Pictures, read_pictures
from difficulty_model.readers.predictions import read_predictions
from difficulty_model.readers.py_irt import read_py_irt
from difficulty_model.readers.wide import read_wide

__all__ = [
    "LAYOUTS", "Experiment", "Layout", "Pictures", "Reader",
    "read_accuracies", "read_cifar10_1", "read_cifar10h", "read_covariates", "read_experiment", "read_families",
    "read_imagenetv2", "read_long", "read_names", "read_numbers", "read_pictures", "read_predictions", "read_py_irt",
    "read_wide",
]
