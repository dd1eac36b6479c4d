"""What just fits a limit, and what an error says, to the letter, of a plan that does not."""

from __future__ import annotations

import pytest
from conftest import net

import verigrad as vg

TEXT = """\
graph net {
  %x: f32[N,16] = input
  %w: f32[16,16] = parameter{init=ones}
  %a: f32[N,16] = matmul(%x, %w)
  %b: f32[N,16] = log_softmax(%a)
  %c: f32[N,16] = matmul(%b, %w)
  return c=%c
}"""
PEAK = "most is in use at call 1: %a (512), %scratch of b (512), %scratch of b (32)"
FIXED = TEXT.replace("N,", "8,")


def program(text: str, limit: int) -> vg.Program:
    return vg.compile(vg.parse(text), memory_limit=limit)


def wide(results: int) -> str:
    """Products of 16, 32, ... columns, all returned."""
    lines = [
        line
        for k in range(1, results + 1)
        for line in (
            f"  %w{k}: f32[16,{16 * k}] = parameter{{init=ones}}",
            f"  %a{k}: f32[N,{16 * k}] = matmul(%x, %w{k})",
        )
    ]
    returned = ", ".join([f"a{k}=%a{k}" for k in range(1, results + 1)])
    return "\n".join(
        ["graph wide {", "  %x: f32[N,16] = input", *lines, f"  return {returned}", "}"]
    )


def said(refused: vg.Program, **sizes: int) -> list[str]:
    with pytest.raises(vg.RunError) as e:
        refused.plan(**sizes)
    return str(e.value).split("\n  ")


def test_the_largest_batch_that_fits_is_told() -> None:
    assert said(program(TEXT, 576), N=8) == [
        "a plan of net for N=8 takes 1,088 bytes, and memory_limit is 576",
        PEAK,
        "fix: a smaller batch (N=4 fits), or memory_limit=1_088",
    ]
    assert program(TEXT, 576).plan(N=4).nbytes == 576 < program(TEXT, 2000).plan(N=5).nbytes


def test_no_batch_is_told_where_none_fits() -> None:
    assert said(program(TEXT, 60), N=8) == [
        "a plan of net for N=8 takes 1,088 bytes, and memory_limit is 60",
        PEAK,
        "fix: memory_limit=1_088",
    ]


def test_no_batch_is_told_where_sizes_are_fixed() -> None:
    assert said(program(FIXED, 600)) == [
        "a plan of net takes 1,088 bytes, and memory_limit is 600",
        PEAK,
        "fix: memory_limit=1_088",
    ]


@pytest.mark.parametrize(("results", "more"), [(5, ""), (6, " and 1 more"), (7, " and 2 more")])
def test_the_five_largest_are_named(results: int, more: str) -> None:
    largest = [f"%a{k} ({256 * k:,})" for k in range(results, results - 5, -1)]
    _, peak, _ = said(program(wide(results), 600), N=4)
    assert peak == f"most is in use at call {results - 1}: {', '.join(largest)}{more}"


@pytest.mark.parametrize("spare", [-1, 0])
def test_it_is_told_whether_recomputation_is_enough(spare: int) -> None:
    deep, optimizer = net(12, *[16] * 8, 4), vg.SGD(0.1)
    least = vg.compile(deep, optimizer=optimizer, memory_limit=1, recompute=True)
    enough = int(said(least, N=64)[-1].rpartition("=")[2])
    over = vg.compile(deep, optimizer=optimizer, memory_limit=enough + spare)
    at = "" if spare == 0 else ", not enough by itself"
    assert said(over, N=64)[-1].startswith(f"fix: recompute=True ({enough:,} bytes{at}), or ")


@pytest.mark.parametrize(
    ("text", "limit", "most", "rows"),
    [
        (TEXT, 576, 8, 4),
        (TEXT, 576, 4, 4),
        (TEXT, 576, 3, 3),
        (TEXT, 1088, 8, 8),
        (TEXT, 60, 8, 1),
        (FIXED, 600, 8, 8),
    ],
)
def test_as_many_rows_are_taken_at_a_time_as_fit(
    text: str, limit: int, most: int, rows: int
) -> None:
    assert program(text, limit).rows_at_a_time(most) == rows


TWO_SUMS = """\
graph sums {
  %x: f32[N,16] = input
  %y: f32[200,16] = input
  %w: f32[16,64] = parameter{init=ones}
  %a: f32[N,64] = matmul(%x, %w)
  %b: f32[200,64] = matmul(%y, %w)
  %c: f32[64] = sum{axes=[0]}(%a)
  %d: f32[64] = sum{axes=[0]}(%b)
  %e: f32[64] = maximum(%c, %d)
  return e=%e
}"""


@pytest.mark.parametrize("recompute", [False, True])
def test_the_first_plan_that_fits_is_taken(recompute: bool) -> None:
    """As scheduled for 128 rows, %b first; for 1,000 rows, %a is made first, and %d is not kept
    beside it."""
    g = vg.parse(TWO_SUMS)
    free = vg.compile(g).plan(N=1000)
    just = vg.compile(g, memory_limit=free.nbytes, recompute=recompute).plan(N=1000)
    assert just.buffers == free.buffers
    limit = free.nbytes - 256
    other = vg.compile(g, memory_limit=limit, recompute=recompute).plan(N=1000)
    assert other.nbytes == limit and not other.recomputed
