"""Nests: the statements that one loop over rows computes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from .....graph import Array, Node
from ..tape.tape import BYTE
from .statements import Operand, Role, Statement

Region = tuple[int, int]
"""Where an array lies: address and bytes."""
Form = tuple[Role, np.dtype[Any]]
"""How a statement reads an array, and as what: the same bytes may be other numbers."""

MOST: Final = 128
"""Statements that join in a nest: a longer chain is several, most of them the same kernel."""
_CALL: Final = 3.0
"""Nanoseconds of an element that a function of the C library makes."""


class Nest:
    """Statements that one loop over rows computes, each row for itself.

    What a statement sums up over the rows is read by later nests only, and what it sums over all
    elements is not written again in this one: that sum is made when all rows are done. `blocks` are
    what it loops over columns for, and single statements of one element a row. `fits` says whether
    all may be in one nest; those that do not fit end it.
    """

    def __init__(self, first: Sequence[Statement]) -> None:
        self.rows = first[0].rows
        self.nodes: dict[Node, None] = {}
        """Whose statements these are."""
        self.statements: list[Statement] = []
        self.blocks: list[list[Statement]] = []
        self._greatest: set[Region] = set()
        """What the last block finds for each row, once it is done."""
        self._forms: dict[Region, set[Form]] = {}
        self._places: list[Region] = []
        """Those of the forms, in the order of their addresses."""
        self._longest = 0
        self._written: set[Region] = set()
        self._ended: set[Region] = set()
        self._summed: set[Region] = set()
        self.fits = all(self._admits(s) for s in first)
        self._add(first)

    @property
    def nanoseconds(self) -> float:
        """What one thread takes, more or less."""
        crossing = {o.key for s in self.statements for o in (*s.inputs, s.out)}
        calls = sum([s.out.array.size for s in self.statements if s.calls])
        return BYTE * sum([nbytes for _, nbytes in crossing]) + _CALL * calls

    def take(self, added: Sequence[Statement]) -> bool:
        """Takes these in, if all fit: same rows, and no array is partly another or read too early.

        Else none of them, and none later.
        """
        room = len(self.statements) + len(added) <= MOST
        self.fits = self.fits and room and all(self._admits(s) for s in added)
        if self.fits:
            self._add(added)
        return self.fits

    def is_cut_by(self, added: Sequence[Statement]) -> bool:
        """Whether any reads what the last block finds for each row: a block begins there that does
        not where these are in a nest of their own."""
        return any(o.role == "row" and o.key in self._greatest for s in added for o in s.inputs)

    def _add(self, added: Sequence[Statement]) -> None:
        self.statements += added
        for s in added:
            if s.kind != "reduce_all":
                self._place(s)

    def _place(self, s: Statement) -> None:
        """Into the last block, where it loops over the same columns and has what this reads."""
        last = self.blocks[-1][0] if self.blocks else None
        same = last is not None and by_column(s) and by_column(last) and s.columns == last.columns
        if not same or self.is_cut_by([s]):
            self.blocks.append([])
            self._greatest = set()
        self.blocks[-1].append(s)
        if s.kind == "greatest":
            self._greatest.add(s.out.key)

    def _admits(self, s: Statement) -> bool:
        """Whether a statement may follow those before; if so, its arrays are known from now on."""
        if s.rows != self.rows:
            return False
        for o in s.inputs:
            if o.key in self._ended or not self._apart(o, False):
                return False
            self._know(o)
        if s.out.key in self._summed or not self._apart(s.out, True):
            return False
        self._know(s.out)
        self._written.add(s.out.key)
        if s.kind in ("reduce_column", "reduce_all"):
            self._ended.add(s.out.key)
        if s.kind == "reduce_all":
            self._summed.update([o.key for o in s.inputs])
        return True

    def _know(self, o: Operand) -> None:
        region = o.key
        if region not in self._forms:
            self._forms[region] = set()
            insort(self._places, region)
            self._longest = max(self._longest, o.array.nbytes)
        self._forms[region].add(_form(o))

    def _apart(self, o: Operand, written: bool) -> bool:
        """Whether an array is one that is known, in the same form, or apart from all."""
        start, size = o.key
        # Every row reads these, before or after another has changed them.
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
    """Whether a statement loops over the columns of each row."""
    return s.columns is not None and s.kind in ("map", "greatest", "reduce_column")


def regions(arrays: Iterable[Array]) -> frozenset[Region]:
    """Where the arrays lie."""
    return frozenset([(a.ctypes.data, a.nbytes) for a in arrays])


def _form(o: Operand) -> Form:
    return o.role, o.array.dtype
