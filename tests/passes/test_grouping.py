"""How many nodes share a kernel call."""

from __future__ import annotations

from collections import Counter

import pytest

import verigrad as vg
from verigrad.passes.scheduling.schedule import ScheduleBuffers


def calls(g: vg.Graph) -> list[int]:
    """How many nodes each kernel call has."""
    return list(Counter(ScheduleBuffers().apply(g).schedule.groups.values()).values())


@pytest.mark.parametrize(
    ("nodes", "sizes"), [(63, [63]), (64, [64]), (65, [64, 1]), (130, [64, 64, 2])]
)
def test_a_call_has_at_most_64_nodes(nodes: int, sizes: list[int]) -> None:
    n = vg.input("x", ("N", 4))
    for _ in range(nodes):
        n = vg.tanh(n)
    assert calls(vg.Graph("chain", {"y": n})) == sizes


@pytest.mark.parametrize(("nodes", "sizes"), [(63, [64, 1]), (64, [1, 64, 1])])
def test_a_call_that_joins_its_reader_makes_none_of_more(nodes: int, sizes: list[int]) -> None:
    """The exp is made behind a product, but for which it would begin the chain that reads it."""
    x, w = vg.input("x", ("N", 4)), vg.parameter("w", (4, 4), init="ones")
    e, n = vg.exp(x), vg.matmul(x, w)
    n = vg.add(e, n)
    for _ in range(nodes - 1):
        n = vg.tanh(n)
    assert sorted(calls(vg.Graph("joined", {"y": n}))) == sorted(sizes)
