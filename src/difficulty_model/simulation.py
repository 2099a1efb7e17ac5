"""Hypothetical test sets: what the models would score on them, and how the leaderboard would look."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from scipy.stats import rankdata
from tqdm.auto import tqdm

from difficulty_model.answering import SHARES, answer, draw_nodes, right_by_effect
from difficulty_model.errors import InputError, unknown_name
from difficulty_model.fitting import Fit
from difficulty_model.fitting.images import FAMILY, families, kinds_of_images, names_of
from difficulty_model.fitting.result import grid_of
from difficulty_model.law import Line, least_squares, probit
from difficulty_model.likelihood import Chunk, Patterns
from difficulty_model.observed import off_the_edges
from difficulty_model.populations import Moved
from difficulty_model.posterior import LEVEL, laid_out, on_grid, summary
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification, covariates_of, has_classes
from difficulty_model.types import IMAGE, MODEL, TEST_SET, FloatArray, IntArray

SETS = 1000
"""Test sets that are simulated, unless asked otherwise."""

NAME = "simulated"
"""Of the test set that responses are simulated for."""


@dataclass(frozen=True)
class TestSetPlan:
    """A test set that does not exist: how many images, and of which population.

    Attributes
    ----------
    images
        How many.
    like
        Share of the images that are like those of each fitted test set. Two of them make a population in between.
    harder
        Probit units by which every image is harder.
    wider
        Factor by which difficulties are further from their mean.
    classes
        Share of images of each class; those of the fitted test sets if empty. The fit must have effects of classes.
    covariates
        Value that a covariate has for all images. The fit must be regressed on it.
    """

    __test__ = False  # it is no test of pytest's

    images: int
    like: Mapping[str, float]
    harder: float = 0.0
    wider: float = 1.0
    classes: Mapping[str, float] = field(default_factory=dict)
    covariates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Reordering:
    """How a simulated leaderboard differs from an observed one.

    Attributes
    ----------
    same_first
        Probability that the model that is first there is first here.
    same_order
        Probability that no two models change places.
    pairs_swapped
        Share of all pairs of models that change places, one per simulated test set.
    """

    same_first: float
    same_order: float
    pairs_swapped: Float[np.ndarray, "simulated"]


@dataclass(frozen=True, eq=False)
class Simulation:
    """Test sets simulated by one plan, one per posterior draw; more are shared out over the draws.

    Attributes
    ----------
    plan
        Of which test set.
    accuracy : xarray.DataArray
        Share of the images that each model gets right, (simulated, model): with the whole uncertainty of skills,
        populations and images.
    population : xarray.DataArray
        The same of infinitely many images, (simulated, model).
    fitted : xarray.DataArray
        Accuracies in the populations of the fitted test sets, by the same draws, (simulated, test_set, model).
    observed : xarray.DataArray
        Accuracies that were observed there, (test_set, model); not a number where a model was not run.
    """

    plan: TestSetPlan
    accuracy: xr.DataArray
    population: xr.DataArray
    fitted: xr.DataArray
    observed: xr.DataArray

    @cached_property
    def rank(self) -> xr.DataArray:
        """Rank of every model on every simulated test set, 1 the best; equal ones share the mean of theirs."""
        return self.accuracy.copy(data=rankdata(-self.accuracy.values, axis=1))

    def leaderboard(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Return every model's accuracy and rank, best first.

        Returns
        -------
        pandas.DataFrame
            Columns `model`; `accuracy`, `sd`, `low`, `high`, of a simulated test set, as shares; `rank`, `rank_low`,
            `rank_high`; `first`, the probability of being first.
        """
        found, ranks = (summary(of.values, level=level) for of in (self.accuracy, self.rank))
        first = self.rank.values == self.rank.values.min(1, keepdims=True)
        table = pd.DataFrame({
            MODEL: self.accuracy[MODEL].values.astype(str),
            "accuracy": found["mean"], "sd": found["sd"], "low": found["low"], "high": found["high"],
            "rank": ranks["mean"], "rank_low": ranks["low"], "rank_high": ranks["high"],
            "first": (first / first.sum(1, keepdims=True)).mean(0),
        })
        return table.sort_values("accuracy", ascending=False, ignore_index=True, kind="stable")

    def beats(self) -> xr.DataArray:
        """Return the probability that each model (rows) scores higher than each other, ties counted as half."""
        scores = self.accuracy.values
        ahead = np.stack([
            ((scores[:, j, None] > scores).mean(0) + (scores[:, j, None] >= scores).mean(0)) / 2
            for j in range(scores.shape[1])
        ])
        names = self.accuracy[MODEL].values
        return xr.DataArray(ahead, dims=(MODEL, "other"), coords={MODEL: names, "other": names}, name="beats")

    def reordering(self, test_set: str) -> Reordering:
        """Return how the leaderboard would differ from that observed on a fitted test set.

        Raises
        ------
        InputError
            If the test set was not fitted, or fewer than two models were run on it.
        """
        observed = self._observed(test_set)
        run = np.isfinite(observed)
        if run.sum() < 2:
            raise InputError(f"only {run.sum()} model was run on {test_set!r}: there is no order to compare with")
        there, here = observed[run], self.accuracy.values[:, run]
        one, other = np.triu_indices(len(there), 1)
        swapped = np.sign(there[one] - there[other]) * np.sign(here[:, one] - here[:, other]) < 0
        first = here[:, np.argmax(there)] == here.max(1)
        return Reordering(float(first.mean()), float((~swapped.any(1)).mean()), swapped.mean(1))

    def line_from(self, test_set: str) -> Line:
        """Return the line from accuracies in the population of a fitted test set to those of this, per draw."""
        return _line(self._of(self.fitted, test_set), self.population.values)

    def seen_from(self, test_set: str) -> Line:
        """Return the line that would be seen: from accuracies observed there to those simulated here.

        Models that were not run there, or were always right or always wrong, are left out.
        """
        observed = self._observed(test_set)
        run = (observed > 0) & (observed < 1)
        here = off_the_edges(self.accuracy.values[:, run], np.asarray(float(self.plan.images)))
        return _line(np.broadcast_to(observed[run], here.shape), here)

    def _observed(self, test_set: str) -> FloatArray:
        return self._of(self.observed, test_set)

    def _of(self, values: xr.DataArray, test_set: str) -> FloatArray:
        known = values[TEST_SET].values.astype(str).tolist()
        if test_set not in known:
            raise unknown_name("test set in this fit", test_set, known)
        return values.sel({TEST_SET: test_set}).values

    @property
    def tree(self) -> xr.DataTree:
        """The same in ArviZ's groups: `posterior_predictive` (accuracies and ranks), `posterior`, `observed_data`."""
        return xr.DataTree.from_dict({
            "posterior_predictive": xr.Dataset({"accuracy": self.accuracy, "rank": self.rank}).expand_dims(chain=[0]),
            "posterior": xr.Dataset({"population": self.population, "fitted": self.fitted}).expand_dims(chain=[0]),
            "observed_data": xr.Dataset({"observed": self.observed}),
        })

    def as_dict(self, *, against: str, level: float = LEVEL) -> dict[str, Any]:
        """Return the simulation beside a fitted test set as plain values that JSON can hold."""
        order = self.reordering(against)
        return {
            "plan": {
                "images": self.plan.images, "like": dict(self.plan.like), "harder": self.plan.harder,
                "wider": self.plan.wider, "classes": dict(self.plan.classes), "covariates": dict(self.plan.covariates),
            },
            "simulated": self.accuracy.sizes["draw"],
            "level": level,
            "models": self.leaderboard(level=level).to_dict("records"),
            "from": against,
            "line": _plain(self.line_from(against), level=level),
            "seen": _plain(self.seen_from(against), level=level),
            "same_first": order.same_first,
            "same_order": order.same_order,
            "pairs_swapped": {k: float(v) for k, v in summary(order.pairs_swapped, level=level).items()},
        }


