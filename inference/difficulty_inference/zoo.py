"""Zoos: which models to run, in a TOML file."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from difficulty_inference.adapters import Entry, EstimatorEntry, ModuleEntry, TimmEntry
from difficulty_inference.importing import Code
from difficulty_model.errors import InputError, unknown_name
from difficulty_model.files import existing

KINDS: Mapping[str, type[Entry]] = {"timm": TimmEntry, "module": ModuleEntry, "estimator": EstimatorEntry}
"""What an entry is, by the key that says where its model comes from."""

SAFE_NAME = re.compile(r"[\w][\w.,+@=\[\]-]{0,199}", re.ASCII)
"""What models and test sets may be called, since files are named after them."""


def read_zoo(path: Path | str) -> list[Entry]:
    """Return the entries of a zoo file, in order.

    Every table of the array ``model`` is one model: ``timm``, ``module`` or ``estimator`` says where it comes from, the
    other keys are the attributes of `TimmEntry`, `ModuleEntry` or `EstimatorEntry`. Files and folders are seen
    from the folder of the zoo, and modules may lie there. A zoo names code that is run: use only zoos that you trust.

    Raises
    ------
    InputError
        If the file is not TOML, names no model or one twice, or an entry has unknown, missing or wrong keys.
    """
    path = existing(path, "a zoo file in TOML")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} is not readable as TOML: {error}") from error
    tables = content.get("model")
    if not isinstance(tables, list) or not tables or set(content) != {"model"}:
        raise InputError(f"{path} holds {', '.join(map(repr, content)) or 'nothing'}; expected one table [[model]] for "
                         "each model, and nothing else")
    entries = []
    for number, table in enumerate(tables, start=1):
        try:
            entries.append(_entry(table, path.parent.resolve()))
        except InputError as error:
            raise InputError(f"model {number} of {path}: {error}") from error
    names = [entry.name for entry in entries]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{path} has several models named {', '.join(map(repr, twice))}; names must differ")
    return entries


def require_safe_name(name: str, kind: str) -> str:
    """Return the name, or raise an `InputError` if no file can be named after it."""
    if not SAFE_NAME.fullmatch(name):
        raise InputError(f"{kind} {name!r} cannot name a file; use letters, digits and . , + @ = [ ] - _, and start "
                         "with a letter or digit")
    return name


def _entry(table: Any, folder: Path) -> Entry:
    kinds = [key for key in KINDS if isinstance(table, dict) and key in table]
    if len(kinds) != 1:
        raise InputError(f"says {' and '.join(kinds) or 'nothing'} about where it comes from; expected one of "
                         f"{', '.join(KINDS)}")
    kind = KINDS[kinds[0]]
    wanted = get_type_hints(kind)
    for key in table:
        if key not in wanted:
            raise unknown_name(f"key of a model from {kinds[0]}", key, wanted)
    named = {"name": re.split("[:/]", str(table[kinds[0]]))[-1], **table}
    values = {key: _value(key, value, wanted[key], folder) for key, value in named.items()}
    missing = [f.name for f in fields(kind) if f.default is f.default_factory is MISSING and f.name not in values]  # type: ignore[arg-type]
    if missing:
        raise InputError(f"has no {', '.join(missing)}")
    require_safe_name(values["name"], "name")
    return kind(**values)


def _value(key: str, value: Any, wanted: Any, folder: Path) -> Any:
    """Return a value of TOML as the type that the attribute wants."""
    kinds = get_args(wanted) if get_origin(wanted) is UnionType else (wanted,)
    if isinstance(value, str) and Path in kinds:
        return folder / value
    if isinstance(value, str) and Code in kinds:
        return Code(value, folder)
    plain = tuple(get_origin(kind) or kind for kind in kinds)
    if isinstance(value, bool) and bool not in plain or not isinstance(value, plain):
        expected = " or ".join(getattr(kind, "__name__", str(kind)) for kind in plain if kind is not type(None))
        raise InputError(f"{key} = {value!r} is a {type(value).__name__}; expected {expected}")
    try:
        json.dumps(value)
    except TypeError as error:  # what decides answers is stored as JSON, which has no dates
        raise InputError(f"{key} = {value!r} has a date or a time in it; write it as text, in quotes") from error
    return value
