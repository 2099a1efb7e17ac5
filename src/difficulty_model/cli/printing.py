"""What the commands print for people: tables and sentences."""

import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from difficulty_model.checking import Finding
    from difficulty_model.fitting import Fit
    from difficulty_model.misfit import MisfitCheck
    from difficulty_model.observed import ObservedLine
    from difficulty_model.predicted_law import Law

WIDTH = 200
"""Columns of output that goes to no terminal, which has no width: tables must not lose their ends in a file."""

MOST = 40
"""Rows of a table of which there may be very many."""

# Names are the user's, and no markup: `net[lr=0.1]` is to be printed as it is.
out = Console(width=None if sys.stdout.isatty() else WIDTH, markup=False, emoji=False)
err = Console(stderr=True, markup=False, emoji=False)


def print_checks(checks: "list[MisfitCheck]") -> None:
    """Print the verdict of every check of a fit."""
    for found in checks:
        style = {"fits": "bold green", "misfit": "bold red", "not testable": "bold"}[found.verdict]
        out.print(f"{found.verdict}: {found.name}", style=style)
        out.print(f"  {found.text}", highlight=False, soft_wrap=True)


def print_comparison(plain: dict[str, Any]) -> None:
    """Print fits side by side, and what is said of the doubtful ones."""
    test_sets = [error["test_set"] for error in plain["fits"][0]["errors"]]
    table = Table(
        "fit", "elpd", "difference", "p", "k > 0.7", "weight", "u", "v", *(f"error on {name}" for name in test_sets),
        title="Leave-one-image-out, the best first",
        caption="elpd in nats, difference to the best ± its standard error; p: effective parameters; k > 0.7: share "
                "of images whose term is unreliable; error: of accuracies in the population, in points, mean / largest",
    )
    for row in plain["fits"]:
        line = ["–", "–"] if row["u"] is None else [f"{row[q]:.3f} ± {row[f'{q}_sd']:.3f}" for q in "uv"]
        table.add_row(
            row["fit"] + (" !" if row["troubled"] else ""), f"{row['elpd']:.1f}",
            f"{row['difference']:.1f} ± {row['dse']:.1f}", f"{row['p']:.1f}", f"{row['doubtful']:.2%}",
            f"{row['weight']:.2f}", *line,
            *(f"{error['mean_error']:.2f} / {error['largest_error']:.2f}" for error in row["errors"]),
        )
    out.print(table)
    for row in plain["fits"]:
        if row["troubled"]:
            out.print(f"! {row['fit']}: {row['verdict']}", highlight=False)
        for of in row.get("left_out_models", {}).get("test_sets", []):
            told = ", ".join(f"{name} {value:.3f}" for name, value in of.items() if isinstance(value, float))
            out.print(f"{row['fit']}, models left out, on {of['test_set']}: {told}", highlight=False)
        if "held_out" in row:
            of = row["held_out"]
            out.print(
                f"{row['fit']}, held out {of['test_set']}: log-density {of['log_density']:.1f} nats, accuracies off by "
                f"{of['mean_error']:.2f} / {of['largest_error']:.2f} points", highlight=False,
            )


def print_explained(plain: dict[str, Any]) -> None:
    """Print how much of a gap every explanation can carry, what was found, and the decomposition."""
    style = {"explains it": "bold green", "part of it": "bold yellow", "cannot": "", "not testable": "dim"}
    table = Table(
        "explanation", "points", "share of the gap", "verdict",
        title=f"What models lose from {plain['from']} to {plain['to']}: {_points(plain['gap'])} points on average",
        caption="points of accuracy that each explanation can carry, mean over models, with 95% intervals",
    )
    for row in plain["explanations"]:
        share = "–" if row["share"] is None else _share(row["share"])
        points = "–" if row["points"] is None else _points(row["points"])
        table.add_row(row["name"], points, share, row["verdict"], style=style[row["verdict"]])
    out.print(table)
    for row in plain["explanations"]:
        out.print(f"{row['name']}: {row['verdict']}", style=style[row["verdict"]])
        out.print(f"  {row['text']}", highlight=False, soft_wrap=True)
    if plain["left_out"]:
        out.print(f"Left out (run on too few images of one of them): {', '.join(plain['left_out'])}.", highlight=False,
                  soft_wrap=True)
    if plain["trouble"]:
        out.print(f"What is said by the fit is not to be relied on: {' '.join(plain['trouble'])}", style="bold red",
                  highlight=False, soft_wrap=True)
    if not plain["decomposition"]:
        return
    parts = []
    for row in plain["decomposition"]:
        known = row["points"] is not None
        of = _points({"value": row["points"], "interval": [row["low"], row["high"]]}) if known else "not told apart"
        parts.append(f"{row['part']} {of}")
    out.print(f"{parts[-1]} = {' + '.join(parts[:-1])}", highlight=False, soft_wrap=True)
    out.print(plain["not_identified"], highlight=False, soft_wrap=True)


