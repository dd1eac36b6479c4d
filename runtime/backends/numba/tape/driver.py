"""Running a tape: instructions in turn, the parts of each on as many threads as there are.

A tape is memory of 64-bit words that `tape.py` lays out. A *task* is one call of a compiled
kernel. A *part* is tasks that one thread makes one after another. An *instruction* is parts none of
which reads or writes what another writes; the next one begins when all are done. Who makes a part
does not change what it computes.

One thread leads. It offers the parts of an instruction on a *ticket*, a word that all threads see,
takes parts itself as long as there are any, and waits for those that helpers have taken. A helper
that takes none, as it is late, asleep or not there, holds up nothing. An example with three parts:

    the leader writes the ticket     instruction 7, parts 3, next 1    and makes part 0 itself
    a helper swaps it for            instruction 7, parts 3, next 2    and makes part 1
    the leader swaps it for          instruction 7, parts 3, next 3    and makes part 2
    the leader sees no part left, and waits until DONE has grown by 1, the helper's part

The functions with a leading underscore are Python for Numba to compile; `_BYTES * k` is the offset
of word k from an address. `Any` in their signatures is an i64, mostly an address.
"""

from __future__ import annotations

from typing import Any, Final

from numba import carray, int64, literal_unroll

from ..kernels.c_calls import call_clock, call_getter, call_kernel, call_setter
from ..kernels.cache import jitted
from ..kernels.intrinsics import add, load, pause, pointer, store, swap
from . import autotune
from .autotune import next_alone, note

_BYTES: Final = 8

# A task: the address of a compiled kernel, 0 for none, and that of the words that it reads.
TASK: Final = 2

# An instruction: the address of its first task, its parts, the tasks of each, and the address of a
# word that a task sets to refuse what it was given; 0 where none may.
INSTRUCTION: Final = 4

# A frame, one for each layout of a tape. Its words, addresses but for the numbers:
#   0  the words that threads share       4  the function that tells the threads of the BLAS, or 0
#   1  the first instruction              5  the function that sets them, or 0
#   2  the first patch                    6  the function of the clock, or 0; 0 times no run
#   3  the number of patches              7  the number of the clock
# and from FRAME on those of the feeds, which each run sets.
_CLOCK: Final = 6
FRAME: Final = 8

# A run, one for each range of instructions that is run by itself: the address of the frame, the
# number of its first instruction and of the one behind its last, whether any of them has several
# parts (1 or 0), two words for the clock to write to, and a choice (see `autotune.py`).
FRAME_AT: Final = 0
START: Final = 1
STOP_BEFORE: Final = 2
SHARES: Final = 3
_TIME: Final = 4
CHOICE: Final = 6
RUN: Final = CHOICE + autotune.WORDS

# A patch: a word to be set before each run, as it holds an address in a feed. The address of that
# word, the number of the feed, and the offset in the feed in bytes.
PATCH: Final = 3

# The words that all threads share, 64 bytes apart, so that each has a cache line of its own. TICKET
# is (number _PART + parts) _PART + next: the running number of the offer, which makes each ticket
# another, how many parts the instruction has, and the part to take next. DONE counts the parts that
# helpers have made since the process began; STOP is 1 where helpers are to end.
TICKET: Final = 0
DONE: Final = 8
OFFER: Final = 16
"""Two words, written before the ticket: the address of the first task, and the tasks of a part."""
STOP: Final = 24
CONTROL: Final = 32
_PART: Final = 256
PARTS: Final = _PART - 1
"""The most parts that an instruction may have: a ticket holds no larger number."""


def _make(first: Any, count: Any) -> None:
    """Makes a part: `count` tasks from the address `first` on."""
    for k in range(count):
        task = carray(pointer(first + k * TASK * _BYTES), (TASK,), int64)
        if task[0] != 0:
            call_kernel(task[0], task[1])


make = jitted("void(int64, int64)", nogil=True, error_model="numpy")(_make)


def _nanoseconds(frame: Any, run: Any) -> Any:
    """What the clock shows, in nanoseconds, by way of the two words that a run has for it."""
    f = carray(pointer(frame), (FRAME,), int64)
    r = carray(pointer(run), (RUN,), int64)
    call_clock(f[_CLOCK], f[_CLOCK + 1], run + _TIME * _BYTES)
    return r[_TIME] * 1_000_000_000 + r[_TIME + 1]


nanoseconds = jitted("int64(int64, int64)", nogil=True)(_nanoseconds)


def _share(control: Any, number: Any, first: Any, parts: Any, tasks: Any) -> Any:
    """Offers the parts of an instruction, makes the first, and takes others as long as there are
    any.

    Gives the number of parts that helpers have taken, some of which they may still be making.
    `control` is the address of the words that threads share; `number` is the offer's.
    """
    ticket = control + TICKET * _BYTES
    offer = carray(pointer(control + OFFER * _BYTES), (2,), int64)
    offer[0] = first
    offer[1] = tasks
    store(ticket, (number * _PART + parts) * _PART + 1)
    make(first, tasks)
    mine = 1
    while True:
        v = load(ticket)
        part = v % _PART
        if part >= parts:
            return parts - mine
        if swap(ticket, v, v + 1):
            make(first + part * tasks * TASK * _BYTES, tasks)
            mine += 1


