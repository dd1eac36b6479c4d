"""Nests that wait for more statements before they become kernels of a tape.

What stays in one nest need not go through memory: where a statement reads what one before it has
written in the same row, the value is still in a register. A temporary that only its own nest reads
is then never written at all; it is *dead*.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from .....graph import Nodes
from .kernel_text import Text
from .nests import Nest, Region
from .statements import Statement


class Work:
    """All statements of a node's kernel, or of the nodes of a lane, with its temporaries.

    It is handed to `Waiting` as a whole. Were the nests that wait put on the tape in the middle of
    it, a temporary that a later statement reads would not have been written.

    `dead` are the temporaries that need not be written, unless another nest turns out to read them;
    `lasting` is all other memory that the statements touch. With `together`, all statements must be
    in one nest and no temporary may be written: those of a lane have no memory of their own.
    """

    def __init__(
        self,
        nodes: Nodes,
        statements: Sequence[Statement],
        temporaries: Set[Region] = frozenset(),
        *,
        together: bool = False,
    ) -> None:
        self.nodes = nodes
        self.statements = statements
        self.together = together
        touched = {o.key for s in statements for o in (*s.inputs, s.out)}
        # One that a statement touches in part is memory like any other.
        whole = [t for t in temporaries if not any(_partly(t, r) for r in touched)]
        self.dead = frozenset(whole)
        self.lasting = frozenset(touched - self.dead)


class Waiting:
    """The nests that wait, in their order, and all dead and lasting regions of their work."""

    def __init__(self) -> None:
        self._nests: list[Nest] = []
        self._dead: set[Region] = set()
        self._lasting: set[Region] = set()

    def clashes(self, work: Work) -> bool:
        """Whether some memory would be both dead and lasting: a temporary of one work may lie where
        another work has a result. The nests that wait must then go on the tape first."""
        return bool(work.lasting & self._dead or work.dead & self._lasting)

    def add(self, work: Work) -> None:
        """Puts each statement, or all of a work that stays together, into the last nest; into a new
        one where that does not fit."""
        apart = [[s] for s in work.statements]
        for statements in [work.statements] if work.together else apart:
            if not (self._nests and self._joins(self._nests[-1], statements, work)):
                self._nests.append(Nest(statements))
            self._nests[-1].nodes.update(dict.fromkeys(work.nodes))
        self._dead |= work.dead
        self._lasting |= work.lasting

    def _joins(self, nest: Nest, statements: Sequence[Statement], work: Work) -> bool:
        """Whether the nest has taken the statements in.

        Those that stay together hand on temporaries in registers, which do not last from one block
        to the next. Where a row maximum would split them, they join only if none has to.
        """
        if work.together and nest.is_cut_by(statements):
            end = Nest([*nest.blocks[-1], *statements])
            if not end.fits or Text(end, work.dead).kept_dead:
                return False
        return nest.take(statements)

    def taken(self) -> list[Text]:
        """The text of each nest; no nest waits any more.

        A temporary that one of them reads from memory is not dead: then all texts are made again.
        """
        texts = [Text(nest, frozenset(self._dead)) for nest in self._nests]
        kept = {region for text in texts for region in text.kept_dead}
        if kept:
            texts = [Text(nest, frozenset(self._dead - kept)) for nest in self._nests]
        self._nests, self._dead, self._lasting = [], set(), set()
        return texts


def _partly(a: Region, b: Region) -> bool:
    """Whether two regions overlap and are not the same."""
    return a != b and a[0] < b[0] + b[1] and b[0] < a[0] + a[1]
