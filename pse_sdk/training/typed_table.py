"""Dataclasses from TOML tables: what is unknown or of the wrong type is named, with what is allowed."""

from __future__ import annotations

import dataclasses
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pse_sdk.errors import ProfileError


def build(kind: Any, values: dict[str, Any], where: str, nested: dict[str, Any]) -> Any:
    """The dataclass ``kind`` from a table, ``nested`` ones by their keys likewise; raises `ProfileError`."""
    if not isinstance(values, dict):
        raise ProfileError(f"{where}: {values!r} given, must be a table")
    types = get_type_hints(kind)
    unknown = sorted(set(values) - set(types))
    if unknown:
        raise ProfileError(f"{where}: unknown key {unknown[0]!r}; allowed: {', '.join(types)}")
    missing = [field.name for field in dataclasses.fields(kind) if _is_needed(field) and field.name not in values]
    if missing:
        raise ProfileError(f"{where}: lacks {missing[0]!r}")
    built = {
        key: build(nested[key], value, f"{where} [{key}]", nested) if key in nested else _tuple_of(value)
        for key, value in values.items()
    }
    for key, value in built.items():
        if not _fits(value, types[key]):
            raise ProfileError(f"{where}: {key} = {value!r}: must be {_name(types[key])}")
    try:
        return kind(**built)
    except (TypeError, ValueError) as error:
        raise ProfileError(f"{where}: {error}") from error


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a value that TOML can hold is of a field's type."""
    kind, parts = get_origin(wanted), get_args(wanted)
    if kind in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if kind is Literal:
        return value in parts
    if kind is tuple and isinstance(value, tuple):
        kinds = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        return len(value) == len(kinds) and all(map(_fits, value, kinds))
    if kind is dict and isinstance(value, dict):
        return all(_fits(item, parts[1]) for item in value.values())
    if wanted in (int, float):
        return isinstance(value, (int, wanted)) and not isinstance(value, bool)
    return isinstance(value, wanted if kind is None else kind)


def _name(wanted: Any) -> str:
    return wanted.__name__ if isinstance(wanted, type) and not get_args(wanted) else str(wanted).replace("typing.", "")


def _tuple_of(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
