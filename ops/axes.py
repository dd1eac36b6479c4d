"""Axes as users give them: one or several, from the front or the end, as `axis=` or `axes=`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from operator import index
from typing import Final

from ..graph import GraphError, Node, as_python, check_node, shown

Axis = int | Iterable[int]
_NO_AXES: Final = (str, bytes, bytearray, Mapping, Set)
"""What can be read one after another, and means no axes in an order."""


def several(what: str, x: Node, axis: Axis | None, axes: Axis | None) -> tuple[int, ...] | None:
    """The axes of x, counted from 0; None where none are said. `axes` is the same as `axis`."""
    if axis is not None and axes is not None:
        raise GraphError(f"{what}: axis and axes are one word; give one of them")
    wanted = as_python(axis if axes is None else axes)
    if wanted is None:
        return None
    check_node(what, "x", x)
    if isinstance(wanted, _NO_AXES) or not isinstance(wanted, Iterable):
        wanted = (wanted,)
    return tuple([_counted(what, x, a) for a in wanted])


def single(what: str, x: Node, axis: Axis | None, axes: Axis | None = None) -> int:
    """The one axis of x, counted from 0."""
    along = several(what, x, axis, axes)
    if along is None or len(along) != 1:
        said = "none" if along is None else list(along)
        raise GraphError(f"{what} goes along one axis, and {said} is given; write e.g. axis=0")
    return along[0]


def _counted(what: str, x: Node, axis: object) -> int:
    try:
        if isinstance(axis, bool):
            raise TypeError
        at = index(axis)  # type: ignore[arg-type]
    except TypeError:
        raise GraphError(
            f"{what}: axis is {shown(axis)}, where a whole number or several are expected"
        ) from None
    return at + x.type.rank if -x.type.rank <= at < 0 else at
