"""Gaps at equal selection frequency, of simulated annotators: against closed forms, and against known truth."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag
from scipy.special import expit
from scipy.stats import beta, betabinom

from difficulty_model.collecting import Frequencies
from difficulty_model.errors import InputError
from difficulty_model.explanations import (
    Evidence,
    Explanation,
    NotTestableError,
    examine,
    frequency_noise,
    gather,
    selection_frequency,
)
from difficulty_model.explanations.frequencies import Cells, annotated, beta_mixture, jackknife, naive
from difficulty_model.responses import Responses

ORIGINAL, NEW = Frequencies(0.71, 0.22), Frequencies(0.6, 0.25)
SKILL = np.array([-1.0, 0.5, 2.0])
GRID = (np.arange(20_000) + 0.5) / 20_000
ALL = (naive, jackknife, beta_mixture)


def right_at(frequency: np.ndarray) -> np.ndarray:
    """Return the probabilities that models are right on images of these frequencies, (model, image)."""
    return expit(SKILL[:, None] + 5 * (frequency - 0.6))


@dataclass(frozen=True)
class Population:
    """A test set: frequencies are a mixture of beta distributions."""

    weights: np.ndarray
    parameters: np.ndarray

    def draw(self, rng: np.random.Generator, images: int) -> np.ndarray:
        of = rng.choice(len(self.weights), images, p=self.weights)
        return rng.beta(*self.parameters[of].T)

    def mean(self, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the mean of a function of the frequency."""
        return self.weights @ np.array([of(beta.ppf(GRID, *ab)).mean(-1) for ab in self.parameters])


def one(frequencies: Frequencies) -> Population:
    return Population(np.ones(1), np.array([frequencies.parameters]))


def matched(annotators: int = 10) -> Population:
    """Return what is chosen from rarer candidates to have the original's histogram of observed frequencies.

    Of candidates with k selections out of n, frequencies are Beta(a + k, b + n − k); Engstrom et al. (2020), section 2.
    """
    k, (a, b) = np.arange(annotators + 1), Frequencies(0.5, 0.28).parameters
    return Population(
        betabinom.pmf(k, annotators, *ORIGINAL.parameters), np.stack([a + k, b + annotators - k], axis=1)
    )


def explained(new: Population) -> float:
    """Return the points that frequencies explain in truth."""
    return 100 * float((one(ORIGINAL).mean(right_at) - new.mean(right_at)).mean())


@dataclass(frozen=True)
class Seen:
    """Images that annotators and models saw: which are new, counts of annotators, and what models got right."""

    is_new: np.ndarray
    selected: np.ndarray
    asked: np.ndarray
    right: np.ndarray


def simulated(
    rng: np.random.Generator, new: Population, images: int, asked: tuple[int, int] = (10, 11), harder: float = 0.0
) -> Seen:
    """Return so many images of either set; models lose a share of what they get right on those that are harder."""
    is_new = np.repeat([False, True], images)
    frequency = np.concatenate([one(ORIGINAL).draw(rng, images), new.draw(rng, images)])
    of_all = rng.integers(*asked, len(is_new))
    # All models' answers to an image by one draw: they share what makes it hard.
    right = rng.random(len(is_new)) < right_at(frequency) * (1 - harder * is_new)
    return Seen(is_new, rng.binomial(of_all, frequency), of_all, right)


def gathered(seen: Seen) -> Cells:
    """Return the images in cells, found otherwise than by the package."""
    is_new, selected, asked, right = seen.is_new, seen.selected, seen.asked, seen.right
    kinds, of_image = np.unique(np.stack([selected, asked]), axis=1, return_inverse=True)
    sets = [~is_new, is_new]
    images = np.stack([np.bincount(of_image[of], minlength=kinds.shape[1]) for of in sets]).astype(float)
    counts = np.stack([
        np.stack([np.bincount(of_image[of], row[of], kinds.shape[1]) for row in right], axis=1) for of in sets
    ])
    shown = np.broadcast_to(images[..., None], counts.shape)
    return Cells(kinds[0].astype(float), kinds[1].astype(float), images[None], counts[None], shown[None])


