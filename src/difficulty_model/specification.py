"""A specification: curve × population × priors as one tree of pure data.

The tree's leaves are numbers (known) or `Prior`s (unknown). One walk, `unknowns`, finds every prior under the name
of its path, such as ``population.sd``; another, `named`, puts numbers in their place. To exchange a part, or to
fix a parameter, is to write another tree: no other line changes.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import jax
import jax.numpy as jnp

from difficulty_model import curves, distributions, populations, skills
from difficulty_model.curves import ResponseCurve
from difficulty_model.errors import InputError
from difficulty_model.populations import (
    AcrossClasses,
    Discriminating,
    InClasses,
    Modified,
    Moved,
    Population,
    Regressed,
)
from difficulty_model.skills import InFamilies, Losing
from difficulty_model.types import MODEL, STRATUM

if TYPE_CHECKING:
    import pymc

    from difficulty_model.responses import Responses

Dimension = Literal["model", "stratum", "class_", "covariate", "bend"]
"""What a parameter may vary over: models; strata, the exclusive parts of test sets; classes of images; covariates of a
`Regressed` population; and the directions that a `Flexible` one bends into."""


@dataclass(frozen=True)
class Prior:
    """An unknown parameter.

    Attributes
    ----------
    distribution
        How one such number is distributed beforehand.
    over
        The dimensions that it varies over; None for a single number.
    reference
        If given, the value that is held fixed for the first name of the first of these: with skills and difficulties
        on one scale, only differences of locations are identified, so one location must be set.
    held
        What is held at the reference: the ``first`` name's value, or the ``mean`` over all names (of positive
        numbers the geometric one), so that none is singled out.
    """

    distribution: distributions.Distribution
    over: Dimension | tuple[Dimension, ...] | None = None
    reference: float | None = None
    held: Literal["first", "mean"] = "first"

    @property
    def dims(self) -> tuple[Dimension, ...]:
        """The dimensions that it varies over, in any case as a tuple."""
        return (self.over,) if isinstance(self.over, str) else self.over or ()


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

    def to_numpyro(self, responses: "Responses") -> Callable[[], dict[str, jax.Array]]:
        """Return the posterior given responses as a NumPyro model; see `difficulty_model.exporting.to_numpyro`."""
        from difficulty_model.exporting import to_numpyro  # the way out: the one import downwards

        return to_numpyro(self, responses)

    def to_pymc(self, responses: "Responses") -> "pymc.Model":
        """Return the posterior given responses as a PyMC model; see `difficulty_model.exporting.to_pymc`."""
        from difficulty_model.exporting import to_pymc

        return to_pymc(self, responses)


def unknowns(specification: Specification) -> dict[str, Prior]:
    """Return every prior of the tree under the name of its path, in the order of the tree."""
    return {path: leaf for path, leaf in _leaves(specification, ()) if isinstance(leaf, Prior)}


def named(
    specification: Specification, values: Mapping[str, Any], sizes: Mapping[str, int]
) -> Specification:
    """Return the same tree with numbers in place of its priors, one per name.

    Parameters
    ----------
    specification
        The tree.
    values
        An array for every path of `unknowns`, with the dimensions of its prior.
    sizes
        Length of every dimension.

    Returns
    -------
    Specification
        A tree of arrays whose first dimension is models on skill and curve, strata on the population.
    """

    def of_part(part: Any, name: str, first: Dimension) -> Any:
        def array(path: str, leaf: Any) -> jax.Array:
            value = jnp.asarray(values[path] if isinstance(leaf, Prior) else leaf)
            dims = leaf.dims if isinstance(leaf, Prior) else ()
            if first in dims:
                return jnp.moveaxis(value, dims.index(first), 0)
            return jnp.broadcast_to(value, (sizes[first], *value.shape))

        return _replaced(part, (name,), array)

    return Specification(
        skill=of_part(specification.skill, "skill", MODEL),
        curve=of_part(specification.curve, "curve", MODEL),
        population=of_part(specification.population, "population", STRATUM),
    )


def named_draws(
    specification: Specification, values: Mapping[str, jax.Array], sizes: Mapping[str, int]
) -> Specification:
    """Return the tree `named` with draws of its unknowns, whose axis leads."""
    return jax.vmap(lambda drawn: named(specification, drawn, sizes))(dict(values))


def require_valid(specification: Any) -> None:
    """Raise an `InputError` unless every part of a specification is of the kind that its place needs."""
    if not isinstance(specification, Specification):
        raise InputError(f"not a specification: {str(specification)[:80]!r}; see `difficulty_model.family` for some")
    for name, kind in {"curve": ResponseCurve, "population": Population}.items():
        part = getattr(specification, name)
        if not isinstance(part, kind):
            raise InputError(f"the {name} of a specification must be a {kind.__name__}; got {str(part)[:80]}")
    within = specification.skill.skill if isinstance(specification.skill, InFamilies) else specification.skill
    if isinstance(within, InFamilies) or (isinstance(within, Losing) and dataclasses.is_dataclass(within.skill)
                                          and not isinstance(within.skill, Prior)):
        raise InputError("skills can be in families, and lost within these, each once, as in "
                         f"InFamilies(Losing(…), …); got {str(specification.skill)[:80]}")
    if isinstance(specification.skill, ResponseCurve | Population):
        raise InputError("the skill of a specification must be a Prior, Losing or InFamilies; got "
                         f"{str(specification.skill)[:80]}")
    for path, leaf in _leaves(specification, ()):
        known = isinstance(leaf, int | float) and not isinstance(leaf, bool)
        if not known and not isinstance(leaf, Prior):
            raise InputError(f"{path} of a specification must be a number or a Prior; got {str(leaf)[:80]!r}")
    for path, prior in unknowns(specification).items():
        if not isinstance(prior.distribution, distributions.Distribution):
            raise InputError(f"the prior of {path} needs a distribution; got {str(prior.distribution)[:80]!r}")
        for dim in prior.dims:
            if dim not in get_args(Dimension):
                raise InputError(f"the prior of {path} must be over {', '.join(map(repr, get_args(Dimension)))} or "
                                 f"None; got {prior.over!r}")
    kinds = [type(part) for part in modifiers(specification)]
    if isinstance(specification.skill, InFamilies) and Discriminating in kinds:
        raise InputError("discriminations of images and effects of families of models cannot be had together: only "
                         "one number per image beside its difficulty is integrated out; leave one of them out")
    if Moved in kinds:
        raise InputError("Moved is how a simulation moves a population; in a specification its location and spread are "
                         "unknowns of the population")
    if AcrossClasses in kinds:
        raise InputError("AcrossClasses is how the likelihood sees effects of classes; a specification has InClasses")
    for kind in set(kinds):
        if kinds.count(kind) > 1:
            raise InputError(f"a population can be {kind.__name__} once only; got it {kinds.count(kind)} times")


def require_identified(specification: Specification, sizes: Mapping[str, int]) -> None:
    """Raise an `InputError` if responses of that many models and strata can never tell the unknowns apart.

    Skills and difficulties are on one scale: only differences of locations are identified, and with free slopes only
    ratios of scales. What is not identified by the responses would be whatever its prior says.
    """
    priors = unknowns(specification)
    free = {path for path, prior in priors.items() if prior.reference is None}
    skills_free = bool(free & {"skill", "skill.skill", "skill.skill.skill"})
    of_population = {path.rsplit(".", 1)[-1]: path for path in priors if path.startswith("population.")}
    location = next((of_population[name] for name in ("mean", "location") if name in of_population), None)
    if skills_free and location in free:
        raise InputError(f"skills and {location} are both free: adding a constant to all changes nothing, so that "
                         "neither is identified; hold one, as by Prior(…, reference=0.0)")
    scale = next((of_population[name] for name in ("sd", "scale") if name in of_population), None)
    slope = next((path for path in free if path.endswith("slope")), None)
    if slope is not None and skills_free and scale in free:
        raise InputError(f"{slope}, skills and {scale} are all free: slopes twice as steep on a scale half as wide are "
                         "the same model; hold the slopes' mean, as by Prior(…, reference=1.0, held='mean')")
    skill, path = specification.skill, "skill"
    if isinstance(skill, InFamilies):
        skill, path = skill.skill, "skill.skill"
    if isinstance(skill, Losing):
        if sizes[STRATUM] < 2:
            raise InputError("a loss of skill is one from the first test set to others; got one test set only. Give "
                             "two, or independent skills")
        for name in ("trend", "own"):
            if f"{path}.{name}" in free:
                raise InputError(f"{path}.{name} is free in the first test set too, where a loss is no loss but "
                                 "another skill; hold it there, as by Prior(…, reference=0.0)")
    if has_classes(specification) and sizes["class_"] < 2:
        raise InputError("effects of classes need at least two classes; all images have the same label")


def modifiers(specification: Specification) -> Iterator[Modified]:
    """Return what the population is modified by, the outermost first."""
    population = specification.population
    while isinstance(population, Modified):
        yield population
        population = population.population


def covariates_of(specification: Specification) -> tuple[str, ...]:
    """Return the names of the covariates that the population depends on."""
    return next((part.covariates for part in modifiers(specification) if isinstance(part, Regressed)), ())


def has_classes(specification: Specification) -> bool:
    """Tell whether the population depends on the images' classes."""
    return any(isinstance(part, InClasses) for part in modifiers(specification))


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


