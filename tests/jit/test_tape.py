"""The tape: parts, refusals and feeds; and that who makes a part changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import batch, net
from jit_runs import on_threads, same_bits, state_after

import verigrad as vg

pytest.importorskip("numba")

from verigrad.ops import ClipFactor
from verigrad.runtime.backends.numba.kernels.compiled import compiled, prologue, words
from verigrad.runtime.backends.numba.lowering.fixed_kernels import added, clip_factor, finite, sums
from verigrad.runtime.backends.numba.tape import driver
from verigrad.runtime.backends.numba.tape.tape import Tape, Task, cuts, shared

OPTIONS = {
    "optimizer": vg.Adam(0.01),
    "regularizer": vg.ElasticNet(1e-3, 1e-3),
    "dropout": vg.Dropout(keep=0.8, input=0.9),
    "clip": vg.ClipNorm(1.0),
    "backend": "numba",
}


def doubling(a: np.ndarray) -> Task:
    """A task that doubles a vector, compiled as a kernel is."""
    text = [*prologue([("a", a)]), "    for i in range(a.shape[0]):", "        a[i] = a[i] + a[i]"]
    return Task(compiled("\n".join([*text, ""])).address, words([a]))


@pytest.mark.parametrize("count", [1, 5, 16, 17, 100])
@pytest.mark.parametrize("parts", [1, 2, 3, 8])
@pytest.mark.parametrize("multiple", [1, 4, 16])
def test_cuts_cover_all_rows_once(count: int, parts: int, multiple: int) -> None:
    ranges = cuts(count, parts, multiple)
    assert len(ranges) <= parts
    assert [k for start, stop in ranges for k in range(start, stop)] == [*range(count)]
    assert all(start % multiple == 0 and start < stop for start, stop in ranges)
    assert max(stop - start for start, stop in ranges) <= count / parts + multiple


def test_work_is_shared_by_as_many_threads_as_it_is_worth() -> None:
    assert [shared(4, worth) for worth in (0.0, 0.9, 1.0, 2.5, 4.0, 1e9)] == [1, 1, 1, 2, 4, 4]
    assert shared(1, 1e9) == 1
    assert shared(1_000, 1e9) == driver.PARTS  # no ticket has room for more


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_all_parts_of_all_instructions_run(threads: int) -> None:
    with on_threads(threads):
        tape = Tape([])
        a = np.arange(96, dtype="f4")
        for _ in range(3):
            tape.add([[doubling(a[start:stop])] for start, stop in cuts(96, threads, 16)])
        tape.add([[doubling(a[:2]), doubling(a[:1])], [doubling(a[50:51])]])
        run = tape.runner(0, len(tape))
        for _ in range(200):
            a[:] = np.arange(96)
            assert run()
            expected = 8 * np.arange(96, dtype="f4")
            expected[:2] *= 2
            expected[:1] *= 2
            expected[50] *= 2
            assert (a == expected).all()


def test_as_many_parts_as_a_ticket_holds() -> None:
    a = np.ones(driver.PARTS, "f4")
    tape = Tape([])
    tape.add([[doubling(a[k : k + 1])] for k in range(driver.PARTS)])
    assert tape.runner(0, 1)()
    assert (a == 2).all()


def test_a_range_of_a_tape_runs_by_itself() -> None:
    tape, a, b = Tape([]), np.ones(4, "f8"), np.ones(4, "f8")
    tape.add([[doubling(a)]])
    tape.add([[doubling(b)]])
    assert tape.runner(1, 2)()
    assert (a == 1).all() and (b == 2).all()


def test_what_lies_in_a_feed_follows_the_feed() -> None:
    given = np.zeros(8, "f4")
    tape = Tape([given])
    tape.add([[doubling(given[2:5])]])
    run = tape.runner(0, 1)
    for _ in range(3):
        fed = np.ones(8, "f4")
        assert run(fed)
        assert fed.tolist() == [1, 1, 2, 2, 2, 1, 1, 1]
    assert (given == 0).all()


def test_a_refusal_ends_the_run_and_is_forgotten() -> None:
    a, b = np.ones(40_000, "f4"), np.ones(4, "f4")
    tape = Tape([])
    tape.add(*finite([a, np.ones((), "f4")], tape.threads))
    tape.add([[doubling(b)]])
    run = tape.runner(0, 2)
    assert run() and (b == 2).all()
    for bad in (np.nan, np.inf, -np.inf):
        for at in (0, 20_000, 39_999):
            a[at] = bad
            assert not run() and (b == 2).all()
            a[at] = 1
    assert run() and (b == 4).all()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("size", [0.0, 1.0, 1e30])
def test_a_clip_factor_is_that_of_all_parts(
    size: float, dtype: str, threads: int, rng: np.random.Generator
) -> None:
    """Also where the squares of one part alone overflow, which those of f64 then do."""
    counts = [1, 17, 50_000, 0, 40_001]
    arrays = [size * rng.standard_normal(n).astype(dtype) for n in counts]
    if dtype == "f8":
        arrays[2][-1] = size**10 / 2
    found, op = np.empty((), dtype), ClipFactor(1.0)
    with on_threads(threads):
        tape = Tape([])
        squares, factor = clip_factor(op, arrays, found, threads)
        assert len(squares.parts) == threads
        tape.add(*squares)
        tape.add(*factor)
        assert tape.runner(0, len(tape))()
    op.run(*arrays, out=(expected := np.empty((), dtype)))
    np.testing.assert_allclose(found, expected, rtol=1e-6 if dtype == "f4" else 1e-14)
    for bad in (np.nan, np.inf):
        arrays[4][-1] = bad
        assert tape.runner(0, len(tape))() and np.isnan(found)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_partial_sums_are_added(dtype: str, rng: np.random.Generator) -> None:
    out = rng.random((5, 7)).astype(dtype)
    partial = [rng.random((5, 7)).astype(dtype) for _ in range(3)]
    expected = out + partial[0] + partial[1] + partial[2]
    tape = Tape([])
    tape.add([sums(partial, out)])
    assert tape.runner(0, 1)()
    assert (out == expected).all()


@pytest.mark.parametrize("shape", [(5, 7), (300, 200), (20_000,)])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_are_added_by_as_many_threads_as_there_are(
    threads: int, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    with on_threads(threads):
        tape = Tape([])
        out = rng.random(shape)
        partial = tape.spare(out, 2)
        for a in partial:
            a[:] = rng.random(shape)
        expected = out + partial[0] + partial[1]
        tape.add(*added(partial, out, threads))
        assert tape.runner(0, 1)()
    assert (out == expected).all()
    assert len(tape._instructions[0][0]) == (1 if shape == (5, 7) else threads)


def test_room_for_results_is_used_again() -> None:
    tape = Tape([])
    small, large = np.zeros((3, 3), "f4"), np.zeros((40, 3), "f8")
    assert tape.spare(small, 0) == []
    first, second, third = tape.spare(large, 3)
    assert not np.may_share_memory(first, second) and not np.may_share_memory(second, third)
    assert np.shares_memory(first, tape.spare(small, 1)[0])
    assert {a.ctypes.data % 64 for a in (first, second, third)} == {0}


@pytest.mark.parametrize("threads", [2, 3])
def test_who_makes_a_part_and_in_what_order_does_not_change_a_bit(
    threads: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts of an instruction touch nothing of each other: helpers take them, or one thread
    makes them all, forwards or backwards."""
    feeds = [batch(rng, 96, 64, 6) for _ in range(3)]
    n = net(64, 96, 80, 6)
    with on_threads(threads):
        helped = state_after(n, feeds, **OPTIONS)
        alone = state_after(n, feeds, alone=True, **OPTIONS)
        add = Tape.add

        def backwards(self: Tape, parts: list[list[Task]], refusal: object = None) -> None:
            add(self, [*reversed(parts)], refusal)

        monkeypatch.setattr(Tape, "add", backwards)
        reversed_ = state_after(n, feeds, alone=True, **OPTIONS)
    assert same_bits(helped, alone) and same_bits(helped, reversed_)


def test_that_the_order_of_parts_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that do touch each other give other numbers backwards."""
    a = np.ones(8, "f4")

    def run(backwards: bool) -> list[float]:
        a[:] = [1, 2, 3, 4, 5, 6, 7, 8]
        parts = [sums([a[:4]], a[4:]), [doubling(a[2:6])]]
        tape = Tape([])
        tape.threads = 1
        tape.add(parts[::-1] if backwards else parts)
        with on_threads(1):
            tape.runner(0, 1)()
        return a.tolist()

    assert run(False) != run(True)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_steps_on_any_number_of_threads_agree(threads: int, rng: np.random.Generator) -> None:
    feeds = [batch(rng, 200, 300, 6) for _ in range(3)]
    n = net(300, 90, 300, 6)
    plain = state_after(n, feeds, **{**OPTIONS, "backend": "numpy"})
    with on_threads(threads):
        jitted = state_after(n, feeds, **OPTIONS)
    for name, value in plain.items():
        assert np.allclose(value, jitted[name], rtol=2e-4, atol=2e-5), name
