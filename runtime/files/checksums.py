"""Checksums of what a file holds: against a changed byte, not against an attacker."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final

import numpy as np

from ...graph import Array, RunError, shown

_BYTES: Final = 16


def checksums(arrays: Mapping[str, Array]) -> dict[str, str]:
    """The checksum of each array: of its name, dtype, shape and bytes."""
    return {name: _hash(_parts(name, array)) for name, array in arrays.items()}


def digest(description: Mapping[str, Any], arrays: Mapping[str, Array]) -> str:
    """The checksum of a description, but for its key `digest`.

    One that holds no checksums of the arrays, as in files of format 1, answers for them as well.
    """
    texts = {k: v for k, v in description.items() if k != "digest"}
    parts: list[bytes | memoryview] = [json.dumps(texts, sort_keys=True).encode()]
    if description.get("checksums") is None:
        for name in sorted(arrays):
            parts += _parts(name, arrays[name])
    return _hash(parts)


def check(name: str, array: Array, known: Mapping[str, str]) -> None:
    """Raises RunError where an array is not the one that its checksum is of."""
    if name not in known:
        raise RunError(f"it has no checksum of the array {shown(name)}")
    (found,) = checksums({name: array}).values()
    if found != known[name]:
        raise RunError(
            f"{name!r} was changed since it was saved: its checksum is {found}, where "
            f"{shown(known[name])} is expected; take another copy of the file"
        )


def _parts(name: str, array: Array) -> list[bytes | memoryview]:
    content = np.ascontiguousarray(array).data.cast("B") if array.size else b""
    return [f"{name} {array.dtype} {array.shape}".encode(), content]


def _hash(parts: Iterable[bytes | memoryview]) -> str:
    hashed = blake2b(digest_size=_BYTES)
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()