def simulate(
    fit: Fit, plan: TestSetPlan, *, sets: int = SETS, random_seed: int = 0, progress: bool = True
) -> Simulation:
    """Return test sets simulated from a fit: what its models would score on other images.

    Every simulated test set takes a posterior draw of skills and populations, draws its images from that population,
    and then the responses of all models to them; models of one family are off together.

    Parameters
    ----------
    fit
        Of one test set or several.
    plan
        Of which test set.
    sets
        How many are simulated.
    random_seed
        Of the images and the responses.
    progress
        Show a progress bar, if there is a terminal to show it in.

    Raises
    ------
    InputError
        If the plan asks for a test set, class or covariate that the fit does not have, or for no images.
    """
    if sets < 1:
        raise InputError(f"at least one test set has to be simulated; got {sets}")
    made = _made_of(fit, plan, at_most=sets)
    drawn = laid_out(made.numbers, made.kinds)
    population = drawn.accuracies(made.weights[None])[:, 0]
    fitted = on_grid(fit, at_most=sets).accuracies(fit.weights.values)
    of_set = np.arange(sets) * len(population) // sets
    accuracy = np.empty((sets, population.shape[1]))
    rng, family = np.random.default_rng(random_seed), families(fit.responses, fit.specification)
    every = _right_of_draws(made, of_set)
    bar = tqdm(every, total=sets, desc="test sets", disable=None if progress else True, leave=False)
    for n, (d, probability) in enumerate(bar):
        accuracy[n] = _answered(rng, made.weights[:, None] * drawn.share[d], probability, plan.images, family)
    models = fit.responses.models
    draws = {"draw": np.arange(sets), MODEL: models}
    observed = fit.responses.accuracies().pivot(index=TEST_SET, columns=MODEL, values="accuracy")
    test_sets = fit.responses.test_sets
    return Simulation(
        plan,
        xr.DataArray(accuracy, dims=("draw", MODEL), coords=draws, name="accuracy"),
        xr.DataArray(population[of_set], dims=("draw", MODEL), coords=draws, name="population"),
        xr.DataArray(fitted[of_set], dims=("draw", TEST_SET, MODEL), coords=draws | {TEST_SET: test_sets}),
        xr.DataArray(
            observed.loc[test_sets, models].to_numpy(), dims=(TEST_SET, MODEL),
            coords={TEST_SET: test_sets, MODEL: models},
        ),
    )


