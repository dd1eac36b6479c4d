"""What stands behind `//` in a graph's text: a schedule, node by node."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Final

from ..errors import GraphError
from ..graph import Schedule
from ..node import Node
from ..types import name_pattern, whole

_NOTE: Final = re.compile(
    r"group (?P<group>\d+)|(?P<once>once)|pack (?P<pack>\d+)\.(?P<member>\d+)"
    rf"|takes over (?P<taken>%{name_pattern.pattern})"
    r"|(?P<where>arena|scratch) (?P<start>\d+):(?P<end>\d+)"
)


class Notes:
    """The notes that were read, and the schedule that they make."""

    def __init__(self) -> None:
        self.groups: dict[Node, int] = {}
        self.takeovers: dict[Node, Node] = {}
        self.once: set[Node] = set()
        self.packed: dict[tuple[int, int], Node] = {}
        self.places: dict[Node, tuple[int, int]] = {}
        self.scratch: dict[Node, tuple[tuple[int, int], ...]] = {}

    def read(self, n: Node, note: str, named: Callable[[str], Node]) -> None:
        """Reads `group 7, takes over %x, arena 0:16384`; any other note is a comment."""
        parts = [_NOTE.fullmatch(p.strip()) for p in note.split(",")]
        if not all(parts):
            return
        for m in parts:
            assert m is not None
            if m["group"]:
                self.groups[n] = whole(m["group"])
            elif m["once"]:
                self.once.add(n)
            elif m["pack"]:
                self.packed[whole(m["pack"]), whole(m["member"])] = n
            elif m["start"]:
                place = whole(m["start"]), whole(m["end"]) - whole(m["start"])
                if m["where"] == "arena":
                    self.places[n] = place
                else:
                    self.scratch[n] = (*self.scratch.get(n, ()), place)
            else:
                self.takeovers[n] = named(m["taken"])

    def schedule(self, order: Sequence[Node], needed: Collection[Node]) -> Schedule | None:
        """The schedule of nodes in the order of the text, all of which have to be needed; None
        where there are no notes of one."""
        if not self.groups:
            if self.takeovers or self.places or self.scratch or self.packed or self.once:
                raise GraphError(
                    "take-overs and places need the groups of a schedule, `// group 0`"
                )
            return None
        for n in order:
            if n not in needed:
                raise GraphError(f"%{n.name} is scheduled, but no output or update needs it")
        ungrouped = [n for n in order if n not in self.groups]
        if ungrouped:
            raise GraphError(f"%{ungrouped[0].name} has no group, where others have one")
        packs: dict[int, list[Node]] = {}
        for at in sorted(self.packed):
            packs.setdefault(at[0], []).append(self.packed[at])
        return Schedule(
            tuple(order),
            self.groups,
            self.takeovers,
            self.places,
            self.scratch,
            tuple([tuple(pack) for pack in packs.values()]),
            frozenset(self.once),
        )
