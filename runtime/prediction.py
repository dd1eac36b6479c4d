"""What each kernel of a plan should take: its operations and bytes, at the machine's rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from ..graph import Node, Schedule, Source
from ..ops import Update
from .cost import flops, product
from .machine import Machine
from .plan import Plan

CHECK: Final = "check"
COPIES: Final = "copies"

Key = int | str
"""A kernel: the number of its group; or the check of what is finite, or the copies of updates."""
Place = Node | int
"""What bytes lie in: a source, or the arena from an offset on."""


class Work(NamedTuple):
    """A kernel of a step: its nodes, and the bytes that it reads or writes outside of itself."""

    key: Key
    nodes: tuple[Node, ...]
    flops: int
    touched: tuple[tuple[Place, int], ...]

    @property
    def nbytes(self) -> int:
        return sum(n for _, n in self.touched)


def works(plan: Plan, keys: Iterable[Key], watched: Sequence[Node]) -> list[Work]:
    """The kernels of a plan, in the order of their keys; `watched` is what the check reads."""
    g, sizes = plan.graph, plan.sizes
    schedule = g.schedule
    assert schedule is not None
    groups: dict[Key, list[Node]] = {}
    for n in schedule.order:
        groups.setdefault(schedule.groups[n], []).append(n)

    def touched(nodes: Iterable[Node]) -> tuple[tuple[Place, int], ...]:
        return tuple([(_place(n, schedule), n.type.nbytes(sizes)) for n in nodes])

    found = []
    for key in keys:
        if key == CHECK:
            # A sum over each.
            size = sum(n.type.nbytes(sizes) // n.type.numpy.itemsize for n in watched)
            found.append(Work(key, tuple(watched), size, touched(watched)))
        elif key == COPIES:
            pairs = [(w, n) for w, n in g.updates.items() if _place(n, schedule) != w]
            moved = touched(m for pair in pairs for m in pair)
            found.append(Work(key, tuple([n for _, n in pairs]), 0, moved))
        else:
            nodes = groups[key]
            count = sum(flops(n, sizes) for n in nodes)
            found.append(Work(key, tuple(nodes), count, touched(_crossing(nodes, plan))))
    return found


def seconds(done: Sequence[Work], plan: Plan, machine: Machine) -> list[float]:
    """What the machine should take for each kernel, when step follows step.

    A kernel takes its calls, its matrix products, and for the rest whatever is longer: the
    operations in cache, or the bytes from where they lie since they were last in use.
    """
    total: list[float] = []
    recent: dict[Place, int] = {}  # what was in use, the latest last
    for number, work in enumerate([*done, *done]):
        carried = 0.0
        for place, nbytes in work.touched:
            carried += machine.moved(nbytes, _since(place, recent) + work.nbytes)
        for place, nbytes in work.touched:
            recent.pop(place, None)
            recent[place] = nbytes
        if number < len(done):
            continue  # a first step, that the second finds everything where a step leaves it
        computes = work.nodes if isinstance(work.key, int) else ()
        products = [p for n in computes if (p := product(n, plan.sizes))]
        alone = (work.flops - sum(p.flops for p in products)) * machine.element
        made = sum(map(machine.product, products))
        calls = machine.call * max(1, sum(n.op.calls if computes else 1 for n in work.nodes))
        total.append(calls + made + max(alone, 0.0 if products else carried))
    return total


def _since(place: Place, recent: Mapping[Place, int]) -> int:
    """How many bytes were in use since this place was."""
    total = 0
    for other in reversed(recent):
        if other == place:
            return total
        total += recent[other]
    return total


def _crossing(nodes: Sequence[Node], plan: Plan) -> list[Node]:
    """What a group reads and writes; elementwise, what it makes and reads itself stays inside."""
    if not all(n.op.elementwise or isinstance(n.op, Update) for n in nodes):
        return [m for n in nodes for m in (*dict.fromkeys(n.inputs), n)]
    inside, g = set(nodes), plan.graph
    reads = dict.fromkeys(i for n in nodes for i in n.inputs if i not in inside)
    writes = [n for n in nodes if n in g.roots or not inside.issuperset(g.users[n])]
    return [*reads, *writes]


def _place(n: Node, schedule: Schedule) -> Place:
    """Where a value lies."""
    while n in schedule.takeovers:
        n = schedule.takeovers[n]
    return n if isinstance(n.op, Source) else schedule.places[n][0]
