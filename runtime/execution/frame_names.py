"""The names that pandas' frames have for columns and rows, which are read by their place: a
warning where names say that another place was meant."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...graph import warn


def columns_of(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that a program was trained on; none where it keeps none, or another text."""
    try:
        columns = json.loads(metadata.get("columns", "[]"))
    except (ValueError, RecursionError, TypeError):
        return ()
    known = isinstance(columns, list) and all(isinstance(name, str) for name in columns)
    return tuple(columns) if known else ()


def column_names(feeds: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """The columns of each frame among what is given for inputs, where different texts name them."""
    if "pandas" not in sys.modules:
        return {}
    columns = {k: tuple(v.columns) for k, v in feeds.items() if _is(v, "DataFrame")}  # type: ignore[attr-defined]
    return {
        k: names
        for k, names in columns.items()
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    }


def warn_of_order(
    feeds: Mapping[str, object], metadata: Mapping[str, str], warned: set[str] | None = None
) -> None:
    """Warns where a frame's columns are others than the program was trained on, or in another
    order, and where two frames or series have the same index in another order.

    A text in `warned` is not given again.
    """
    for text in _doubts(feeds, metadata) if "pandas" in sys.modules else ():
        if warned is None or text not in warned:
            warn(text)
        if warned is not None:
            warned.add(text)


def _doubts(feeds: Mapping[str, object], metadata: Mapping[str, str]) -> Iterator[str]:
    tables: dict[str, Any] = {
        k: v for k, v in feeds.items() if _is(v, "DataFrame") or _is(v, "Series")
    }
    if not tables:
        return
    frames, known = column_names(tables), columns_of(metadata)
    for name, names in frames.items():
        same = set(names) == set(known)
        if names == known or len(names) != len(known) or not (same or len(frames) == 1):
            continue
        place = [one == other for one, other in zip(names, known, strict=True)].index(False)
        yield (
            f"input {name!r}: columns are read by place, and these are "
            f"{'in another order' if same else 'others'} than those that the program was trained "
            f"on: column {place} is {names[place]!r}, where it was {known[place]!r}; give "
            f"{name}[{_listed(known)}], or rename them where their places are right"
        )
    (first, one), *others = tables.items()
    for other, two in others:
        if _shuffled(one.index, two.index):
            yield (
                f"input {other!r}: rows are read by place, and its index has the labels of "
                f"{first!r} in another order; give {other}.loc[{first}.index], or "
                f"{other}.set_axis({first}.index) where their places are right"
            )


def _is(value: object, kind: str) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, getattr(pandas, kind, ()))


def _shuffled(one: Any, two: Any) -> bool:
    """Whether two indexes have the same labels, each once, in another order."""
    if len(one) != len(two) or one.equals(two) or not (one.is_unique and two.is_unique):
        return False
    return set(one) == set(two)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:4]))
    return f"[{shown}{', ...' if len(names) > 4 else ''}]"