def expected(new: Frequencies, annotators: int, slope: float, of_original: int | None = None) -> Cells:
    """Return the cells of endlessly many images, of models that are right with probability 0.2 + slope · s.

    The original ones were seen by as many annotators, or by others.
    """
    by_set = [of_original or annotators, annotators]
    k = [np.arange(n + 1.0) for n in by_set]
    a, b = np.transpose([of.parameters for of in (ORIGINAL, new)])
    of_set = [1e9 * betabinom.pmf(k[one], by_set[one], a[one], b[one]) for one in range(2)]
    rate = [0.2 + slope * (a[one] + k[one]) / (a[one] + b[one] + by_set[one]) for one in range(2)]
    images, right = (
        np.asarray(block_diag(*of))[None]
        for of in (of_set, [one * other for one, other in zip(of_set, rate, strict=True)])
    )
    asked = np.repeat(by_set, [len(of) for of in k]).astype(float)
    return Cells(np.concatenate(k), asked, images, right[..., None], images[..., None])


def evidence_of(seen: Seen, table: Path, seed: int = 0) -> Evidence:
    """Return evidence with a file of the counts, which has them in another order, and one image more."""
    names = [f"i{i}" for i in range(len(seen.is_new))]
    counts = pd.DataFrame({"image": names, "selected": seen.selected, "asked": seen.asked})
    other = pd.DataFrame({"image": ["other"], "selected": [7], "asked": [0]})
    pd.concat([counts, other]).sample(frac=1, random_state=0).to_csv(table, index=False)
    responses = Responses.from_arrays(
        seen.right, models=[f"m{j}" for j in range(len(seen.right))], images=names,
        member={"old": ~seen.is_new, "new": seen.is_new},
    )
    return gather(responses, "old", "new", files={"counts": table}, random_seed=seed)


@pytest.mark.parametrize("annotators", [5, 10, 20])
@pytest.mark.parametrize("slope", [0.7, -0.2])
@pytest.mark.parametrize("of_original", [None, 7])
def test_a_linear_curve_has_a_closed_form(annotators: int, slope: float, of_original: int | None):
    """Of n annotators, a beta distribution of a + b = K lets n / (n + K) be seen, however many saw the original."""
    truth, strength = 100 * slope * (ORIGINAL.mean - NEW.mean), sum(NEW.parameters)
    cells = expected(NEW, annotators, slope, of_original)

    def seen(n: int) -> float:
        return n / (n + strength)

    if annotators <= 10 and of_original is None:  # more or others share bins
        assert naive(cells)[0, 0] == pytest.approx(truth * seen(annotators), rel=1e-4)
    inverse = 1 / (annotators - np.arange(3.0))
    corrected = np.polyfit(inverse, [seen(annotators - number) for number in range(3)], 2)[-1]
    assert jackknife(cells)[0, 0] == pytest.approx(truth * corrected, rel=1e-4)
    assert beta_mixture(cells)[0, 0] == pytest.approx(truth, rel=0.01)


def test_what_the_jackknife_leaves_falls_with_the_third_power_of_annotators():
    truth = 100 * 0.7 * (ORIGINAL.mean - NEW.mean)
    left = [truth - jackknife(expected(NEW, n, 0.7))[0, 0] for n in (20, 40, 80)]
    assert left[0] / left[1] == pytest.approx(8, rel=0.25)
    assert left[1] / left[2] == pytest.approx(8, rel=0.12)


@pytest.mark.parametrize("asked", [(10, 11), (5, 16)])
@pytest.mark.parametrize("new", [one(NEW), matched()], ids=["rarer", "matched"])
def test_noise_biases_observed_frequencies_and_corrections_undo_it(new: Population, asked: tuple[int, int]):
    """Worlds in which annotators' noise, and nothing else, is between an estimate and the truth."""
    rng, worlds, truth = np.random.default_rng(20), 30, explained(new)
    off = np.array([
        [points(gathered(simulated(rng, new, 6000, asked))).mean() - truth for points in ALL] for _ in range(worlds)
    ])
    bias, error = off.mean(0), off.std(0, ddof=1) / np.sqrt(worlds)
    print(f"of {truth:.2f} points, naive, jackknife and mixture are off by {bias.round(2)} ± {error.round(2)}")
    assert bias[0] < -8 * error[0]
    assert bias[0] < -0.15 * truth
    for corrected in (1, 2):
        assert abs(bias[corrected]) < 4 * error[corrected]
        assert abs(bias[corrected]) < 0.35 * abs(bias[0])


@pytest.mark.parametrize("points", ALL)
def test_sets_of_equal_frequencies_have_nothing_to_explain(points: Callable[[Cells], np.ndarray]):
    rng, worlds = np.random.default_rng(3), 30
    found = np.array([
        points(gathered(simulated(rng, one(ORIGINAL), 3000, harder=0.2))).mean() for _ in range(worlds)
    ])
    assert abs(found.mean()) < 5 * found.std(ddof=1) / np.sqrt(worlds)


