"""The specification as a tree: walking, filling, writing and reading."""

import json
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from difficulty_model.curves import Probit, Sloped
from difficulty_model.distributions import LogNormal, Normal
from difficulty_model.errors import InputError
from difficulty_model.family import (
    discriminating,
    flexible,
    in_classes,
    in_families,
    independent,
    losing,
    normal,
    probit,
    recht_et_al,
    regressed,
    skew_normal,
    slopes,
    student_t,
    two_normals,
    with_guesses,
    with_lapses,
    with_unlearnable,
)
from difficulty_model.populations import AcrossClasses, Flexible, InClasses, Moved
from difficulty_model.populations import Normal as NormalPopulation
from difficulty_model.skills import Losing
from difficulty_model.specification import (
    Prior,
    Specification,
    from_json,
    named,
    require_identified,
    require_valid,
    to_json,
    unknowns,
)

FIXED = Specification(skill=Prior(Normal(0.0, 5.0), over="model"), curve=Probit(),
                      population=NormalPopulation(mean=0.0, sd=2.0))  # pyright: ignore[reportArgumentType]


def test_unknowns_stand_under_their_paths_in_the_order_of_the_tree():
    found = unknowns(recht_et_al())
    assert list(found) == ["skill", "population.mean", "population.sd"]
    assert {path: prior.over for path, prior in found.items()} == {
        "skill": "model", "population.mean": "stratum", "population.sd": "stratum"
    }
    assert found["population.mean"].reference == 0.0
    assert list(unknowns(FIXED)) == ["skill"]


def test_every_model_and_stratum_gets_its_own_number():
    sizes = {"model": 3, "stratum": 2}
    tree = named(FIXED, {"skill": jnp.arange(3.0)}, sizes)
    np.testing.assert_array_equal(tree.skill, [0, 1, 2])
    np.testing.assert_array_equal(tree.population.sd, [2, 2])  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_array_equal(tree.population.mean, [0, 0])  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(KeyError):
        named(FIXED, {}, sizes)


def test_models_and_strata_come_first_and_other_dimensions_stay():
    sizes = {"model": 3, "stratum": 2, "bend": 4, "class_": 5}
    losing = Losing(
        Prior(Normal(0.0, 1.0), over="model"), 0.5,  # pyright: ignore
        Prior(Normal(0.0, 1.0), over=("stratum", "model"), reference=0.0),  # pyright: ignore
    )
    flexible = InClasses(
        Flexible(0.0, 1.0, 1.0, Prior(Normal(0.0, 1.0), over=("stratum", "bend"))), 1.0,  # pyright: ignore
        Prior(Normal(0.0, 1.0), over="class_"),  # pyright: ignore
    )
    specification = Specification(losing, Probit(), flexible)
    own, bend, effect = np.arange(6.0).reshape(2, 3), np.arange(8.0).reshape(2, 4), np.arange(5.0)
    tree = named(specification, {"skill.skill": np.zeros(3), "skill.own": own, "population.population.bend": bend,
                                 "population.effect": effect}, sizes)
    np.testing.assert_array_equal(tree.skill.own, own.T)
    np.testing.assert_array_equal(tree.skill.trend, np.full(3, 0.5))
    np.testing.assert_array_equal(tree.population.population.bend, bend)  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_array_equal(tree.population.effect, [effect, effect])  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("specification", [
    recht_et_al(), FIXED,
    replace(recht_et_al(), skill=Prior(LogNormal(2.0, 0.5), over="model", reference=-1.5)),
    replace(recht_et_al(), skill=Prior(Normal(0.0, 1.0))),
])
def test_writing_and_reading_keeps_everything(specification: Specification):
    assert from_json(to_json(specification)) == specification
    assert to_json(from_json(to_json(specification))) == to_json(specification)


@pytest.mark.parametrize("text", [
    "", "{", "null", "3", "[]", '"specification.Specification"', "{}",
    '{"type": "difficulty_model.distributions.Normal", "mean": 0, "sd": 1}',
    '{"type": "os.system", "command": "true"}',
    '{"type": "difficulty_model.specification.json"}',
    '{"type": "difficulty_model.distributions.Distribution"}', '{"type": "difficulty_model.curves.ResponseCurve"}',
    '{"type": ["difficulty_model.distributions.Normal"]}', '{"type": null}',
    '{"type": "difficulty_model.specification.Specification"}',
    '{"type": "difficulty_model.specification.Specification", "skill": 1, "curve": 1, "population": 1, "extra": 1}',
    '{"type": "difficulty_model.specification.Specification", "skill": {"type": "builtins.eval"}, "curve": 1, '
    '"population": 1}',
    '{"a":' * 100_000, '{"a":' * 500 + "1" + "}" * 500,
], ids=lambda text: text[:60])
def test_anything_else_is_refused(text: str):
    with pytest.raises(InputError):
        from_json(text)


@pytest.mark.parametrize("depth", [50, 900, 5_000])
def test_deep_nesting_is_refused_not_followed(depth: int):
    inner = to_json(recht_et_al())
    for _ in range(min(depth, 300)):
        prior = {"type": "difficulty_model.specification.Prior", "distribution": 0, "over": None}
        inner = json.dumps(prior | {"reference": json.loads(inner)})
    text = '{"type": "difficulty_model.specification.Prior", "distribution":' * depth + "0" + "}" * depth
    for hostile in (inner, text):
        with pytest.raises(InputError):
            from_json(hostile)


