"""The verifier: everything about a graph, derived again from nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from .errors import GraphError
from .graph import ALIGNMENT, Graph, Schedule
from .groups import inside, kernel_groups
from .node import Node
from .op import OPS, Source
from .overlaps import overlaps
from .quoting import shown
from .shards import whole_symbols
from .sources import Constant, Input, Parameter, State
from .types import TensorType, name_pattern
from .walk import depth_first


def verify(g: Graph) -> None:
    """Raises GraphError with every violation; returns nothing where the graph is sound.

    Checked: no cycle; each type is the one its op infers; ops are registered; names are legal,
    unique and one for each source; symbols are bound by inputs; the loss is a float scalar;
    updates change parameters or state and keep the type; a schedule runs everything once, after
    its inputs, and its take-overs destroy nothing that is read later.
    """
    Verifier().verify(g)


def violations(g: Graph) -> Iterator[str]:
    """Each violation, in words."""
    return Verifier().violations(g)


class Verifier:
    """Verifies graphs one after another: nodes never change, and what is checked of a node alone
    is checked of each once."""

    def __init__(self) -> None:
        self._sound: dict[Node, tuple[str, ...]] = {}  # and the symbols that each needs

    def verify(self, g: Graph) -> None:
        """Raises GraphError with every violation."""
        if not isinstance(g, Graph):
            raise GraphError(f"verify takes a Graph, not {shown(g)}")
        problems = list(self.violations(g))
        if problems:
            listed = "\n".join(f"  - {v}" for v in problems)
            raise GraphError(f"graph {g.name} has {len(problems)} violation(s):\n{listed}")

    def violations(self, g: Graph) -> Iterator[str]:
        """Each violation, in words."""
        roots = [*g.outputs.values(), *g.updates, *g.updates.values()]
        try:
            reached = depth_first(roots)
        except GraphError as e:
            yield str(e)
            return
        nodes = set(g.nodes)
        for n in reached:
            if n not in nodes:
                yield f"{n!r} is reached, but not among the graph's nodes"
                return
        yield from _names(g)
        bound = set(g.symbols)
        for n in reached:
            for problem in self._node(n, bound):
                yield f"%{g.names[n]}: {n.type} = {n.op.name}: {problem}"
        loss = g.loss
        if loss is not None and (loss.type.rank or not loss.type.is_float):
            yield f"the loss %{g.names[loss]} is {loss.type}, not a float scalar"
        for target, value in g.updates.items():
            if not isinstance(target.op, (Parameter, State)):
                yield f"update of %{g.names[target]}, which is neither parameter nor state"
            if target.type != value.type:
                by = f"%{g.names[value]}: {value.type}"
                yield f"update of %{g.names[target]}: {target.type} by {by}"
        if g.schedule is not None:
            yield from _schedule(g, g.schedule)

    def _node(self, n: Node, bound: set[str]) -> Iterator[str]:
        """What is wrong with a node by itself, where inputs bind these symbols."""
        if n in self._sound and bound.issuperset(self._sound[n]):
            return
        symbols = whole_symbols((*n.type.symbols, *n.op.free_symbols()))
        problems = list(_node(n, symbols, bound))
        if not problems:
            self._sound[n] = symbols
        yield from problems


def _names(g: Graph) -> Iterator[str]:
    seen: dict[str, Node] = {}
    for n, name in g.names.items():
        if not name_pattern.fullmatch(name):
            yield f"the name {name!r} is not a name"
        if name in seen:
            yield f"the name %{name} stands for two nodes"
        seen[name] = n


def _node(n: Node, symbols: Iterable[str], bound: set[str]) -> Iterator[str]:
    if OPS.get(n.op.name) is not type(n.op):
        yield "the op is not the registered one; put @vg.op before its class"
    if isinstance(n.op, Source) and n.inputs:
        yield "a source has no inputs"
    lost = next((s for s in symbols if s not in bound), None)
    if lost is not None:
        yield f"no input binds the symbol {lost}; keep one, Graph(..., inputs=[x]), that does"
    try:
        inferred = n.op.infer(*[i.type for i in n.inputs])
    except GraphError as e:
        yield str(e).splitlines()[0]
        return
    if not isinstance(inferred, TensorType):
        yield f"infer gave {shown(inferred)}, which is no TensorType"
    elif inferred != n.type:
        yield f"the op gives {inferred}"


def _schedule(g: Graph, s: Schedule) -> Iterator[str]:
    place: dict[Node, int] = {}
    for at, n in enumerate(s.order):
        if n in place:
            yield f"%{g.names.get(n, n.name)} is scheduled twice"
        place[n] = at
    for n in depth_first(g.roots):
        if isinstance(n.op, Source):
            continue
        if n not in place:
            yield f"%{g.names.get(n, n.name)} is not scheduled"
            return
        for i in n.inputs:
            if not isinstance(i.op, Source) and place.get(i, -1) >= place[n]:
                yield f"%{g.names[n]} runs before its input %{g.names[i]}"
    groups = [s.groups.get(n, -1) for n in s.order]
    if groups != sorted(groups) or set(groups) != set(range(len(set(groups)))):
        yield "the groups are not numbered from 0 in the order in which they run"
    count = Counter(s.takeovers.values())
    takers = {old: n for n, old in s.takeovers.items()}
    for n, old in s.takeovers.items():
        last = _last_taker(takers, n)
        yield from _takeover(g, s, place, n, old, last)
        if count[old] > 1:
            yield f"%{g.names[n]} takes over %{g.names[old]}, and so does another node"
    for n in g.roots:
        if isinstance(n.op, Source) and g.updates.get(n, n) is not n:
            yield f"%{g.names[n]} changes, but is returned, or updates another: it must be copied"
    yield from _once(g, s)
    yield from _packs(g, s)
    if s.places or s.scratch:
        yield from _places(g, s)


def _takeover(
    g: Graph, s: Schedule, place: dict[Node, int], n: Node, old: Node, last: Node
) -> Iterator[str]:
    """What is wrong where `n` takes over `old`; `last` is what holds the place in the end."""
    label = f"%{g.names[n]} takes over %{g.names[old]}"
    if old not in n.reusable:
        twice = ", or reads twice" if n.inputs.count(old) > 1 else ""
        yield f"{label}, which {n.op.name} does not declare as inplace{twice}"
    if old.type != n.type:
        yield f"{label}, whose type is {old.type}, not {n.type}"
    late = [u for u in g.users[old] if u is not n and place[u] > place[n]]
    if late:
        yield f"{label}, which %{g.names[late[0]]} reads later"
    if isinstance(old.op, Source):
        if g.updates.get(old) is not last:
            yield f"{label}, a source that it is not the update of"
    elif old in g.roots:
        yield f"{label}, which the graph returns"
    if old in s.once and n not in s.once:
        yield f"{label}, which is computed once and must stay"


def _last_taker(takers: Mapping[Node, Node], n: Node) -> Node:
    """The last of those that take over a result, one from another."""
    seen = {n}
    while n in takers and takers[n] not in seen:
        n = takers[n]
        seen.add(n)
    return n


def _places(g: Graph, s: Schedule) -> Iterator[str]:
    """Whether any two results that must both be intact share a byte of the arena."""
    groups = {n: s.groups.get(n, 0) for n in s.order}
    end = len(s.order)
    intact: list[tuple[int, int, int, int, str, Node]] = []  # first and last group, bytes, label
    hidden = {n for group in kernel_groups(s) for n in inside(g, group)}
    in_sources: set[Node] = set()
    behind = {n for pack in s.packs for n in pack[1:]} | set(s.takeovers)
    for n in s.order:
        old = s.takeovers.get(n)
        if old is not None and (old in in_sources or isinstance(old.op, Source)):
            in_sources.add(n)
        if n in in_sources or n in hidden:
            continue
        if n not in s.places:
            yield f"%{g.names[n]} has no place in the arena"
            continue
        readers = [groups[u] for u in g.users[n] if u in groups]
        kept = n in g.roots or (n in s.once and any(u not in s.once for u in g.users[n]))
        last = end if kept else max([groups[n], *readers])
        start, size = s.places[n]
        if start % ALIGNMENT and n not in behind:
            yield f"%{g.names[n]} begins at byte {start}, which is no multiple of {ALIGNMENT}"
        intact.append((groups[n], last, start, start + size, f"%{g.names[n]}", n))
    for n, temporaries in s.scratch.items():
        for start, size in temporaries:
            label = f"scratch of %{g.names[n]}"
            intact.append((groups[n], groups[n], start, start + size, label, n))
    shared = list(overlaps([entry[:4] for entry in intact]))
    at = {entry[5]: k for k, entry in enumerate(intact) if entry[4][0] == "%"}
    # What one call writes is there at once: nothing in it takes over another part.
    taken = [
        (at[old], at[n])
        for n, old in s.takeovers.items()
        if n in at and old in at and intact[at[old]][0] < intact[at[old]][1] == intact[at[n]][0]
    ]
    alike = {pair for pair in taken if intact[pair[0]][2:4] == intact[pair[1]][2:4]}
    for i, j in shared:
        if (i, j) not in alike:
            yield f"{intact[j][4]} and {intact[i][4]} share bytes while both must be intact"
    for i, j in taken:
        if (i, j) not in alike and (i, j) not in shared:
            yield f"{intact[j][4]} takes over {intact[i][4]}, but lies elsewhere"


def _once(g: Graph, s: Schedule) -> Iterator[str]:
    """Whether what is computed once is the same at every step."""
    first = next((n for n in s.order if n not in s.once), None)
    for n in s.once:
        if first is not None and s.groups.get(n, 0) >= s.groups.get(first, 0):
            yield f"%{g.names[n]} is computed once, but runs with or after %{g.names[first]}"
        for i in n.inputs:
            fixed = isinstance(i.op, Constant) or (
                not g.updates and isinstance(i.op, (Parameter, State))
            )
            if i not in s.once and not fixed:
                yield f"%{g.names[n]} is computed once, but reads %{g.names[i]}, which changes"


def _packs(g: Graph, s: Schedule) -> Iterator[str]:
    """Whether packs hold what can lie side by side, each once, and whether it does."""
    seen: set[Node] = set()
    for pack in s.packs:
        for n in pack:
            label = f"%{g.names.get(n, n.name)}"
            if n in seen:
                yield f"{label} is packed twice"
            seen.add(n)
            if n.type.symbols:
                yield f"{label}: {n.type} is packed, but has no fixed size"
            if n.type.dtype != pack[0].type.dtype:
                yield f"{label}: {n.type} is packed with %{g.names[pack[0]]}: {pack[0].type}"
            if isinstance(n.op, (Input, Constant)) or n in s.takeovers:
                yield f"{label} is packed, but has no memory that the plan could choose"
        placed = [n for n in pack if n in s.places]
        for n, after in pairwise(placed):
            if sum(s.places[n]) != s.places[after][0]:
                yield f"%{g.names[after]} does not lie behind %{g.names[n]}, of the same pack"