def test_with_endlessly_many_annotators_all_agree():
    rng, new = np.random.default_rng(4), one(NEW)
    is_new = np.repeat([False, True], 4000)
    frequency = np.concatenate([of.draw(rng, 4000) for of in (one(ORIGINAL), new)])
    asked, right = np.full(8000, 100_000), right_at(frequency)
    cells = gathered(Seen(is_new, rng.binomial(asked, frequency), asked, right))
    truth = 100 * (right[:, ~is_new].mean(1) - right[:, is_new].mean(1))
    for points in ALL:
        assert points(cells)[0] == pytest.approx(truth, abs=0.25)


def test_counts_by_which_images_were_chosen_hide_what_frequencies_explain():
    """Which is why others have to be asked: of a set that was matched by its counts, the counts say it is matched."""
    rng = np.random.default_rng(5)
    frequency = np.concatenate([one(ORIGINAL).draw(rng, 5000), one(Frequencies(0.5, 0.28)).draw(rng, 50_000)])
    selected, candidate = rng.binomial(10, frequency), np.arange(55_000) >= 5000
    chosen = np.concatenate([
        np.flatnonzero(candidate & (selected == k))[:of] for k, of in enumerate(np.bincount(selected[:5000]))
    ])
    images = np.concatenate([np.arange(5000), chosen])
    right = rng.random(len(images)) < right_at(frequency[images])
    again = rng.binomial(10, frequency[images])
    same, fresh = (
        gathered(Seen(candidate[images], of, np.full(len(images), 10), right)) for of in (selected[images], again)
    )
    for points in ALL:
        assert abs(points(same).mean()) < 0.1
    error = 2 * 100 * 0.5 / np.sqrt(5000)
    assert beta_mixture(fresh).mean() == pytest.approx(explained(matched()), abs=3 * error)
    assert beta_mixture(fresh).mean() > 1


def test_bins_that_no_new_image_is_in_take_the_nearest():
    def cells(images: list[float], right: list[float]) -> Cells:
        counts = [np.array([[[100.0, 100, 100], of]]) for of in (images, images)]
        answers = np.array([[[50.0, 60, 70], right]])
        return Cells(np.array([0.0, 5, 10]), np.full(3, 10.0), counts[0], answers[..., None], counts[1][..., None])

    nearest = (0.4 + 0.4 + 0.6) / 3
    assert naive(cells([0, 50, 50], [0, 20, 30]))[0, 0] == pytest.approx(100 * (nearest - 0.5), abs=1e-6)
    # Of images that are all alike, nothing is known of any others.
    for points in ALL:
        assert points(cells([0, 0, 100], [0, 0, 30]))[0, 0] == pytest.approx(0, abs=0.5)


def test_images_are_gathered_by_their_counts(tmp_path: Path):
    rng = np.random.default_rng(6)
    seen = simulated(rng, one(NEW), 300, (1, 7))
    own, other = annotated(evidence_of(seen, tmp_path / "counts.csv")).as_they_are(), gathered(seen)
    for name in ("selected", "asked", "images", "right", "shown"):
        assert np.array_equal(getattr(own, name), getattr(other, name))
    for points in ALL:
        assert points(own) == pytest.approx(points(other))


def test_both_explanations_in_full(tmp_path: Path):
    evidence = evidence_of(simulated(np.random.default_rng(7), one(NEW), 6000, harder=0.05), tmp_path / "counts.csv")
    observed = selection_frequency.examine(evidence)
    noise = frequency_noise.examine(evidence)
    assert observed.effect is not None
    assert noise.effect is not None
    assert observed.table["frequency"].tolist() == pytest.approx(np.arange(11) / 10)
    assert observed.table[["original_images", "new_images"]].sum().tolist() == [6000, 6000]
    table = noise.table.set_index("estimator")
    share = observed.table["original_images"] / 6000
    gap = evidence.gap.average()
    accuracy = evidence.accuracies(np.ones((1, 12_000)))[0].mean(1)
    as_observed = 100 * (share @ observed.table["new_accuracy"] - accuracy[1])
    assert table.loc["naive", "explained"] == pytest.approx(as_observed, abs=1e-6)
    assert f"it would be {as_observed:.2f}" in observed.text
    assert f"{gap.value - observed.effect.average().value:.2f} remain" in observed.text
    assert table[["explained", "remaining"]].sum(axis=1).tolist() == pytest.approx([gap.value] * 3)
    assert table.loc["beta mixture", "explained"] == pytest.approx(observed.effect.average().value)
    # Effects of the same images: the same resamples.
    low, high = observed.effect.average().low, observed.effect.average().high
    assert table.loc["beta mixture", ["explained_low", "explained_high"]].tolist() == pytest.approx([low, high])
    beyond = noise.effect.average()
    assert beyond.value == pytest.approx(table.loc["beta mixture", "explained"] - table.loc["naive", "explained"])
    assert 0 < beyond.low < beyond.value < beyond.high < 4
    assert "differs between estimators" in noise.text
    assert f"{table.loc['beta mixture', 'explained']:.2f}" in noise.text


