"""What ranks that are processes tell each other: tried on threads, each with its own end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import numpy as np
import pytest

from verigrad.graph import TensorType
from verigrad.runtime.ranks.communicator import RankError, tree_sum
from verigrad.runtime.ranks.memory import SharedMemory
from verigrad.runtime.ranks.processes import ProcessRanks
from verigrad.runtime.ranks.supervisor import connections

T = TypeVar("T")


class Ranks:
    """Ranks, each of which runs in a thread, and what the launcher hears of them."""

    def __init__(self, size: int, timeout: float | None = None) -> None:
        memory = SharedMemory()
        handles = [os.dup(memory._handle) for _ in range(size)]
        memory.close()
        pipes = [Pipe() for _ in range(size)]
        self.launcher: list[Connection] = [here for here, _ in pipes]
        self.ranks = [
            ProcessRanks(rank, sockets, SharedMemory(handles[rank]), pipes[rank][1], timeout)
            for rank, sockets in enumerate(connections(size))
        ]

    def run(self, run: Callable[[ProcessRanks], T]) -> list[T]:
        with ThreadPoolExecutor(len(self.ranks)) as pool:
            return [f.result() for f in [pool.submit(run, rank) for rank in self.ranks]]

    def close(self) -> None:
        for rank, launcher in zip(self.ranks, self.launcher, strict=True):
            with suppress(OSError):  # closed by the test
                rank.close()
            rank._launcher.close()
            launcher.close()


MakeRanks = Callable[..., Ranks]


@pytest.fixture
def make_ranks() -> Iterator[MakeRanks]:
    """Makes ranks, and closes them at the end."""
    made: list[Ranks] = []

    def make(size: int, timeout: float | None = None) -> Ranks:
        made.append(Ranks(size, timeout))
        return made[-1]

    yield make
    for ranks in made:
        ranks.close()


def parts(rank: int, step: int, shapes: list[tuple[int, ...]], dtype: str) -> list[np.ndarray]:
    rng = np.random.default_rng([rank, step])
    return [rng.standard_normal(shape).astype(TensorType(dtype, ()).numpy) for shape in shapes]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_sums_have_the_order_of_the_tree_in_whatever_order_they_are_asked_for(
    make_ranks: MakeRanks, size: int, dtype: str
) -> None:
    shapes: list[list[tuple[int, ...]]]
    shapes = [[(3,), (), (2, 5)], [(200, 200), (7,)], [(40_001,)], [()]]

    def run(rank: ProcessRanks) -> None:
        rng = np.random.default_rng(rank.rank)
        for _ in range(2):
            rank.open([[TensorType(dtype, shape) for shape in each] for each in shapes])
            for step in range(3):
                for bucket, each in enumerate(shapes):
                    rank.start(bucket, parts(rank.rank, step, each, dtype))
                for bucket in rng.permutation(len(shapes)):
                    for k, shape in enumerate(shapes[bucket]):
                        own = [parts(r, step, shapes[bucket], dtype)[k] for r in range(size)]
                        due, out = (np.empty(shape, own[0].dtype) for _ in "ab")
                        tree_sum(own, due)
                        rank.finish(int(bucket), k, out)
                        assert out.tobytes() == due.tobytes()

    make_ranks(size).run(run)


def test_all_stop_behind_the_same_step(make_ranks: MakeRanks) -> None:
    def run(rank: ProcessRanks) -> int:
        types = [TensorType("f32", (4,))]
        rank.open([types, types])
        out = np.zeros(4, np.float32)
        for step in range(1000):
            for bucket in (0, 1):
                rank.start(bucket, [out])
            for bucket in (1, 0) if rank.rank % 2 else (0, 1):
                rank.finish(bucket, 0, out)
            if rank.stops:
                return step
            rank.wants_stop = rank.rank == 2 and step == 20
        return -1

    assert make_ranks(4).run(run) == [21] * 4


def test_more_than_sockets_hold_is_told_in_both_directions(make_ranks: MakeRanks) -> None:
    def run(rank: ProcessRanks) -> list[int]:
        told = rank.gather(bytes([rank.rank]) * (1_000_000 + rank.rank))
        assert all(set(t) == {k} for k, t in enumerate(told))
        return [len(t) - 1_000_000 for t in told]

    assert make_ranks(4).run(run) == [[0, 1, 2, 3]] * 4


def failed(call: Callable[[], Any]) -> str:
    with pytest.raises(RankError) as e:
        call()
    return str(e.value)


def test_an_error_reaches_all_who_wait_and_is_kept(make_ranks: MakeRanks) -> None:
    ranks = make_ranks(3)

    def run(rank: ProcessRanks) -> list[str]:
        rank.advise("start again")
        if rank.rank == 1:
            rank.fail("ValueError: the disk is full")
            return []
        return [failed(lambda: rank.gather(b"")), failed(lambda: rank.gather(b""))]

    due = "rank 1 of 3 ended: ValueError: the disk is full; start again"
    assert ranks.run(run) == [[due, due], [], [due, due]]
    assert ranks.launcher[0].recv() == ("remedy", "start again")


def test_the_launcher_says_how_a_rank_died(make_ranks: MakeRanks) -> None:
    ranks = make_ranks(2)

    def run(rank: ProcessRanks) -> str:
        if rank.rank == 1:
            time.sleep(0.05)
            for peer in rank._peers:
                peer.socket.close()
            time.sleep(0.05)
            ranks.launcher[0].send((1, "was killed by SIGSEGV"))
            return ""
        return failed(lambda: rank.gather(b""))

    assert ranks.run(run) == ["rank 1 of 2 was killed by SIGSEGV", ""]


def test_a_rank_that_is_gone_is_named_where_the_launcher_says_nothing(
    make_ranks: MakeRanks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verigrad.runtime.ranks.peers._CAUSE", 0.01)
    one, other = make_ranks(2).ranks
    for peer in other._peers:
        peer.socket.close()
    assert failed(lambda: one.gather(b"")) == "rank 1 of 2 ended without a word"


def test_a_rank_that_has_ended_is_no_more_waited_for(make_ranks: MakeRanks) -> None:
    one, other = make_ranks(2).ranks
    other.close()
    assert failed(lambda: one.gather(b"")) == "rank 1 of 2 has ended before this one"


def test_what_was_told_before_the_end_still_counts(make_ranks: MakeRanks) -> None:
    one, other = make_ranks(2).ranks
    thread = threading.Thread(target=lambda: (other.gather(b"last"), other.close()))
    thread.start()
    assert one.gather(b"") == [b"", b"last"]
    thread.join()


def test_ranks_end_with_their_launcher(make_ranks: MakeRanks) -> None:
    ranks = make_ranks(2)
    ranks.launcher[0].close()
    told = failed(lambda: ranks.ranks[0].gather(b""))
    assert told == "the process that started the ranks has ended"


def test_who_is_waited_for_long_is_told_once_and_not_for_ever(
    make_ranks: MakeRanks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verigrad.runtime.ranks.peers.TOLD_AFTER", 0.05)
    ranks = make_ranks(3, timeout=0.2)
    told = failed(lambda: ranks.ranks[0].gather(b""))
    assert told == "rank 1 of 3 has sent nothing for 0 s"
    what, (waited_for, seconds) = ranks.launcher[0].recv()
    assert (what, waited_for) == ("waits", (1, 2)) and 0.05 <= seconds < 0.2
    assert not ranks.launcher[0].poll()


def test_memory_of_two_runs_is_one_file_that_grows() -> None:
    memory = SharedMemory()
    small = memory.array(10)
    small[3] = 7
    large = memory.array(1_000_000)
    assert large[3] == 7 and large.size == 1_000_000 and memory.array(10)[3] == 7
    assert memory.array(0).size == 0
    memory.close()


def test_one_rank_waits_for_nobody(make_ranks: MakeRanks) -> None:
    (rank,) = make_ranks(1).ranks
    assert rank.gather(b"x") == [b"x"]