def print_examination(plain: dict[str, Any]) -> None:
    """Print what came out of one explanation, and the first of the numbers behind it."""
    out.print(f"{plain['name']}: {plain['verdict']}", style="bold")
    out.print(f"  {plain['question']}", f"  {plain['text']}", sep="\n", highlight=False, soft_wrap=True)
    if plain["points"] is not None:
        out.print(f"{_points(plain['points'])} points, {_share(plain['share'])} of the gap", highlight=False)
    rows, columns = plain["table"], list(plain["table"][0]) if plain["table"] else []
    if rows:
        table = Table(*(str(name).replace("_", " ") for name in columns), title="The numbers behind it")
        for row in rows[:MOST]:
            table.add_row(*(_cell(row[name]) for name in columns))
        out.print(table)
    if len(rows) > MOST:
        out.print(f"… and {len(rows) - MOST} more rows: --json has them all", highlight=False)
    out.print(f"Source: {plain['source']}", highlight=False, soft_wrap=True)


def _cell(value: object) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def print_rivals(plain: dict[str, Any]) -> None:
    """Print rival stories of a gap, the best first."""
    table = Table(
        "what differs", "difference", "u", "v", "gap", "error", "log score",
        title=f"Rival stories of what models lose from {plain['from']} to {plain['to']}: "
              f"{plain['rivals'][0]['observed']:.2f} points",
        caption="difference to the best in nats, images left out, ± its standard error; the line and the gap (points) "
                "that each predicts, ± sd; error (points, mean / largest) and log score (nats per response) of models "
                "left out, on the new test set; ! marks fits not to rely on",
    )
    for row in plain["rivals"]:
        table.add_row(
            row["rival"] + (" !" if row["troubled"] else ""), f"{row['difference']:.0f} ± {row['dse']:.0f}",
            *(f"{row[q]:.3f} ± {row[f'{q}_sd']:.3f}" for q in "uv"), f"{row['gap']:.2f} ± {row['gap_sd']:.2f}",
            f"{row['mean_error']:.2f} / {row['largest_error']:.2f}", f"{row['log_score']:.4f}",
        )
    out.print(table)


def print_robustness(plain: dict[str, Any]) -> None:
    """Print models by their effective robustness, and how often weaker ones are right alone."""
    table = Table(
        "model", plain["from"], plain["to"], "expected", "beyond",
        title=f"Effective robustness from {plain['from']} to {plain['to']}",
        caption="accuracies in percent; expected by the line through all other models; points beyond it, with 95% "
                "intervals over the images",
    )
    for row in plain["models"]:
        beyond = _points({"value": row["points"], "interval": [row["low"], row["high"]]})
        table.add_row(row["model"], *(f"{100 * row[of]:.1f}" for of in ("original", "new", "expected")), beyond)
    out.print(table)
    if plain["left_out"]:
        out.print(f"Left out (never right, never wrong, or not run on both): {', '.join(plain['left_out'])}.",
                  highlight=False, soft_wrap=True)
    for row in plain["dominance"]:
        if not row["pairs"]:
            out.print(f"{row['test_set']}: no two models were run on the same images", highlight=False)
            continue
        out.print(f"{row['test_set']}: the weaker of two models is right alone on {row['weaker_alone']:.1%} of the "
                  f"images ({row['independent']:.1%} if they erred independently; {row['pairs']} pairs)",
                  highlight=False)


def print_agreement(original: str, new: str, plain: dict[str, Any]) -> None:
    """Print the line of agreement beside that of accuracies, and how well it predicts them."""
    table = Table(
        "line", "u", "v", title=f"Agreement on the line from {original} to {new}",
        caption="least squares through probits of shares: new = u · original + v; with 95% intervals over the images",
    )
    pairs, models = plain["pairs"], len(plain["models"])
    titles = {"agreement": f"agreement of {pairs} pairs", "accuracy": f"accuracy of {models} models"}
    for line in plain["lines"]:
        table.add_row(titles[line["of"]], *(
            f"{line[q]:.3f} ({line[f'{q}_low']:.3f} to {line[f'{q}_high']:.3f})" for q in "uv"
        ))
    out.print(table)
    out.print(f"Agreement, without a label of {new}, predicts the accuracies there with a mean error of "
              f"{plain['error']:.2f} points; the line through the accuracies of all other models, of "
              f"{plain['error_by_labels']:.2f}.", highlight=False, soft_wrap=True)


