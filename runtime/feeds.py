"""What a step is fed with, checked against the graph's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ..graph import Array, Graph, Node, RunError, suggest

Feeds = Mapping[str, Any]

_LARGEST: Final = np.iinfo(np.int64).max


class FeedReader:
    """Checks feeds and hands over arrays in the order of a graph's inputs.

    An array is read where it lies when its dtype and layout fit; a float of another width, and
    any integer where i64 is due, is cast into a buffer that is kept for the next time. Names in
    `known` that the graph does not read (labels, in inference) are passed over.
    """

    def __init__(self, g: Graph, known: frozenset[str]) -> None:
        self.inputs: list[tuple[str, Node]] = [(g.names[n], n) for n in g.inputs]
        self.known = known | {name for name, _ in self.inputs}
        self._buffers: dict[str, Array] = {}
        self._seen: list[tuple[str, tuple[int, ...], np.dtype[Any]]] | None = None
        self._sizes: dict[str, int] = {}

    def read(self, feeds: Feeds) -> tuple[list[Array], dict[str, int]]:
        """The arrays, and the sizes of the symbols that they bind."""
        same = self._like_the_last(feeds)
        if same is not None:
            return same, self._sizes
        if not isinstance(feeds, Mapping):
            raise RunError(
                f"feeds are {type(feeds).__name__}, where one dict such as "
                f"{{{', '.join(f'{name!r}: array' for name, _ in self.inputs)}}} is expected"
            )
        for name in feeds:
            if name not in self.known:
                raise RunError(f"there is no input {name!r}{suggest(name, self.known)}")
        sizes: dict[str, int] = {}
        bound_by: dict[str, str] = {}
        arrays: list[Array] = []
        for name, n in self.inputs:
            if name not in feeds:
                raise RunError(f"input {name!r} is not fed; {n.type} is expected")
            array = feeds[name]
            if type(array) is not np.ndarray:
                array = _plain(name, array, n)
            if len(array.shape) != n.type.rank:
                raise misfit(name, array, n)
            for d, size in zip(n.type.shape, array.shape, strict=True):
                if isinstance(d, int):
                    if d != size:
                        raise misfit(name, array, n)
                elif sizes.setdefault(d, size) != size:
                    raise RunError(
                        f"input {name!r} has {size} as {d}, but {bound_by[d]!r} has {sizes[d]}; "
                        f"one {d} is expected"
                    )
                else:
                    bound_by.setdefault(d, name)
            arrays.append(self._fitting(name, array, n))
        self._seen = [(k, a.shape, a.dtype) for (k, _), a in zip(self.inputs, arrays, strict=True)]
        self._sizes = sizes
        return arrays, sizes

    def _like_the_last(self, feeds: Feeds) -> list[Array] | None:
        """The arrays where they are just what was last found to fit."""
        if self._seen is None or type(feeds) is not dict or len(feeds) != len(self._seen):
            return None
        arrays: list[Array] = []
        for name, shape, dtype in self._seen:
            a = feeds.get(name)
            if type(a) is not np.ndarray or a.shape != shape or a.dtype is not dtype:
                return None
            if not a.flags.c_contiguous:
                return None
            arrays.append(a)
        return arrays

    def _fitting(self, name: str, array: Array, n: Node) -> Array:
        wanted = n.type.numpy
        if array.dtype == wanted and array.dtype.isnative and array.flags.c_contiguous:
            return array
        check_dtype(name, array, n)
        if array.dtype.kind == "u" and wanted.kind == "i" and array.size and array.max() > _LARGEST:
            raise RunError(f"input {name!r} holds {array.max()}, which no i64 can hold")
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape != array.shape:
            buffer = self._buffers[name] = np.empty(array.shape, wanted)
        with np.errstate(over="ignore"):  # what overflows is infinite: the step says where
            np.copyto(buffer, array, casting="unsafe")
        return buffer

    def describe_non_finite(self, arrays: list[Array]) -> str:
        """Which feed holds NaN or infinity, and where first; nothing where none does."""
        for (name, _), array in zip(self.inputs, arrays, strict=True):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                first = np.argwhere(~np.isfinite(array))[0]
                at = ",".join(map(str, first))
                return f"input {name!r} holds {array[tuple(first)]} at [{at}]"
        return ""


def _plain(name: str, value: Any, n: Node) -> Array:
    """What the user gave as an array of NumPy's own class, without a copy where that can be."""
    if isinstance(value, np.ma.MaskedArray):
        raise RunError(
            f"input {name!r} is a masked array, where every element counts; give {name}.filled(0)"
        )
    try:
        return np.asarray(value)
    except ValueError as e:
        raise RunError(f"input {name!r} is no array, where {n.type} is expected: {e}") from None


def check_dtype(name: str, array: Array, n: Node) -> None:
    """Raises RunError unless the array's numbers can be what the input takes."""
    kind, due = array.dtype.kind, n.type.numpy.kind
    if due == "i" and kind == "f":
        raise RunError(
            f"input {name!r} is {array.dtype}, where integers are expected ({n.type}); "
            f"give {name}.astype('int64') if they are whole numbers"
        )
    if kind not in "biuf" or (kind == "b") != (due == "b"):
        raise RunError(f"input {name!r} is {array.dtype}, where {n.type} is expected")


def misfit(name: str, array: Array, n: Node) -> RunError:
    """The error for an array of a shape that the input does not take."""
    hint = ""
    if array.ndim > n.type.rank == 2:
        hint = f"; give one row a sample, {name}.reshape(len({name}), -1)"
    elif array.ndim == n.type.rank - 1 and n.type.rank == 2:
        hint = f"; for one sample, give {name}[None, :]"
    shape = ",".join(map(str, array.shape))
    return RunError(f"input {name!r} has the shape [{shape}], where {n.type} is expected{hint}")
