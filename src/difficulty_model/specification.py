"""A specification: curve × population × priors as one tree of pure data.

The tree's leaves are numbers (known) or `Prior`s (unknown). One walk, `unknowns`, finds every prior under the name
of its path, such as ``population.sd``; another, `filled`, puts numbers in their place. To exchange a part, or to
fix a parameter, is to write another tree: no other line changes.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp

from difficulty_model import curves, distributions, populations
from difficulty_model.curves import Probit, ResponseCurve
from difficulty_model.errors import InputError
from difficulty_model.populations import Normal, Population
from difficulty_model.types import MODEL, STRATUM

Node = TypeVar("Node")


@dataclass(frozen=True)
class Prior:
    """An unknown parameter.

    Attributes
    ----------
    distribution
        How one such number is distributed beforehand.
    over
        The dimension that it varies over; None for a single number.
    reference
        If given, the value that is held fixed for the first name of that dimension: with skills and difficulties
        on one scale, only differences of locations are identified, so one location must be set.
    held
        What is held at the reference: the ``first`` name's value, or the ``mean`` over all names (of positive
        numbers the geometric one), so that none is singled out.
    """

    distribution: distributions.Distribution
    over: Literal["model", "stratum"] | None = None
    reference: float | None = None
    held: Literal["first", "mean"] = "first"


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Specification:
    """A statistical model of responses: skill of models, response curve, population of difficulties.

    Attributes
    ----------
    skill
        Skill of every model, in probit units.
    curve
        How skill and difficulty make the probability of being right.
    population
        Distribution of difficulty in every stratum: a test set, or where test sets share images each exclusive
        part of one.
    """

    skill: Any
    curve: ResponseCurve
    population: Population


def recht_et_al() -> Specification:
    """Return the model of Recht et al. (2019), section 5: P(right) = Φ(s − τ), τ ~ N(μ, σ²) in each test set.

    Priors, in probit units: skills N(0, 5²); μ of the reference 0, the others N(0, 3²) around it;
    σ log-normal with median 1.5 and spread 0.75, so that 95% lie from 0.34 to 6.5. They are wide beside what a
    hundred images say: the difference between certain success and certain failure is about 4 units.
    """
    return Specification(
        skill=Prior(distributions.Normal(0.0, 5.0), over="model"),
        curve=Probit(),
        population=Normal(
            mean=Prior(distributions.Normal(0.0, 3.0), over="stratum", reference=0.0),  # pyright: ignore[reportArgumentType]
            sd=Prior(distributions.LogNormal(1.5, 0.75), over="stratum"),  # pyright: ignore[reportArgumentType]
        ),
    )


def unknowns(specification: Specification) -> dict[str, Prior]:
    """Return every prior of the tree under the name of its path, in the order of the tree."""
    return {path: leaf for path, leaf in _leaves(specification, ()) if isinstance(leaf, Prior)}


def filled(specification: Specification, values: Mapping[str, Any]) -> Specification:
    """Return the same tree with numbers in place of its priors.

    Parameters
    ----------
    specification
        The tree.
    values
        An array for every path of `unknowns`; shapes are the caller's business, so draws may lead.
    """
    return _replaced(specification, (), lambda path, _: values[path])


def per_name(numbers: Specification, sizes: Mapping[str, int]) -> Specification:
    """Return a tree of numbers with one per model on skill and curve, one per stratum on the population."""

    def spread(node: Any, size: int) -> Any:
        return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (size,)), node)

    return Specification(
        skill=spread(numbers.skill, sizes["model"]),
        curve=spread(numbers.curve, sizes["model"]),
        population=spread(numbers.population, sizes["stratum"]),
    )


def named_draws(
    specification: Specification, values: Mapping[str, jax.Array], sizes: Mapping[str, int]
) -> Specification:
    """Return the tree filled with draws of its unknowns: leading axes of draws, then of models or strata."""
    return jax.vmap(lambda drawn: per_name(filled(specification, drawn), sizes))(dict(values))


def require_valid(specification: Any) -> None:
    """Raise an `InputError` unless every part of a specification is of the kind that its place needs."""
    if not isinstance(specification, Specification):
        raise InputError(f"not a specification: {str(specification)[:80]!r}; see `recht_et_al` for one")
    for name, kind in {"curve": ResponseCurve, "population": Population}.items():
        part = getattr(specification, name)
        if not isinstance(part, kind):
            raise InputError(f"the {name} of a specification must be a {kind.__name__}; got {str(part)[:80]}")
    for path, leaf in _leaves(specification, ()):
        known = isinstance(leaf, int | float) and not isinstance(leaf, bool)
        if not known and not isinstance(leaf, Prior):
            raise InputError(f"{path} of a specification must be a number or a Prior; got {str(leaf)[:80]!r}")
    for path, prior in unknowns(specification).items():
        if not isinstance(prior.distribution, distributions.Distribution):
            raise InputError(f"the prior of {path} needs a distribution; got {str(prior.distribution)[:80]!r}")
        if prior.over not in (None, MODEL, STRATUM):
            raise InputError(f"the prior of {path} must be over {MODEL!r}, {STRATUM!r} or None; got {prior.over!r}")


def to_json(specification: Specification) -> str:
    """Return the tree as JSON text, from which `from_json` makes it again."""
    return json.dumps(_as_plain(specification), sort_keys=True)


def from_json(text: str) -> Specification:
    """Return the tree that `to_json` wrote; only parts that this package defines are made.

    Raises
    ------
    InputError
        If the text describes something else, such as a curve of the user's own.
    """
    try:
        tree = _from_plain(json.loads(text))
    except (json.JSONDecodeError, TypeError, RecursionError) as error:
        raise InputError(f"not a specification: {error}") from error
    require_valid(tree)
    return tree


def _leaves(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Prior) or not dataclasses.is_dataclass(node):
        yield ".".join(path), node
    else:
        for field in dataclasses.fields(node):
            yield from _leaves(getattr(node, field.name), (*path, field.name))


def _replaced(node: Node, path: tuple[str, ...], replace: Callable[[str, Prior], Any]) -> Node:
    if isinstance(node, Prior):
        return replace(".".join(path), node)
    if not dataclasses.is_dataclass(node) or isinstance(node, type):
        return node
    fields = {f.name: _replaced(getattr(node, f.name), (*path, f.name), replace) for f in dataclasses.fields(node)}
    return type(node)(**fields)


def _as_plain(node: Any) -> Any:
    if not dataclasses.is_dataclass(node):
        return node
    fields = {f.name: _as_plain(getattr(node, f.name)) for f in dataclasses.fields(node)}
    return {"type": _type_name(type(node)), **fields}


def _type_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"


def _from_plain(plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    fields = {name: _from_plain(value) for name, value in plain.items() if name != "type"}
    parts = [part for module in (curves, populations, distributions) for part in vars(module).values()]
    known = {
        _type_name(kind): kind
        for kind in [Specification, Prior, *parts]
        if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    }
    if plain.get("type") not in known:
        raise InputError(f"unknown part of a specification: {plain.get('type')!r}; known are {sorted(known)}")
    return known[plain["type"]](**fields)
