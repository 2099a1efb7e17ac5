"""What responses say, in plain values."""


import numpy as np

from difficulty_model.responses import Responses


def outcome(responses: Responses, model: str, image: str) -> tuple[int, int]:
    """How often right, and how often shown."""
    cell = responses.models.index(model), responses.images.index(image)
    return int(responses.right[cell]), int(responses.shown[cell])


def members(responses: Responses) -> dict[str, list[str]]:
    return {
        name: np.array(responses.images)[mask].tolist()
        for name, mask in zip(responses.test_sets, responses.member, strict=True)
    }
