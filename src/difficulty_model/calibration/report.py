"""What the ranks of many worlds come to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from difficulty_model.calibration.ranks import Method
from difficulty_model.calibration.uniformity import (
    band,
    chi_square_p_value,
    coverage_p_value,
    ecdf_p_value,
    inside,
)
from difficulty_model.responses import clopper_pearson
from difficulty_model.specification import Specification, to_json

LEVELS = (0.5, 0.9)
"""Of the intervals whose coverage is counted."""

FALSE_ALARM = 1e-3
"""Probability that the report of calibrated software calls anything uncalibrated."""

INTERVAL = 0.95
"""Level of the Monte Carlo intervals of coverage, and of the bands that are drawn."""


@dataclass(frozen=True)
class Calibration:
    """Ranks of the truth among draws of its posterior, of many worlds drawn from a specification.

    Attributes
    ----------
    specification
        With the priors that worlds were drawn from.
    method
        The sampler that fitted them.
    models, images
        Of every world; images of each of two test sets.
    draws
        Ranks go from 0 to it.
    ranks : pandas.DataFrame
        One row per world under its seed, one column per quantity.
    autocorrelation : pandas.DataFrame
        Correlation of neighbouring draws, likewise. Ranks among draws that hang together are too often extreme.
    left_out
        What troubled the fits of worlds that were left out, by seed. Responses alone decide whether a fit is in
        trouble, so that among the other worlds ranks must still be uniform.
    seconds
        Time per world.
    """

    specification: Specification
    method: Method
    models: int
    images: int
    draws: int
    ranks: pd.DataFrame
    autocorrelation: pd.DataFrame
    left_out: dict[int, list[str]]
    seconds: float

    def table(self) -> pd.DataFrame:
        """Return one row per quantity: whether its ranks are uniform, and its intervals hold the truth as they should.

        Returns
        -------
        pandas.DataFrame
            Columns `quantity`; `chi2_p` and `ecdf_p`, p-values of uniformity; `inside_50`, `inside_90`, the shares of
            truths in central intervals, each with its `low_…` and `high_…`, a 95% Clopper-Pearson interval, and
            `inside_…_p`, a binomial p-value; `autocorrelation`, the mean over worlds; `adjusted_p`, the smallest of
            these p-values times the number of all in the table (Bonferroni); and `calibrated`, whether that is at
            least 1 in 1,000.
        """
        worlds, rows = len(self.ranks), []
        for quantity, of in self.ranks.items():
            ranks = of.to_numpy()
            row = {"chi2_p": chi_square_p_value(ranks, self.draws), "ecdf_p": ecdf_p_value(ranks, self.draws)}
            for level in LEVELS:
                percent, count = f"{level:.0%}"[:-1], inside(ranks, self.draws, level)
                low, high = clopper_pearson(np.array(count), np.array(worlds), level=INTERVAL)
                row |= {
                    f"inside_{percent}": count / worlds, f"low_{percent}": float(low), f"high_{percent}": float(high),
                    f"inside_{percent}_p": coverage_p_value(count, worlds, level),
                }
            rows.append({"quantity": quantity, **row, "autocorrelation": self.autocorrelation[quantity].mean()})
        table = pd.DataFrame(rows)
        p_values = table[[name for name in table if str(name).endswith("_p")]]
        table["adjusted_p"] = np.minimum(p_values.min(axis=1) * p_values.size, 1.0)
        table["calibrated"] = table["adjusted_p"] >= FALSE_ALARM
        return table

    @property
    def trouble(self) -> list[str]:
        """One sentence for each reason to think that the software is not calibrated; empty where there is none."""
        table = self.table().set_index("quantity")
        found = [
            f"The ranks of {quantity} are not uniform (p = {row['adjusted_p']:.1g} beside all others): 50% intervals "
            f"hold {row['inside_50']:.0%} of the truths, 90% intervals {row['inside_90']:.0%}."
            for quantity, row in table[~table["calibrated"]].iterrows()
        ]
        if self.left_out:
            found.append(
                f"{len(self.left_out)} of {len(self.ranks) + len(self.left_out)} worlds are left out, whose fits said "
                f"themselves not to rely on them, such as: {next(iter(self.left_out.values()))[0]}"
            )
        return found

    @property
    def verdict(self) -> str:
        """What the ranks come to, in plain language."""
        table, worlds = self.table(), len(self.ranks)
        wrong = int(np.count_nonzero(~table["calibrated"]))
        if wrong:
            return f"Not calibrated: ranks of {wrong} of {len(table)} quantities are not uniform, in {worlds} worlds."
        inside_50, inside_90 = table["inside_50"].mean(), table["inside_90"].mean()
        return (f"In {worlds} worlds the ranks of all {len(table)} quantities are uniform; 50% intervals hold "
                f"{inside_50:.1%} of the truths on average, 90% intervals {inside_90:.1%}.")

    def differences(self) -> pd.DataFrame:
        """Return how far the empirical distribution of ranks is above the uniform one.

        Returns
        -------
        pandas.DataFrame
            Columns `quantity`; `share`, of the possible ranks; `difference`; `low` and `high`, between which all
            differences of a quantity with uniform ranks lie with a probability of 95%; and `lowest`, `highest`, which
            any quantity at all leaves in one report of calibrated software in 1,000.
        """
        worlds = len(self.ranks)
        usual = band(worlds, self.draws, level=INTERVAL)
        widest = band(worlds, self.draws, level=1 - FALSE_ALARM / len(self.ranks.columns))
        points = usual.share * (self.draws + 1)
        return pd.concat([
            pd.DataFrame({
                "quantity": quantity,
                "share": usual.share,
                "difference": (ranks.to_numpy()[:, None] < points).mean(0) - usual.share,
                "low": usual.low - usual.share, "high": usual.high - usual.share,
                "lowest": widest.low - usual.share, "highest": widest.high - usual.share,
            })
            for quantity, ranks in self.ranks.items()
        ], ignore_index=True)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values that JSON can hold."""
        return {
            "specification": to_json(self.specification),
            "method": self.method,
            "worlds": len(self.ranks),
            "models": self.models,
            "images": self.images,
            "draws": self.draws,
            "seconds_per_world": self.seconds,
            "verdict": self.verdict,
            "trouble": self.trouble,
            "quantities": self.table().to_dict("records"),
            "left_out": {str(seed): reasons for seed, reasons in self.left_out.items()},
            "ranks": {str(quantity): of.tolist() for quantity, of in self.ranks.items()},
        }