def simulate_responses(fit: Fit, plan: TestSetPlan, *, random_seed: int = 0) -> Responses:
    """Return the responses of a fit's models to one simulated test set, by one posterior draw taken at random.

    Every image is like one of the fitted test sets in stratum, class and covariates; its difficulty is its own.

    Raises
    ------
    InputError
        As `simulate`.
    """
    made, rng = _made_of(fit, plan), np.random.default_rng(random_seed)
    d = int(rng.integers(len(jax.tree.leaves(made.numbers)[0])))
    stratum, kind = made.images(rng, plan.images)
    with jax.enable_x64(True):
        kinds = jax.tree.map(jnp.asarray, made.kinds)
        one = jax.tree.map(lambda leaf: leaf[d : d + 1], made.numbers)
        grid, drawn = grid_of(one, kinds), jax.tree.map(lambda leaf: leaf[0], one)
        node = np.asarray(draw_nodes(drawn, kinds, grid, jnp.asarray(kind), jnp.asarray(rng.random(plan.images))))
        probability = np.asarray(right_by_effect(drawn, grid))
    shown = np.ones((len(fit.responses.models), plan.images), np.uint8)
    right = answer(rng, probability, stratum, node, shown, families(fit.responses, fit.specification))
    of_class = None
    if has_classes(fit.specification):
        names = np.array(names_of(fit.responses, fit.specification)["class_"])
        of_class = names[np.ravel(made.kinds.chunks.class_)[kind]]
    images = [f"{NAME}-{i}" for i in range(plan.images)]
    simulated = Responses.from_arrays(
        right, models=fit.responses.models, images=images, member={NAME: np.ones(plan.images, bool)}, labels=of_class,
        history=[f"simulated from a fit by draw {d}, seed {random_seed}: {plan}"],
    )
    known = {}
    for n, name in enumerate(covariates_of(fit.specification)):
        mean, sd = _scale(fit, name)
        known[name] = mean + sd * np.ravel(made.kinds.chunks.covariates[..., n])[kind]
    if known:
        simulated = simulated.with_covariates(pd.DataFrame(known, index=pd.Index(images, name=IMAGE)))
    if FAMILY in fit.responses.dataset.coords:
        of_models = fit.responses.dataset[FAMILY].values.astype(str)
        simulated = simulated.with_families(dict(zip(fit.responses.models, of_models, strict=True)))
    return simulated


