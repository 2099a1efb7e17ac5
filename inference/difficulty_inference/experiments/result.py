"""The file of an experiment: what was counted, what follows from it, and of which images."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from difficulty_inference.test_sets import TestSet
from difficulty_model.files import written_whole

VERSION = 1
"""Of the format."""

Record: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What an experiment found.

    Attributes
    ----------
    experiment : str
        Its name.
    seed : int
        Decides all its lots.
    settings : dict
        Whatever else decides the result.
    sets : list of records
        The images, as `set_record` describes them.
    tables : dict of lists of records
        ``rows``: what was counted; ``estimates``: what follows; and further ones of an experiment's own.
    failed : dict of str to str
        Why a model is not in the tables.
    """

    experiment: str
    seed: int
    settings: Record
    sets: Sequence[Record]
    tables: Mapping[str, Sequence[Record]]
    failed: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        """Return the content of the file."""
        about = {
            "experiment": self.experiment, "version": VERSION, "seed": self.seed, "settings": self.settings,
            "sets": self.sets,
        }
        return json.dumps(about | dict(self.tables) | {"failed": self.failed}, allow_nan=False) + "\n"


def set_record(role: str, test_set: TestSet, used: int) -> Record:
    """Return what a file says of a test set: its role and name, its manifest, and how many of its images took part."""
    return {
        "role": role, "name": test_set.name, "fingerprint": test_set.manifest.fingerprint, "images": len(test_set),
        "used": used,
    }


def write_result(result: Result, path: Path) -> None:
    """Write the file, whole or not at all; the same result gives the same bytes."""
    with written_whole(path) as temporary:
        temporary.write_text(result.as_json(), encoding="utf-8")
