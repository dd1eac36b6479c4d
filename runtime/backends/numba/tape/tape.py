"""A tape: kernel calls that the compiled driver makes one after another, with no Python between.

A *task* is one call of a kernel, a *part* is tasks that one thread makes in turn, an *instruction*
is parts that may be made at the same time; instructions follow each other. `Tape.add` takes
instructions as Python objects. Before the first run they are laid out as 64-bit words, in the form
that `driver.py` describes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from .....graph import ALIGNMENT, Array
from .....ops import blas
from ....planning.buffers import aligned_bytes
from ..kernels.cache import FILES
from . import autotune, clock, driver
from .threads import TEAM

Word = int | Array
"""What a kernel reads as one i64: a number, or for an array its address. For an array that lies in
a feed, the address is set anew in each run."""


_LONG: Final = 1_000_000
"""Nanoseconds of a run whose parts are long enough for threads to be worth waiting for."""


class Task(NamedTuple):
    """One call: the address of a compiled kernel, `void kernel(int64 *words)`, and the words that
    it reads; address 0 calls nothing."""

    kernel: int
    words: tuple[Word, ...]


Tasks = Sequence[Task]
"""A part: what one thread makes, task after task."""

WORTH: Final = 750.0
"""Nanoseconds of work that a part should have at least: less is done sooner by one thread than two
can agree on it."""
BYTE: Final = 0.02
"""Nanoseconds that a thread takes to read or write a byte in cache, roughly."""
LINE: Final = 16
"""Vectors are cut at multiples of so many elements: 16 f32 fill a cache line, which two threads
should not both write to."""

_NOTHING: Final = Task(0, ())


def shared(threads: int, worth: float) -> int:
    """Into how many parts to cut work that is `worth` so many parts of the least size: 1 to
    `threads`. Work of 2,000 ns is worth 2,000 / WORTH = 2.7, so two parts."""
    return max(1, min(threads, int(worth), driver.PARTS))


def cuts(count: int, parts: int, multiple: int = 1) -> list[tuple[int, int]]:
    """0 to `count` as at most `parts` ranges (start, stop) of about one length, each of which
    starts at a multiple of `multiple`: cuts(100, 3, 16) is [(0, 32), (32, 64), (64, 100)]."""
    at = [round(k * count / parts / multiple) * multiple for k in range(parts)]
    bounds = [*dict.fromkeys([k for k in at if k < count]), count]
    return list(pairwise(bounds))


class Tape:
    """Instructions one after another; `runner` gives a range of them as a function.

    The arrays in tasks are kept alive as long as the tape. `feeds` are arrays that stand for what
    is fed: where a task's array lies in one of them, each run puts the address in that step's feed
    in its place. `limit` is the most threads that a run takes, and then always takes; with None it
    takes as many as the BLAS does, or one, whichever was faster (`autotune.py`).
    """

    def __init__(self, feeds: Sequence[Array], limit: int | None = None) -> None:
        threads = blas.threads()
        self.threads = threads if limit is None else min(threads, limit)
        self._chooses = limit is None
        self._feeds = [(a.ctypes.data, a.nbytes) for a in feeds]
        self._instructions: list[tuple[Sequence[Tasks], Array | None]] = []
        self._held: list[Array] = [*feeds]
        self._spare = aligned_bytes(0)
        self._runs: list[Array] = []
        self._laid = False

    def __len__(self) -> int:
        return len(self._instructions)

    def add(self, parts: Sequence[Tasks], refusal: Array | None = None) -> None:
        """Adds an instruction. Where a task finds its data wrong, it sets `refusal`, an i64[1], to
        1, and the run ends behind this instruction."""
        self._instructions.append((parts, refusal))
        self._laid = False

    def spare(self, like: Array, count: int) -> list[Array]:
        """`count` arrays of the shape and dtype of `like`, for partial results until they are added
        up. The next call may give the same memory: at any time one product alone needs it."""
        nbytes = -(-like.nbytes // ALIGNMENT) * ALIGNMENT
        if count * nbytes > self._spare.nbytes:
            self._spare = aligned_bytes(count * nbytes)
        places = [self._spare[k * nbytes :][: like.nbytes] for k in range(count)]
        return [place.view(like.dtype).reshape(like.shape) for place in places]

    def runner(self, start: int, stop: int) -> Callable[..., bool]:
        """A function of the feeds that runs the instructions from `start` to before `stop`; it
        gives False where one was refused, which ends the run."""
        run: Callable[..., bool] = driver.runner(len(self._feeds))
        words = np.zeros(driver.RUN, np.int64)
        words[[driver.START, driver.STOP_BEFORE]] = start, stop
        chosen, at, item = words[driver.CHOICE :], int(words.ctypes.data), words.item
        autotune.reset(chosen, False, _LONG)
        self._runs.append(words)
        self._laid = False
        team, lock, lay, asks, shares = TEAM, TEAM.lock, self._lay, autotune.asks, driver.SHARES

        def ready() -> int:
            if not self._laid:
                lay()
            if team.resting and item(shares) and asks(chosen):
                team.rouse()
            return at

        def locked(*feeds: Array) -> bool:
            # On one line, as in `alone` (see `forks.py`).
            with lock: return run(at if self._laid and not (team.resting and item(shares)) else ready(), *feeds)  # fmt: skip  # noqa: E501, E701

        TEAM.join(self.threads)
        FILES.tell()
        return locked

    def _lay(self) -> None:
        """Lays all instructions out in memory, and writes the addresses into the words of each run.

        In one block: the instructions, then all tasks, then the words that the tasks read. All
        parts of an instruction get the same number of tasks, the rest being empty.
        """
        padded = [_of_one_length(parts) for parts, _ in self._instructions]
        tasks = [t for parts in padded for part in parts for t in part]
        at = len(padded) * driver.INSTRUCTION
        words_at = at + len(tasks) * driver.TASK
        memory = _Words(words_at + sum([len(t.words) for t in tasks]), self._feeds)
        for k, (parts, (_, refusal)) in enumerate(zip(padded, self._instructions, strict=True)):
            refused: Word = 0 if refusal is None else refusal
            head = (memory.address(at), len(parts), len(parts[0]), refused)
            memory.put(k * driver.INSTRUCTION, head)
            for t in [t for part in parts for t in part]:
                memory.put(at, (t.kernel, memory.address(words_at)))
                memory.put(words_at, t.words)
                at += driver.TASK
                words_at += len(t.words)
        patches = np.array(memory.patches, np.int64).reshape(-1, driver.PATCH)
        known = blas.numpy_blas()
        setting = (known.get_threads, known.set_threads) if known else (0, 0)
        places = TEAM.control, memory.address(0), int(patches.ctypes.data), len(patches)
        rest = (
            *setting,
            *(clock.native_clock() if self._chooses else (0, 0)),
            *[0] * len(self._feeds),
        )
        frame = np.array([*places, *rest], np.int64)
        self._held = [*self._held, *memory.held, memory.words, patches, frame]
        for words in self._runs:
            start, stop = words[[driver.START, driver.STOP_BEFORE]]
            words[driver.FRAME_AT] = frame.ctypes.data
            words[driver.SHARES] = any(len(parts) > 1 for parts in padded[start:stop])
        self._laid = True


class _Words:
    """The block of words that a tape is laid out in, and what has to be changed in it for each run.

    `patches` has a row for each word that holds an address in a feed: the word's own address, the
    number of the feed, and the offset in it in bytes. `feeds` are addresses and sizes in bytes of
    the arrays that stand for feeds; no two of these share memory.
    """

    def __init__(self, size: int, feeds: Sequence[tuple[int, int]]) -> None:
        self.words = aligned_bytes(8 * size).view(np.int64)
        self.patches: list[tuple[int, int, int]] = []
        self.held: list[Array] = []
        self._feeds = sorted([(at, nbytes, k) for k, (at, nbytes) in enumerate(feeds) if nbytes])
        self._starts = [at for at, _, _ in self._feeds]

    def address(self, place: int) -> int:
        return int(self.words.ctypes.data) + 8 * place

    def put(self, place: int, values: Sequence[Word]) -> None:
        for k, word in enumerate(values, place):
            if isinstance(word, int):
                self.words[k] = word
                continue
            self.held.append(word)
            at = self.words[k] = word.ctypes.data
            before = bisect_right(self._starts, at)
            if before:
                start, nbytes, feed = self._feeds[before - 1]
                if at < start + nbytes:
                    self.patches.append((self.address(k), feed, int(at) - start))


def _of_one_length(parts: Sequence[Tasks]) -> list[list[Task]]:
    most = max(map(len, parts))
    return [[*part, *[_NOTHING] * (most - len(part))] for part in parts]