@dataclass(frozen=True, eq=False)
class _Made:
    """What a hypothetical test set is made of.

    Attributes
    ----------
    numbers
        The specification with posterior draws in place of its unknowns, populations moved as planned.
    kinds
        The images that the specification does not tell apart before any response, counted in proportion.
    weights
        Share of the images that lie in each stratum.
    """

    numbers: Specification
    kinds: Patterns
    weights: Float[np.ndarray, "stratum"]

    def images(self, rng: np.random.Generator, n: int) -> tuple[IntArray, IntArray]:
        """Return stratum and kind of so many images."""
        count = np.asarray(self.kinds.chunks.count)
        stratum = np.repeat(np.asarray(self.kinds.chunks.stratum), count[0].size)
        in_stratum = np.bincount(stratum, count.ravel(), len(self.weights))
        share = count.ravel() * _over(self.weights, in_stratum)[stratum]
        kind = rng.choice(len(share), n, p=share / share.sum())
        return stratum[kind], kind


def _made_of(fit: Fit, plan: TestSetPlan, *, at_most: int | None = None) -> _Made:
    if plan.images < 1:
        raise InputError(f"a test set needs at least one image; got {plan.images}")
    if not plan.wider > 0 or not np.isfinite([plan.harder, plan.wider]).all():
        raise InputError(f"`harder` is a number of probit units and `wider` a factor above 0; got {plan.harder} and "
                         f"{plan.wider}")
    weights = _shares(plan.like, "test set in this fit", fit.responses.test_sets) @ fit.weights.values
    kinds = kinds_of_images(fit.responses, fit.specification)
    chunks = kinds.chunks
    if plan.classes:
        chunks = _in_mix(chunks, plan.classes, weights, fit)
    for name, value in plan.covariates.items():
        known = list(covariates_of(fit.specification))
        if name not in known:
            raise unknown_name("covariate that this fit is regressed on", name, known)
        if not np.isfinite(value):
            raise InputError(f"covariate {name!r} must have a finite value; got {value}")
        mean, sd = _scale(fit, name)
        covariates = np.array(chunks.covariates)
        covariates[..., known.index(name)] = (value - mean) / sd
        chunks = replace(chunks, covariates=covariates)
    kinds, numbers = replace(kinds, chunks=chunks), fit.numbers(at_most=at_most)
    if plan.harder != 0 or plan.wider != 1:
        mean, _ = laid_out(numbers, kinds).moments(weights[None])
        with jax.enable_x64(True):
            center, by, factor = (
                jnp.asarray(np.broadcast_to(of, (len(mean), len(weights)))) for of in (mean, plan.harder, plan.wider)
            )
        numbers = replace(numbers, population=Moved(numbers.population, center, by, factor))
    return _Made(numbers, kinds, weights)


def _scale(fit: Fit, covariate: str) -> tuple[float, float]:
    """Return mean and standard deviation of a covariate among the fitted images."""
    values = fit.responses.dataset[covariate].values.astype(np.float64)
    return float(values.mean()), float(values.std())


