"""What tests of explanations share."""

import pytest

from difficulty_model.explanations import Evidence, gather
from explained import world


@pytest.fixture(scope="session")
def shifted() -> Evidence:
    """Models that lose some 15 points because the new images are harder; what it knows of its gap is shared."""
    return gather(world().responses, "original", "new")
