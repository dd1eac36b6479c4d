"""What each kernel of a plan should take: its operations and bytes, at the machine's rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ...graph import Graph, Node, Product, Schedule, holder, inside, kernel_groups
from ..backends.backend import CHECK, COPIES
from ..backends.step_text import Calls, Kernel
from ..planning.plan import Plan
from .machine import Machine

Place = Node | int
"""What bytes lie in: a source, or the arena from an offset on."""


class Work(NamedTuple):
    """A kernel of a step: its nodes, its NumPy calls, and the bytes that cross its boundary."""

    key: Kernel
    nodes: tuple[Node, ...]
    calls: Calls
    flops: int
    alone: int
    """The operations that are no part of a call of the BLAS."""
    drawn: int
    """Elements that are drawn at random; their operations are no part of `flops`."""
    touched: tuple[tuple[Place, int], ...]

    @property
    def nbytes(self) -> int:
        return sum(n for _, n in self.touched)


def works(plan: Plan, calls: Mapping[Kernel, Calls], watched: Sequence[Node]) -> list[Work]:
    """The kernels of a plan, each with its NumPy calls; `watched` is what the check reads."""
    g, sizes = plan.graph, plan.sizes
    schedule = g.schedule
    assert schedule is not None
    groups = {schedule.groups[group[0]]: group for group in kernel_groups(schedule)}

    def touched(nodes: Iterable[Node]) -> tuple[tuple[Place, int], ...]:
        return tuple([(_place(n, schedule), n.type.nbytes(sizes)) for n in nodes])

    kernels = []
    for key, count in calls.items():
        if key == CHECK:
            # A sum of squares.
            size = 2 * sum(n.type.nbytes(sizes) // n.type.numpy.itemsize for n in watched)
            kernels.append(Work(key, tuple(watched), count, size, 0, 0, touched(watched)))
        elif key == COPIES:
            pairs = [(w, n) for w, n in g.updates.items() if _place(n, schedule) != w]
            moved = touched(m for pair in pairs for m in pair)
            kernels.append(Work(key, tuple([n for _, n in pairs]), count, 0, 0, 0, moved))
        elif isinstance(key, int):
            nodes = groups[key]
            masks = [n for n in nodes if n.op.random]
            drawn = sum(n.type.nbytes(sizes) // n.type.numpy.itemsize for n in masks)
            size = sum(n.flops(sizes) for n in nodes if n not in masks)
            alone = size - sum(_of_the_blas(n, sizes) for n in nodes)
            moved = touched(_crossing(nodes, g))
            kernels.append(Work(key, nodes, count, size, alone, drawn, moved))
    return kernels


def _of_the_blas(n: Node, sizes: Mapping[str, int]) -> int:
    """The operations that a node has the BLAS make."""
    if n.op.is_blas_call:
        return n.flops(sizes)
    product = n.product(sizes)
    return product.flops if product else 0


def seconds(done: Sequence[Work], plan: Plan, machine: Machine) -> list[float]:
    """What the machine should take for each kernel, when step follows step.

    A kernel takes its calls, its matrix products, and for the rest whatever is longer: the
    operations in cache, or the bytes from where they lie since they were last in use. What it
    writes where it has read is in the cache.
    """
    total: list[float] = []
    recent: dict[Place, int] = {}  # what was in use, the latest last
    for number, work in enumerate([*done, *done]):
        carried = 0.0
        added = work.key != CHECK and any(n.op.is_blas_call for n in work.nodes)
        met: set[Place] = set()
        for place, nbytes in work.touched:
            distance = 0 if place in met else _since(place, recent) + work.nbytes
            carried += machine.moved(nbytes, distance, added=added)
            met.add(place)
        for place, nbytes in work.touched:
            recent.pop(place, None)
            recent[place] = nbytes
        if number < len(done):
            continue  # a first step, that the second finds everything where a step leaves it
        products = [p for n in work.nodes if (p := n.product(plan.sizes))]
        if work.key == CHECK:
            products = [Product(1, work.flops // 2, 1)]
        elif work.key == COPIES:
            products = []
        alone = work.alone * machine.element + work.drawn * machine.drawn
        multiplied = sum(map(machine.product, products))
        first = 0.0 if products else machine.call  # of a product, its time has its call in it
        called = first + max(0, work.calls.number - 1) * machine.again
        walked = work.calls.rows * machine.row + work.calls.cast * machine.cast
        from_memory = all(p.of_vectors for p in products)  # else, fitted with the products
        total.append(called + walked + max(multiplied + alone, carried if from_memory else 0.0))
    return total


def _since(place: Place, recent: Mapping[Place, int]) -> int:
    """How many bytes were in use since this place was."""
    total = 0
    for other in reversed(recent):
        if other == place:
            return total
        total += recent[other]
    return total


def _crossing(group: Sequence[Node], g: Graph) -> list[Node]:
    """What a group reads and writes; what it makes and reads itself stays in the cache."""
    mine, hidden = set(group), inside(g, group)
    reads = dict.fromkeys(i for n in group for i in n.inputs if i not in mine)
    return [*reads, *[n for n in group if n not in hidden]]


def _place(n: Node, s: Schedule) -> Place:
    """Where a value lies."""
    return s.places[n][0] if n in s.places else holder(s, n)
