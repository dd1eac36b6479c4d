"""A nest as the text of a kernel: a loop over rows, and loops over columns within it.

y = x + b, its row maxima m, z = y - m and the sum of z over rows, db, have this text, behind lines
that define x, b and so on as a1, a2, ...:

    for j in range(a0.shape[0]):              # db starts at 0
        a0[j] = 0
    for i in range(a1.shape[0]):
        v1 = float32(-inf)
        for j in range(a1.shape[1]):          # the first block
            v2 = a1[i, j]
            v3 = a2[j]
            v4 = float32(v2 + v3)
            v1 = greater(v1, v4)
            a3[i, j] = v4                     # not where y is a dead temporary
        a4[i] = v1
        for j in range(a3.shape[1]): ...      # the second block, which reads m as v1
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from .....graph import Array
from ..kernels.compiled import compiled, prologue, words
from ..tape.tape import LINE, WORTH, Tape, Task, Tasks, Word, cuts, shared
from .fixed_kernels import sums
from .nests import Nest, Region, by_column
from .statements import Operand, Statement
from .trial import try_once

_LITERALS: Final = (0.0, 1.0)
"""Constants that are written into a text. Others are arguments, so that nets which differ in such a
number alone share a kernel."""
_SUMMED: Final = 32
"""Rows that a part of a nest with sums has at least."""
_LONG: Final = 1_024
"""More rows than that are taken for the elements of a vector, and cut at multiples of LINE."""


class Text:
    """The text of a nest's kernel, and the `arrays` that it is given: array k is a{k} in the text.

    `cut` are the numbers of the arrays of which a part of the rows gets its own rows alone; `sums`
    those of results that are added up over all rows, so that each part needs one of its own.
    `dead` regions are not written; `kept_dead` are those that the text reads all the same.
    """

    def __init__(self, nest: Nest, dead: frozenset[Region]) -> None:
        self.nest = nest
        self.arrays: list[Array] = []
        self.cut: set[int] = set()
        self.sums: list[int] = []
        self.kept_dead: set[Region] = set()
        self._dead = dead
        self._names: dict[tuple[Region, int, str, bool], str] = {}
        self._lines: list[str] = []
        self._count = 0
        self._nest(nest)
        arguments = [(f"a{k}", a) for k, a in enumerate(self.arrays)]
        self.text = "\n".join([*prologue(arguments), *self._lines, ""])

    def append(self, tape: Tape) -> int:
        """Adds an instruction to a tape, and gives the number of its parts, each for its own rows.
        Where parts make sums, a second instruction adds those of the others to the first part's."""
        kernel = compiled(self.text)
        unwritten = self._dead - self.kept_dead
        try_once(self.text, self.nest, unwritten, kernel, self._words)
        rows = self.nest.rows or 0
        ranges = self._ranges(rows, tape.threads) if rows else [(0, 0)]
        partial = {k: [np.empty_like(self.arrays[k]) for _ in ranges[1:]] for k in self.sums}
        parts: list[Tasks] = []
        for number, (start, stop) in enumerate(ranges):
            arrays = [a[start:stop] if k in self.cut else a for k, a in enumerate(self.arrays)]
            for k, others in partial.items():
                arrays[k] = [arrays[k], *others][number]
            parts.append([Task(kernel.address, words(arrays))])
        tape.add(parts)
        if len(parts) > 1 and partial:
            added = [t for k, others in partial.items() for t in sums(others, self.arrays[k])]
            tape.add([added])
        return len(parts)

    def _words(self, instead: Callable[[Array], Array]) -> tuple[Word, ...]:
        """What the kernel reads for all rows, with other arrays in the place of its own."""
        return words([instead(a) for a in self.arrays])

    def _ranges(self, rows: int, threads: int) -> list[tuple[int, int]]:
        """The rows of each part. With sums, the cut depends on the number of rows alone: what else
        is in the nest must not change in which order they are added, and so their bits."""
        if self.sums:
            return cuts(rows, shared(threads, rows / _SUMMED), LINE if rows > _LONG else 1)
        columns = any(self.arrays[k].ndim > 1 for k in self.cut)
        parts = shared(threads, self.nest.nanoseconds / WORTH)
        return cuts(rows, parts, 1 if columns else LINE)

    # ---- names -------------------------------------------------------------------------------

    def _array(self, o: Operand) -> str:
        """The name of the argument for an array, in the shape that its role reads."""
        a = o.array
        form = a if o.role == "matrix" else a.reshape(()) if o.role == "scalar" else a.reshape(-1)
        return self._argument(o, form, o.role in ("matrix", "row"))

    def _flat(self, o: Operand) -> str:
        """The same for an array that is read or written by flat places: all of it, from memory."""
        if o.key in self._dead:
            self.kept_dead.add(o.key)
        return self._argument(o, o.array.reshape(-1), False)

    def _argument(self, o: Operand, form: Array, cut: bool) -> str:
        key = (o.key, form.ndim, form.dtype.str, cut)
        if key not in self._names:
            self._names[key] = f"a{len(self.arrays)}"
            if cut:
                self.cut.add(len(self.arrays))
            self.arrays.append(form)
        return self._names[key]

    def _sum(self, o: Operand) -> str:
        """The same for what a statement adds up over the rows."""
        name = self._array(o)
        self.sums.append(int(name[1:]))
        return name

    def _fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def _line(self, depth: int, text: str) -> None:
        self._lines.append("    " * depth + text)

    # ---- nests -------------------------------------------------------------------------------

    def _nest(self, nest: Nest) -> None:
        """The lines of the kernel: scalars and zeros for sums, the loop over rows, and sums over
        all elements of an array. A nest of scalars has no loop."""
        self._scalars: dict[Region, str] = {}
        self._row_values: dict[Region, str] = {}
        depth = 1 if nest.rows is None else 2
        for s in nest.statements:
            for o in s.inputs:
                if o.role == "scalar" and nest.rows is not None:
                    self._scalar(o, 1)
            if s.kind == "reduce_column":
                out = self._sum(s.out)
                self._line(1, f"for j in range({out}.shape[0]):")
                self._line(2, f"{out}[j] = 0")
        if nest.rows is not None and nest.blocks:
            self._line(1, f"for i in range({self._array(_with_rows(nest))}.shape[0]):")
        for block in nest.blocks:
            if by_column(block[0]):
                self._block(block, depth)
            else:
                self._row(block[0], depth)
        for s in nest.statements:
            if s.kind == "reduce_all":
                expression = s.expression.format(*[self._in_memory(o) for o in s.inputs])
                self._line(1, f"{self._sum(s.out)}[0] = {_cast(s.out, expression)}")

    def _in_memory(self, o: Operand) -> str:
        """The argument for an array that is read from memory: a temporary must then be written."""
        if o.key in self._dead:
            self.kept_dead.add(o.key)
        return self._array(o)

    def _scalar(self, o: Operand, depth: int) -> str:
        """What the text calls the only element of an array: a literal, or a variable set once."""
        if o.key in self._scalars:
            return self._scalars[o.key]
        literal = _literal(o)
        if literal is None:
            literal = self._fresh()
            self._line(depth, f"{literal} = {self._in_memory(o)}[0]")
        self._scalars[o.key] = literal
        return literal

    def _row_value(self, o: Operand, depth: int) -> str:
        """The variable that holds element i of an array; read from memory the first time only."""
        if o.role == "scalar":
            return self._scalar(o, depth)
        if o.key not in self._row_values:
            name = self._fresh()
            self._line(depth, f"{name} = {self._in_memory(o)}[i]")
            self._row_values[o.key] = name
        return self._row_values[o.key]

    def _row(self, s: Statement, depth: int) -> None:
        """The lines of a statement that has one element a row."""
        if s.kind == "put":
            at, value = [self._row_value(o, depth) for o in s.inputs]
            self._line(depth, f"{self._flat(s.out)}[{at}] = {value}")
            return
        if s.kind == "take":
            at = self._row_value(s.inputs[1], depth)
            expression = f"{self._flat(s.inputs[0])}[{at}]"
        elif s.kind == "row_sum":
            expression = f"row_sum({self._in_memory(s.inputs[0])}, i)"
        else:
            read = [self._row_value(o, depth) for o in s.inputs]
            expression = s.expression.format(*read).replace("zero", _cast(s.out, "0"))
        name = self._fresh()
        self._line(depth, f"{name} = {_cast(s.out, expression)}")
        if s.out.role == "scalar":
            self._scalars[s.out.key] = name
            if s.out.key not in self._dead:
                self._line(depth, f"{self._array(s.out)}[0] = {name}")
            return
        self._row_values[s.out.key] = name
        if s.out.key not in self._dead:
            self._line(depth, f"{self._array(s.out)}[i] = {name}")

    def _block(self, block: Sequence[Statement], depth: int) -> None:
        """The lines of a block: one loop over columns, and the maxima that it finds."""
        sums: list[tuple[str, Statement]] = []
        for s in block:
            for o in s.inputs:
                if o.role == "row":
                    self._row_value(o, depth)
            if s.kind == "greatest":
                name = self._fresh()
                self._line(depth, f"{name} = {_cast(s.out, '-inf')}")
                sums.append((name, s))
        self._line(depth, f"for j in range({self._array(self._matrix(block))}.shape[1]):")
        elements: dict[Region, str] = {}
        stored: dict[Region, Operand] = {}
        running = {id(s): name for name, s in sums}
        for s in block:
            read = [self._element(o, elements, depth + 1) for o in s.inputs]
            if s.kind == "greatest":
                name = running[id(s)]
                self._line(depth + 1, f"{name} = greater({name}, {read[0]})")
                continue
            expression = s.expression.format(*read).replace("zero", _cast(s.out, "0"))
            if s.kind == "reduce_column":
                self._line(depth + 1, f"{self._array(s.out)}[j] += {expression}")
                continue
            name = self._fresh()
            self._line(depth + 1, f"{name} = {_cast(s.out, expression)}")
            elements[s.out.key] = name
            stored[s.out.key] = s.out
        for region, o in stored.items():
            if region not in self._dead:
                self._line(depth + 1, f"{self._array(o)}[i, j] = {elements[region]}")
        for name, s in sums:
            self._row_values[s.out.key] = name
            if s.out.key not in self._dead:
                self._line(depth, f"{self._array(s.out)}[i] = {name}")

    def _matrix(self, block: Sequence[Statement]) -> Operand:
        """A matrix of the block, to ask for its columns: one that the kernel is given anyway, if
        any."""
        every = [o for s in block for o in (*s.inputs, s.out) if o.role == "matrix"]
        return next((o for o in every if o.key not in self._dead), every[0])

    def _element(self, o: Operand, elements: dict[Region, str], depth: int) -> str:
        """The variable that holds the element that this iteration of a block reads; `elements` are
        those of matrices that it already has."""
        if o.role == "row":
            return self._row_value(o, depth)
        if o.role == "scalar":
            return self._scalars[o.key]
        if o.key in elements:
            return elements[o.key]
        name = self._fresh()
        at = "j" if o.role == "shared" else "i, j"
        self._line(depth, f"{name} = {self._in_memory(o)}[{at}]")
        if o.role == "matrix":
            elements[o.key] = name
        return name


def _with_rows(nest: Nest) -> Operand:
    """An array of the nest whose first axis is the nest's rows, to ask for their number."""
    for s in nest.statements:
        for o in (*s.inputs, s.out):
            if o.role == "row" or (o.role == "matrix" and s.kind not in ("take", "put")):
                return o
    raise AssertionError("a nest over rows holds an array with rows")


def _literal(o: Operand) -> str | None:
    """The text of a scalar that is one of _LITERALS, and lies in an array that nobody can write."""
    if o.array.flags.writeable or o.array.dtype.kind != "f":
        return None
    value = float(o.array.reshape(()))
    if value in _LITERALS and not (value == 0 and math.copysign(1, value) < 0):
        return _cast(o, repr(value))
    return None


def _cast(o: Operand, text: str) -> str:
    """The text as a number of the array's dtype: Numba might compute it in a wider one."""
    kinds = {"f4": "float32", "f8": "float64", "i8": "int64", "b1": "bool_"}
    kind = kinds.get(o.array.dtype.str[1:])
    return f"{kind}({text})" if kind is not None else text
