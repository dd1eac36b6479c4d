"""Nests: the statements that one loop over rows computes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from ...graph import Array, Node
from .statements import Operand, Role, Statement
from .tape import BYTE

Region = tuple[int, int]
"""Where an array lies: address and bytes."""
Form = tuple[Role, np.dtype[Any]]
"""How a statement reads an array, and as what: the same bytes may be other numbers."""

_CALL: Final = 3.0
"""Nanoseconds of an element that a function of the C library makes."""


class Nest:
    """Statements that one loop over rows computes, each row for itself.

    What a statement sums up over the rows is read by later nests only, and what it sums over all
    elements is not written again in this one: that sum is made when all rows are done.
    """

    def __init__(self, rows: int | None) -> None:
        self.rows = rows
        self.nodes: dict[Node, None] = {}
        """Whose statements these are."""
        self.statements: list[Statement] = []
        self._forms: dict[Region, set[Form]] = {}
        self._written: set[Region] = set()
        self._ended: set[Region] = set()
        self._summed: set[Region] = set()

    @property
    def nanoseconds(self) -> float:
        """What one thread takes, more or less."""
        crossing = {o.key for s in self.statements for o in (*s.inputs, s.out)}
        calls = sum([s.out.array.size for s in self.statements if s.calls])
        return BYTE * sum([nbytes for _, nbytes in crossing]) + _CALL * calls

    def accepts(self, added: Sequence[Statement]) -> bool:
        """Whether these may join: same rows, and no array is partly another or read too early."""
        trial = Nest(self.rows)
        trial._forms = {region: set(forms) for region, forms in self._forms.items()}
        trial._written, trial._ended = set(self._written), set(self._ended)
        trial._summed = set(self._summed)
        return all(trial._add(s) for s in added)

    def add(self, added: Iterable[Statement]) -> None:
        for s in added:
            self._add(s)
            self.statements.append(s)

    def _add(self, s: Statement) -> bool:
        if s.rows != self.rows:
            return False
        for o in s.inputs:
            if o.key in self._ended or not self._fits(o, False):
                return False
            self._forms.setdefault(o.key, set()).add(_form(o))
        if s.out.key in self._summed or not self._fits(s.out, True):
            return False
        self._forms.setdefault(s.out.key, set()).add(_form(s.out))
        self._written.add(s.out.key)
        if s.kind in ("reduce_column", "reduce_all"):
            self._ended.add(s.out.key)
        if s.kind == "reduce_all":
            self._summed.update([o.key for o in s.inputs])
        return True

    def _fits(self, o: Operand, written: bool) -> bool:
        """Whether an array is one that is known, in the same form, or apart from all."""
        start, size = o.key
        # Every row reads these, before or after another has changed them.
        changeless = ("shared", "scalar") if self.rows is not None else ("shared",)
        for (at, nbytes), forms in self._forms.items():
            changes = written or (at, nbytes) in self._written
            if not changes:
                continue
            if (at, nbytes) == (start, size):
                if forms != {_form(o)} or o.role in changeless:
                    return False
            elif start < at + nbytes and at < start + size:
                return False
        return True


def regions(arrays: Iterable[Array]) -> frozenset[Region]:
    """Where the arrays lie."""
    return frozenset([(a.ctypes.data, a.nbytes) for a in arrays])


def _form(o: Operand) -> Form:
    return o.role, o.array.dtype
