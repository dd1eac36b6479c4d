"""Orders of nodes: legal ones, which keep hardly more bytes alive than the best of all do."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import ClassVar

import pytest

import verigrad as vg
from verigrad.passes.scheduling.order import Rule, _by_chain, _by_level, _Segment, fewest_bytes

Nodes = frozenset[vg.Node]


class Made(vg.Op):
    """So many numbers, of any others."""

    name: ClassVar[str] = "made"
    inplace: ClassVar[tuple[int, ...]] = (0,)
    size: int = 1

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return vg.TensorType("f32", (self.size,))


def drawn(seed: int) -> vg.Graph:
    """Nodes that read one or two of the last few; some that are read are returned as well."""
    drawn = random.Random(seed)
    x = vg.input("x", (1,))
    nodes: list[vg.Node] = []
    few, sizes = drawn.choice([2, 3, 5]), drawn.choice([[1, 2, 4, 8], [2, 3]])
    for _ in range(9):
        some = [*nodes[-few:], x]
        inputs = drawn.sample(some, min(len(some), drawn.choice([1, 1, 2])))
        nodes.append(vg.apply(Made(drawn.choice(sizes)), *inputs))
    read = {i for n in nodes for i in n.inputs}
    more = drawn.choice([0, 0, 0.2])
    returned = [n for n in nodes if n not in read or drawn.random() < more]
    return vg.Graph("drawn", {f"y{k}": n for k, n in enumerate(returned)})


GRAPHS = [drawn(seed) for seed in range(600)]


def alive(g: vg.Graph, done: Nodes) -> Nodes:
    """What is returned, or read by a node that is still to come."""
    return frozenset([n for n in done if n in g.roots or not done.issuperset(g.users[n])])


def nbytes(nodes: Nodes) -> int:
    return sum(n.type.nbytes({}) for n in nodes)


def needed(g: vg.Graph, done: Nodes, n: vg.Node) -> int:
    """The bytes that are alive while a node is made behind others: its result takes over what it
    may, or lies among all of its type that ends there."""
    before = alive(g, done)
    ended = before - alive(g, done | {n})
    shared = [m for m in ended if m.type == n.type] if ended.intersection(n.reusable) else []
    return nbytes(before | {n}) - min(nbytes(frozenset([n])), nbytes(frozenset(shared)))


def fewest(g: vg.Graph) -> int:
    """The least peak of all orders: of each set of nodes that may come first, of one more."""
    peaks: dict[Nodes, int] = {frozenset(): 0}
    for _ in g.order:
        longer: dict[Nodes, int] = {}
        for done, peak in peaks.items():
            for n in following(g, done):
                most = max(peak, needed(g, done, n))
                longer[done | {n}] = min(most, longer.get(done | {n}, most))
        peaks = longer
    (least,) = peaks.values()
    return least


def following(g: vg.Graph, done: Nodes) -> Iterator[vg.Node]:
    """The nodes that may come next."""
    return (n for n in g.order if n not in done and done.issuperset(set(n.inputs) - {*g.inputs}))


def peak(g: vg.Graph, order: Sequence[vg.Node]) -> int:
    return max(needed(g, frozenset(order[:k]), n) for k, n in enumerate(order))


def test_an_order_is_legal() -> None:
    for g in GRAPHS:
        order = fewest_bytes(g, g.order, {})
        assert len(order) == len(g.order)
        assert all(n in following(g, frozenset(order[:k])) for k, n in enumerate(order))


def test_bytes_at_the_peak_are_those_of_a_walk() -> None:
    for g in GRAPHS:
        assert _Segment(g, g.order, {}).peak(range(len(g.order))) == peak(g, g.order)


def test_orders_keep_hardly_more_bytes_alive_than_the_best() -> None:
    found = [peak(g, fewest_bytes(g, g.order, {})) for g in GRAPHS]
    least = [fewest(g) for g in GRAPHS]
    assert sum(map(int.__eq__, found, least)) >= 477, "of 600"
    assert sum(found) <= 1.0264 * sum(least)


@pytest.mark.parametrize("rule", [_by_chain, _by_level])
def test_what_adds_nothing_comes_before_what_adds_a_byte(rule: Rule) -> None:
    assert rule(-1, 0, 0) < rule(0, 0, 0) < rule(1, 9, 9)


def test_a_chain_is_followed_to_its_end() -> None:
    """By what came alive last, or by what lies farthest from the sources; bytes come last."""
    assert _by_chain(9, 2, 1) < _by_chain(1, 1, 9)
    assert _by_chain(9, 2, 2) < _by_chain(1, 2, 1)
    assert _by_chain(1, 2, 2) < _by_chain(2, 2, 2)
    assert _by_level(9, 1, 2) < _by_level(1, 9, 1)
    assert _by_level(9, 2, 2) < _by_level(1, 1, 2)
    assert _by_level(1, 2, 2) < _by_level(2, 2, 2)
