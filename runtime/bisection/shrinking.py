"""Making a graph smaller while something goes on to fail in it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from ...graph import Graph, Input, Node, Source, VerigradError, parse

Fails = Callable[[Graph], bool]
"""Whether it still fails in the same way; one that raises an error does not."""

_SMALL: Final = 4
"""Sizes above this are made smaller."""
_INSTEAD: Final = (5, 3, 7, 4, 6, 8, 9, 11)
"""What they become, each another, so that no axis is taken for another."""


def shrunk(g: Graph, fails: Fails, seconds: float = 20.0) -> Graph:
    """The smallest graph that is found, in so much time, by leaving out outputs and updates, by an
    input in the place of a node, by an operand in its place, and by smaller sizes."""
    end = time.perf_counter() + seconds

    def still(candidate: Graph) -> bool:
        try:
            return time.perf_counter() < end and fails(candidate)
        except Exception:  # of a pass or an op that a user wrote, on a graph that is too small
            return False

    while True:
        smaller = next((c for c in _smaller(g) if still(c)), None)
        if smaller is None:
            return g
        g = smaller


def _smaller(g: Graph) -> Iterator[Graph]:
    """Graphs that have less than this one, those with the least first."""
    for make in (_without, _cut, _passed_by, _resized):
        for candidate in make(g):
            try:
                yield candidate()
            except VerigradError:
                continue


Made = Iterator[Callable[[], Graph]]


def _without(g: Graph) -> Made:
    """Without an output or an update; with one of them alone first."""
    for key, n in g.outputs.items():
        if len(g.outputs) > 1 or g.updates:
            yield partial(g.but, outputs={key: n}, updates={})
    for w, n in g.updates.items():
        if len(g.updates) > 1 or g.outputs:
            yield partial(g.but, outputs={}, updates={w: n})
    for key in g.outputs:
        rest = {k: n for k, n in g.outputs.items() if k != key}
        if rest or g.updates:
            yield partial(g.but, outputs=rest)
    for w in g.updates:
        left = {k: n for k, n in g.updates.items() if k is not w}
        if left or g.outputs:
            yield partial(g.but, updates=left)


def _cut(g: Graph) -> Made:
    """With an input where a node was computed: the last first, which cuts the most."""
    for n in reversed(g.order):
        if not isinstance(n.op, Source):
            cut = Node(Input(n.type), (), n.type, g.names[n].replace(".", "_"))
            yield partial(g.replace, {n: cut})


def _passed_by(g: Graph) -> Made:
    """With an operand of its type where a node was."""
    for n in reversed(g.order):
        for i in dict.fromkeys(n.inputs):
            if i.type == n.type:
                yield partial(g.replace, {n: i})


def _resized(g: Graph) -> Made:
    """With small sizes in the place of large ones, wherever the text has them."""
    there = {d for n in g.nodes for d in n.type.shape if isinstance(d, int)}
    sizes = sorted(d for d in there if d > _SMALL)
    free = [d for d in _INSTEAD if d not in there]
    for count in (len(sizes), 1):
        for k in range(0, len(sizes), max(count, 1)):
            some = {d: e for d, e in zip(sizes[k : k + count], free, strict=False) if e < d}
            if some:
                yield partial(_with_sizes, g, some)


def _with_sizes(g: Graph, sizes: dict[int, int]) -> Graph:
    text = str(g)
    for old, new in sizes.items():
        text = re.sub(rf"(?<![\w.%]){old}(?![\w.])", f"size:{new}", text)
    return parse(text.replace("size:", ""))
