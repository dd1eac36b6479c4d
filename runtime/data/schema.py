"""What a model keeps of the data set that it was trained on, as texts in its file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import NamedTuple

from ...graph import RunError
from .parts import Classification


class Schema(NamedTuple):
    """The names of the classes, in order, and the columns that features are read from.

    `fill` is the mean of each column's training part, which stands in for a missing value;
    `split_seed` drew the test part. A program that declares nothing of it has an empty Schema.
    """

    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    target: str | None = None
    fill: tuple[float, ...] = ()
    split_seed: int = 0


def described(data: Classification) -> dict[str, str]:
    """The metadata that `schema` reads back, exactly."""
    metadata = {
        "classes": json.dumps(data.classes),
        "columns": json.dumps(data.columns),
        "fill": json.dumps(data.fill),
        "split_seed": json.dumps(data.split_seed),
    }
    return metadata if data.target is None else {**metadata, "target": data.target}


def schema(metadata: Mapping[str, str], classes: int) -> Schema:
    """The schema of a program with so many scores. Raises RunError for what is none."""
    names, columns = (_names(metadata, key) for key in ("classes", "columns"))
    fill = _read(metadata, "fill", [])
    seed = _read(metadata, "split_seed", 0)
    if names and len(names) != classes:
        raise _damaged("classes", f"{classes} different texts")
    if not isinstance(fill, list) or not all(_is_finite(v) for v in fill):
        raise _damaged("fill", "finite numbers")
    if fill and len(fill) != len(columns):
        raise _damaged("fill", f"{len(columns)} numbers, one a column,")
    if type(seed) is not int or not 0 <= seed < 2**64:
        raise _damaged("split_seed", "digits")
    means = tuple([float(v) for v in fill])
    return Schema(names, columns, metadata.get("target"), means, seed)


def _names(metadata: Mapping[str, str], key: str) -> tuple[str, ...]:
    value = _read(metadata, key, [])
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        names = tuple(value)
        if len(set(names)) == len(names):
            return names
    raise _damaged(key, "different texts")


def _read(metadata: Mapping[str, str], key: str, default: object) -> object:
    if key not in metadata:
        return default
    try:
        return json.loads(metadata[key])
    except (ValueError, RecursionError):
        raise _damaged(key, "texts of JSON") from None


def _is_finite(value: object) -> bool:
    return (isinstance(value, float) and math.isfinite(value)) or (
        type(value) is int and abs(value) < 2**63
    )


def _damaged(key: str, expected: str) -> RunError:
    return RunError(f"the model's metadata {key!r} is damaged: {expected} are expected in it")
