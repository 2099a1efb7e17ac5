"""The specification as a tree: walking, filling, writing and reading."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from difficulty_model.curves import Probit
from difficulty_model.distributions import LogNormal, Normal
from difficulty_model.errors import InputError
from difficulty_model.populations import Normal as NormalPopulation
from difficulty_model.specification import (
    Prior,
    Specification,
    filled,
    from_json,
    per_name,
    recht_et_al,
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


def test_filling_puts_numbers_in_place_of_priors_and_leaves_the_rest():
    values = {"skill": 1.0, "population.mean": 2.0, "population.sd": 3.0}
    full = filled(recht_et_al(), values)
    assert full == Specification(1.0, Probit(), NormalPopulation(2.0, 3.0))  # pyright: ignore[reportArgumentType]
    assert unknowns(full) == {}
    assert filled(FIXED, {"skill": 1.0}).population.sd == 2.0  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(KeyError):
        filled(recht_et_al(), {"skill": 1.0})


def test_every_model_and_stratum_gets_its_own_number():
    spread = per_name(filled(FIXED, {"skill": jnp.arange(3.0)}), {"model": 3, "stratum": 2})
    np.testing.assert_array_equal(spread.skill, [0, 1, 2])
    np.testing.assert_array_equal(spread.population.sd, [2, 2])  # pyright: ignore[reportAttributeAccessIssue]
    assert jax.tree.structure(spread) == jax.tree.structure(filled(FIXED, {"skill": 0.0}))


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
