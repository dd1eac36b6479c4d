"""Nests: the statements that one loop over rows computes.

    for i in range(rows):             the nest
        for j in range(columns): ...  a block: statements over the same columns, element by element
        ...                           a statement with one element a row is a block by itself

Statements that NumPy would make one after another, over all rows each, run here row by row. That
gives the same numbers only if no statement reads, of another row, what the nest writes. `Nest`
admits a statement only where this is so, which it tells by the memory and role of its arrays.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from .....graph import Array, Node
from ..tape.tape import BYTE
from .statements import Operand, Role, Statement

Region = tuple[int, int]
"""Where an array lies: its address, and its size in bytes."""
Form = tuple[Role, np.dtype[Any]]
"""In which role a statement reads an array, and of which dtype: bits are read as floats, too."""

MOST: Final = 128
"""The most statements of a nest. A longer chain becomes several nests; most are then the same text,
which is compiled once."""
_CALL: Final = 3.0
"""Nanoseconds that a call of the C library takes for an element."""


class Nest:
    """Statements that one loop over `rows` computes; `rows` is None for scalars, without a loop.

    A sum over the rows is complete only when the loop has ended, so only later nests may read it.
    A sum over all elements of an array is made behind the loop, so nothing in this nest may write
    that array after the statement. `fits` is whether all statements so far, and those that were
    last asked for, may be in one nest: once it is False, the nest takes no more.
    """

    def __init__(self, first: Sequence[Statement]) -> None:
        self.rows = first[0].rows
        self.nodes: dict[Node, None] = {}
        """The nodes whose statements these are, in order: a dict for its keys."""
        self.statements: list[Statement] = []
        self.blocks: list[list[Statement]] = []
        self._greatest: set[Region] = set()
        """The row maxima that the last block finds: known only when it has gone through a row."""
        self._forms: dict[Region, set[Form]] = {}
        self._places: list[Region] = []
        """All regions that the statements read or write, in the order of their addresses."""
        self._longest = 0
        self._written: set[Region] = set()
        self._ended: set[Region] = set()
        self._summed: set[Region] = set()
        self.fits = all(self._admits(s) for s in first)
        self._add(first)

    @property
    def nanoseconds(self) -> float:
        """A rough time for one thread, from the bytes of all arrays and the calls of C."""
        crossing = {o.key for s in self.statements for o in (*s.inputs, s.out)}
        calls = sum([s.out.array.size for s in self.statements if s.calls])
        return BYTE * sum([nbytes for _, nbytes in crossing]) + _CALL * calls

    def take(self, added: Sequence[Statement]) -> bool:
        """Takes all these statements in and gives True, if they fit; else none, and none later."""
        room = len(self.statements) + len(added) <= MOST
        self.fits = self.fits and room and all(self._admits(s) for s in added)
        if self.fits:
            self._add(added)
        return self.fits

    def is_cut_by(self, added: Sequence[Statement]) -> bool:
        """Whether one of these reads a row maximum that the last block finds. They must then begin
        a second block, as softmax does, which goes through the row after the maximum is known."""
        return any(o.role == "row" and o.key in self._greatest for s in added for o in s.inputs)

    def _add(self, added: Sequence[Statement]) -> None:
        self.statements += added
        for s in added:
            if s.kind != "reduce_all":
                self._place(s)

    def _place(self, s: Statement) -> None:
        """Puts a statement into the last block, where that loops over the same columns and does not
        find a maximum that the statement reads; else into a new one."""
        last = self.blocks[-1][0] if self.blocks else None
        same = last is not None and by_column(s) and by_column(last) and s.columns == last.columns
        if not same or self.is_cut_by([s]):
            self.blocks.append([])
            self._greatest = set()
        self.blocks[-1].append(s)
        if s.kind == "greatest":
            self._greatest.add(s.out.key)

    def _admits(self, s: Statement) -> bool:
        """Whether a statement may follow those before; notes what it reads and writes."""
        if s.rows != self.rows:
            return False
        for o in s.inputs:
            region = o.key
            if region in self._ended or not self._apart(o, region, False):
                return False
            self._know(o, region)
        written = s.out.key
        if written in self._summed or not self._apart(s.out, written, True):
            return False
        self._know(s.out, written)
        self._written.add(written)
        if s.kind in ("reduce_column", "reduce_all"):
            self._ended.add(written)
        if s.kind == "reduce_all":
            self._summed.update([o.key for o in s.inputs])
        return True

    def _know(self, o: Operand, region: Region) -> None:
        """Notes that a statement reads or writes this array, which lies there."""
        if region not in self._forms:
            self._forms[region] = set()
            insort(self._places, region)
            self._longest = max(self._longest, o.array.nbytes)
        self._forms[region].add(_form(o))

    def _apart(self, o: Operand, region: Region, written: bool) -> bool:
        """Whether row-by-row order keeps this access right beside those before: reading is checked
        against what was written, writing against all. The array must share no byte with another,
        or be the very same region in the same form, so that each row touches its own part of it."""
        start, size = region
        # Every row reads all of such an array, whether another row has changed it yet or not.
        changeless = ("shared", "scalar") if self.rows is not None else ("shared",)
        low = bisect_left(self._places, (start - self._longest, 0))
        high = bisect_right(self._places, (start + size, 0))
        for at, nbytes in self._places[low:high]:
            if not written and (at, nbytes) not in self._written:
                continue
            if (at, nbytes) == (start, size):
                if self._forms[at, nbytes] != {_form(o)} or o.role in changeless:
                    return False
            elif start < at + nbytes and at < start + size:
                return False
        return True


def by_column(s: Statement) -> bool:
    """Whether a statement is computed in a loop over columns, beside others in a block."""
    return s.columns is not None and s.kind in ("map", "greatest", "reduce_column")


def regions(arrays: Iterable[Array]) -> frozenset[Region]:
    """Where the arrays lie."""
    return frozenset([(a.ctypes.data, a.nbytes) for a in arrays])


def _form(o: Operand) -> Form:
    return o.role, o.array.dtype
