"""The joint model: every image's difficulty integrated out by hand gives the likelihood of the marginal one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer.util import log_density
from scipy.stats import norm

from difficulty_model.curves import Lapsing, Probit
from difficulty_model.fitting.joint import Images, joint_program
from difficulty_model.populations import Normal, WithUnlearnable, WithUnmissable
from difficulty_model.specification import Specification

NODES = np.linspace(-12, 12, 4801)
SKILL, GUESS, LAPSE = 0.5, 0.1, 0.05


@pytest.mark.parametrize("right", [(1, 1, 1), (0, 0, 0), (1, 0, 1)])
def test_images_at_both_atoms_are_counted_with_their_shares(right: tuple[int, ...]):
    population = WithUnlearnable(WithUnmissable(Normal(0.2, 1.5), 0.3), 0.2)  # pyright: ignore[reportArgumentType]
    specification = Specification(SKILL, Lapsing(Probit(), GUESS, LAPSE), population)  # pyright: ignore[reportArgumentType]
    with jax.enable_x64(True):
        answers = jnp.asarray([right])
        image = Images(jnp.zeros(1, int), jnp.zeros((1, 0)), jnp.zeros(1, int))

        @jax.jit
        def joint(difficulty: jax.Array) -> jax.Array:
            given = (specification, {"model": 3, "stratum": 1}, answers, 1 - answers, image)
            return jnp.asarray(log_density(joint_program, given, {}, {"difficulty": difficulty[None]})[0])

        ours = np.exp(jax.lax.map(joint, jnp.asarray(NODES))).sum() * (NODES[1] - NODES[0])
    times = sum(right)

    def likelihood(p: np.ndarray | float) -> np.ndarray | float:
        return p**times * (1 - p) ** (3 - times)

    between = likelihood(GUESS + (1 - GUESS - LAPSE) * norm.cdf(SKILL - NODES)) * norm.pdf(NODES, 0.2, 1.5)
    expected = 0.2 * likelihood(GUESS) + 0.8 * 0.3 * likelihood(1 - LAPSE)
    expected += 0.8 * 0.7 * np.sum(between) * (NODES[1] - NODES[0])
    assert ours == pytest.approx(expected, rel=1e-9)
