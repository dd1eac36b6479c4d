"""What a program's metadata tell of a table: names that go into a file beside the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from ...graph import RunError, shown
from ..data.schema import fill_of


class Told(NamedTuple):
    """The names of features and of classes, in order, and what stands for a missing number; empty
    where a program does not tell."""

    columns: list[str]
    fill: tuple[float, ...]
    classes: list[str]


def told(metadata: Mapping[str, str]) -> Told:
    """What metadata tell. Raises RunError for what is none."""
    return Told(_names(metadata, "columns"), fill_of(metadata), _names(metadata, "classes"))


def _names(metadata: Mapping[str, str], key: str) -> list[str]:
    try:
        names = json.loads(metadata.get(key, "[]"))
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RunError(
            f"the program's metadata {key!r} is {shown(metadata[key])}, where a list of texts in "
            "JSON is expected"
        )
    return names
