"""Responses drawn by lot or built with a change, and what two collections share."""


import numpy as np

from difficulty_model.responses import NOT_STORED, Responses


def random_responses(
    seed: int, *, with_position: bool = False, with_classes: bool = False, counts: bool = False
) -> Responses:
    """Three overlapping test sets with missing responses; every image in one of them at least."""
    rng = np.random.default_rng(seed)
    models, images = int(rng.integers(1, 6)), int(rng.integers(3, 30))
    member = rng.random((3, images)) < 0.5
    member[0, ~member.any(0)] = True
    member[:, :3] |= np.eye(3, dtype=bool)
    shown = rng.integers(0, 400 if counts else 2, (models, images))
    shown[0, :3] = 1  # every test set has something observed
    position = rng.integers(-1, 5, (models, images))
    position[shown == 0] = NOT_STORED
    right = (position == 0) & (shown > 0) if with_position else rng.integers(0, shown + 1)
    labels = rng.integers(0, 9, images)
    another = (labels + rng.integers(1, 9, (models, images))) % 9
    predicted = np.where((shown == 0) | (rng.random(shown.shape) < 0.2), NOT_STORED, np.where(right, labels, another))
    return Responses.from_arrays(
        right, models=[f"m{j}" for j in range(models)], images=[f"i{i}" for i in range(images)], shown=shown,
        member=dict(zip("abc", member, strict=True)), position=position if with_position else None,
        predicted=predicted if with_classes else None, labels=labels.astype(str).tolist(), history=["made up"],
    )


def assert_same(one: Responses, other: Responses) -> None:
    """Equal but for the order of models and images."""
    ours = one.dataset
    theirs = other.dataset.sel(model=one.models, image=one.images, test_set=one.test_sets)
    assert sorted(one.models) == sorted(other.models)
    assert sorted(one.images) == sorted(other.images)
    assert ours.drop_attrs().identical(theirs.drop_attrs())


def build(**changes: object) -> Responses:
    given = {
        "right": np.array([[1, 0]]), "models": ["m"], "images": ["a", "b"], "member": {"t": np.ones(2, bool)},
    } | changes
    return Responses.from_arrays(given.pop("right"), **given)  # pyright: ignore[reportArgumentType]


def classes_of(responses: Responses) -> list[list[int]]:
    return responses.dataset["predicted"].values.tolist()
