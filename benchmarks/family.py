"""The family of models on one set of responses: fitted by the command line, compared, as a table for the docs.

Run as ``python benchmarks/family.py responses.nc --test-set imagenet-validation-original --test-set imagenetv2-b-33``.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

LOGISTIC = ["--curve", "logistic", "--slopes"]
ENDS = ["--unmissable", "--unlearnable"]
SKEWED = ["--population", "skew-normal"]

SPECIFICATIONS = {
    "Recht et al.": [],
    "unlearnable": ["--unlearnable"],
    "slopes": ["--slopes"],
    "slopes, lapses": ["--slopes", "--lapses", "per-model"],
    "slopes, both ends": ["--slopes", *ENDS],
    "logistic slopes": LOGISTIC,
    "logistic slopes, lost skill": [*LOGISTIC, "--skill-loss"],
    "logistic slopes, both ends": [*LOGISTIC, *ENDS],
    "logistic slopes, both ends, lapses": [*LOGISTIC, *ENDS, "--lapses", "per-model"],
    "logistic slopes, both ends, Student t": [*LOGISTIC, *ENDS, "--population", "student-t"],
    "logistic slopes, both ends, flexible": [*LOGISTIC, *ENDS, "--population", "flexible"],
    "logistic slopes, both ends, skew-normal": [*LOGISTIC, *ENDS, *SKEWED],
    "logistic slopes, both ends, skew-normal, lost skill": [*LOGISTIC, *ENDS, *SKEWED, "--skill-loss"],
}
"""Options of `difficulty-model fit`. Both ends: images that no model gets right, and images that all do."""

IN_FAMILIES = {"logistic slopes, both ends, families": [*LOGISTIC, *ENDS]}
"""The same of specifications that take the families of models from a table."""


def run(*arguments: object) -> str:
    """Return what the command prints."""
    command = [sys.executable, "-m", "difficulty_model.cli", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Fit every specification that has no file yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("responses", type=Path)
    parser.add_argument("--test-set", action="append", default=[], help="two of them; the first is the reference")
    parser.add_argument("--folder", type=Path, default=Path("demo/family"), help="for fits, which are kept")
    parser.add_argument("--families", type=Path, help="table of the models' families, to fit these too")
    parser.add_argument("--method", default="laplace", help="of `difficulty-model fit`")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    test_sets = [part for name in given.test_set for part in ("--test-set", name)]
    specifications = dict(SPECIFICATIONS)
    if given.families is not None:
        specifications |= {name: [*of, "--families", given.families] for name, of in IN_FAMILIES.items()}
    seconds = {}
    for name, options in specifications.items():
        made = given.folder / f"{name.replace(', ', '-').replace(' ', '-')}.nc"
        took = made.with_suffix(".seconds")
        if not took.exists():
            began = time.perf_counter()
            run("fit", given.responses, "-o", made, "--method", given.method, *test_sets, *options)
            took.write_text(f"{time.perf_counter() - began:.0f}")
        seconds[made.stem] = name, int(took.read_text())
    compared = json.loads(run("compare", "--json", *(given.folder / f"{stem}.nc" for stem in seconds)))
    print("| specification | LOO (nats) | to the best | p | u | v | "
          + " | ".join(f"error on {e['test_set']}" for e in compared["fits"][0]["errors"]) + " | seconds |")
    print("|---" * (7 + len(compared["fits"][0]["errors"])) + "|")
    for row in compared["fits"]:
        name, took = seconds[row["fit"]]
        errors = " | ".join(f"{e['mean_error']:.2f} / {e['largest_error']:.2f}" for e in row["errors"])
        line = " | ".join(f"{row[q]:.3f} ± {row[f'{q}_sd']:.3f}" for q in "uv")
        print(f"| {name}{' (!)' if row['troubled'] else ''} | {row['elpd']:.0f} | {row['difference']:.0f} ± "
              f"{row['dse']:.0f} | {row['p']:.0f} | {line} | {errors} | {took} |")
    for row in compared["fits"]:
        if row["troubled"]:
            print(f"\n(!) {seconds[row['fit']][0]}: {row['verdict']}")


if __name__ == "__main__":
    main()
