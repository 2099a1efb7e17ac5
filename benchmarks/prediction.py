"""A new test set from a few models: predicted accuracies of all others beside least squares and a constant shift.

Models and images are drawn at random, many times: 1,000 images, and all. Errors and coverage are of the models that
were not drawn, on the whole new test set.

Run as ``python benchmarks/prediction.py responses.nc --from imagenet-validation-original --to imagenetv2-b-33
--to imagenetv2-a-44``.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtr
from tqdm.auto import tqdm

from difficulty_model import Fit, Responses, fit, load_responses, predict_test_set
from difficulty_model.family import independent, logistic, normal, recht_et_al, slopes
from difficulty_model.law import least_squares, probit
from difficulty_model.specification import Specification

MODELS, IMAGES, LEVEL = (2, 3, 5, 10), 1000, 0.9
SPECIFICATIONS = {
    "Recht et al.": recht_et_al(),
    "logistic slopes": Specification(independent(), slopes(logistic()), normal()),
}


def errors_of(fits: dict[str, Fit], new: Responses, images: int, models: int, seed: int) -> dict[str, float]:
    """Return mean absolute errors in points, and the share of accuracies inside the intervals, once."""
    rng = np.random.default_rng([seed, models, images])
    old = next(iter(fits.values())).responses
    known = [model for model in old.models if model in new.models]
    few = sorted(rng.choice(len(known), models, replace=False))
    drawn = np.sort(rng.choice(len(new.images), images, replace=False))
    given = Responses(new.dataset.isel(image=drawn)).select(models=[known[j] for j in few])
    truth, before, there = (
        of.accuracies().set_index("model")["accuracy"].reindex(known).to_numpy() for of in (new, old, given)
    )
    others = np.setdiff1d(np.arange(len(known)), few)
    x, y = probit(before), probit(there)
    line = least_squares(x[few], y[few])
    guesses = {"least squares": line.u * x + line.v, "shift": x + (y - x)[few].mean()}
    found = {name: error(probit(truth), guess, others) for name, guess in guesses.items()}
    for name, fitted in fits.items():
        predicted = predict_test_set(fitted, given, images=len(new.images), random_seed=seed, progress=False)
        table = predicted.table(level=LEVEL).set_index("model").loc[known]
        found[name] = 100 * float(np.abs(table["accuracy"].to_numpy() - truth)[others].mean())
        inside = (table["low"].to_numpy() <= truth) & (truth <= table["high"].to_numpy())
        found[f"{name}: inside"] = 100 * float(inside[others].mean())
    return found


def error(truth: np.ndarray, guess: np.ndarray, others: np.ndarray) -> float:
    """Return the mean absolute error of probit accuracies, in points."""
    return 100 * float(np.abs(ndtr(guess) - ndtr(truth))[others].mean())


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw mean absolute errors against the number of models, one panel per test set and number of images."""
    from matplotlib.figure import Figure

    groups = list(table.groupby(["test set", "images"], sort=False))
    figure = Figure(figsize=(3.2 * len(groups), 3.4), layout="constrained")
    axes = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for ax, (_, of) in zip(axes, groups, strict=True):
        for n, method in enumerate(["least squares", "shift", *SPECIFICATIONS]):
            ax.errorbar(of["models"], of[method], of[f"{method} ±"], fmt="o-", color=f"C{n}", label=method, ms=3)
        ax.set(xscale="log", yscale="log", xlabel="models run", xticks=MODELS, xticklabels=MODELS)
        ax.set_title(f"{of['test set'].iloc[0]}, {of['images'].iloc[0]:,} images", fontsize="small")
        ax.minorticks_off()
    axes[0].set(ylabel="mean absolute error (points)", yticks=[0.4, 0.6, 1, 2, 3], yticklabels=["0.4", "0.6", 1, 2, 3])
    axes[0].legend(fontsize="x-small", frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Fit the old test set, predict the new ones from models and images drawn at random, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("responses", type=Path)
    parser.add_argument("--from", dest="old", required=True, help="the test set that is fitted")
    parser.add_argument("--to", dest="new", action="append", required=True, help="test sets to predict")
    parser.add_argument("--repetitions", type=int, default=30)
    parser.add_argument("--plot", type=Path, help="picture of the errors")
    given = parser.parse_args()
    responses = load_responses(given.responses)
    old = responses.select(test_sets=[given.old])
    fits = {name: fit(old, of, method="laplace", random_seed=0) for name, of in SPECIFICATIONS.items()}
    new_sets = [responses.select(test_sets=[new]) for new in given.new]
    settings = [(of, images, models) for of in new_sets for images in (IMAGES, len(of.images)) for models in MODELS]
    rows = []
    for of_set, images, models in tqdm(settings, desc="settings", disable=None):
        every = pd.DataFrame([errors_of(fits, of_set, images, models, seed) for seed in range(given.repetitions)])
        spread = (every.std() / np.sqrt(len(every))).rename(lambda name: f"{name} ±")
        rows.append({"test set": of_set.test_sets[0], "images": images, "models": models, **every.mean(), **spread})
    table = pd.DataFrame(rows)
    methods = ["least squares", "shift", *SPECIFICATIONS, *(f"{name}: inside" for name in SPECIFICATIONS)]
    print(f"| {' | '.join(['test set', 'images', 'models', *methods])} |")
    print("|---" * (3 + len(methods)) + "|")
    for row in rows:
        cells = [f"{row[m]:.0f}% ± {row[f'{m} ±']:.0f}" if "inside" in m else f"{row[m]:.2f} ± {row[f'{m} ±']:.2f}"
                 for m in methods]
        print(f"| {row['test set']} | {row['images']:,} | {row['models']} | {' | '.join(cells)} |")
    if given.plot is not None:
        draw(table, given.plot)


if __name__ == "__main__":
    main()