def test_without_counts_they_ask_for_them(tmp_path: Path):
    seen = simulated(np.random.default_rng(8), one(NEW), 200, (1, 2))
    evidence = evidence_of(seen, tmp_path / "counts.csv")
    for explanation in (frequency_noise, selection_frequency):
        with pytest.raises(NotTestableError, match="at least 3 annotators"):
            explanation.examine(evidence)
    without = gather(evidence.responses, "old", "new")
    for explanation in (selection_frequency, frequency_noise):
        with pytest.raises(NotTestableError, match="annotators.*image, selected and asked.*--file counts="):
            explanation.examine(without)


@pytest.mark.parametrize(("selected", "asked", "said"), [
    ("11", "10", "'i5' selected by 11 of 10"),
    ("-1", "10", "'i5' selected by -1 of 10"),
    ("0", "0", "'i5' selected by 0 of 0.*one annotator at least"),
    ("0.5", "10", "'i5' selected by 0.5 of 10.*whole numbers"),
    ("1", "", "'i5' selected by 1 of nan"),
    ("1", "inf", "'i5' selected by 1 of inf"),
    ("", "10", "'i5' selected by nan of 10"),
    ("many", "10", "'many' in row 6; expected a number"),
])
def test_counts_that_cannot_be_are_told(tmp_path: Path, selected: str, asked: str, said: str):
    evidence = evidence_of(simulated(np.random.default_rng(9), one(NEW), 20), tmp_path / "whole.csv")
    rows = [f"i{i},3,10" for i in range(40)]
    rows[5] = f"i5,{selected},{asked}"
    evidence.files["counts"].write_text("\n".join(["image,selected,asked", *rows]))
    for explanation in (selection_frequency, frequency_noise):
        with pytest.raises(InputError, match=said):
            explanation.examine(evidence)


@pytest.mark.parametrize(("least", "told"), [(8, True), (0, False)])
def test_frequencies_that_no_new_image_has_leave_all_open(tmp_path: Path, least: int, told: bool):
    """Were new images selected by eight of ten at least, nothing is known of rarer ones, as some original ones are."""
    seen = simulated(np.random.default_rng(12), one(NEW), 1000, harder=0.2)
    kept = ~seen.is_new | (seen.selected >= least)
    seen = Seen(seen.is_new[kept], seen.selected[kept], seen.asked[kept], seen.right[:, kept])
    evidence = evidence_of(seen, tmp_path / "counts.csv")
    explanations: tuple[Explanation, ...] = selection_frequency, frequency_noise
    for explanation in explanations:
        text = examine(explanation, evidence).text
        assert text.startswith("Needs new images of all frequencies that original ones have") == told


def test_tables_that_lack_something_are_told(tmp_path: Path):
    evidence = evidence_of(simulated(np.random.default_rng(9), one(NEW), 20), tmp_path / "counts.csv")
    table = evidence.files["counts"]
    for head, rows, said in (
        ("image,selected,shown", [f"i{i},3,10" for i in range(40)], "no column 'asked' but 'selected', 'shown'"),
        ("image,selected,asked", [f"i{i},3,10" for i in range(38)], "no counts of 2 of the 40 images.*'i38'"),
        ("image,selected,asked", [f"i{i % 39},3,10" for i in range(40)], "'i0' more than once"),
        ("id,selected,asked", ["i0,3,10"], "'image'"),
    ):
        table.write_text("\n".join([head, *rows]))
        with pytest.raises(InputError, match=said):
            annotated(evidence)


@pytest.mark.slow
@pytest.mark.parametrize("new", [one(NEW), matched()], ids=["rarer", "matched"])
def test_intervals_of_the_corrected_points_cover_the_truth(tmp_path: Path, new: Population):
    """Of 100 worlds, 90 are covered; by chance, fewer than 80 once in 1,200 times, and all once in 37,000."""
    rng, truth, covered = np.random.default_rng(10), explained(new), 0
    for world in range(100):
        evidence = evidence_of(simulated(rng, new, 3000), tmp_path / "counts.csv", seed=world)
        seen = annotated(evidence)
        found = evidence.resampled(lambda copies, seen=seen: beta_mixture(seen.cells(copies))).average(level=0.9)
        covered += found.low < truth < found.high
    assert 80 <= covered < 100