def _shares(given: Mapping[str, float], kind: str, known: list[str]) -> FloatArray:
    """Return shares that sum to one, for all that is known."""
    for name, share in given.items():
        if name not in known:
            raise unknown_name(kind, name, known)
        if not np.isfinite(share) or share < 0:
            raise InputError(f"shares are at least 0; got {share} for {name!r}")
    shares = np.array([given.get(name, 0.0) for name in known], float)
    if not shares.sum() > 0:
        raise InputError(f"no {kind} has a share above 0: there are {', '.join(map(repr, known[:10]))}")
    return shares / shares.sum()


def _in_mix(chunks: Chunk, classes: Mapping[str, float], weights: FloatArray, fit: Fit) -> Chunk:
    """Return kinds of images counted so that classes have the wanted shares, in every stratum that is used."""
    if not has_classes(fit.specification):
        raise InputError("this fit has no effects of classes, so that a mix of classes would change nothing; fit with "
                         "`--classes`")
    names = names_of(fit.responses, fit.specification)["class_"]
    wanted, strata = _shares(classes, "class", names), fit.responses.strata().names
    count, class_ = np.array(chunks.count), np.asarray(chunks.class_)
    for s in np.flatnonzero(weights):
        rows = np.asarray(chunks.stratum) == s
        of_class = np.bincount(class_[rows].ravel(), count[rows].ravel(), len(wanted))
        missing = np.flatnonzero((of_class == 0) & (wanted > 0))
        if len(missing):
            raise InputError(f"no image of {strata[s]!r} is of class {names[missing[0]]!r}; leave it out of the mix, "
                             "or take images like those of another test set")
        count[rows] *= _over(wanted, of_class)[class_[rows]]
    return replace(chunks, count=count)


def _over(shares: FloatArray, counts: FloatArray | IntArray) -> FloatArray:
    """Return shares per image, 0 where there is none."""
    return np.divide(shares, counts, where=counts > 0, out=np.zeros(len(shares)))


def _right_of_draws(
    made: _Made, of_set: IntArray
) -> Iterator[tuple[int, Float[np.ndarray, "model stratum node effect"]]]:
    """Yield the draw of every test set, and every model's probability of being right by it."""
    with jax.enable_x64(True):
        grid = grid_of(made.numbers, jax.tree.map(jnp.asarray, made.kinds))
    draw, probability = -1, np.empty(0)
    for d in of_set:
        if d != draw:
            with jax.enable_x64(True):
                drawn = jax.tree.map(lambda leaf, d=int(d): leaf[d], made.numbers)
                draw, probability = d, np.asarray(right_by_effect(drawn, grid)).swapaxes(0, 1)
        yield int(d), probability


def _answered(
    rng: np.random.Generator,
    share: Float[np.ndarray, "stratum node"],
    probability: Float[np.ndarray, "model stratum node effect"],
    images: int,
    family: IntArray | None,
) -> Float[np.ndarray, "model"]:
    """Return every model's accuracy on so many images, which all models see."""
    if probability.shape[1] == 1:
        share = share.sum(0, keepdims=True)
    of_node = rng.multinomial(images, (share / share.sum()).ravel()).reshape(share.shape)
    seen = of_node[None, ..., None]
    if family is not None:  # each family has its own effect on every image
        seen = rng.multinomial(np.broadcast_to(of_node, (family.max() + 1, *of_node.shape)), SHARES)[family]
    return rng.binomial(seen, probability).sum((1, 2, 3)) / images


def _line(x: FloatArray, y: FloatArray) -> Line:
    with np.errstate(divide="ignore"):
        usable = np.isfinite(probit(x)).all(0) & np.isfinite(probit(y)).all(0)
    if usable.sum() < 2:
        raise InputError(f"a line needs two models that are sometimes right and sometimes wrong; got {usable.sum()}")
    return least_squares(probit(x[:, usable]), probit(y[:, usable]))


def _plain(line: Line, *, level: float) -> dict[str, Any]:
    return {
        name: {k: float(v) for k, v in summary(getattr(line, name), level=level).items()} for name in ("u", "v")
    }
