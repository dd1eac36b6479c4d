"""Placement by arrays finds what a search in plain Python finds; live bytes are counted right."""

from __future__ import annotations

import random

import pytest

import verigrad as vg
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.planning.buffers import aligned_bytes
from verigrad.runtime.planning.plan import Plan, _aligned, _Life, _offsets


def searched(lives: list[_Life], packed: list[list[int]]) -> list[int]:
    """The same offsets, life by life and gap by gap."""
    offsets: dict[int, int] = {}
    end = 0
    for pack in packed:
        for i in pack:
            offsets[i] = end
            end += lives[i].nbytes
        end = _aligned(end)
    rest = [i for i in range(len(lives)) if i not in offsets]
    for i in sorted(rest, key=lambda i: (-lives[i].nbytes, lives[i].first)):
        met = [
            (offsets[j], lives[j].nbytes)
            for j in offsets
            if lives[j].first <= lives[i].last and lives[i].first <= lives[j].last
        ]
        free, gaps = 0, []
        for offset, nbytes in sorted(met, key=lambda piece: piece[0]):
            if offset - free >= _aligned(lives[i].nbytes):
                gaps.append((offset - free, free))
            free = max(free, _aligned(offset + nbytes))
        offsets[i] = min(gaps)[1] if gaps else free
    return [offsets[i] for i in range(len(lives))]


@pytest.mark.parametrize("seed", range(200))
def test_the_smallest_gap_is_taken(seed: int) -> None:
    drawn = random.Random(seed)
    lives = []
    for _ in range(drawn.randrange(40)):
        first = drawn.randrange(20)
        nbytes = drawn.choice([0, 4, 40, 64, 100, 256, 1000])
        lives.append(_Life((), None, nbytes, first, first + drawn.choice([0, 0, 1, 2, 10])))
    some = drawn.sample(range(len(lives)), len(lives) // 3)
    packed = [pack for pack in (some[: len(some) // 2], some[len(some) // 2 :]) if pack]
    assert _offsets(lives, packed) == searched(lives, packed)


def test_live_bytes_are_those_of_the_fullest_call() -> None:
    x, y = vg.input("x", ("N", 7)), vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [30, 20, 5])
    g = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    plan = vg.compile(g, optimizer=vg.Adam(lr=0.1)).plan(N=9)
    calls = range(1 + max(b.last for b in plan.buffers))
    at = [sum(b.nbytes for b in plan.buffers if b.first <= k <= b.last) for k in calls]
    assert plan.lower_bound == max(at)


def test_thousands_of_nodes_are_computed_right() -> None:
    """A long chain of products, with elementwise groups between them."""
    x = vg.input("x", ("N", 2))
    w = vg.parameter("w", (2, 2), init="ones")
    h = x
    for k in range(3000):
        h = vg.multiply(vg.matmul(h, w), 0.5) if k % 3 == 0 else vg.maximum(h, vg.negative(h))
    p = vg.compile(vg.Graph("net", {"h": h}))
    assert p.predict(x=[[1, 3]])["h"].tolist() == [[2, 2]]


@pytest.mark.parametrize("rows", [10**21, 2**63 - 1, 2**60])
def test_more_bytes_than_can_be_counted_are_refused(rows: int, three_layer: vg.Graph) -> None:
    program = vg.compile(three_layer, optimizer=vg.SGD(lr=0.1))
    for ask in (program.plan, program.cost, program.source):
        with pytest.raises(vg.RunError, match=f"net with N={rows} would take more bytes than 64"):
            ask(N=rows)
    assert program.plan(N=2**50).nbytes > 2**50


@pytest.mark.parametrize("nbytes", [1, 63, 64, 100, 300, 700, 1000])
def test_an_arena_begins_at_a_cache_line(nbytes: int) -> None:
    kept = [aligned_bytes(nbytes) for _ in range(20)]
    assert all(a.ctypes.data % 64 == 0 and a.nbytes == nbytes for a in kept)


# ---- what a plan says -----------------------------------------------------------------------

TEXT = """\
graph net {
  %x: f32[N,16] = input
  %w: f32[16,16] = parameter{init=ones}
  %a: f32[N,16] = matmul(%x, %w)
  %b: f32[N,16] = log_softmax(%a)
  %c: f32[N,16] = matmul(%b, %w)
  return c=%c
}"""
TOLD = """\
plan of net, N=8
  arena               1,088 bytes, 70.8 % of unplanned
  unplanned           1,536 bytes, a buffer for every result
  live bytes          1,056 at most: no placement takes less
  state               1,024 bytes, parameters included, beside the arena
  limit               2,000 bytes for the arena

        offset        bytes  calls       holds
             0          512  0-2         a, b
           512          512  1-1         scratch of b
           512          512  2-2         c
         1,024           32  1-1         scratch of b"""


def test_a_plan_tells_where_everything_lies() -> None:
    g = vg.parse(TEXT)
    plan = Plan(ScheduleBuffers().apply(g), {"N": 8}, g, limit=2000)
    assert str(plan) == TOLD


def test_a_plan_of_nothing_takes_nothing() -> None:
    g = vg.parse("graph nothing {\n  %x: f32[N] = input\n  return x=%x\n}")
    plan = Plan(ScheduleBuffers().apply(g), {"N": 8}, g)
    assert (plan.nbytes, plan.unplanned_nbytes, plan.lower_bound) == (0, 0, 0)
    assert "0 bytes, 0.0 % of unplanned" in str(plan)
