"""Responses of others than the models, people or variants, to the same images, which are matched by their ids."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from difficulty_model.errors import InputError
from difficulty_model.explanations.evidence import Evidence
from difficulty_model.responses import Responses, load_responses

FEWEST = 60
"""Images of a test set below which nothing is said: halves of their resamples would at times be empty."""


def read_matched(evidence: Evidence, path: Path, *, test_sets: Sequence[str] | None = None) -> Evidence:
    """Return the same evidence with other responses to its images; resamples then have the same copies of an image.

    Parameters
    ----------
    evidence
        Whose images and test sets.
    path
        Of the other responses; those to images that are not in the evidence are left aside.
    test_sets
        Of the other responses, which are to be used; all if not given.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a test set, has other images only, or was scored by another `top_k`.
    """
    given = load_responses(path)
    for name in test_sets or ():
        if name not in given.test_sets:
            raise InputError(f"{path} is of the test sets {', '.join(map(repr, given.test_sets))}; expected responses "
                             f"to {name!r}")
    given, own = given.select(test_sets=test_sets), evidence.responses
    if given.dataset.attrs["top_k"] != own.dataset.attrs["top_k"]:
        raise InputError(f"{path} is scored by top_k = {given.dataset.attrs['top_k']}; expected "
                         f"{own.dataset.attrs['top_k']}, as the models that it is compared with")
    columns = pd.Index(given.images).get_indexer(pd.Index(own.images))
    right, shown = (np.where(columns >= 0, of[:, columns], 0) for of in (given.right, given.shown))
    if not shown.any():
        raise InputError(f"{path} has no response to any image of {evidence.original!r} or {evidence.new!r}: its "
                         f"images have ids such as {given.images[0]!r}; expected such as {own.images[0]!r}")
    return replace(evidence, responses=Responses.from_arrays(
        right, models=given.models, images=own.images, member=dict(zip(own.test_sets, own.member, strict=True)),
        shown=shown, top_k=int(own.dataset.attrs["top_k"]),
    ))
