"""Every part of the family is calibrated: simulation-based calibration by the package's own samplers."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from difficulty_model.calibration import calibrate, draw_world, narrowed
from difficulty_model.calibration.ranks import Method, filled_up, with_spare_nodes
from difficulty_model.family import (
    discriminating,
    flexible,
    in_classes,
    in_families,
    independent,
    logistic,
    losing,
    normal,
    probit,
    recht_et_al,
    regressed,
    skew_normal,
    slopes,
    student_t,
    two_normals,
    with_lapses,
    with_unlearnable,
    with_unmissable,
)
from difficulty_model.fitting.classes import effects_integrated_out
from difficulty_model.fitting.images import patterns_of
from difficulty_model.likelihood import Grid, Patterns, log_likelihood, sinh_grid, tabulate
from difficulty_model.specification import Specification, named


class Case(NamedTuple):
    """How a specification is calibrated within two to three minutes."""

    specification: Specification
    method: Method = "nuts"
    worlds: int = 60
    images: int = 150


CASES = {
    "recht_et_al": Case(recht_et_al()),
    "laplace": Case(recht_et_al(), method="laplace"),
    "logistic": Case(Specification(independent(), logistic(), normal())),
    "logistic slopes": Case(Specification(independent(), slopes(logistic()), normal())),
    "slopes": Case(Specification(independent(), slopes(), normal())),
    "with_lapses": Case(Specification(independent(), with_lapses(probit()), normal())),
    "with_lapses per model and guesses": Case(
        Specification(independent(), with_lapses(probit(), per_model=True, guess=0.1), normal())
    ),
    "unknown guesses": Case(Specification(independent(), with_lapses(probit(), guess=None), normal())),
    "two_normals": Case(Specification(independent(), probit(), two_normals())),
    "skew_normal": Case(Specification(independent(), probit(), skew_normal())),
    "student_t": Case(Specification(independent(), probit(), student_t())),
    "flexible": Case(Specification(independent(), probit(), flexible())),
    "with_unlearnable": Case(Specification(independent(), probit(), with_unlearnable(normal()))),
    "with_unmissable": Case(
        Specification(independent(), logistic(), with_unlearnable(with_unmissable(normal())))
    ),
    "regressed": Case(Specification(independent(), probit(), regressed(normal(), ["size", "blur"]))),
    "in_classes": Case(Specification(independent(), probit(), in_classes(normal()))),
    "discriminating": Case(
        Specification(independent(), probit(), discriminating(normal())), method="laplace", worlds=40, images=60
    ),
    "losing": Case(Specification(losing(), probit(), normal())),
    "in_families": Case(Specification(in_families(), probit(), normal())),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_ranks_are_uniform(name: str):
    case = CASES[name]
    # Every case has worlds of its own: with common seeds all cases would be lucky or unlucky together.
    found = calibrate(
        narrowed(case.specification), worlds=case.worlds, images=case.images, method=case.method,
        random_seed=1000 * list(CASES).index(name), progress=False,
    )
    table = found.table()
    print(name, f"{found.seconds:.1f} s per world;", found.verdict, f"{len(found.left_out)} left out")
    print(table.drop(columns=["low_50", "high_50", "low_90", "high_90"]).round(3).to_string())
    assert table["calibrated"].to_numpy().all(), found.trouble
    assert len(found.left_out) <= case.worlds / 3
    assert np.abs(table["autocorrelation"].to_numpy()).max() < 0.4


@pytest.mark.parametrize("name", ["in_classes", "discriminating", "with_unlearnable", "in_families"])
def test_filling_up_changes_no_likelihood(name: str):
    specification = narrowed(CASES[name].specification)
    world = draw_world(specification, models=4, images=40, random_seed=0)
    patterns = patterns_of(world.responses, specification)
    filled = filled_up(patterns, 128)
    assert filled.chunks.responses.shape[1] == 128 > patterns.chunks.responses.shape[1]
    places = np.asarray(patterns.chunks.responses).reshape(-1, 4)[patterns.of_image]
    np.testing.assert_array_equal(np.asarray(filled.chunks.responses).reshape(-1, 4)[filled.of_image], places)
    with jax.enable_x64(True):
        values = {str(path): jnp.asarray(of.values) for path, of in world.unknowns.data_vars.items()}
        sizes = {str(dim): size for dim, size in world.unknowns.sizes.items()}
        numbers = named(effects_integrated_out(specification), values, sizes)
        grid = sinh_grid(center=0.0, scale=3.0, spacing=0.3, low=-12.0, high=12.0)
        if name == "discriminating":
            spread = float(values["population.spread"])
            reach = 6 * spread * np.sqrt(2)
            grid = Grid(grid.nodes, grid.log_weights, jnp.linspace(1 - reach, 1 + reach, 37))
        if name == "in_families":
            grid = replace(grid, effects=jnp.linspace(-6, 6, 19))
        if name == "in_classes":
            grid = replace(grid, class_effects=jnp.linspace(-6, 6, 51))
        more = with_spare_nodes(grid)
        assert len(more.nodes) % 64 == 0
        for some, all_ in ((grid.effects, more.effects), (grid.class_effects, more.class_effects)):
            assert some is None or (all_ is not None and len(some) < len(all_) == len(all_) // 16 * 16 + 1)

        @jax.jit
        def likelihood(patterns: Patterns, grid: Grid) -> Array:
            return log_likelihood(
                tabulate(numbers.skill, numbers.curve, numbers.population, grid, patterns), patterns
            )

        before = likelihood(jax.tree.map(jnp.asarray, patterns), grid)
        after = likelihood(jax.tree.map(jnp.asarray, filled), more)
    np.testing.assert_allclose(after, before, rtol=1e-9)
