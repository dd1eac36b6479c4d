"""What became of a node: the nodes of a graph found again in the one after a pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from ...graph import Graph, Node, VerigradError, depth_first
from ...graph.replace import rebuild
from ...passes import Pass, Rewrite
from ...passes.base import replacements
from ...passes.pipeline import Step


class Passage(NamedTuple):
    """What became of the nodes of a graph in one pass.

    `carried` are those that are there still, with what they read now; `rewritten` those that were
    replaced, and why; `absorbed` those that fell away with one that was: what holds them now, and
    why that one was replaced.
    """

    carried: Mapping[Node, Node]
    rewritten: Mapping[Node, tuple[Node, str]]
    absorbed: Mapping[Node, tuple[Node, str]]

    def following(self, n: Node) -> Node | None:
        """The node that now holds the value of this one."""
        if n in self.carried:
            return self.carried[n]
        return self.rewritten[n][0] if n in self.rewritten else None


def passage(step: Step) -> Passage:
    """What became of each node in a pass, as far as it can be told."""
    before, after = step.before, step.after
    if before is after:
        return Passage({n: n for n in before.nodes}, {}, {})
    rewrites = [r for r in step.outcomes if isinstance(r, Rewrite)]
    mapping: dict[Node, Node] = {}
    rebuilt: list[Node] = [*before.nodes]
    with suppress(VerigradError):  # what a pass with an `apply` of its own says need not fit
        mapping = replacements(before, rewrites)
        rebuilt = rebuild(before.nodes, mapping, before.nodes)
    found = counterparts(depth_first(rebuilt), after)
    became = {
        old: found[new] for old, new in zip(before.nodes, rebuilt, strict=True) if new in found
    }
    rewritten = {r.old: (became[r.old], r.reason) for r in rewrites if r.old in became}
    if type(step.stage).apply is not Pass.apply:
        named = _by_name(before, after, became)
        became |= named
        became |= counterparts([n for n in before.nodes if n not in became], after, became)
        why = purpose(step.stage)
        rewritten |= {n: (new, why) for n, new in named.items() if new.op != n.op}
    # A node may stay where it is and be read through another, as one that dropout masks.
    there = counterparts([n for n in before.nodes if n in rewritten], after, became)
    stayed = {n: same for n, same in there.items() if same is not rewritten[n][0]}
    carried = {n: new for n, new in became.items() if n not in rewritten} | stayed
    return Passage(carried, rewritten, _absorbed(before, carried, rewritten))


def purpose(p: Pass) -> str:
    """The first line of what the pass says of itself."""
    return next(iter((type(p).__doc__ or "").strip().splitlines()), "")


def _by_name(before: Graph, after: Graph, found: Mapping[Node, Node]) -> dict[Node, Node]:
    """The nodes that are not `found`, but stand in the graph after a pass under their name: with
    the same op on what they read or on something new, or as another op to which it was given."""
    named: dict[Node, Node] = {}
    taken = set(found.values())
    for n in before.order:
        name = before.names[n]
        new = after.named.get(name)
        if n in found or new is None or new in taken or new.type != n.type:
            continue
        pairs = zip(n.inputs, new.inputs, strict=False)
        read = all(j in (found.get(i), named.get(i)) or j not in taken for i, j in pairs)
        fits = read if new.op == n.op else new.asked_name == name
        if fits:
            named[n] = new
            taken.add(new)
    return named


def counterparts(
    nodes: Iterable[Node], g: Graph, known: Mapping[Node, Node] | None = None
) -> dict[Node, Node]:
    """Each of the nodes as it stands in a graph, where it does: itself, or one of the same op, type
    and name on the counterparts of its inputs, some of which may be `known`.

    Of `nodes`, inputs come before their readers.
    """
    kinds: dict[Hashable, int] = {}
    kind: dict[Node, int] = {}
    nodes, alike = list(nodes), defaultdict[int, list[Node]](list)

    def put(n: Node) -> int:
        key = n.op, n.type, n.asked_name, tuple([kind.get(i) for i in n.inputs])
        return kind.setdefault(n, kinds.setdefault(key, len(kinds)))

    mine = set(nodes)
    for n in g.nodes:
        alike[put(n)] += [n] if n not in mine else []
    there = set(g.nodes)
    kind.update({n: kind[same] for n, same in (known or {}).items()})
    found: dict[Node, Node] = {}
    for n in nodes:
        if n in there:
            found[n] = n
        elif all(i in kind for i in n.inputs):
            kind.pop(n, None)  # what it is itself, not what is known to stand for it
            same = alike[put(n)]
            if same:
                found[n] = same.pop(0) if len(same) > 1 else same[0]
    return found


def _absorbed(
    g: Graph, carried: Mapping[Node, Node], rewritten: Mapping[Node, tuple[Node, str]]
) -> dict[Node, tuple[Node, str]]:
    absorbed: dict[Node, tuple[Node, str]] = {}
    for n in reversed(g.nodes):
        if n in carried or n in rewritten:
            continue
        for u in g.users[n]:
            if u in rewritten and u not in carried:
                absorbed[n] = rewritten[u]
            elif u in absorbed:
                absorbed[n] = absorbed[u]
    return absorbed
