"""What `x[key]` takes of a tensor: parts along its axes, and the shape that they have then."""

from __future__ import annotations

from operator import index

import numpy as np

from .errors import GraphError
from .quoting import shown
from .types import Dim, Shape, TensorType

Cut = tuple[int, int, int]
"""An axis, where the part of it starts, and where it stops."""


def cuts(t: TensorType, key: object) -> tuple[list[Cut], Shape]:
    """The parts that are less than their axis, and the shape of x[key] for an x of that type.

    The key is as in NumPy: whole numbers, slices without a step, `...`, None for a new axis. Raises
    GraphError for any other, and for a part of an axis whose size is a symbol.
    """
    parts: list[Cut] = []
    shape: list[Dim] = []
    axis = 0
    for k in _spread(t, key if isinstance(key, tuple) else (key,)):
        if k is None:
            shape.append(1)
            continue
        size = t.shape[axis]
        part = _part(t, axis, k)
        if part is not None and part != (axis, 0, size):
            parts.append(part)
        if isinstance(k, slice):
            shape.append(size if part is None else part[2] - part[1])
        axis += 1
    return parts, tuple(shape)


def _spread(t: TensorType, keys: tuple[object, ...]) -> list[object]:
    """The keys with one for each axis: `:` in the place of `...`, and of those left out."""
    dots = [i for i, k in enumerate(keys) if k is Ellipsis]
    used = sum(k is not None for k in keys) - len(dots)
    if len(dots) > 1:
        raise GraphError(f"x[...] takes `...` once, and not {len(dots)} times")
    if used > t.rank:
        raise GraphError(f"x[...] takes {used} indices for {t}, which has {t.rank} axes")
    at = dots[0] if dots else len(keys)
    return [*keys[:at], *[slice(None)] * (t.rank - used), *keys[at + 1 :]]


def _part(t: TensorType, axis: int, k: object) -> Cut | None:
    """The part of an axis that a whole number or a slice takes; None for all of a symbol's."""
    size = t.shape[axis]
    if isinstance(k, slice):
        start, stop = (None if n is None else _whole(n, k) for n in (k.start, k.stop))
        if k.step is not None and _whole(k.step, k) != 1:
            raise GraphError(f"x[...]: a slice has the step {shown(k.step)}, and can only have 1")
        if not start and stop is None:
            return None if isinstance(size, str) else (axis, 0, size)
        first, last, _ = slice(start, stop).indices(_number(t, axis))
        return axis, first, max(first, last)
    at, known = _whole(k, k), _number(t, axis)
    if not -known <= at < known:
        raise GraphError(f"index {shown(at)} is out of range for axis {axis} of {t}")
    return axis, at % known, at % known + 1


def _number(t: TensorType, axis: int) -> int:
    size = t.shape[axis]
    if isinstance(size, str):
        raise GraphError(
            f"x[...] takes a part of axis {axis} of {t}, whose size {size} is only known when it "
            "is fed; take all of it, with `:`"
        )
    return size


def _whole(n: object, key: object) -> int:
    """A whole number of a key; booleans, which NumPy takes for masks, are none."""
    try:
        if isinstance(n, (bool, np.bool_)):
            raise TypeError
        return index(n)  # type: ignore[arg-type]
    except TypeError:
        raise GraphError(
            f"x[...] takes whole numbers, slices, `...` and None, and not {_described(key)}; "
            "choose by a condition with vg.where"
        ) from None


def _described(k: object) -> str:
    return shown(k) if isinstance(k, (slice, bool, float, str)) else f"a {type(k).__name__}"
