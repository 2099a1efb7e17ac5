"""The picture of a fit's checks: a panel each, what was observed beside what replicated data sets show."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from difficulty_model.misfit import MisfitCheck

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4

VERDICT_COLOUR = {"fits": "0.35", "misfit": "C3", "not testable": "0.6"}

LONGEST = 24
"""Letters of a name that a panel has room for."""

LINE = 44
"""Letters of a line in the last panel."""

SHOWN = 7
"""Groups of models that are named."""


def plot_misfit(checks: Sequence[MisfitCheck], figure: "Figure") -> None:
    """Draw one panel per check: lines and dots are observed, bands what replicated data sets show.

    Parameters
    ----------
    checks
        As `check_fit` returns them.
    figure
        Where to draw them; 15 × 7.5 inches with a constrained layout suit seven of them.
    """
    rows = -(-(len(checks) + 1) // COLUMNS)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    test_sets = list(dict.fromkeys(
        name for check in checks if "test_set" in check.details for name in check.details["test_set"]
    ))
    colours = {name: f"C{n}" for n, name in enumerate(test_sets)}
    for check, axes in zip(checks, panels, strict=False):
        axes.set_title(f"{check.name}: {check.verdict}", fontsize="medium", color=VERDICT_COLOUR[check.verdict])
        axes.spines[["top", "right"]].set_visible(False)
        if check.verdict == "not testable":
            axes.set_axis_off()
        else:
            PANELS[check.name](check, axes, colours)
            axes.tick_params(labelsize="small")
    for axes in panels[len(checks) :]:
        axes.set_axis_off()
    _explain(panels[len(checks)], colours, max((check.groups for check in checks), key=len, default=()))


def _explain(axes: "Axes", colours: dict[str, str], groups: Sequence[Sequence[str]]) -> None:
    """Say what all panels share, and name models that go together."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [Line2D([], [], color=colour, marker="o", markersize=4, label=_short(name, LONGEST + 8))
               for name, colour in colours.items()]
    handles.append(Line2D([], [], color="0.15", label="all test sets"))
    axes.legend(
        handles=[*handles, Patch(color="0.6", alpha=0.4, label="all replicated data sets")],
        title="observed in", alignment="left", loc="upper left", frameon=False,
    )
    lines = [_short(", ".join(group), LINE) for group in groups[:SHOWN]]
    if lines:
        more = [f"and {len(groups) - SHOWN} more groups"] if len(groups) > SHOWN else []
        axes.text(0.03, 0.02, "\n".join(["models that go together:", *lines, *more]), transform=axes.transAxes,
                  fontsize="small", linespacing=1.4, va="bottom")


def _extremes(check: MisfitCheck, axes: "Axes", colours: dict[str, str]) -> None:
    table = check.details
    kinds = list(dict.fromkeys(table["images"]))
    step = 0.7 / len(colours)
    for row in table.to_dict("records"):
        y = kinds.index(row["images"]) + step * (list(colours).index(row["test_set"]) - (len(colours) - 1) / 2)
        colour = colours[row["test_set"]]
        axes.plot([row["low"], row["high"]], [y, y], color=colour, alpha=0.35, linewidth=9, solid_capstyle="butt")
        axes.plot(row["observed"], y, "o", color=colour, markersize=5)
    axes.set(xlim=(0, None), xlabel="% of the images", ylim=(len(kinds) - 0.4, -0.6))
    axes.set_yticks(range(len(kinds)), [kind.replace(" models ", "\n") for kind in kinds])


def _histogram(check: MisfitCheck, axes: "Axes", colours: dict[str, str]) -> None:
    for name, table in check.details.groupby("test_set", sort=False):
        start, end = table["from"] - 0.5, table["to"] + 0.5
        # Groups differ in width: what is drawn is the share per number of models.
        edges, width = np.append(start, end.iloc[-1]), np.asarray(end - start)
        low, high, observed = (np.asarray(table[of]) / width for of in ("low", "high", "observed"))
        axes.fill_between(edges, np.append(low, low[-1]), np.append(high, high[-1]), step="post",
                          color=colours[str(name)], alpha=0.35, linewidth=0)
        axes.stairs(np.where(observed > 0, observed, np.nan), edges, color=colours[str(name)], baseline=None)
    axes.set(xlabel="models right on an image", ylabel="% of the images, per number of models", yscale="log")


