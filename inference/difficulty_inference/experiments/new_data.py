"""Can the new distribution be learned? Models are trained on part of the new test set and tested on the rest.

If the new images differ from the original ones in a way that can be learned, then training on some of them helps
more on the others than training on equally many further original images, which tells new data from more data (Recht
et al. 2019, on CIFAR-10.1: 85.1% and 85.4% where the untouched model had 84.9%).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from difficulty_inference.adapters import Entry, EstimatorEntry
from difficulty_inference.experiments.estimates import over_repeats
from difficulty_inference.experiments.images import Images, images_of
from difficulty_inference.experiments.result import Record, Result, set_record
from difficulty_inference.experiments.training import each_model, right_answers, trainable
from difficulty_inference.lots import draw
from difficulty_inference.test_sets import TestSet
from difficulty_model.errors import InputError

ARMS: tuple[str, ...] = ("untouched", "new", "original")
"""What is learned beside a model's own training images: nothing, new images, equally many original ones."""

PAIRS = (("new", "untouched"), ("original", "untouched"), ("new", "original"))
"""Which arms are compared, the first less the second."""


@dataclass(frozen=True)
class Split:
    """What one repetition adds to the training images, by arm, and which rows of the new images it tests."""

    added: Mapping[str, Images]
    tested: NDArray[np.int64]


def train_on_new(
    zoo: Sequence[Entry], *, new: TestSet, original: TestSet, repeats: int = 10, seed: int = 0
) -> Result:
    """Train every model on its own images, on these and new ones, and on these and original ones.

    In every repetition half of the new test set is drawn by lot to learn from, or as many as half of the original one
    where that is smaller, and as many of the original one: were all of it drawn each time, repetitions would not show
    how much the choice matters. All three arms are tested on the rest of the new test set, with the same chance in
    their training. Images that lie in several of the sets are never both learned from and tested on: those of the
    training set are dropped from both test sets, and those of the original one from the new.

    Standard errors are for further new images and further repetitions, given the training images; see
    `over_repeats` for why repetitions are not independent. Models share images and lots, so what they say of an image
    is averaged first.

    Parameters
    ----------
    zoo
        The models; those that come fitted are left out.
    new, original
        The test sets.
    repeats
        How often, at least 2.
    seed
        Decides the lots.

    Raises
    ------
    InputError
        If no model can be trained, or there are too few images to learn from.
    """
    entries, training_set = trainable(zoo)
    training, all_original, all_new = images_of(training_set, original, new)
    originals = all_original.without(training)
    news = all_new.without(training).without(all_original)
    splits = [_split(news, originals, key=f"{seed} {repeat}") for repeat in range(repeats)]

    def arms(entry: EstimatorEntry, repeat: int) -> NDArray[np.bool_]:
        own, split = training[entry.drawn(training_set.manifest)], splits[repeat]
        lessons = [own.joined(split.added[arm]) if arm in split.added else own for arm in ARMS]
        return np.array([
            right_answers(entry, learned=lesson, tested=news[split.tested], key=f"{seed} {repeat}")
            for lesson in lessons
        ])

    answers, failed = each_model(entries, "new-data", repeats, arms)
    right = {model: np.array(own).swapaxes(0, 1) for model, own in answers.items()}  # (arm, repeat, image)
    mean = sum(_by_image(own, splits, len(news)) for own in right.values()) / len(right)
    return Result(
        "new-data", seed,
        {"repeats": repeats, "added": len(splits[0].added["new"]), "tested": len(splits[0].tested)},
        [set_record("training", training_set, len(training)), set_record("original", original, len(originals)),
         set_record("new", new, len(news))],
        {
            "rows": [row for model, own in right.items() for row in _rows(model, own)],
            "pairs": [row for model, own in right.items() for row in _pairs(model, own)],
            "estimates": [
                *(row for model, own in right.items() for row in _estimates(model, _by_image(own, splits, len(news)))),
                *_estimates(None, np.asarray(mean)),
            ],
        },
        failed,
    )


def _split(news: Images, originals: Images, *, key: str) -> Split:
    added = min(len(news), len(originals)) // 2
    if not added:
        raise InputError(f"there are {len(news)} new images that are in neither of the other sets, and "
                         f"{len(originals)} original ones that are not for training; expected at least 2 of each")
    drawn = draw(news.ids.tolist(), added, f"{key} new")
    controls = draw(originals.ids.tolist(), added, f"{key} original")
    return Split({"new": news[drawn], "original": originals[controls]}, np.delete(np.arange(len(news)), drawn))


def _by_image(right: NDArray[np.bool_], splits: Sequence[Split], images: int) -> NDArray[np.floating]:
    """Return answers by arm, repetition and new image; not a number where an image was not tested."""
    spread = np.full((*right.shape[:2], images), np.nan)
    for repeat, split in enumerate(splits):
        spread[:, repeat, split.tested] = right[:, repeat]
    return spread


def _rows(model: str, right: NDArray[np.bool_]) -> list[Record]:
    return [
        {"model": model, "repeat": repeat, "arm": arm, "right": int(right[place, repeat].sum()),
         "shown": right.shape[2]}
        for repeat in range(right.shape[1]) for place, arm in enumerate(ARMS)
    ]


def _pairs(model: str, right: NDArray[np.bool_]) -> list[Record]:
    """Return on how many images just one of two arms is right."""
    arms = dict(zip(ARMS, right, strict=True))
    return [
        {"model": model, "repeat": repeat, "first": first, "second": second,
         "only_first": int((arms[first][repeat] & ~arms[second][repeat]).sum()),
         "only_second": int((arms[second][repeat] & ~arms[first][repeat]).sum())}
        for repeat in range(right.shape[1]) for first, second in PAIRS
    ]


def _estimates(model: str | None, by_image: NDArray[np.floating]) -> list[Record]:
    arms = dict(zip(ARMS, by_image, strict=True))
    quantities = arms | {f"{first}-{second}": arms[first] - arms[second] for first, second in PAIRS}
    return [
        {"model": model, "quantity": name, **asdict(over_repeats(values))} for name, values in quantities.items()
    ]
