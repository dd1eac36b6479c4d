"""The choice between two ways of a run, with times that a test makes up."""

from __future__ import annotations

import pytest

from verigrad.runtime.backends import choice

MS = 1_000_000
SHARED, ALONE = False, True


class Runs:
    """Runs that take as many nanoseconds as a test says, with other threads and alone."""

    def __init__(self, alone: bool) -> None:
        self.words = [0] * choice.WORDS
        choice.reset(self.words, alone)
        self.spent = 0

    def go(self, count: int, shared: float, alone: float) -> list[bool]:
        """Makes so many runs; for each, whether it was made alone."""
        made = []
        for _ in range(count):
            made.append(bool(choice.next_alone(self.words)))
            taken = int(alone if made[-1] else shared)
            choice.note(self.words, taken)
            self.spent += taken
        return made

    def until(self, nanoseconds: float, shared: float, alone: float) -> list[bool]:
        """Makes runs until they have taken so long."""
        made, end = [], self.spent + nanoseconds
        while self.spent < end:
            made += self.go(1, shared, alone)
        return made


@pytest.mark.parametrize("begins", [SHARED, ALONE])
@pytest.mark.parametrize(("shared", "alone"), [(1.0, 1.3), (1.0, 0.9), (10.0, 1.0), (1.0, 10.0)])
def test_what_takes_less_time_is_kept_to(begins: bool, shared: float, alone: float) -> None:
    runs = Runs(begins)
    made = runs.go(5_000, shared * MS, alone * MS)
    better = alone < shared
    assert made[: choice.FIRST] == [begins] * choice.FIRST
    assert made[choice.FIRST] is not begins
    assert made[50:].count(better) > 0.9 * len(made[50:])


def test_equal_times_do_no_harm() -> None:
    runs = Runs(ALONE)
    assert len(runs.go(2_000, MS, MS)) == 2_000


@pytest.mark.parametrize("slower", [1.5, 3.0, 60.0, 300.0])
@pytest.mark.parametrize("better", [SHARED, ALONE])
def test_trying_costs_little(slower: float, better: bool) -> None:
    """However much slower the other way is."""
    runs = Runs(better)
    shared, alone = (slower * MS, MS) if better else (MS, slower * MS)
    runs.go(100, shared, alone)
    before = runs.spent
    made = runs.until(60_000 * MS, shared, alone)
    assert (not better) in made  # it is tried
    assert runs.spent - before < 1.04 * len(made) * MS


def test_a_way_that_becomes_slow_is_left_within_a_few_runs() -> None:
    """As threads that wait for each other do, when another program begins to work."""
    runs = Runs(ALONE)
    assert runs.go(500, shared=MS, alone=1.6 * MS)[-1] is SHARED
    made = runs.go(40, shared=80 * MS, alone=2 * MS)
    assert made.count(SHARED) < 8 and made[-1] is ALONE


def test_a_way_that_becomes_fast_again_is_taken_up() -> None:
    runs = Runs(ALONE)
    runs.go(500, shared=80 * MS, alone=2 * MS)
    made = runs.until(choice.LONGEST + 100 * MS, shared=MS, alone=1.6 * MS)
    assert made[-1] is SHARED


def test_one_run_that_was_interrupted_is_no_reason() -> None:
    runs = Runs(ALONE)
    runs.go(100, shared=MS, alone=1.8 * MS)
    for _ in range(10):
        runs.words[choice.LEFT] = choice.LONGEST
        assert not any(runs.go(20, shared=MS, alone=1.8 * MS))
        runs.go(1, shared=50 * MS, alone=1.8 * MS)


def test_runs_that_are_refused_are_no_reason_and_end_a_try() -> None:
    runs = Runs(SHARED)
    runs.go(choice.FIRST, MS, MS)
    made = [bool(choice.next_alone(runs.words)) for _ in range(100)]  # noted by nobody
    assert made.count(ALONE) == choice.TRIES
    assert runs.go(50, MS, MS)[0] is SHARED


def test_long_runs_with_help_are_not_tried_alone_where_there_is_a_bound() -> None:
    runs = Runs(SHARED)
    choice.reset(runs.words, SHARED, 1_000_000)
    assert not any(runs.go(2_000, shared=2e6, alone=1e6))
    choice.reset(runs.words, SHARED, 1_000_000)
    assert any(runs.go(2_000, shared=9e5, alone=5e5))


def test_the_other_way_is_tried_until_its_threads_have_found_their_cores() -> None:
    """Beside a busy program, the first runs on one thread take as long as those on two."""
    runs = Runs(SHARED)
    runs.go(100, shared=5 * MS, alone=6 * MS)
    for shared in (8 * MS,) * 200:  # the program begins
        settled = runs.words[choice.TRIED] > 9
        runs.go(1, shared, alone=6 * MS if settled else 8 * MS)
    assert runs.go(1, 8 * MS, 6 * MS) == [ALONE]


def test_the_other_way_is_tried_at_once_where_runs_become_fast() -> None:
    """The program that they were beside has ended."""
    runs = Runs(ALONE)
    runs.go(500, shared=80 * MS, alone=2 * MS)
    made = runs.until(300 * MS, shared=MS, alone=1.6 * MS)
    assert made[-1] is SHARED