@pytest.mark.parametrize("part", [
    '"curve": {"type": "difficulty_model.distributions.Normal", "mean": 0.0, "sd": 1.0}',
    '"curve": 3', '"population": {"type": "difficulty_model.curves.Probit"}', '"skill": "a name"', '"skill": [1, "a"]',
])
def test_parts_of_the_wrong_kind_are_refused(part: str):
    tree = json.loads(to_json(recht_et_al())) | json.loads(f"{{{part}}}")
    with pytest.raises(InputError):
        from_json(json.dumps(tree))


def test_a_part_of_the_users_own_is_not_read_as_one_of_ours():
    # Called like ours, in a module called like ours: its own fields would be lost without a word.
    own = type("Probit", (Probit,), {"__module__": "somewhere.curves"})
    assert type(own()) is not Probit
    with pytest.raises(InputError):
        from_json(to_json(replace(recht_et_al(), curve=own())))


SIZES = {"model": 3, "stratum": 2, "class_": 4, "covariate": 0, "bend": 8}


@pytest.mark.parametrize("specification", [
    recht_et_al(), Specification(independent(), slopes(), flexible()), Specification(losing(), probit(), two_normals()),
    Specification(independent(), with_lapses(slopes(), per_model=True, guess=None), with_unlearnable(skew_normal())),
    Specification(independent(), probit(), in_classes(student_t())),
    Specification(independent(), probit(), discriminating(regressed(normal(), ["a"]))),
    Specification(in_families(losing()), with_lapses(slopes()), with_unlearnable(normal())),
], ids=["recht", "slopes", "losing", "lapses", "classes", "discriminating", "families"])
def test_the_family_is_valid_identified_and_kept_in_writing(specification: Specification):
    require_valid(specification)
    require_identified(specification, SIZES)
    assert from_json(to_json(specification)) == specification


FREE_MEAN = replace(recht_et_al(), population=NormalPopulation(
    Prior(Normal(0.0, 1.0), over="stratum"), Prior(LogNormal(1.0, 0.5), over="stratum")))  # pyright: ignore
FREE_SLOPE = replace(recht_et_al(), curve=Sloped(Prior(LogNormal(1.0, 0.5), over="model")))  # pyright: ignore
FREE_TREND = replace(losing(), trend=Prior(Normal(0.0, 1.0), over="stratum"))  # pyright: ignore


@pytest.mark.parametrize(("specification", "sizes", "reason"), [
    (FREE_MEAN, SIZES, "skills and population.mean are both free"),
    (replace(FREE_MEAN, population=with_unlearnable(FREE_MEAN.population)), SIZES, "population.mean are both free"),
    (FREE_SLOPE, SIZES, "all free"),
    (replace(recht_et_al(), skill=losing()), SIZES | {"stratum": 1}, "one test set only"),
    (replace(recht_et_al(), skill=FREE_TREND), SIZES, "skill.trend is free in the first"),
    (replace(recht_et_al(), skill=in_families(FREE_TREND)), SIZES, "skill.skill.trend is free in the first"),
    (replace(FREE_MEAN, skill=in_families()), SIZES, "skills and population.mean are both free"),
    (replace(recht_et_al(), population=in_classes(normal())), SIZES | {"class_": 1}, "at least two classes"),
], ids=["location", "location under an atom", "scale", "one set", "trend", "trend in families", "location in families",
        "one class"])
def test_what_responses_cannot_tell_is_refused(specification: Specification, sizes: dict[str, int], reason: str):
    with pytest.raises(InputError, match=reason):
        require_identified(specification, sizes)


@pytest.mark.parametrize("skill", [0.0, Prior(Normal(0.0, 1.0), over="model", reference=0.0)])
def test_holding_skills_frees_locations(skill: object):
    require_identified(replace(FREE_MEAN, skill=skill), SIZES)


def test_a_population_is_modified_once_in_each_way():
    with pytest.raises(InputError, match="WithUnlearnable once only; got it 2 times"):
        require_valid(replace(recht_et_al(), population=with_unlearnable(in_classes(with_unlearnable(normal())))))


def test_populations_that_only_a_simulation_makes_are_refused():
    with pytest.raises(InputError, match="Moved is how a simulation moves a population"):
        require_valid(replace(recht_et_al(), population=Moved(normal(), 0.0, 0.3, 1.0)))  # pyright: ignore


def test_effects_that_only_the_likelihood_may_forget_are_refused():
    with pytest.raises(InputError, match="a specification has InClasses"):
        require_valid(replace(recht_et_al(), population=with_unlearnable(AcrossClasses(normal(), 0.5))))  # pyright: ignore


@pytest.mark.parametrize(("specification", "reason"), [
    (Specification(in_families(), probit(), discriminating(normal())), "leave one of them out"),
    (Specification(in_families(in_families()), probit(), normal()), "each once"),
    (Specification(replace(losing(), skill=in_families()), probit(), normal()), "each once"),
])
def test_families_that_do_not_go_with_the_rest_are_refused(specification: Specification, reason: str):
    with pytest.raises(InputError, match=reason):
        require_valid(specification)


@pytest.mark.parametrize("covariates", ["a", [], ["a", "a"]])
def test_covariates_are_a_list_of_different_names(covariates: object):
    with pytest.raises(InputError):
        regressed(normal(), covariates)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_guess_rate_is_a_probability(rate: float):
    for make in (lambda: with_guesses(probit(), rate), lambda: with_lapses(probit(), guess=rate)):
        with pytest.raises(InputError, match="guess rate"):
            make()
