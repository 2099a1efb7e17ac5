"""One thing that a careful colleague would point out about responses, with its evidence and its remedy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Evidence: TypeAlias = Mapping[str, float | int | str | Sequence[float] | Sequence[int] | Sequence[str]]

SEVERITY = {
    "column-order": "fault",
    "row-order": "fault",
    "class-order": "fault",
    "out-of-step": "fault",
    "copied": "fault",
    "fallen": "caution",
    "constant": "caution",
    "duplicate": "caution",
    "twins": "caution",
    "missing-block": "caution",
    "too-few-models": "caution",
    "too-few-images": "caution",
    "shared-images": "note",
    "missing": "note",
    "unsolved": "note",
    "solved": "note",
}
"""Every kind of finding, most serious first. A fault is an error in the data, a caution may mislead a reader
of the fit, a note is a property that the fit takes care of."""


@dataclass(frozen=True)
class Finding:
    """What was found, where, why it is believed, and what to do.

    Attributes
    ----------
    kind : str
        One of `SEVERITY`.
    model : str or None
        The model concerned; None where it is about a test set, or about several models (which the evidence
        names as `models`).
    test_set : str or None
        The test set concerned; None where it is about all of them, or about a pair (named as `test_sets`).
    message : str
        One sentence with the numbers that matter.
    remedy : str
        What to do about it.
    evidence : mapping
        The numbers and names behind the message, as plain Python values.
    order : tuple of int or None
        The stored columns from best to worst, where putting them so restores the responses.
    """

    kind: str
    model: str | None
    test_set: str | None
    message: str
    remedy: str
    evidence: Evidence
    order: tuple[int, ...] | None = None

    @property
    def severity(self) -> str:
        """Either `fault`, `caution` or `note`."""
        return SEVERITY[self.kind]

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain values that JSON can hold."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "model": self.model,
            "test_set": self.test_set,
            "message": self.message,
            "remedy": self.remedy,
            "evidence": dict(self.evidence),
            "order": None if self.order is None else list(self.order),
        }