def print_findings(findings: "list[Finding]") -> None:
    """Print what was noticed about responses, with the remedies."""
    if not findings:
        out.print("Nothing to remark.")
        return
    for finding in findings:
        where = " · ".join(filter(None, [finding.model, finding.test_set]))
        style = {"fault": "bold red", "caution": "bold yellow", "note": "bold"}[finding.severity]
        out.print(f"{finding.severity}: {finding.kind}", style=style, end="")
        out.print(f" · {where}" if where else "", highlight=False)
        out.print(f"  {finding.message}\n  → {finding.remedy}", highlight=False, soft_wrap=True)


def print_fit(fitted: "Fit") -> None:
    """Print the test sets' difficulties and the models' skills."""
    from difficulty_model.posterior import population_table, skill_table

    out.print(table_of(population_table(fitted), "Difficulty of the test sets (probit units)"))
    out.print(table_of(skill_table(fitted), "Skill of the models (probit units)"))


def print_law(relation: "Law") -> None:
    """Print the lines, every model's accuracies, and what the relation comes to."""
    named = relation.as_dict()
    print_lines(relation.original, relation.new, [
        ("predicted by the fit", _spread(named["predicted"]["u"]), _spread(named["predicted"]["v"])),
        ("least squares, expected of such test sets", _spread(named["replicated"]["u"]),
         _spread(named["replicated"]["v"])),
        *observed_rows(relation.observed),
    ])
    table = Table(
        "model", "observed", "predicted", "observed", "predicted",
        title=f"Accuracy in % on {relation.original} (left) and {relation.new} (right)",
        caption=f"± half of the {relation.level:.0%} interval: Clopper–Pearson of the observed accuracy; of the "
                "predicted one, for another test set of this size. * observed outside that interval",
    )
    for model in named["models"]:
        cells = []
        for side in ("from", "to"):
            observed, predicted = model[side]["observed"], model[side]["predicted"]
            cells.append(_percent(observed["accuracy"], observed["interval"]))
            cells.append(_percent(predicted["mean"], predicted["interval"]) + ("" if model[side]["inside"] else " *"))
        table.add_row(model["model"], *cells)
    out.print(table)
    inside, scatter, curvature = named["inside"], named["scatter"], named["curve"]["curvature"]
    slope = named["curve"]["u"]["mean"]
    out.print(
        f"The predicted curve bends by {curvature['mean']:+.3f} ± {curvature['sd']:.3f} per probit unit: its slope is "
        f"{slope[0]:.3f} at the weakest model and {slope[-1]:.3f} at the best.", highlight=False,
    )
    out.print(
        f"Inside their predicted intervals: {inside['from']} of {inside['models']} models on {relation.original}, "
        f"{inside['to']} on {relation.new}. Scatter around the line: {scatter['observed']:.4f} probit units, "
        f"predicted {scatter['replicated']['mean']:.4f} ± {scatter['replicated']['sd']:.4f} "
        f"(p = {scatter['p_value']:.3f}).", highlight=False,
    )
    if named["observed"]["left_out"]:
        out.print(f"Left out of the observed line (never right, never wrong, or not run on both): "
                  f"{', '.join(named['observed']['left_out'])}.")


def print_simulation(plain: dict[str, Any]) -> None:
    """Print the leaderboard of simulated test sets, and how it differs from an observed one."""
    table = Table(
        "model", "accuracy", "rank", "first", title=f"On {plain['plan']['images']} hypothetical images",
        caption=f"accuracy in %, rank and probability of being first, on {plain['simulated']} simulated test sets; "
                f"ranks from low to high with {plain['level']:.0%} probability, ± is half of such an interval",
    )
    for model in plain["models"]:
        table.add_row(
            model["model"], _percent(model["accuracy"], [model["low"], model["high"]]),
            f"{model['rank_low']:g} – {model['rank_high']:g}", f"{model['first']:.2f}",
        )
    out.print(table)
    print_lines(plain["from"], "the hypothetical test set", [
        ("between the populations", _spread(plain["line"]["u"]), _spread(plain["line"]["v"])),
        ("seen from accuracies observed there", _spread(plain["seen"]["u"]), _spread(plain["seen"]["v"])),
    ])
    swapped = plain["pairs_swapped"]
    out.print(f"The model that is first on {plain['from']} is first here with probability {plain['same_first']:.2f}. "
              f"Of all pairs of models {swapped['mean']:.1%} ({swapped['low']:.1%} to {swapped['high']:.1%}) change "
              f"places; none does with probability {plain['same_order']:.2f}.", highlight=False)


def print_prediction(plain: dict[str, Any]) -> None:
    """Print predicted accuracies on a new test set, and what was inferred of it."""
    test_set = plain["test_set"]
    table = Table(
        "model", "predicted", "measured", "shown", title=f"On the {plain['images']} images of {test_set}",
        caption=f"accuracy in %, ± is half of a {plain['level']:.0%} interval; measured on the images shown",
    )
    for row in plain["models"]:
        table.add_row(row["model"], *_predicted(row))
    out.print(table)
    of = plain["unknowns"]
    print_lines(plain["like"], test_set, [("predicted", _spread(of["u"]), _spread(of["v"]))])
    out.print(f"Images are {_spread(of['harder'])} probit units harder than those of {plain['like']}, and "
              f"{_spread(of['wider'])} times as far apart.", highlight=False)


