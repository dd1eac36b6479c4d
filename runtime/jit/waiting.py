"""Loop nests that still take in statements, before they are put on a tape."""

from __future__ import annotations

from ...graph import Nodes
from .loops import Text
from .nests import Nest, Region
from .statements import Statement


class Waiting:
    """The nests that wait, in their order; `dead` are temporaries that need not be written."""

    def __init__(self) -> None:
        self._nests: list[Nest] = []
        self._dead: set[Region] = set()
        self._lasting: set[Region] = set()

    def clashes(self, statements: list[Statement], dead: set[Region]) -> bool:
        """Whether a temporary's place is another's: what is written there must then stay."""
        return bool(_touched(statements, dead) & self._dead or dead & self._lasting)

    def add(
        self, nodes: Nodes, statements: list[Statement], dead: set[Region], inner: bool = False
    ) -> None:
        """Into the nest before, where they fit; else into one of their own."""
        last = self._nests[-1] if self._nests else None
        joins = last is not None and last.accepts(statements)
        if joins and inner and last is not None:
            trial = Nest(last.rows)
            trial.add([*last.statements, *statements])
            joins = not Text(trial, frozenset(dead)).kept_dead
        if not joins or last is None:
            last = Nest(statements[0].rows)
            self._nests.append(last)
        last.add(statements)
        last.nodes.update(dict.fromkeys(nodes))
        self._dead |= dead
        self._lasting |= _touched(statements, dead)

    def taken(self) -> list[Text]:
        """The text of each nest; none waits any more."""
        texts = [Text(nest, frozenset(self._dead)) for nest in self._nests]
        kept = {region for text in texts for region in text.kept_dead}
        if kept:
            texts = [Text(nest, frozenset(self._dead - kept)) for nest in self._nests]
        self._nests, self._dead, self._lasting = [], set(), set()
        return texts


def _touched(statements: list[Statement], dead: set[Region]) -> set[Region]:
    return {o.key for s in statements for o in (*s.inputs, s.out)} - dead
