"""Loop nests that still take in statements, before they are put on a tape."""

from __future__ import annotations

from collections.abc import Sequence, Set

from .....graph import Nodes
from .kernel_text import Text
from .nests import Nest, Region
from .statements import Statement


class Work:
    """All statements of a node's kernel, or of a lane, and the places of its temporaries.

    It is taken in as a whole: were what waits put on the tape in the middle of it, a temporary that
    is read later would not have been written. `dead` are the temporaries that need not be, unless
    another nest reads them; `lasting` is all else that is touched. With `together`, all of it is to
    be in one nest that writes none.
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
    """The nests that wait, in their order; `dead` are temporaries that need not be written."""

    def __init__(self) -> None:
        self._nests: list[Nest] = []
        self._dead: set[Region] = set()
        self._lasting: set[Region] = set()

    def clashes(self, work: Work) -> bool:
        """Whether a temporary's place is another's: what is written there must then stay."""
        return bool(work.lasting & self._dead or work.dead & self._lasting)

    def add(self, work: Work) -> None:
        """Each statement into the nest before, where it fits; else into one of its own."""
        apart = [[s] for s in work.statements]
        for statements in [work.statements] if work.together else apart:
            if not (self._nests and self._joins(self._nests[-1], statements, work)):
                self._nests.append(Nest(statements))
            self._nests[-1].nodes.update(dict.fromkeys(work.nodes))
        self._dead |= work.dead
        self._lasting |= work.lasting

    def _joins(self, nest: Nest, statements: Sequence[Statement], work: Work) -> bool:
        if work.together and nest.is_cut_by(statements):
            end = Nest([*nest.blocks[-1], *statements])
            if not end.fits or Text(end, work.dead).kept_dead:
                return False
        return nest.take(statements)

    def taken(self) -> list[Text]:
        """The text of each nest; none waits any more."""
        texts = [Text(nest, frozenset(self._dead)) for nest in self._nests]
        kept = {region for text in texts for region in text.kept_dead}
        if kept:
            texts = [Text(nest, frozenset(self._dead - kept)) for nest in self._nests]
        self._nests, self._dead, self._lasting = [], set(), set()
        return texts


def _partly(a: Region, b: Region) -> bool:
    """Whether two places are not the same, but share bytes."""
    return a != b and a[0] < b[0] + b[1] and b[0] < a[0] + a[1]