share = jitted("int64(int64, int64, int64, int64, int64)", nogil=True)(_share)


def _lead(run: Any) -> Any:
    """Makes a run, at the address `run`; gives whether all instructions ran and none was refused.

    Sets the patches; sets the BLAS to one thread, so that each thread makes its own products; makes
    the instructions in turn; and puts the threads of the BLAS back. Where the user has kept the
    BLAS to one thread already, no helper is asked either.
    """
    r = carray(pointer(run), (RUN,), int64)
    frame, at, stop = r[FRAME_AT], r[START], r[STOP_BEFORE]
    f = carray(pointer(frame), (FRAME,), int64)
    control, instructions, patches, getter, setter = f[0], f[1], f[2], f[4], f[5]
    for k in range(f[3]):
        patch = carray(pointer(patches + k * PATCH * _BYTES), (PATCH,), int64)
        store(patch[0], load(frame + (FRAME + patch[1]) * _BYTES) + patch[2])
    threads = int64(0)
    if setter != 0:
        threads = call_getter(getter)
        if threads != 1:
            call_setter(setter, 1)
    done = control + DONE * _BYTES
    expected = load(done)
    number = load(control + TICKET * _BYTES) // (_PART * _PART)
    chosen = run + CHOICE * _BYTES
    alone, began = threads == 1, int64(0)
    timed = r[SHARES] != 0 and not alone and f[_CLOCK] != 0
    if timed:
        alone = next_alone(chosen)
        began = nanoseconds(frame, run)
    while at < stop:
        i = carray(pointer(instructions + at * INSTRUCTION * _BYTES), (INSTRUCTION,), int64)
        first, parts, tasks, refusal = i[0], i[1], i[2], i[3]
        if parts == 1 or alone:
            for part in range(parts):
                make(first + part * tasks * TASK * _BYTES, tasks)
        else:
            number += 1
            expected += share(control, number, first, parts, tasks)
            while load(done) != expected:
                pause()
        if refusal != 0 and load(refusal) != 0:
            store(refusal, 0)
            break
        at += 1
    # Where it is no longer 1, somebody has set it meanwhile.
    if setter != 0 and threads != 1 and call_getter(getter) == 1:
        call_setter(setter, threads)
    if timed and at == stop:
        note(chosen, nanoseconds(frame, run) - began)
    return at == stop


def _feed_one(run: Any, a: Any) -> Any:
    """Makes a run with one feed: writes the address of its data into the frame."""
    store(load(run) + FRAME * _BYTES, a.ctypes.data)
    return lead(run)


def _feed_two(run: Any, a: Any, b: Any) -> Any:
    """Makes a run with two feeds. Numba unpacks named arguments in half the time of a tuple."""
    place = load(run) + FRAME * _BYTES
    store(place, a.ctypes.data)
    store(place + _BYTES, b.ctypes.data)
    return lead(run)


def _feed(run: Any, *feeds: Any) -> Any:
    """Makes a run with any number of feeds."""
    place = load(run) + FRAME * _BYTES
    for a in literal_unroll(feeds):
        store(place, a.ctypes.data)
        place += _BYTES
    return lead(run)


def _help(control: Any, patience: Any) -> None:
    """What a helper does: takes parts as they are offered. Returns after `patience` looks in a row
    that found none, or on STOP."""
    ticket = control + TICKET * _BYTES
    idle = 0
    while idle < patience and load(control + STOP * _BYTES) == 0:
        v = load(ticket)
        part = v % _PART
        if part < v // _PART % _PART:
            if swap(ticket, v, v + 1):
                offer = carray(pointer(control + OFFER * _BYTES), (2,), int64)
                make(offer[0] + part * offer[1] * TASK * _BYTES, offer[1])
                add(control + DONE * _BYTES, 1)
                idle = 0
        else:
            idle += 1
            pause()


lead = jitted("boolean(int64)", nogil=True, error_model="numpy")(_lead)
serve = jitted("void(int64, int64)", nogil=True, error_model="numpy")(_help)
_ANY: Final = jitted(nogil=True)(_feed)
_KNOWN: Final = {
    0: lead,
    1: jitted(nogil=True)(_feed_one),
    2: jitted(nogil=True)(_feed_two),
}


def runner(feeds: int) -> Any:
    """The compiled function for so many feeds: `made(run, *feeds)`, with the address of a run and
    the arrays that are fed, makes the run and gives what `lead` gives."""
    return _KNOWN.get(feeds, _ANY)
