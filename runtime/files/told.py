"""What a file tells of itself, as JSON: read, and held against the types that it must have."""

from __future__ import annotations

import json
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

from ...graph import RunError, shown

T = TypeVar("T")

_WORDS: Final[dict[Any, str]] = {
    str: "a text", bool: "true or false", int: "a whole number", float: "a number",
    NoneType: "null", list: "a list", tuple: "a list", dict: "a dict",
}  # fmt: skip


def read_json(text: str | bytes, what: str) -> Any:
    """The value of a text of JSON, in which no key may stand twice; RunError names what it is."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as e:
        raise RunError(f"{what} is no JSON: {e}") from None


def fitting(value: Any, kind: type[T], what: str = "") -> T:
    """The value as what `kind` says: a text, number, list or dict, a union of such, or a
    NamedTuple of them, written as the dict or the list of its fields; what it has no field for
    is passed over. Raises RunError that names the key, below `what`, which is another thing.
    """
    fitted: T = _fitting(value, kind, what)
    return fitted


def _fitting(value: Any, kind: Any, what: str) -> Any:
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    for one in kinds:
        plain, inner = get_origin(one) or one, get_args(one)
        if one is Any or (plain is Literal and value in inner):
            return value
        if hasattr(plain, "_fields") and not (value is None and NoneType in kinds):
            return _fields(value, plain, what)
        if plain is Literal or not _is(value, plain):
            continue
        if plain is dict and inner:
            return {k: _fitting(v, inner[1], f"{what}.{k}") for k, v in value.items()}
        if plain in (list, tuple) and inner:
            return plain([_fitting(v, inner[0], f"{what}[{i}]") for i, v in enumerate(value)])
        return float(value) if plain is float else value
    expected = " or ".join([_expected(one) for one in kinds])
    raise RunError(f"its {what} is {shown(value)}, where {expected} is expected")


def _expected(kind: Any) -> str:
    plain = get_origin(kind) or kind
    return " or ".join(map(repr, get_args(kind))) if plain is Literal else _WORDS[plain]


def _is(value: Any, kind: Any) -> bool:
    if kind in (int, float):
        whole = type(value) is int and -(2**63) <= value < 2**64
        return whole or (kind is float and type(value) is float)
    return isinstance(value, list if kind is tuple else kind)


def _fields(value: Any, kind: Any, what: str) -> Any:
    hints = get_type_hints(kind)
    least = len(hints) - len(kind._field_defaults)
    if isinstance(value, list) and least <= len(value) <= len(hints):
        value = dict(zip(hints, value, strict=False))  # an older file has fewer fields
    if not isinstance(value, dict):
        problem = f"its {what or 'metadata'} is {shown(value)}"
        raise RunError(f"{problem}, where a dict is expected")
    read = {}
    for name, hint in hints.items():
        path = f"{what}.{name}" if what else name
        if name in value:
            read[name] = _fitting(value[name], hint, path)
        elif name not in kind._field_defaults:
            raise RunError(f"its {path} is missing")
    return kind(**read)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{shown(twice)} stands in it twice")
    return unique
