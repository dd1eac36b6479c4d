"""Sums over ranks of MPI by each way have the bits of the tree, and send what is said of them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from verigrad.runtime.ranks.communicator import tree_sum
from verigrad.runtime.ranks.reductions import Way, doubling, halving, pieces, quickest


class Mailbox:
    """What is on its way between ranks, by sender, receiver and tag."""

    def __init__(self) -> None:
        self.letters: dict[tuple[int, int, int], deque[np.ndarray]] = defaultdict(deque)
        self.sent = 0


class Rank:
    """One rank's side of it, as mpi4py has it: requests that are started as often as asked for."""

    def __init__(self, mailbox: Mailbox, rank: int, size: int) -> None:
        self._mailbox = mailbox
        self.rank = rank
        self.size = size

    def Send_init(self, buffer: np.ndarray, to: int, tag: int) -> Callable[[], None]:  # noqa: N802
        def send() -> None:
            self._mailbox.letters[self.rank, to, tag].append(buffer.copy())
            self._mailbox.sent += buffer.nbytes

        return send

    def Recv_init(self, buffer: np.ndarray, of: int, tag: int) -> Callable[[], None]:  # noqa: N802
        def receive() -> None:
            np.copyto(buffer, self._mailbox.letters[of, self.rank, tag].popleft())

        return receive


def run(ways: list[Way]) -> None:
    """All ranks make their rounds side by side."""
    for rounds in zip(*(way.rounds for way in ways), strict=True):
        for made in rounds:
            for send in made.sends:
                send()
        for made in rounds:
            for receive in made.receives:
                receive()
            made.then()


@pytest.mark.parametrize("way", [doubling, pieces, halving, quickest])
@pytest.mark.parametrize("size", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("count", [1, 5, 1000, 10_007])
def test_each_rank_has_the_bits_of_the_tree(way: Any, size: int, count: int) -> None:
    rng = np.random.default_rng(size)
    mailbox = Mailbox()
    own = [np.zeros(count, np.float32) for _ in range(size)]
    ways = [way(Rank(mailbox, rank, size), 0, own[rank]) for rank in range(size)]
    for _ in range(2):  # requests are used again
        for part in own:
            part[:] = rng.standard_normal(count)
        due, found = np.empty(count, np.float32), np.empty(count, np.float32)
        tree_sum(own, due)
        mailbox.sent = 0
        run(ways)
        assert mailbox.sent == sum(r.sent for each in ways for r in each.rounds)
        assert not any(mailbox.letters.values())
        for each in ways:
            tree_sum(each.summands, found)
            np.testing.assert_array_equal(found, due)


@pytest.mark.parametrize("way", [pieces, halving])
@pytest.mark.parametrize("size", [2, 8, 32])
def test_no_byte_is_sent_that_a_sum_does_not_take(way: Any, size: int) -> None:
    ways = [way(Rank(Mailbox(), k, size), 0, np.zeros(1001, np.float32)) for k in range(size)]
    assert sum(r.sent for each in ways for r in each.rounds) == 2 * 4004 * (size - 1)


def test_many_ranks_send_few_messages() -> None:
    of = quickest(Rank(Mailbox(), 3, 1024), 0, np.zeros(100_000, np.float32))
    assert sum(len(r.sends) for r in of.rounds) == 20
