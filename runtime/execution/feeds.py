"""What a step is fed with, checked against the graph's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...graph import Array, Graph, Node, RunError, exactly, shown, suggest
from ..inputs import fed
from .frame_names import warn_of_order

Feeds = Mapping[str, Any]
Form = list[tuple[str, tuple[int, ...], np.dtype[Any]]]
"""The name, shape and dtype of each array that was fed."""


class FeedReader:
    """Checks feeds and hands over arrays in the order of a graph's inputs.

    An array is read where it lies when its dtype and layout fit; a float of another width, and
    any integer where i64 is due, is cast into a buffer that is kept for the next time. Inputs of
    the `declared` graph that this one does not read (labels, in inference) are passed over.
    `metadata` are the program's, which may tell the order of a frame's columns.
    """

    def __init__(self, g: Graph, declared: Graph, metadata: Mapping[str, str]) -> None:
        self.inputs: list[tuple[str, Node]] = [(g.names[n], n) for n in g.inputs]
        inputs = [declared.names[n] for n in declared.inputs]
        self.known = {*inputs, *[name for name, _ in self.inputs]}
        self._metadata = metadata
        self._told: set[str] = set()
        self._buffers: dict[str, Array] = {}
        # What the last feeds were, and their sizes: set at once, as a signal may come anywhere.
        self._last: tuple[Form, dict[str, int]] | None = None

    def read(self, feeds: Feeds) -> tuple[list[Array], dict[str, int]]:
        """The arrays, and the sizes of the symbols that they bind."""
        last = self._last
        if last is not None:
            same = _of_the_form(feeds, last[0])
            if same is not None:
                return same, last[1]
        if not isinstance(feeds, Mapping):
            raise RunError(
                f"feeds are {type(feeds).__name__}, where one dict such as "
                f"{{{', '.join(f'{name!r}: array' for name, _ in self.inputs)}}} is expected"
            )
        for name in feeds:
            if name not in self.known:
                raise RunError(f"there is no input {shown(name)}{suggest(name, self.known)}")
        warn_of_order(feeds, self._metadata, self._told)
        sizes: dict[str, int] = {}
        bound_by: dict[str, str] = {}
        arrays: list[Array] = []
        for name, n in self.inputs:
            if name not in feeds:
                raise RunError(f"input {name!r} is not fed; {n.type} is expected")
            array = fed(name, feeds[name], n)
            for d, size in zip(n.type.shape, array.shape, strict=True):
                if isinstance(d, int):
                    continue
                if sizes.setdefault(d, size) != size:
                    raise RunError(
                        f"input {name!r} has {size} as {d}, but {bound_by[d]!r} has {sizes[d]}; "
                        f"one {d} is expected"
                    )
                bound_by.setdefault(d, name)
            arrays.append(self._fitting(name, array, n))
        form = [(k, a.shape, a.dtype) for (k, _), a in zip(self.inputs, arrays, strict=True)]
        self._last = form, sizes
        return arrays, sizes

    def _fitting(self, name: str, array: Array, n: Node) -> Array:
        wanted = n.type.numpy
        if array.dtype == wanted and array.dtype.isnative and array.flags.c_contiguous:
            return array
        if array.dtype.kind == "u" and wanted.kind == "i":
            return exactly(array, n.type.dtype, f"input {name!r}", RunError)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape != array.shape:
            buffer = self._buffers[name] = np.empty(array.shape, wanted)
        with np.errstate(over="ignore"):  # what overflows is infinite: the step says where
            np.copyto(buffer, array, casting="unsafe")
        return buffer


def _of_the_form(feeds: Feeds, form: Form) -> list[Array] | None:
    """The arrays, where each is of the name, shape and dtype that its place in `form` tells."""
    if type(feeds) is not dict or len(feeds) != len(form):
        return None
    arrays: list[Array] = []
    for name, shape, dtype in form:
        a = feeds.get(name)
        if type(a) is not np.ndarray or a.shape != shape or a.dtype is not dtype:
            return None
        if not a.flags.c_contiguous:
            return None
        arrays.append(a)
    return arrays
