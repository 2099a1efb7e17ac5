"""Skills of models, where they are more than one number per model.

Like curves and populations a skill is its formula. Its fields may be numbers, or arrays with one leading axis of
models.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from difficulty_model.curves import ResponseCurve


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Losing:
    """Skills that models lose in a test set, as they would had they been adapted to the reference.

    In stratum k model j has the skill s_j − trend_k (s_j − s̄) − (own_jk − mean of own_k): better models lose more by
    the trend, and each something of its own. A loss equal for all models cannot be told from harder images, and is left
    to the population.
    """

    skill: Float[Array, "model"]
    trend: Float[Array, "model stratum"]
    own: Float[Array, "model stratum"]

    def in_strata(self) -> Float[Array, "model stratum"]:
        """Return the skill of every model in every stratum."""
        skill = self.skill[:, None]
        own = self.own.reshape(len(self.own), -1)  # one column where it is known to be the same in all strata
        own = own - own.mean(0)
        trend = self.trend.reshape(len(self.trend), -1)
        return skill - trend * (skill - skill.mean(0)) - own


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class InFamilies:
    """Skills of models in families, whose members are right and wrong on the same images more often than by chance.

    On image i the skill of model j in family f is s_j + spread_j · z_fi, where the effect z_fi ~ N(0, 1) is one number
    for all models of the family: what they have all learned, or all missed. Models by themselves have an effect of
    their own, so that families say nothing about how likely one model is right, only about several together. It is the
    bifactor model (Gibbons and Hedeker, 1992, Psychometrika 57:423), with models in the place of items.
    """

    skill: "Skill"
    spread: Float[Array, "model"]


Skill = Float[Array, "model"] | Float[Array, "model stratum"] | Losing | InFamilies
"""One number per model, or one per model and stratum, with effects of families or without."""


def in_strata(skill: Skill) -> Float[Array, "model stratum"]:
    """Return the skill of every model in every stratum, or in a single column where it is the same in all."""
    if isinstance(skill, InFamilies):
        return in_strata(skill.skill)
    if isinstance(skill, Losing):
        return skill.in_strata()
    every = jnp.asarray(skill)
    return every[:, None] if every.ndim == 1 else every


def in_reference(skill: Skill) -> Float[Array, "model"]:
    """Return the skill of every model as it is before anything is lost."""
    return jnp.asarray(in_reference(skill.skill) if isinstance(skill, Losing | InFamilies) else skill)


def averaged(skill: Skill, curve: ResponseCurve) -> ResponseCurve:
    """Return every model's curve averaged over the effects of its family: what it does whatever the others do.

    The curve has one leading axis of models on its fields.
    """
    return jax.vmap(lambda c, w: c.averaged(w))(curve, skill.spread) if isinstance(skill, InFamilies) else curve
