"""What one graph has that another has not: nodes added, removed and rewritten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from .arguments import check_kind
from .cached import cached_property
from .notebook import as_svg
from .sources import Constant

if TYPE_CHECKING:
    from pathlib import Path

    from .graph import Graph
    from .node import Node
    from .pictures.view import Mark

_AROUND: Final = 1
"""How many lines that are the same stand beside each that is not."""


class Difference:
    """What graph `b` added to `a`, removed from it, and rewrote: under the same name another op,
    or other operands. A node that only changed its name is the same.

    `str` lists the statements that differ: `+` added, `-` removed, `~` rewritten, with what it
    became behind `>`. Nodes are those of b, but for `removed`.
    """

    def __init__(self, a: Graph, b: Graph) -> None:
        from .graph import Graph

        check_kind("diff: the other", b, Graph, "a graph")
        self.a = a
        self.b = b
        self.twins, changed = _matched(a, b)
        there = set(self.twins.values())
        self.rewritten = tuple([n for n in b.nodes if n in changed])
        self.added = tuple([n for n in b.nodes if n not in self.twins])
        self.removed = tuple([n for n in a.nodes if n not in there])

    @cached_property
    def marks(self) -> Mapping[Node, Mark]:
        """Of each node of either graph that differs, how."""
        marks: dict[Node, Mark] = dict.fromkeys(self.removed, "removed")
        marks |= dict.fromkeys(self.added, "added")
        return marks | dict.fromkeys(self.rewritten, "rewritten")

    @cached_property
    def _lines(self) -> list[tuple[str, str]]:
        """Each statement of both graphs, in order, with the sign before it."""
        from .text.printer import statement

        place = {n: k for k, n in enumerate(self.a.nodes)}
        left = list(self.removed)
        lines = []
        for n in self.b.nodes:
            twin = self.twins.get(n)
            while twin is not None and left and place[left[0]] < place[twin]:
                lines.append(("-", statement(self.a, left.pop(0))))
            if twin is None:
                lines.append(("+", statement(self.b, n)))
            elif n in self.rewritten:
                lines.append(("~", statement(self.a, twin)))
                lines.append((">", statement(self.b, n)))
            else:
                lines.append((" ", statement(self.b, n)))
        lines += [("-", statement(self.a, n)) for n in left]
        return [*lines, *self._writes()]

    def _writes(self) -> Iterator[tuple[str, str]]:
        """What is updated and returned, where that differs by more than a name."""
        for form, old, new in (
            ("update {} = %{}", _updates(self.a), _updates(self.b)),
            ("return {}=%{}", self.a.outputs, self.b.outputs),
        ):
            for key in dict.fromkeys([*old, *new]):
                was, now = old.get(key), new.get(key)
                if was is not None and (now is None or self.twins.get(now) is not was):
                    yield "-", form.format(key, self.a.names[was])
                if now is not None and (was is None or self.twins.get(now) is not was):
                    yield "+", form.format(key, self.b.names[now])

    def __str__(self) -> str:
        head = f"{self.a.name}: {self._summary()}"
        differ = [k for k, (sign, _) in enumerate(self._lines) if sign != " "]
        shown = sorted({j for k in differ for j in range(k - _AROUND, k + _AROUND + 1)})
        text, last = [head], -1
        for k in shown:
            if 0 <= k < len(self._lines):
                if k != last + 1:
                    text.append("  ...")
                text.append("{} {}".format(*self._lines[k]))
                last = k
        return "\n".join([*text, *["  ..."] * (0 <= last < len(self._lines) - 1)])

    def _summary(self) -> str:
        counts = {"added": self.added, "removed": self.removed, "rewritten": self.rewritten}
        said = [f"{len(nodes)} {word}" for word, nodes in counts.items() if nodes]
        same = all(sign == " " for sign, _ in self._lines)
        return ", ".join(said) or ("no difference" if same else "other results")

    def __repr__(self) -> str:
        return f"<Difference of {self.a.name}: {self._summary()}>"

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return any(sign != " " for sign, _ in self._lines)

    def to_dot(self) -> str:
        """The picture in Graphviz's language: added green, removed red, rewritten amber."""
        from .pictures.comparing import difference_view
        from .pictures.dot import dot_of

        return dot_of(difference_view(self))

    def to_svg(self, path: str | Path | None = None) -> str:
        """The picture as SVG; written to `path` too, where one is given.

        Raises GraphError where no program can draw it.
        """
        from .pictures.comparing import difference_view
        from .pictures.drawing import drawn
        from .pictures.files import write_svg

        description = f"{self.a.name}: {self._summary()}."
        return write_svg(path, lambda: drawn(difference_view(self), description))

    @as_svg
    def _repr_mimebundle_(self) -> str:
        return self.to_svg()

    def _repr_svg_(self) -> str | None:
        return self._repr_mimebundle_().get("image/svg+xml")


def _updates(g: Graph) -> dict[str, Node]:
    return {f"%{g.names[w]}": value for w, value in g.updates.items()}


def _matched(a: Graph, b: Graph) -> tuple[dict[Node, Node], set[Node]]:
    """For nodes of b their twins in a, and which of them were rewritten.

    Twins are the same node; else the same op on twins, best under one name; else of one name.
    """
    twins: dict[Node, Node] = {}
    free = dict.fromkeys(a.nodes)
    alike: dict[object, list[Node]] = {}
    for n in a.nodes:
        alike.setdefault((n.op, n.type, n.inputs), []).append(n)

    def pair(n: Node, twin: Node) -> None:
        twins[n] = twin
        del free[twin]

    for n in b.nodes:
        if n in free:
            pair(n, n)
    same_text: dict[str, Node] = {}
    from .text.printer import statement

    for n in free:
        same_text[statement(a, n)] = n
    later = []
    for n in b.nodes:
        if n in twins:
            continue
        twin = same_text.get(statement(b, n))
        if twin is not None and twin in free:
            pair(n, twin)
        else:
            later.append(n)
    changed: set[Node] = set()
    for n in later:
        operands = tuple([twins.get(i, i) for i in n.inputs])
        same = [m for m in alike.get((n.op, n.type, operands), ()) if m in free]
        named = a.named.get(b.names[n])
        if same and (n.inputs or isinstance(n.op, Constant)):
            pair(n, named if named in same else same[0])
        elif named is not None and named in free:
            pair(n, named)
            changed.add(n)
    # Nodes of one text read nodes of one name, which may be others.
    for n, twin in twins.items():
        if [twins.get(i, i) for i in n.inputs] != list(twin.inputs):
            changed.add(n)
    return twins, changed
