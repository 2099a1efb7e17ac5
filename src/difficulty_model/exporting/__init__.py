"""Taking the model out: the posterior of a specification as a NumPyro or a PyMC model, to extend or to check."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from difficulty_model.errors import InputError
from difficulty_model.exporting.numpyro_model import to_numpyro
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification

if TYPE_CHECKING:
    import pymc

__all__ = ["to_numpyro", "to_pymc"]


def to_pymc(specification: Specification, responses: Responses) -> "pymc.Model":
    """Return the posterior of a specification given responses as a PyMC model; see `pymc_model.to_pymc`.

    Raises
    ------
    InputError
        If PyMC is not installed, the specification does not suit the responses, or a part of it, of the user's own,
        has no translation into PyTensor.
    """
    if find_spec("pymc") is None:
        raise InputError("PyMC is not installed; get it with `pip install difficulty-model[pymc]`")
    from difficulty_model.exporting import pymc_model

    return pymc_model.to_pymc(specification, responses)
