"""Writing a step for the jitted backend: loops between the matrix products, in the same plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ...graph import Array, Graph, Node, Nodes
from ...ops.likelihood import LabelPlaces, NLLAt, SoftmaxNLLGrad
from ..parts import Memory, Part, joined, parts
from ..recording import Call, record
from ..step import CHECK, Kernel, Stamps, Writer
from ..tiling import tiling
from .kernels import compiled
from .loops import PLACES, Nest, Region, Text, all_finite
from .statements import Statement, statement

_BY_ROW: Final = (NLLAt, SoftmaxNLLGrad)
"""Ops whose take and put stay in the row: another's may read rows that are not made yet."""


class JitWriter(Writer):
    """Writes the calls of neighbouring kernels as one compiled kernel, up to a matrix product.

    What a loop can not do, or would do no faster, stays the NumPy call that it is. The plan is the
    same as without: a temporary that only a loop reads is never written.
    """

    def __init__(self, g: Graph, memory: Memory, stamps: Stamps | None = None) -> None:
        super().__init__(g, memory, stamps)
        self._nests: list[Nest] = []
        self._dead: set[Region] = set()
        self._lasting: set[Region] = set()
        self._first: Node | None = None
        self._held: list[tuple[Array, ...]] = []  # stand for temporaries: none is written

    def function(
        self, name: str, groups: Sequence[Nodes], copies: Sequence[str] = (), after: str = ""
    ) -> None:
        self._once = name == "prepare"  # what runs once is not worth a kernel
        super().function(name, groups, copies, after)

    def group(self, group: Nodes) -> None:
        if self._once:
            super().group(group)
            return
        tiles = tiling(self.g, group, self.memory.sizes)
        if tiles is None:
            for n in group:
                self._one(n)
            return
        for part in parts(self.g, group, tiles, self.memory):
            if not self._whole(part):
                self._flush()
                self._tiled(part)

    def finite(self, arrays: Sequence[Array]) -> None:
        flat = joined(arrays)
        text = all_finite(flat)
        kernel = self._bound("j", text, compiled(text, flat, any_order=True))
        names = ", ".join([str(self.name(a)) for a in flat])
        self._count(CHECK, 1)
        self._functions.append("finite")
        self.lines += ["", "    def finite():", f"        return {kernel}({names})"]

    def end(self) -> None:
        self._flush()

    def _stamp(self, ended: Kernel) -> None:
        if self._stamps is not None:
            self._flush()  # so that each group's time is its own
        super()._stamp(ended)

    # ---- collecting --------------------------------------------------------------------------

    def _one(self, n: Node) -> None:
        """A node by itself: each of its calls is a statement, or else a line."""
        inputs = [self.memory.arrays[i] for i in n.inputs]
        out, scratch = self.memory.arrays[n], self.memory.scratch.get(n, ())
        calls = record(n.op.bind(self.memory.sizes), inputs, out, scratch)
        if isinstance(n.op, LabelPlaces):
            self._places(n, n.op, inputs, out)
            return
        if calls is None:
            self._flush()
            self._kernel(n, inputs, out, scratch, self.name, "")
            return
        lines = [self._call(c, self.name) for c in calls]
        if None in lines:
            self._flush()
            self._kernel(n, inputs, out, scratch, self.name, "")
            return
        found = [self._statement(n, c) for c in calls]
        # A temporary need not be written, unless a call between the statements may read it.
        dead = set() if None in found else {(a.ctypes.data, a.nbytes) for a in scratch}
        for s, line in zip(found, lines, strict=True):
            if s is not None:
                self._add(n, [s], dead)
            else:
                self._flush()
                self.line(n, str(line))
                self._count(self.schedule.groups[n], 1)

    def _places(self, n: Node, op: LabelPlaces, inputs: Sequence[Array], out: Array) -> None:
        """The places of the labels; where one is out of range, the op's own kernel says so."""
        starts, labels = inputs
        self._flush()
        kernel = self._bound("j", PLACES, compiled(PLACES, [starts, labels, op.classes, out]))
        checked = self._bound("k", id(op), op.run)
        first, second, result = [str(self.name(a)) for a in (starts, labels, out)]
        self.line(
            n,
            f"{kernel}({first}, {second}, {op.classes}, {result}) "
            f"or {checked}({first}, {second}, out={result})",
        )
        self._count(self.schedule.groups[n], 1)

    def _whole(self, part: Part) -> bool:
        """A tiled part as statements of one nest, its temporaries as values that stay inside."""
        if not part.tiles.others and len(part.lane[0].type.shape) == 2:
            # By rows, as the reductions beside it: a loop is not cut into tiles.
            cut = {n: self.memory.arrays[n] for n in part.cut}
            part = part._replace(cut=cut, rows=self.memory.arrays[part.lane[-1]].shape[0])
        shape = part.cut[part.lane[-1]].shape if part.lane[-1] in part.cut else ()
        held = tuple([np.empty(shape, t.dtype) for t in part.temporaries])
        statements: list[Statement] = []
        for n, inputs, out, scratch in part._replace(temporaries=held).kernels(0, part.rows):
            calls = record(n.op.bind(self.memory.sizes), inputs, out, scratch)
            if calls is None or None in [self._call(c, self.name) for c in calls]:
                return False
            found = [self._statement(n, c) for c in calls]
            if None in found:
                return False
            statements += [s for s in found if s is not None]
        dead = {(a.ctypes.data, a.nbytes) for a in held}
        alone = Nest(statements[0].rows)
        if not alone.accepts(statements):
            return False
        alone.add(statements)
        if Text([alone], frozenset(dead)).kept_dead:
            return False
        self._held.append(held)
        self._add(part.lane[0], statements, dead, inner=True)
        return True

    def _statement(self, n: Node, call: Call) -> Statement | None:
        indexed = isinstance(getattr(call.function, "__self__", None), np.ndarray)
        return None if indexed and not isinstance(n.op, _BY_ROW) else statement(call)

    def _add(
        self, n: Node, statements: list[Statement], dead: set[Region], inner: bool = False
    ) -> None:
        """Into the nest before, where they fit; else into one of their own."""
        touched = {o.key for s in statements for o in (*s.inputs, s.out)} - dead
        if touched & self._dead or dead & self._lasting:
            self._flush()  # a temporary's place is another's: what is written there must stay
        last = self._nests[-1] if self._nests else None
        joins = last is not None and last.accepts(statements)
        if joins and inner and last is not None:
            trial = Nest(last.rows)
            trial.add([*last.statements, *statements])
            joins = not Text([trial], frozenset(dead)).kept_dead
        if not joins or last is None:
            last = Nest(statements[0].rows)
            self._nests.append(last)
        last.add(statements)
        self._dead |= dead
        self._lasting |= touched
        self._first = n if self._first is None else self._first

    def _flush(self) -> None:
        """Writes the call of a kernel for all that waits."""
        if not self._nests or self._first is None:
            return
        text = Text(self._nests, frozenset(self._dead))
        if text.kept_dead:
            text = Text(self._nests, frozenset(self._dead - text.kept_dead))
        kernel = compiled(text.text, text.arrays)
        names = [self.name(a) for a in text.arrays]
        assert None not in names
        given = ", ".join([str(name) for name in names])
        called = self._bound("j", text.text, kernel)
        self.line(self._first, f"{called}({given})")
        self._count(self.schedule.groups[self._first], 1)
        self._nests, self._dead, self._lasting, self._first = [], set(), set(), None