def _fields(node: Any) -> list[tuple[str, Any]]:
    """Return the parts of a node that are parameters or hold some."""
    return [(f.name, getattr(node, f.name)) for f in dataclasses.fields(node) if not f.metadata.get("static")]


def _leaves(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Prior) or not dataclasses.is_dataclass(node):
        yield ".".join(path), node
    else:
        for name, part in _fields(node):
            yield from _leaves(part, (*path, name))


def _replaced(node: Any, path: tuple[str, ...], replace: Callable[[str, Any], Any]) -> Any:
    if isinstance(node, Prior) or not dataclasses.is_dataclass(node):
        return replace(".".join(path), node)
    parts = {name: _replaced(part, (*path, name), replace) for name, part in _fields(node)}
    return dataclasses.replace(node, **parts)  # pyright: ignore[reportArgumentType]


def _as_plain(node: Any) -> Any:
    if not dataclasses.is_dataclass(node):
        return node
    fields = {f.name: _as_plain(getattr(node, f.name)) for f in dataclasses.fields(node)}
    return {"type": _type_name(type(node)), **fields}


def _type_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"


def _from_plain(plain: Any) -> Any:
    if isinstance(plain, list):
        return tuple(plain)
    if not isinstance(plain, dict):
        return plain
    fields = {name: _from_plain(value) for name, value in plain.items() if name != "type"}
    parts = [part for module in (skills, curves, populations, distributions) for part in vars(module).values()]
    known = {
        _type_name(kind): kind
        for kind in [Specification, Prior, *parts]
        if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    }
    if plain.get("type") not in known:
        raise InputError(f"unknown part of a specification: {plain.get('type')!r}; known are {sorted(known)}")
    return known[plain["type"]](**fields)
