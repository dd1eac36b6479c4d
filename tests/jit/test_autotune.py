"""Whether a run asks helpers: what it tries, what it keeps to, and that no bit depends on it."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import batch, net
from jit_runs import on_threads, same_bits, state_after

import verigrad as vg

pytest.importorskip("numba")

from verigrad.runtime.backends import choice as in_python
from verigrad.runtime.backends.numba.lowering.fixed_kernels import sums
from verigrad.runtime.backends.numba.tape import autotune, clock, driver
from verigrad.runtime.backends.numba.tape.tape import Tape, Task
from verigrad.runtime.backends.numba.tape.threads import TEAM


def test_the_compiled_choice_is_the_one_of_python(rng: np.random.Generator) -> None:
    words, plain = np.zeros(autotune.WORDS, np.int64), [0] * autotune.WORDS
    address = int(words.ctypes.data)
    autotune.reset(plain, False)
    for helped, alone in ((1, 2), (90, 3), (2, 1), (1, 1)):
        for _ in range(400):
            by_itself = autotune.next_alone(address)
            assert by_itself == in_python.next_alone(plain)
            taken = int((alone if by_itself else helped) * rng.uniform(1e6, 2e6))
            autotune.note(address, taken)
            in_python.note(plain, taken)
            assert words.tolist() == plain


def test_helpers_are_woken_before_they_are_tried() -> None:
    words = np.zeros(autotune.WORDS, np.int64)
    autotune.reset(words, False)
    assert autotune.asks(words)
    words[autotune.ALONE], words[autotune.MEAN] = True, 1_000
    words[autotune.LEFT] = autotune.WAKING * 1_000 + 1
    assert not autotune.asks(words)
    words[autotune.LEFT] -= 1
    assert autotune.asks(words)
    words[[autotune.LEFT, autotune.TRIED]] = 1_000_000, 1
    assert autotune.asks(words)


def doubling(a: np.ndarray) -> Task:
    (task,) = sums([a], a)
    return task


def offers() -> int:
    return int(TEAM._words[driver.TICKET])


def test_a_run_alone_offers_nothing_and_makes_the_same() -> None:
    a = np.ones(64, "f4")
    with on_threads(2):
        tape = Tape([])
        tape.add([[doubling(a[:32])], [doubling(a[32:])]])
        run = tape.runner(0, 1)
        (words,) = tape._runs
        assert run() and (a == 2).all()
        assert words[driver.SHARES]
        before = offers()
        assert run() and offers() > before
        before = offers()
        words[driver.CHOICE + autotune.ALONE] = True
        assert run() and offers() == before
        assert (a == 8).all()


def test_a_run_whose_instructions_have_one_part_wakes_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TEAM, "rouse", lambda: pytest.fail("helpers were woken"))
    monkeypatch.setattr(TEAM, "resting", True)
    a = np.ones(8, "f4")
    tape = Tape([])
    tape.add([[doubling(a)]])
    assert tape.runner(0, 1)() and (a == 2).all()


def test_without_a_clock_helpers_are_always_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "native_clock", lambda: (0, 0))
    a = np.ones(64, "f4")
    with on_threads(2):
        tape = Tape([])
        tape.add([[doubling(a[:32])], [doubling(a[32:])]])
        run = tape.runner(0, 1)
        for _ in range(in_python.FIRST + 3 * in_python.TRIES):
            before = offers()
            assert run() and offers() > before


def test_steps_while_both_ways_are_timed_have_the_same_bits(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, feeds = net(64, 96, 6), [batch(rng, 96, 64, 6)] * (in_python.FIRST + 3 * in_python.TRIES)
    options = {"optimizer": vg.Adam(0.01), "dropout": vg.Dropout(keep=0.5), "backend": "numba"}
    with on_threads(2):
        trying = state_after(n, feeds, **options)
        monkeypatch.setattr(clock, "native_clock", lambda: (0, 0))
        helped = state_after(n, feeds, **options)
    assert same_bits(trying, helped)


@pytest.mark.parametrize("threads", [1, 2])
def test_fixed_threads_are_not_tried(
    threads: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is compiled for one is cut for one, and one for several asks them always."""
    feeds = [batch(rng, 96, 64, 6)] * (in_python.FIRST + 3 * in_python.TRIES)
    options = {"optimizer": vg.SGD(0.01), "backend": "numba"}
    with on_threads(4):
        fixed = vg.compile(net(64, 96, 6), **options, threads=threads)
        before = offers()
        text = fixed.source(N=96)
        for f in feeds:
            fixed.step(f)
        asked = offers() - before
    with on_threads(threads):
        assert vg.compile(net(64, 96, 6), **options).source(N=96) == text
    assert (asked > 0) == (threads > 1)
