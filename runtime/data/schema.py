"""What a model keeps of the data set that it was trained on, as texts in its file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Final, NamedTuple, get_args

from ...graph import RunError
from ..metrics.registry import Task
from .encoding import Encoded, Encoding, features
from .parts import TaskData

ENCODINGS: Final = "encodings"
"""What metadata call the encodings of a table's columns."""


class Schema(NamedTuple):
    """The names of the classes, in order, and the columns that features are read from.

    `fill` is the mean of each column's training part, which stands in for a missing value;
    `split_seed` drew the test part. `encodings` say how the columns of a table become features,
    where any is more than a number. A program that declares nothing of it has an empty Schema.
    """

    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    target: str | None = None
    fill: tuple[float, ...] = ()
    split_seed: int = 0
    task: Task = "classification"
    encodings: tuple[Encoding, ...] = ()

    @property
    def read(self) -> tuple[Encoding, ...]:
        """How each column of a table is read."""
        return self.encodings or tuple([Encoding(name) for name in self.columns])


def described(data: TaskData) -> dict[str, str]:
    """The metadata that `schema` reads back, exactly."""
    metadata = {
        "task": data.task,
        "classes": json.dumps(data.classes),
        "columns": json.dumps(data.columns),
        "fill": json.dumps(data.fill),
        "split_seed": json.dumps(data.split_seed),
    }
    if data.target is not None:
        metadata["target"] = data.target
    if any(encoding.kind != "number" for encoding in data.encodings):
        metadata[ENCODINGS] = json.dumps(data.encodings)
    return metadata


def schema(metadata: Mapping[str, str], classes: int | None) -> Schema:
    """The schema of a program with so many scores, or of one without classes. Raises RunError for
    what is none."""
    names, columns = (_names(metadata, key) for key in ("classes", "columns"))
    fill = fill_of(metadata)
    seed = _read(metadata, "split_seed", 0)
    if names and len(names) != classes:
        raise _damaged("classes", f"{classes or 'no'} different texts")
    if fill and len(fill) != len(columns):
        raise _damaged("fill", f"{len(columns)} numbers, one a column,")
    if type(seed) is not int or not 0 <= seed < 2**64:
        raise _damaged("split_seed", "digits")
    task = metadata.get("task", "classification")
    if task not in get_args(Task):
        raise _damaged("task", " or ".join(get_args(Task)))
    encodings = encodings_of(metadata)
    known: Task = "regression" if task == "regression" else "classification"
    return Schema(names, columns, metadata.get("target"), fill, seed, known, encodings)


def fill_of(metadata: Mapping[str, str]) -> tuple[float, ...]:
    """What stands in for a missing value, a number a column. Raises RunError for what is none."""
    fill = _read(metadata, "fill", [])
    if not isinstance(fill, list) or not all(_is_finite(v) for v in fill):
        raise _damaged("fill", "finite numbers")
    return tuple([float(v) for v in fill])


def encodings_of(metadata: Mapping[str, str]) -> tuple[Encoding, ...]:
    """How the columns of a table become features, where any is more than a number. Raises RunError
    for what tells no such thing."""
    columns = _names(metadata, "columns")
    rows = _read(metadata, ENCODINGS, [])
    due = "a name, a kind and categories a column, which make its columns,"
    made: list[Encoding] = []
    for row in rows if isinstance(rows, list) else [None]:
        if not isinstance(row, list) or len(row) != 3 or not isinstance(row[0], str):
            raise _damaged(ENCODINGS, due)
        name, kind, categories = row
        known = isinstance(categories, list) and all(isinstance(c, str | None) for c in categories)
        if kind not in get_args(Encoded) or not known or len({*categories}) < len(categories):
            raise _damaged(ENCODINGS, due)
        made.append(Encoding(name, kind, tuple(categories)))
    if made and features(made) != columns:
        raise _damaged(ENCODINGS, due)
    return tuple(made)


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