def print_new_models(plain: dict[str, Any]) -> None:
    """Print new models' predicted accuracies on every test set."""
    table = Table(
        "test set", "images", "model", "predicted", "measured", "shown",
        caption=f"accuracy in %, ± is half of a {plain['level']:.0%} interval; measured on the images shown",
    )
    for row in plain["models"]:
        table.add_row(row["test_set"], f"{row['images']}", row["model"], *_predicted(row))
    out.print(table)


def print_collections(plain: dict[str, Any]) -> None:
    """Print what strategies make of a pool."""
    of: dict[str, dict[str, dict[str, Any]]] = {}
    for row in plain["strategies"]:
        of.setdefault(row["strategy"], {})[row["quantity"]] = row
    table = Table(
        "strategy", "seen", "true", "harder", "u", "v", "points", "by noise",
        title="Test sets as strategies choose them",
        caption=f"mean selection frequency as annotators say and in truth, difficulty in probit units, the line from "
                f"the reference, mean change of accuracy and the part that annotators' noise makes; ± sd over "
                f"{plain['collections']} collections",
    )
    for name, row in of.items():
        table.add_row(
            name, *(f"{row[q]['mean']:.3f}" for q in ("seen", "frequency")),
            *(_spread(row[q]) for q in ("harder", "u", "v")),
            *(f"{row[q]['mean']:.1f} ± {row[q]['sd']:.1f}" for q in ("points", "noise")),
        )
    out.print(table)


def print_models(plain: dict[str, Any]) -> None:
    """Print models to run on a new test set, in order."""
    table = Table(
        "run", "model", "then ±", title=f"Models to run on {plain['images']} images of a new test set",
        caption="sd of all models' predicted accuracies in points, root mean square, once this one and those before "
                "were run",
    )
    for place, row in enumerate(plain["models"], start=1):
        table.add_row(f"{place}", row["model"], f"{row['sd']:.2f}")
    out.print(table)


def print_lines(original: str, new: str, rows: list[tuple[str, str, str]]) -> None:
    """Print lines between two test sets, one per row."""
    table = Table(
        "line", "u", "v", title=f"From {original} to {new}",
        caption="probit accuracies: new = u · original + v; ± posterior sd or standard error",
    )
    for row in rows:
        table.add_row(*row)
    out.print(table)


def observed_rows(line: "ObservedLine") -> list[tuple[str, str, str]]:
    """Return the rows of observed lines: their titles, u and v."""
    plain = line.as_dict()

    def row(title: str, of: dict[str, float | None]) -> tuple[str, str, str]:
        u, v = (f"{of[q]:.3f}" + ("" if of[f"{q}_sd"] is None else f" ± {of[f'{q}_sd']:.3f}") for q in "uv")
        return title, u, v

    rows = [row(f"observed, least squares (R² {line.r2:.4f})", plain)]
    if line.errors_in_both is not None:
        rows.append(row("observed, errors in both", plain["errors_in_both"]))
    return rows


def _spread(of: dict[str, Any]) -> str:
    return f"{of['mean']:.3f} ± {of['sd']:.3f}"


def _points(of: dict[str, Any]) -> str:
    if of["value"] is None or None in of["interval"]:
        return "–"
    value, low, high = (f"{round(number, 2) + 0.0:.2f}" for number in (of["value"], *of["interval"]))
    return value if low == high else f"{value} ({low} to {high})"


def _share(of: dict[str, Any]) -> str:
    if of["value"] is None or None in of["interval"]:
        return "–"
    value, low, high = (f"{round(share, 2) + 0.0:.0%}" for share in (of["value"], *of["interval"]))
    return f"{value} ({low} to {high})"


def _predicted(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return a predicted accuracy, and what was measured on how many images, if any."""
    predicted = _percent(row["accuracy"], [row["low"], row["high"]])
    return (predicted, f"{100 * row['measured']:.1f}", f"{row['shown']}") if row["shown"] else (predicted, "", "")


def _percent(value: float | None, interval: list[float | None]) -> str:
    low, high = interval
    if value is None or low is None or high is None:
        return "not run"
    return f"{100 * value:.1f} ± {50 * (high - low):.1f}"


def table_of(frame: "pd.DataFrame", title: str) -> Table:
    """Return a table of texts, and of numbers to three digits."""
    table = Table(*frame.columns, title=title)
    for row in frame.itertuples(index=False):
        table.add_row(*(cell if isinstance(cell, str) else f"{cell:.3f}" for cell in row))
    return table
