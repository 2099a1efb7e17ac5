"""What came out of examining one explanation: points, share, verdict, and the numbers behind them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import pandas as pd

from difficulty_model.explanations.effect import Effect, Interval
from difficulty_model.explanations.evidence import Evidence

Verdict = Literal["explains it", "part of it", "cannot", "not testable"]

MINOR = 0.15
"""A cause of less than this share of a gap cannot be what makes it; one of all but this share explains it."""


class Explanation(Protocol):
    """One hypothesis of why models lose accuracy: a module, or any object, with these names.

    One that takes a file has `FILE` too, the name under which it asks for it (`Evidence.file`). `EXPLANATIONS` are the
    package's; your own is one more item of the list that `explain` takes.
    """

    @property
    def NAME(self) -> str:  # noqa: N802
        """Of its row."""
        ...

    @property
    def QUESTION(self) -> str:  # noqa: N802
        """What is asked, in one sentence."""
        ...

    @property
    def SOURCE(self) -> str:  # noqa: N802
        """Where the procedure is from."""
        ...

    @property
    def examine(self) -> Callable[[Evidence], "Outcome"]:
        """A function that returns what the evidence says.

        It raises a `NotTestableError` if the evidence cannot tell, with what it would need, and an `InputError` if a
        file that was given is not what was expected.
        """
        ...


@dataclass(frozen=True, eq=False)
class Outcome:
    """What evidence says of one explanation.

    Attributes
    ----------
    effect
        How much of the gap it can carry.
    text
        One to three sentences with the numbers that matter.
    table
        The numbers behind it, a row per model, class, bin or whatever is looked at.
    verdict
        If it does not follow from the share alone.
    """

    effect: Effect | None
    text: str
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    verdict: Verdict | None = None


@dataclass(frozen=True, eq=False)
class Examination:
    """One row of the table of explanations.

    Attributes
    ----------
    name, question, source : str
        Of the explanation.
    verdict : str
        "explains it", "part of it", "cannot", or "not testable" with what was given.
    text : str
        What was found; of what is not testable, what it would need.
    effect : Effect or None
        Points of accuracy that it can carry.
    table : pandas.DataFrame
        The numbers behind it.
    """

    name: str
    question: str
    source: str
    verdict: Verdict
    text: str
    effect: Effect | None
    table: pd.DataFrame

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values that JSON can hold."""
        effect = self.effect
        return {
            "name": self.name, "question": self.question, "source": self.source, "verdict": self.verdict,
            "text": self.text,
            "points": None if effect is None else effect.average().as_dict(),
            "share": None if effect is None else effect.share().as_dict(),
            "models": [] if effect is None else effect.table().to_dict("records"),
            "table": self.table.to_dict("records"),
        }


def verdict_of(share: Interval) -> Verdict:
    """Return what a share of the gap, with its interval, says of a cause.

    It explains the gap if it may carry all but a minor part of it, and carries half at least; it cannot if it carries a
    minor part at most; it is part of it if it carries anything for sure. Otherwise the interval is too wide to tell.
    """
    if share.high < MINOR:
        return "cannot"
    if share.high >= 1 - MINOR and share.low >= 1 / 2:
        return "explains it"
    return "part of it" if share.low > 0 else "not testable"
