"""The responses to one simulated test set, image by image."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from difficulty_model.answering import answer, draw_nodes, right_by_effect
from difficulty_model.fitting import Fit
from difficulty_model.fitting.images import FAMILY, families, names_of, scale_of
from difficulty_model.fitting.result import grid_of
from difficulty_model.responses import Responses
from difficulty_model.simulation.plan import TestSetPlan, planned
from difficulty_model.specification import covariates_of, has_classes
from difficulty_model.types import IMAGE

NAME = "simulated"
"""Of the test set, and of its images before their number."""


def simulate_responses(fit: Fit, plan: TestSetPlan, *, random_seed: int = 0) -> Responses:
    """Return the responses of a fit's models to one simulated test set, by one posterior draw taken at random.

    Every image is like one of the fitted test sets in stratum, class and covariates; its difficulty is its own.

    Raises
    ------
    InputError
        As `simulate`.
    """
    made, rng = planned(fit, plan), np.random.default_rng(random_seed)
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
        mean, sd = scale_of(fit.responses, name)
        known[name] = mean + sd * np.ravel(made.kinds.chunks.covariates[..., n])[kind]
    if known:
        simulated = simulated.with_covariates(pd.DataFrame(known, index=pd.Index(images, name=IMAGE)))
    if FAMILY in fit.responses.dataset.coords:
        of_models = fit.responses.dataset[FAMILY].values.astype(str)
        simulated = simulated.with_families(dict(zip(fit.responses.models, of_models, strict=True)))
    return simulated
