"""Running a tape: instructions in turn, the parts of each on as many threads as there are.

A tape is memory of 64-bit words that `tape.py` lays out. A *task* is one call of a compiled
kernel. A *part* is tasks that one thread makes one after another. An *instruction* is parts that
touch nothing of each other; the next one begins when all are done. Who makes a part does not
change what it computes.

One thread leads. It offers the parts of an instruction on a *ticket*, takes them itself as long
as there are any, and waits for those that helpers have taken. A helper that has taken none, for it
is late, asleep or not there, holds up nothing.
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

# A frame: the addresses of the words that threads share, of the instructions and of the patches,
# how many patches there are, the functions that tell and set the threads of the BLAS, 0 where
# there are none, and the clock, as its function, 0 where there is none, and its number; then the
# addresses of the feeds.
_CLOCK: Final = 6
FRAME: Final = 8

# A run: the address of the frame, the first instruction and the one behind the last, whether any of
# them has several parts, room for a time, and then a choice.
FRAME_AT: Final = 0
START: Final = 1
STOP_BEFORE: Final = 2
SHARES: Final = 3
_TIME: Final = 4
CHOICE: Final = 6
RUN: Final = CHOICE + autotune.WORDS

# A patch: the address of a word that is to hold an address in a feed, which feed, and how far in.
PATCH: Final = 3

# The words that threads share, each in a cache line of its own. A ticket holds the number of the
# instruction, how many parts it has, and which is next.
TICKET: Final = 0
DONE: Final = 8
OFFER: Final = 16
"""The address of the first task, and the tasks of a part."""
STOP: Final = 24
CONTROL: Final = 32
_PART: Final = 256
PARTS: Final = _PART - 1
"""The most parts that an instruction may have: a ticket holds no larger number."""


def _make(first: Any, count: Any) -> None:
    """The tasks of a part."""
    for k in range(count):
        task = carray(pointer(first + k * TASK * _BYTES), (TASK,), int64)
        if task[0] != 0:
            call_kernel(task[0], task[1])


make = jitted("void(int64, int64)", nogil=True, error_model="numpy")(_make)


def _nanoseconds(frame: Any, run: Any) -> Any:
    """What the clock shows; a run has room for it."""
    f = carray(pointer(frame), (FRAME,), int64)
    r = carray(pointer(run), (RUN,), int64)
    call_clock(f[_CLOCK], f[_CLOCK + 1], run + _TIME * _BYTES)
    return r[_TIME] * 1_000_000_000 + r[_TIME + 1]


nanoseconds = jitted("int64(int64, int64)", nogil=True)(_nanoseconds)


def _share(control: Any, number: Any, first: Any, parts: Any, tasks: Any) -> Any:
    """Offers the parts of an instruction and takes them as long as there are any; gives how many
    helpers have taken."""
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
    """Whether all instructions of a run ran, and none refused.

    While it runs, the BLAS makes each product on the thread that asks for it; where the BLAS was
    kept to one thread, no helper is asked either.
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
    """Runs with one feed."""
    store(load(run) + FRAME * _BYTES, a.ctypes.data)
    return lead(run)


def _feed_two(run: Any, a: Any, b: Any) -> Any:
    """Runs with two feeds. Numba takes named arguments in half the time of a tuple."""
    place = load(run) + FRAME * _BYTES
    store(place, a.ctypes.data)
    store(place + _BYTES, b.ctypes.data)
    return lead(run)


def _feed(run: Any, *feeds: Any) -> Any:
    """Runs with any feeds."""
    place = load(run) + FRAME * _BYTES
    for a in literal_unroll(feeds):
        store(place, a.ctypes.data)
        place += _BYTES
    return lead(run)


def _help(control: Any, patience: Any) -> None:
    """Takes parts as they are offered; comes back after so many looks without one, or on STOP."""
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
    """The function that makes a run on so many feeds: `made(run, *feeds)`."""
    return _KNOWN.get(feeds, _ANY)
