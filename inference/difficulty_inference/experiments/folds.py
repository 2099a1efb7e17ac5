"""Was the original test set a lucky one? Cross-validation over training and original images together.

If the drop on the new test set came from how the original images were divided into those for training and those for
testing, other divisions would show it too: accuracies would spread over the folds as far as the drop reaches (Recht et
al. 2019, on CIFAR-10: 93.5% to 94.0% on the folds, 84.9% on the new test set).
"""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from difficulty_inference.adapters import Entry, EstimatorEntry
from difficulty_inference.experiments.estimates import over_images
from difficulty_inference.experiments.images import Images, images_of
from difficulty_inference.experiments.result import Record, Result, set_record
from difficulty_inference.experiments.training import each_model, right_answers, trainable
from difficulty_inference.lots import draw
from difficulty_inference.test_sets import TestSet
from difficulty_model.errors import InputError


def cross_validate(
    zoo: Sequence[Entry], *, original: TestSet, new: TestSet, folds: int = 5, seed: int = 0
) -> Result:
    """Train every model on all folds but one, and test it on that one and on the new test set.

    The folds hold every image of the training set and the original test set once, by lot. A model that learns
    from fewer images than there are draws as many from the other folds. New images that lie in a fold are left out.

    Standard errors are for further images, given the models that were trained: every image is answered once on the
    folds, and by the models of all folds on the new test set, where it counts with its mean. The chance in drawing
    and training shows in the spread of the rows over folds.

    Parameters
    ----------
    zoo
        The models; those that come fitted are left out.
    original, new
        The test sets.
    folds
        How many, at least 2.
    seed
        Decides the lots.

    Raises
    ------
    InputError
        If no model can be trained, or there are too few images.
    """
    entries, training_set = trainable(zoo)
    training, originals, all_new = images_of(training_set, original, new)
    pool = training.joined(originals.without(training))
    news = all_new.without(pool)
    if len(pool) < folds or len(news) < 2:
        raise InputError(f"there are {len(pool)} images for {folds} folds, and {len(news)} new ones that are in none; "
                         "expected at least one for each fold, and 2 new ones")
    members = dealt(pool.ids, folds, key=f"{seed} folds")

    def answers(entry: EstimatorEntry, fold: int) -> NDArray[np.bool_]:
        others = pool[np.delete(np.arange(len(pool)), members[fold])]
        return right_answers(
            entry, learned=_lesson(entry, others, key=f"{seed} {fold}"), tested=pool[members[fold]].joined(news),
            key=f"{seed} {fold}",
        )

    done, failed = each_model(entries, "folds", folds, answers)
    on_folds = {model: [right[: -len(news)] for right in own] for model, own in done.items()}
    on_new = {model: np.array([right[-len(news) :] for right in own]) for model, own in done.items()}  # (fold, image)
    by_image = {model: np.concatenate(own).astype(float) for model, own in on_folds.items()}
    rows = [
        {"model": model, "fold": fold, "tested": tested, "right": int(right.sum()), "shown": len(right)}
        for model in done for fold in range(folds)
        for tested, right in [("folds", on_folds[model][fold]), ("new", on_new[model][fold])]
    ]
    estimates = [
        *(row for model in done for row in _estimates(model, by_image[model], on_new[model].mean(0))),
        *_estimates(
            None, np.mean(list(by_image.values()), axis=0), np.mean([own.mean(0) for own in on_new.values()], axis=0)
        ),
    ]
    return Result(
        "folds", seed, {"folds": folds},
        [set_record("training", training_set, len(training)),
         set_record("original", original, len(pool) - len(training)), set_record("new", new, len(news))],
        {"rows": rows, "estimates": estimates}, failed,
    )


def dealt(ids: NDArray[np.str_], hands: int, *, key: str) -> list[NDArray[np.int64]]:
    """Return the positions of the ids in each hand: every one once, by lot, in hands as equal as can be."""
    rest, members = np.arange(len(ids)), []
    for left in range(hands, 0, -1):
        drawn = draw(ids[rest].tolist(), len(rest) // left, f"{key} {left}")
        members.append(rest[drawn])
        rest = np.delete(rest, drawn)
    return members


def _lesson(entry: EstimatorEntry, images: Images, *, key: str) -> Images:
    """Return what a model learns from, of the images that it may: all, or as many as in the zoo."""
    wanted = len(images) if entry.training_images is None else entry.training_images
    if wanted > len(images):
        raise InputError(f"it is to learn from {wanted} images, and {len(images)} are in the other folds; take more "
                         "folds")
    return images[draw(images.ids.tolist(), wanted, f"{key} {entry.lot or entry.name}")]


def _estimates(model: str | None, folds: NDArray[np.floating], new: NDArray[np.floating]) -> list[Record]:
    on_folds, on_new = over_images(folds), over_images(new)
    return [
        {"model": model, "quantity": quantity, **asdict(estimate)}
        for quantity, estimate in [("folds", on_folds), ("new", on_new), ("folds-new", on_folds.less(on_new))]
    ]
