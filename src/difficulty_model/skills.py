"""Skills of models, where they are more than one number per model.

Like curves and populations a skill is its formula. Its fields may be numbers, or arrays with one leading axis of
models.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Losing:
    """Skills that models lose in a test set, as they would had they been adapted to the reference.

    In stratum k model j has the skill s_j − trend_k (s_j − s̄) − spread (e_jk − ē_k), where bars are means over
    models: better models lose more by the trend, and each by itself with the spread. A loss equal for all models
    cannot be told from harder images, and is left to the population.
    """

    skill: Float[Array, "model"]
    trend: Float[Array, "model stratum"]
    spread: Float[Array, "model"]
    own: Float[Array, "model stratum"]

    def in_strata(self) -> Float[Array, "model stratum"]:
        """Return the skill of every model in every stratum."""
        skill = self.skill[:, None]
        own = self.own.reshape(len(self.own), -1)  # one column where it is known to be the same in all strata
        own = own - own.mean(0)
        trend = self.trend.reshape(len(self.trend), -1)
        return skill - trend * (skill - skill.mean(0)) - self.spread[:, None] * own


Skill = Float[Array, "model"] | Losing
"""One number per model, or one per model and stratum."""


def in_strata(skill: Skill) -> Float[Array, "model stratum"]:
    """Return the skill of every model in every stratum, or in a single column where it is the same in all."""
    return skill.in_strata() if isinstance(skill, Losing) else jnp.asarray(skill)[:, None]
