"""Whether a run asks helpers: what it tries, what it keeps to, and that no bit depends on it."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import batch, net
from jit_runs import on_threads, same_bits, state_after

import verigrad as vg

pytest.importorskip("numba")

from verigrad.runtime.backends.numba.lowering.fixed_kernels import sums
from verigrad.runtime.backends.numba.tape import autotune, clock, driver
from verigrad.runtime.backends.numba.tape.tape import Tape, Task
from verigrad.runtime.backends.numba.tape.threads import TEAM

HELPED, ALONE = 0, 1


class Runs:
    """Runs that take as long as a test says, with helpers and without."""

    def __init__(self) -> None:
        self.words = np.zeros(autotune.WORDS, np.int64)
        autotune.reset(self.words)
        self.address = int(self.words.ctypes.data)

    def go(self, count: int, helped: int = 100, alone: int = 100) -> list[bool]:
        """Makes so many runs; who made each of them: whether the leader alone."""
        made = []
        for _ in range(count):
            made.append(bool(autotune.next_alone(self.address)))
            if self.words[autotune.LEFT] < 0:
                autotune.note(self.address, alone if made[-1] else helped)
        return made

    def timed(self, helped: int, alone: int) -> list[bool]:
        """Runs up to the end of the next that are timed, and one, which begins a new spell."""
        made = self.go(int(self.words[autotune.LEFT]) + 1, helped, alone)
        while self.words[autotune.LEFT] < 0:
            made += self.go(1, helped, alone)
        return made


def test_helpers_are_asked_until_both_ways_have_been_timed() -> None:
    *made, chosen = Runs().timed(helped=100, alone=50)
    assert len(made) == autotune.FIRST + 2 * autotune.TIMED
    assert not any(made[: -autotune.TIMED]) and all(made[-autotune.TIMED :]) and chosen


@pytest.mark.parametrize(("helped", "alone", "kept"), [(100, 99, ALONE), (99, 100, HELPED)])
def test_what_took_less_time_is_kept_to(helped: int, alone: int, kept: int) -> None:
    runs = Runs()
    runs.timed(helped, alone)
    assert set(runs.go(autotune.SPELL)) == {bool(kept)}


def test_a_choice_changes_when_times_do() -> None:
    runs = Runs()
    runs.timed(helped=100, alone=50)
    assert all(runs.go(10))
    runs.timed(helped=100, alone=200)
    assert not any(runs.go(10))
    runs.timed(helped=100, alone=50)
    assert all(runs.go(10))


@pytest.mark.parametrize(("alone", "tried"), [(120, autotune.TIMED), (130, autotune.SETTLING + 2)])
def test_what_takes_much_longer_is_given_up_early(alone: int, tried: int) -> None:
    runs = Runs()
    assert sum(runs.timed(helped=100, alone=alone)) == tried
    assert not any(runs.go(autotune.SPELL))
    assert sum(runs.timed(helped=100, alone=alone)) == tried


def test_helpers_are_asked_for_all_long_runs() -> None:
    runs = Runs()
    assert not any(runs.timed(helped=1_000_000, alone=500_000))
    assert not any(runs.timed(helped=1_000_000, alone=500_000))
    runs.timed(helped=900_000, alone=500_000)
    assert all(runs.go(10))
    runs.timed(helped=1_000_000, alone=2_000_000)
    assert not any(runs.go(10))


def test_one_long_run_is_no_reason() -> None:
    """The least of a kind's times counts: other runs may have been interrupted."""
    runs = Runs()
    runs.go(autotune.FIRST + 5, helped=100)
    runs.go(1, helped=10_000)
    runs.timed(helped=100, alone=150)
    assert not any(runs.go(10))


@pytest.mark.parametrize("refused", [autotune.TIMED, 2 * autotune.TIMED])
def test_runs_that_were_refused_are_no_reason(refused: int) -> None:
    """They leave no time; where one way has none, the choice stays, until the next are timed."""
    runs = Runs()
    for _ in range(autotune.FIRST + refused):
        autotune.next_alone(runs.address)  # noted by nobody
    while runs.words[autotune.LEFT] < 0:
        runs.go(1, alone=50)
    assert not any(runs.go(autotune.SPELL - 1))
    assert runs.timed(helped=100, alone=50)[-1]


def test_runs_that_are_always_refused_are_not_timed_for_ever() -> None:
    runs = Runs()
    made = [autotune.next_alone(runs.address) for _ in range(10 * autotune.SPELL)]
    assert sum(made) <= 10 * autotune.TIMED


def test_helpers_are_woken_before_runs_are_timed() -> None:
    runs = Runs()
    runs.timed(helped=100, alone=50)
    assert not autotune.asks(runs.words)
    runs.go(autotune.SPELL - autotune.WAKING)
    assert autotune.asks(runs.words)


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
        for _ in range(autotune.FIRST + 3 * autotune.TIMED):
            before = offers()
            assert run() and offers() > before


def test_steps_while_both_ways_are_timed_have_the_same_bits(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, feeds = net(64, 96, 6), [batch(rng, 96, 64, 6)] * (autotune.FIRST + 3 * autotune.TIMED)
    options = {"optimizer": vg.Adam(0.01), "dropout": vg.Dropout(keep=0.5), "backend": "numba"}
    with on_threads(2):
        trying = state_after(n, feeds, **options)
        monkeypatch.setattr(clock, "native_clock", lambda: (0, 0))
        helped = state_after(n, feeds, **options)
    assert same_bits(trying, helped)
