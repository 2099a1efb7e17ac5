"""The posterior of a specification as a NumPyro model."""

from collections.abc import Callable
from functools import partial

from jaxtyping import Array

from difficulty_model.exporting.inputs import inputs_of
from difficulty_model.fitting.program import program
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification


def to_numpyro(specification: Specification, responses: Responses) -> Callable[[], dict[str, Array]]:
    """Return the posterior of a specification given responses as a NumPyro model.

    The model samples every unknown under its path, as `Fit.posterior` names it (where a reference is held, what is
    left free under the path with ``.others`` or ``.free``), adds the marginal log-likelihood of all images as the
    factor ``responses``, and returns the unknowns by their paths, so that a larger model can go on with them.

    Parameters
    ----------
    specification
        What is assumed.
    responses
        What was observed.

    Returns
    -------
    Callable
        A model without arguments, for everything in `numpyro.infer`.

    Raises
    ------
    InputError
        If the specification is not one, needs what the responses do not have, or is not identified by them.

    Notes
    -----
    Work inside ``jax.enable_x64(True)``, as the package does: in float32 the log-density has noise of some tenths of
    a nat, at which samplers take shorter steps and optimisers stop early.

    Images are integrated out on a grid laid for this posterior, around its mode. Where an extended model draws the
    unknowns far away from there, the grid may be too coarse for a population so narrow, or too short for one so wide.

    Examples
    --------
    Skills that grow with the logarithm of the models' sizes::

        model = to_numpyro(recht_et_al(), responses)

        def larger():
            skill = model()["skill"]
            growth = numpyro.sample("growth", distributions.Normal(0, 1))
            numpyro.sample("log_size", distributions.Normal(growth * skill, 1), obs=log_size)

        with jax.enable_x64(True):
            sampler = MCMC(NUTS(larger, dense_mass=True), num_warmup=500, num_samples=500)
            sampler.run(jax.random.key(0))
    """
    given = inputs_of(specification, responses)
    return partial(program, specification, given.sizes, given.patterns, given.grid)