def _accuracy(check: MisfitCheck, axes: "Axes", colours: dict[str, str]) -> None:
    last = int(check.details["place"].to_numpy().max())
    end = last + 1 + max(2, last // 12)
    for n, (name, of_set) in enumerate(check.details.groupby("test_set", sort=False)):
        colour, of_set = colours[str(name)], of_set.sort_values("place")
        axes.fill_between(of_set["place"], of_set["apart_low"], of_set["apart_high"], color=colour, alpha=0.25,
                          linewidth=0)
        axes.plot(of_set["place"], of_set["apart"], "o", color=colour, markersize=2.5)
        common, beside = of_set.iloc[0], [end + 2 * n] * 2
        axes.plot(beside, [common["common_low"], common["common_high"]], color=colour, alpha=0.35, linewidth=5,
                  solid_capstyle="butt")
        axes.plot(end + 2 * n, common["common"], "s", color=colour, markersize=4)
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set(ylabel="observed − expected (points)")
    axes.set_xticks([last / 2, end + len(colours) - 1], ["each model beside the mean,\nweakest first", "mean"])
    axes.tick_params(axis="x", length=0)
    worst = check.worst.iloc[0]
    _name(axes, _short(worst["model"], LONGEST), worst["place"], worst["apart"], leftwards=worst["place"] > last / 2)


def _name(axes: "Axes", text: str, x: float, y: float, *, leftwards: bool) -> None:
    """Write a name beside a dot."""
    axes.annotate(
        text, (x, y), xytext=(-5 if leftwards else 5, 0), textcoords="offset points",
        ha="right" if leftwards else "left", va="center", fontsize="x-small",
    )


def _agreement(check: MisfitCheck, axes: "Axes", colours: dict[str, str]) -> None:
    table = check.details
    for name, of_set in table.groupby("test_set", sort=False):
        axes.plot(of_set["agreement_expected"], of_set["excess"], ".", color=colours[str(name)], markersize=3,
                  alpha=0.5, markeredgewidth=0)
    _bands(axes, table, colours)
    worst = check.worst.iloc[0]
    _name(
        axes, f"{_short(worst['weaker'], LONGEST)}\n{_short(worst['stronger'], LONGEST)}",
        worst["agreement_expected"], worst["excess"],
        leftwards=worst["agreement_expected"] > table["agreement_expected"].mean(),
    )
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set(xlabel="expected agreement of a pair (%)", ylabel="observed − expected (points)")


def _bands(axes: "Axes", table: pd.DataFrame, colours: dict[str, str]) -> None:
    """Draw how far replicated pairs stray, by their expected agreement."""
    for name, of_set in table.groupby("test_set", sort=False):
        of_set = of_set.sort_values("agreement_expected")
        groups = np.array_split(np.arange(len(of_set)), min(20, len(of_set)))
        x, low, high = (
            [np.mean(np.asarray(values)[group]) for group in groups]
            for values in (of_set["agreement_expected"], of_set["agreement_low"] - of_set["agreement_expected"],
                           of_set["agreement_high"] - of_set["agreement_expected"])
        )
        axes.fill_between(x, low, high, color=colours[str(name)], alpha=0.35, linewidth=0)


def _calibration(check: MisfitCheck, axes: "Axes", colours: dict[str, str]) -> None:
    table = check.details
    thirds = list(dict.fromkeys(table["models"]))
    styles = dict(zip(thirds, ("-", "--", ":"), strict=False))
    for key, of_group in table.groupby(["test_set", "models"], sort=False):
        name, models = str(key[0]), str(key[1])  # pyright: ignore[reportIndexIssue]
        colour = colours[name]
        axes.fill_between(of_group["decile"], of_group["low"], of_group["high"], color=colour, alpha=0.12, linewidth=0)
        axes.plot(of_group["decile"], of_group["error"], styles[models], color=colour, linewidth=1.3)
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color="0.3", linestyle=style, label=models) for models, style in styles.items()]
    axes.legend(handles=handles, fontsize="x-small", frameon=False)
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set(xlabel="images by difficulty, easiest tenth first", ylabel="observed − expected (points)")


def _dependence(check: MisfitCheck, axes: "Axes", colours: dict[str, str]) -> None:
    table = check.details
    size = int(table[["first_place", "second_place"]].to_numpy().max()) + 1
    matrix = np.full((size, size), np.nan)
    for a, b in [("first_place", "second_place"), ("second_place", "first_place")]:
        matrix[table[a], table[b]] = table["excess"]
    bound = max(0.1, np.nanmax(np.abs(matrix)))
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-bound, vmax=bound, interpolation="nearest")
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.046, pad=0.02, label="excess residual correlation")
    bar.ax.tick_params(labelsize="small")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(f"models, those that go together side by side\n{_counted(check.groups)}")


def _counted(groups: Sequence[Sequence[str]]) -> str:
    return f"{len(groups)} groups of {sum(map(len, groups))} models" if groups else "no groups"


def _image_fit(check: MisfitCheck, axes: "Axes", colours: dict[str, str]) -> None:
    table = check.details
    edges = np.append(table["from"], table["to"].iloc[-1])
    low, high = (np.append(table[of], table[of].iloc[-1]) for of in ("low", "high"))
    least = 0.5 * min(table.loc[table["observed"] > 0, "observed"].min(), 0.1)
    axes.fill_between(edges, np.maximum(low, least), np.maximum(high, least), step="post", color="0.6", alpha=0.4,
                      linewidth=0)
    axes.stairs(table["observed"].where(table["observed"] > 0), edges, color="0.15", linewidth=1, baseline=None)
    axes.set(yscale="log", xlabel="← against skill     score     with skill →", ylabel="% of the images")


def _short(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


PANELS: dict[str, Callable[[MisfitCheck, "Axes", dict[str, str]], None]] = {
    "all-right-all-wrong": _extremes,
    "models-right": _histogram,
    "accuracy": _accuracy,
    "agreement": _agreement,
    "calibration": _calibration,
    "local-dependence": _dependence,
    "image-fit": _image_fit,
}
"""How every check is drawn."""
