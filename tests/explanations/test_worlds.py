"""A hundred worlds in which an explanation is the true cause of a gap, and a hundred in which another one is.

It has to be named rightly in 95 of them, and its share of the gap to lie in the 90% interval in 85 to 95. Where a share
is 0 or 1 and cannot be less or more, as of weights and of losses that are never negative, intervals end there and hold
it more often.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm

from difficulty_model.explanations import (
    Evidence,
    Examination,
    Explanation,
    adaptive_overfitting,
    class_imbalance,
    cross_validation,
    discriminator,
    examine,
    frequency_noise,
    gather,
    harder_images,
    humans,
    hyperparameter_tuning,
    invalid_images,
    label_errors,
    learning_the_new,
    near_duplicates,
    sampling_strategy,
    selection_frequency,
    statistical_error,
    two_subpopulations,
)
from difficulty_model.explanations.frequencies import annotated, naive
from difficulty_model.family import losing, normal, probit, recht_et_al, with_unlearnable
from difficulty_model.fitting import fit
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification
from explained import estimates, experiment, neighbours, saved, stored
from told import told

WORLDS, LEVEL = 100, 0.9

SKILL = np.linspace(-1.0, 2.5, 30)

KNOWS_ALL = Specification(losing(), probit(), with_unlearnable(normal()))
"""Skills that may be lost, and images that may be impossible."""

pytestmark = pytest.mark.slow


def responses_of(right: np.ndarray, in_new: np.ndarray, labels: np.ndarray | None = None) -> Responses:
    return Responses.from_arrays(
        right, models=[f"m{j}" for j in range(len(right))], images=[f"i{i}" for i in range(right.shape[1])],
        member={"old": ~in_new, "new": in_new}, labels=None if labels is None else labels.astype(str),
    )


def world(
    seed: int,
    *,
    images: int = 2000,
    harder: float = 0.0,
    lost: float = 0.0,
    impossible: tuple[float, float] = (0.02, 0.02),
    plain: tuple[float, float] = (0.0, 0.0),
    own: float = 0.1,
    difficulty: tuple[float, float] = (0.0, 1.5),
) -> Responses:
    """Return responses of models of which each loses something by itself, to images of what is said beside."""
    rng = np.random.default_rng(seed)
    in_new = np.arange(2 * images) >= images
    kind, of = rng.random(2 * images), in_new.astype(int)
    every = rng.normal(difficulty[0] + harder * in_new, difficulty[1])
    every = np.where(kind < np.array(impossible)[of], np.inf, every)
    every = np.where(kind > 1 - np.array(plain)[of], -np.inf, every)
    away = rng.normal(0, own, len(SKILL))
    loss = lost * (SKILL - SKILL.min()) + away - away.mean()
    skill = SKILL[:, None] - loss[:, None] * in_new
    return responses_of(rng.normal(size=(len(SKILL), 2 * images)) < skill - every, in_new)


def of_classes(seed: int, *, shares: np.ndarray, harder: float) -> Responses:
    rng = np.random.default_rng(seed)
    in_new = np.arange(8000) >= 4000
    label = np.concatenate([rng.integers(0, 5, 4000), rng.choice(5, 4000, p=shares)])
    difficulty = rng.normal(label - 2.0 + harder * in_new, 1.0)
    return responses_of(rng.normal(size=(len(SKILL), 8000)) < SKILL[:, None] - difficulty, in_new, label)


EVEN, HARD_CLASSES = np.full(5, 0.2), np.array([0.05, 0.1, 0.15, 0.3, 0.4])


def with_duplicates(folder: Path, seed: int, *, share: float, harder: float) -> Evidence:
    """Return a world in which a share of the original images is known by heart, and a list of as many in any case."""
    rng = np.random.default_rng(seed)
    given = world(seed, harder=harder, impossible=(0.0, 0.0))
    known = rng.permutation(2000)[: int(2000 * (share or 0.1))]
    right = given.right.copy()
    if share:
        right[:, known] = 1
    (folder / "names.txt").write_text("".join(f"i{i}\n" for i in known), encoding="utf-8")
    return gather(responses_of(right, given.member[1]), "old", "new", files={"duplicates": folder / "names.txt"})


def with_neighbours(folder: Path, seed: int, *, share: float, harder: float) -> Evidence:
    """Return such a world, in which images that are known by heart are nearer to training images than others."""
    evidence = with_duplicates(folder, seed, share=share, harder=harder)
    distance = np.random.default_rng(seed).uniform(1, 2, len(evidence.responses.images))
    if share:
        distance[np.isin(evidence.responses.images, (folder / "names.txt").read_text(encoding="utf-8").split())] = 0.1
    return replace(evidence, files={"duplicates": stored(folder, neighbours(evidence, distance))})


def with_counts(folder: Path, seed: int, *, rarer: bool, harder: float) -> Evidence:
    """Return a world in which models find rarely selected images harder, of which the new test set may have more."""
    rng = np.random.default_rng(seed)
    in_new = np.arange(20_000) >= 10_000
    a, b = (np.where(in_new & rarer, few, many) for few, many in ((1.5, 2.3), (1.3, 0.95)))
    frequency = rng.beta(a, b)
    difficulty = rng.normal(3 * (0.6 - frequency) + harder * in_new, 1.0)
    right = rng.normal(size=(len(SKILL), len(in_new))) < SKILL[:, None] - difficulty
    table = pd.DataFrame({"image": [f"i{i}" for i in range(len(in_new))], "selected": rng.binomial(10, frequency)})
    table.assign(asked=10).to_csv(folder / "counts.csv", index=False)
    return gather(responses_of(right, in_new), "old", "new", files={"counts": folder / "counts.csv"})


FEW = np.linspace(-1.0, 2.5, 10)
"""Skills of fewer models, where experiments of their own are simulated."""


def answers(rng: np.random.Generator, difficulty: np.ndarray) -> np.ndarray:
    """Return what models, or the same ones trained again, get right."""
    return rng.normal(size=(len(FEW), len(difficulty))) < FEW[:, None] - difficulty


def old_and_new(old: np.ndarray, new: np.ndarray, **given: Any) -> Evidence:
    right, in_new = np.concatenate([old, new], axis=1), np.arange(old.shape[1] + new.shape[1]) >= old.shape[1]
    return gather(responses_of(right, in_new), "old", "new", **given)


def over_images(quantities: Mapping[str, tuple[np.ndarray, ...]], sets: Mapping[str, int], name: str) -> Any:
    """Return the file of an experiment with means of what each model does on images, and differences of two of them."""
    def of(parts: tuple[np.ndarray, ...]) -> tuple[float, float]:
        means = [part.mean() for part in parts]
        return means[0] - sum(means[1:]), float(np.sqrt(sum(part.var(ddof=1) / len(part) for part in parts)))

    records = []
    for j in (*range(len(FEW)), None):
        own = {key: of(tuple(p.mean(0) if j is None else p[j] for p in parts)) for key, parts in quantities.items()}
        records += [row for row in estimates(own, [f"m{j}"]) if (row["model"] is None) == (j is None)]
    rows = [{"model": "m0", "fold": 0, "tested": "folds", "repeat": 0, "arm": "new", "right": 1, "shown": 2}]
    used = [
        {"role": role, "name": {"original": "old"}.get(role, role), "images": number, "used": number}
        for role, number in sets.items()
    ]
    return experiment(name, estimates=records, rows=rows) | {"sets": used}


def with_folds(folder: Path, seed: int, *, lucky: bool) -> Evidence:
    """Return a world of which the easiest images are rather for testing, or in which new ones are harder than all."""
    rng = np.random.default_rng(seed)
    pool, new = rng.normal(0, 1.5, 6000), rng.normal(0.0 if lucky else 1.0, 1.5, 2000)
    order = np.argsort(pool + rng.normal(0, 1.5, 6000)) if lucky else np.arange(6000)
    right_again = answers(rng, new)
    on_folds = answers(rng, pool)
    content = over_images({"folds": (on_folds,), "new": (right_again,), "folds-new": (on_folds, right_again)}, {
        "training": 4000, "original": 2000, "new": 2000,
    }, "folds")
    return old_and_new(
        answers(rng, pool[order[:2000]]), answers(rng, new), files={"folds": stored(folder, content)}
    )


def with_lessons(folder: Path, seed: int, *, learned: float) -> Evidence:
    """Return a world in which models regain a share of what harder images take by learning from half of them."""
    rng = np.random.default_rng(seed)
    new = rng.normal(1.0, 1.5, 2000)
    rest = new[1000:]
    # What both arms learn by more images of whatever kind cancels.
    arms = {"untouched": answers(rng, rest), "original": answers(rng, rest), "new": answers(rng, rest - learned)}
    difference = arms["new"].astype(float) - arms["original"]
    quantities = {name: (of,) for name, of in arms.items()} | {"new-original": (difference,)}
    content = over_images(quantities, {"original": 2000, "new": 2000}, "new-data")
    return old_and_new(
        answers(rng, rng.normal(0, 1.5, 2000)), answers(rng, new), files={"new-data": stored(folder, content)}
    )


def with_variants(folder: Path, seed: int, *, better: float) -> Evidence:
    """Return a model that loses twenty points, and variants of it of which one may regain them."""
    rng = np.random.default_rng(seed)
    accuracy = np.array([0.65, 0.65, 0.65 + better, 0.65, 0.65, 0.6])
    image = rng.normal(0, 1, 10_000)
    right = image + rng.normal(0, 1, (6, 10_000)) < norm.ppf(accuracy)[:, None] * np.sqrt(2)
    default = np.concatenate([rng.random(10_000) < 0.85, right[0]])
    in_new = np.arange(20_000) >= 10_000
    own = Responses.from_arrays(default[None], models=["net"], images=[f"i{i}" for i in range(20_000)],
                                member={"old": ~in_new, "new": in_new})
    variants = Responses.from_arrays(
        right[1:], models=[f"net[c={j}]" for j in range(5)], images=[f"i{i}" for i in range(10_000, 20_000)],
        member={"new": np.ones(10_000, bool)},
    )
    return gather(own, "old", "new", files={"variants": saved(folder, variants)})


def with_people(folder: Path, seed: int, *, same: bool) -> Evidence:
    """Return harder images, which people find as much harder as models do, or no harder than original ones."""
    rng = np.random.default_rng(seed)
    in_new = np.arange(12_000) >= 6000
    original, moved = rng.normal(0, 1.5, 12_000), 1.0 * in_new
    people = Responses.from_arrays(
        answers(rng, original + moved * same), models=[f"p{j}" for j in range(len(FEW))],
        images=[f"i{i}" for i in range(12_000)], member={"all": np.ones(12_000, bool)},
    )
    right = answers(rng, original + moved)
    return old_and_new(right[:, ~in_new], right[:, in_new], files={"humans": saved(folder, people)})


def with_discriminator(folder: Path, seed: int, *, share: float) -> Evidence:
    """Return harder images, and a classifier that tells a share of the images apart."""
    rng = np.random.default_rng(seed)
    shown = 40_000
    right = int(rng.binomial(shown, share))
    ends = binomtest(right, shown).proportion_ci(0.95, "exact")
    interval = {"low": float(ends.low), "high": float(ends.high), "p_value": 0.5}
    content = experiment(
        "discriminator", rows=[{"right": right, "shown": shown, "split": 0, **interval}],
        estimates=[{"model": None, "quantity": "accuracy", "value": right / shown, **interval}], original="old",
    )
    old, new = (answers(rng, rng.normal(mean, 1.5, 1500)) for mean in (0.0, 1.0))
    return old_and_new(old, new, files={"discriminator": stored(folder, content)})


def annotated_by(folder: Path, seed: int, *, annotators: int, images: int = 4000) -> Evidence:
    """Return rarer new images, of which that many annotators say how rare they are."""
    rng = np.random.default_rng(seed)
    frequency = np.concatenate([rng.beta(2.3, 0.95, images), rng.beta(1.5, 1.3, images)])
    right = answers(rng, rng.normal(3 * (0.6 - frequency), 1.0))
    table = pd.DataFrame({"image": [f"i{i}" for i in range(2 * images)],
                          "selected": rng.binomial(annotators, frequency), "asked": annotators})
    table.to_csv(folder / "counts.csv", index=False)
    return old_and_new(right[:, :images], right[:, images:], files={"counts": folder / "counts.csv"})


def hidden_by_noise(annotators: int) -> float:
    """Return the share of the gap that so few annotators hide: frequencies make all of it, as of many more images."""
    with TemporaryDirectory() as folder:
        evidence = annotated_by(Path(folder), 10**6, annotators=annotators, images=200_000)
        copies = np.ones((1, 400_000), np.float32)
        seen = float(naive(annotated(evidence).cells(copies)).mean())
        return 1 - seen / float(-100 * np.diff(evidence.accuracies(copies)[0].mean(1))[0])


def by_strategies(folder: Path, seed: int, *, as_often: bool) -> Evidence:
    """Return new test sets of other frequencies, one of which is harder or is selected less often than the original."""
    rng = np.random.default_rng(seed)
    frequency = {"old": 0.6 if as_often else 0.7, "new": 0.6, "often": 0.8}
    of = np.repeat(np.arange(3), 2000)
    away = 3 * (np.array(list(frequency.values()))[of] - 0.7) - 0.5 * (as_often & (of > 0))
    responses = Responses.from_arrays(
        answers(rng, rng.normal(-away, 1.0)), models=[f"m{j}" for j in range(len(FEW))],
        images=[f"i{i}" for i in range(6000)], member={name: of == k for k, name in enumerate(frequency)},
    )
    rows = "".join(f"{name},{share}\n" for name, share in frequency.items())
    (folder / "frequencies.csv").write_text(f"test_set,frequency\n{rows}", encoding="utf-8")
    # The row takes no more of a fit than its responses.
    fitted = told(responses, recht_et_al(), {"skill": FEW, "population.mean": 0.0, "population.sd": 1.0}, draws=2)
    return gather(responses, "old", "new", fit=fitted, files={"frequencies": folder / "frequencies.csv"})


def bare(responses: Responses) -> Evidence:
    return gather(responses, "old", "new")


def in_proportions(seed: int, *, share: float) -> Evidence:
    images = {"images": 4000, "own": 0.0, "difficulty": (1.0, 1.0), "impossible": (0.0, 0.0)}
    return bare(world(seed, plain=(0.4, share), harder=0.0 if share < 0.4 else 0.8, **images))


@dataclass(frozen=True)
class Case:
    """An explanation, worlds, what it should say of them, and the share of the gap that it has, if known."""

    explanation: Explanation
    make: Callable[[Path, int], Evidence]
    verdicts: tuple[str, ...]
    share: Callable[[], float] | float | None = None


CASES = {
    "chance": Case(statistical_error, lambda _, s: bare(world(s)), ("explains it",)),
    "no chance": Case(statistical_error, lambda _, s: bare(world(s, harder=1.5, images=4000)), ("cannot",)),
    "classes": Case(
        class_imbalance, lambda _, s: bare(of_classes(s, shares=HARD_CLASSES, harder=0.0)), ("explains it",), 1.0
    ),
    "no classes": Case(class_imbalance, lambda _, s: bare(of_classes(s, shares=EVEN, harder=1.0)), ("cannot",)),
    "invalid": Case(invalid_images, lambda _, s: bare(world(s, impossible=(0.02, 0.3))), ("explains it",), 1.0),
    "not invalid": Case(
        invalid_images, lambda _, s: bare(of_classes(s, shares=EVEN, harder=0.5)), ("cannot", "not testable")
    ),
    "proportions": Case(two_subpopulations, lambda _, s: in_proportions(s, share=0.1), ("explains it",), 1.0),
    "no proportions": Case(two_subpopulations, lambda _, s: in_proportions(s, share=0.4), ("cannot",)),
    "duplicates": Case(
        near_duplicates, lambda f, s: with_duplicates(f, s, share=0.3, harder=0.0), ("explains it",), 1.0
    ),
    "no duplicates": Case(near_duplicates, lambda f, s: with_duplicates(f, s, share=0.0, harder=1.0), ("cannot",), 0.0),
    # Nobody has looked at the pairs, so none of it is laid to them.
    "neighbours": Case(
        near_duplicates, lambda f, s: with_neighbours(f, s, share=0.3, harder=0.0), ("not testable",), 1.0
    ),
    "no neighbours": Case(
        near_duplicates, lambda f, s: with_neighbours(f, s, share=0.0, harder=1.0), ("cannot",), 0.0
    ),
    "frequency": Case(
        selection_frequency, lambda f, s: with_counts(f, s, rarer=True, harder=0.0), ("explains it",), 1.0
    ),
    "no frequency": Case(
        selection_frequency, lambda f, s: with_counts(f, s, rarer=False, harder=1.0), ("cannot",), 0.0
    ),
    "folds": Case(cross_validation, lambda f, s: with_folds(f, s, lucky=True), ("explains it",), 1.0),
    "no folds": Case(cross_validation, lambda f, s: with_folds(f, s, lucky=False), ("cannot",), 0.0),
    "lessons": Case(learning_the_new, lambda f, s: with_lessons(f, s, learned=1.0), ("explains it",), 1.0),
    "no lessons": Case(learning_the_new, lambda f, s: with_lessons(f, s, learned=0.0), ("cannot",), 0.0),
    "variants": Case(hyperparameter_tuning, lambda f, s: with_variants(f, s, better=0.2), ("explains it",), 1.0),
    "no variants": Case(hyperparameter_tuning, lambda f, s: with_variants(f, s, better=0.0), ("cannot",), 0.0),
    "people": Case(humans, lambda f, s: with_people(f, s, same=True), ("explains it",), 1.0),
    "no people": Case(humans, lambda f, s: with_people(f, s, same=False), ("cannot",), 0.0),
    "apart": Case(discriminator, lambda f, s: with_discriminator(f, s, share=0.6), ("part of it",)),
    "not apart": Case(discriminator, lambda f, s: with_discriminator(f, s, share=0.5), ("cannot",)),
    "noise": Case(
        frequency_noise, lambda f, s: annotated_by(f, s, annotators=3), ("part of it",), lambda: hidden_by_noise(3)
    ),
    "no noise": Case(
        frequency_noise, lambda f, s: annotated_by(f, s, annotators=100), ("cannot",), lambda: hidden_by_noise(100)
    ),
    "strategy": Case(sampling_strategy, lambda f, s: by_strategies(f, s, as_often=False), ("explains it",), 1.0),
    "no strategy": Case(sampling_strategy, lambda f, s: by_strategies(f, s, as_often=True), ("cannot",), 0.0),
}


def tally(found: list[Examination], verdicts: tuple[str, ...], share: float | None) -> tuple[int, int | None]:
    """Return how often the verdict is right, and how often the 90% interval holds the share."""
    named = sum(one.verdict in verdicts for one in found)
    if share is None:
        return named, None
    intervals = [one.effect.share(level=LEVEL) for one in found if one.effect is not None]
    return named, sum(of.low - 1e-9 <= share <= of.high + 1e-9 for of in intervals)


def require(name: str, named: int, held: int | None) -> None:
    print(f"{name}: named rightly in {named} of {WORLDS}, share held in {held}")
    assert named >= 95
    # Of a hundred 90% intervals fewer than 80 hold the truth once in 1,000 times.
    assert held is None or held >= 80


@pytest.mark.parametrize("name", CASES)
def test_causes_that_responses_show(name: str, tmp_path: Path):
    case = CASES[name]
    found = [examine(case.explanation, case.make(tmp_path, seed)) for seed in range(WORLDS)]
    share = case.share() if callable(case.share) else case.share
    require(name, *tally(found, case.verdicts, share))


BY_FIT: tuple[Explanation, ...] = (adaptive_overfitting, harder_images, label_errors)

FITTED = {
    "harder": ({"harder": 1.2}, harder_images),
    # On 2,000 images, chance in which of them there are is too large to say of harder images that they cannot.
    "adapted": ({"lost": 0.5, "images": 8000}, adaptive_overfitting),
    "labels": ({"impossible": (0.02, 0.3)}, label_errors),
}


@pytest.mark.parametrize("cause", FITTED)
def test_causes_that_a_fit_shows(cause: str):
    options, true = FITTED[cause]
    found: dict[str, list[Examination]] = {}
    for seed in range(WORLDS):
        responses = world(seed, **options)
        fitted = fit(responses, KNOWS_ALL, method="laplace", random_seed=seed, progress=False)
        evidence = gather(responses, "old", "new", fit=fitted)
        for explanation in BY_FIT:
            found.setdefault(explanation.NAME, []).append(examine(explanation, evidence))
    require(f"{cause}: {true.NAME}", *tally(found[true.NAME], ("explains it",), 1.0))
    for name, of in found.items():
        # Images with a label in error are hard ones too, as the fit counts them.
        if name != true.NAME and (cause, name) != ("labels", harder_images.NAME):
            require(f"{cause}: {name}", *tally(of, ("cannot",), 0.0))
