"""New models from few images, drawn at random or chosen: predicted accuracies beside the plain average.

Each family of models is left out in turn, fitted without, and its members are predicted from their responses to some of
the images, many times; in two steps, half of these are chosen once the others were answered. Models that the file of
families does not name are families of one.

Run as ``python benchmarks/new_models.py responses.nc --families data/imagenetv2/families.csv
--test-set imagenet-validation-original``.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from difficulty_model import Responses, choose_images, combine, fit, load_responses, predict_models

IMAGES, LEVEL = (100, 200), 0.9
DRAWN = "random", "chosen", "in two steps"


def of_family(responses: Responses, family: list[str], repetitions: int, seed: int) -> pd.DataFrame:
    """Return errors in points of every member, every time; and whether the interval holds the truth."""
    old = responses.select(models=[model for model in responses.models if model not in family])
    new = responses.select(models=family)
    fitted = fit(old, method="laplace", random_seed=seed, progress=False)
    truth = new.right.mean(1)
    samples, answers = [], []
    for n, r in np.ndindex(len(IMAGES), repetitions):
        n, chosen = IMAGES[n], partial(choose_images, fitted, random_seed=1000 * seed + r)
        drawn = list(np.random.default_rng([seed, r, n]).choice(new.images, n, replace=False))
        every, half = chosen(n), chosen(n // 2)
        for j, model in enumerate(family):
            further = chosen(n - n // 2, after=_answers(new, model, half, "first half"))
            for how, images in zip(DRAWN, (drawn, every, half + further), strict=True):
                samples.append((j, how, n))
                answers.append(_answers(new, model, images, f"{model} {how} {n} {r}"))
    given = combine(*answers)
    table = predict_models(fitted, given, random_seed=seed, progress=False).table(level=LEVEL)
    rows = []
    for (j, drawn, n), (_, row) in zip(samples, table.iterrows(), strict=True):
        rows.append({
            "images": n, "drawn": drawn, "model": family[j], "plain": 100 * abs(row["measured"] - truth[j]),
            "predicted": 100 * abs(row["accuracy"] - truth[j]), "sd": 100 * row["sd"],
            "inside": 100 * float(row["low"] <= truth[j] <= row["high"]),
        })
    return pd.DataFrame(rows)


def _answers(new: Responses, model: str, images: list[str], name: str) -> Responses:
    """Return one model's responses to some images, under another name."""
    right = new.right[new.models.index(model), pd.Index(new.images).get_indexer(pd.Index(images))]
    member = {new.test_sets[0]: np.ones(len(images), bool)}
    return Responses.from_arrays(right[None], models=[name], images=images, member=member)


def main() -> None:
    """Leave out every family, predict its members, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("responses", type=Path)
    parser.add_argument("--families", type=Path, required=True, help="table of models and families")
    parser.add_argument("--test-set", required=True)
    parser.add_argument("--repetitions", type=int, default=5, help="samples of images per family")
    given = parser.parse_args()
    responses = load_responses(given.responses).select(test_sets=[given.test_set])
    family = pd.read_csv(given.families).set_index("model")["family"].reindex(responses.models)
    family = family.fillna(pd.Series(family.index, family.index))
    groups = [list(members.index) for _, members in family.groupby(family)]
    bar = tqdm(groups, desc="families", disable=None)
    found = [of_family(responses, members, given.repetitions, seed) for seed, members in enumerate(bar)]
    table = pd.concat(found, ignore_index=True)
    print("| images | drawn | plain average | predicted | its sd | inside |\n|---|---|---|---|---|---|")
    columns = ["plain", "predicted", "sd", "inside"]
    of_models = table.pivot_table(values=columns, index=["images", "drawn"], columns="model")
    for images, drawn in of_models.index:
        of_model = of_models.loc[(images, drawn)].unstack()
        mean, error = of_model.mean(axis=1), of_model.std(axis=1) / np.sqrt(of_model.shape[1])
        plain = f"{mean['plain']:.2f} ± {error['plain']:.2f}" if drawn == "random" else ""
        print(f"| {images} | {drawn} | {plain} | {mean['predicted']:.2f} ± {error['predicted']:.2f} | {mean['sd']:.2f} "
              f"| {mean['inside']:.0f}% ± {error['inside']:.0f} |")


if __name__ == "__main__":
    main()
