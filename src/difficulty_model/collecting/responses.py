"""The responses to a collection that was simulated, image by image: the reference, and what a strategy chose."""

import numpy as np
import pandas as pd

from difficulty_model.answering import answer
from difficulty_model.collecting.given import ASKED, SELECTED
from difficulty_model.collecting.plan import CollectionPlan, simulated_pools
from difficulty_model.collecting.pool import chosen_by
from difficulty_model.collecting.strategies import Strategy
from difficulty_model.fitting import Fit
from difficulty_model.fitting.images import families
from difficulty_model.responses import Responses, combine
from difficulty_model.types import IMAGE

REFERENCE, CHOSEN = "reference", "chosen"
"""Names of the test sets, and of their images before their number."""


def collect_responses(fit: Fit, plan: CollectionPlan, strategy: Strategy, *, random_seed: int = 0) -> Responses:
    """Return responses of a fit's models to a simulated reference and to the candidates that a strategy chose.

    All is by one posterior draw taken at random. What annotators said is in the covariates `selected` and `asked` of
    the images, and classes are their labels.

    Raises
    ------
    InputError
        As `collect`.
    """
    rng = np.random.default_rng(random_seed)
    (pool,) = simulated_pools(fit, plan, 1, rng)
    chosen = chosen_by(strategy, rng, pool.candidates.seen, pool.reference.seen)
    found, counts = [], []
    for name, images, which in (
        (REFERENCE, pool.reference, np.arange(plan.reference)), (CHOSEN, pool.candidates, chosen)
    ):
        right, seen, names = images.truth.right.swapaxes(0, 1), images.seen, [f"{name}-{i}" for i in which]
        stratum, node = np.divmod(images.cell[which], right.shape[2])
        shown = np.ones((len(fit.responses.models), len(which)), np.uint8)
        found.append(Responses.from_arrays(
            answer(rng, right, stratum, node, shown, families(fit.responses, fit.specification)),
            models=fit.responses.models, images=names, member={name: np.ones(len(which), bool)},
            labels=[seen.names[c] for c in seen.class_[which]],
            history=[f"simulated from a fit, seed {random_seed}: {strategy} from {plan}"],
        ))
        selected = np.rint(seen.frequency[which] * plan.annotators).astype(int)
        counts.append(pd.DataFrame({SELECTED: selected, ASKED: plan.annotators}, index=pd.Index(names, name=IMAGE)))
    return combine(*found).with_covariates(pd.concat(counts))
