"""Kernels written by hand: sums, the clock, checks, masks and norms; and calls of C functions.

A text below is the body of a kernel, a function of one address: `prologue` puts lines before it
that define its arrays by name, and `_task` pairs the compiled kernel with the arrays. Arrays are
vectors, but for the `sums` of FACTOR; one without axes is read at [0]. Sizes are arguments, so that
each text is compiled once for all nets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from .....graph import Array
from .....ops.clipping import SHRINK, ClipFactor
from .....ops.dropout import DropoutMask
from .....ops.random import name_hash
from ...backend import SQUARES
from ..kernels.compiled import compiled, prologue, words
from ..tape import clock
from ..tape.tape import BYTE, LINE, WORTH, Task, Tasks, Word, cuts, shared

PLACES: Final = """\
    for i in range(labels.shape[0]):
        if labels[i] < 0 or labels[i] >= classes[0]:
            refused[0] = 1
        else:
            out[i] = starts[i] + labels[i]
"""
"""out[i] = starts[i] + labels[i], the flat place of each row's label; sets `refused` for a label
that is not one of 0 to classes - 1. What is then wrong is said by `ops/labels.py`."""
FINITE: Final = """\
    total = {zero}
    for i in range(a.shape[0]):
        total = plus(total, a[i] * a[i])
    if not total < {most}:
        refused[0] = 1
"""
"""Sets `refused` where the sum of all squares of `a` is not below SQUARES, or is NaN."""
MASK: Final = """\
    kept, limit, k0, k1, drawing = scale[0], below[0], key[0], key[1], step[0]
    at, within = first[0] // 16, first[0] % 16
    begun = min(16 - within, out.shape[0]) if within else 0
    if begun:
        drawn = philox(k0, k1, at, drawing)
        for k in range(begun):
            out[k] = kept if half(drawn, within + k) < limit else nothing
        at += 1
    whole = (out.shape[0] - begun) // 16
    for b in range(whole):
        drawn = philox(k0, k1, at + b, drawing)
        for k in range(16):
            out[begun + 16 * b + k] = kept if half(drawn, k) < limit else nothing
    if begun + 16 * whole < out.shape[0]:
        drawn = philox(k0, k1, at + whole, drawing)
        for k in range(out.shape[0] - begun - 16 * whole):
            out[begun + 16 * whole + k] = kept if half(drawn, k) < limit else nothing
"""
"""A dropout mask, or a part of it from element `first` on: `scale` where the element's random 16
bits are below `below`, else 0. Philox draws four 64-bit words a block, 16 bits for each of 16
elements."""
NORM: Final = f"""\
    squares = 0.0
    for i in range(a.shape[0]):
        x = float64(a[i])
        squares = plus(squares, x * x)
    shrunk = squares * {SHRINK!r} * {SHRINK!r}
    if not squares < inf:
        shrunk = 0.0
        for i in range(a.shape[0]):
            x = a[i] * {SHRINK!r}
            shrunk = plus(shrunk, x * x)
    sums[0], sums[1] = squares, shrunk
"""
"""sums = (sum of a[i]^2, sum of (a[i] SHRINK)^2), in f64: the second is used where the first
overflows."""
FACTOR: Final = """\
    squares, shrunk = 0.0, 0.0
    for k in range(sums.shape[0]):
        squares += sums[k, 0]
        shrunk += sums[k, 1]
    out[0] = clip_factor(limit[0], squares, shrunk)
"""
"""The factor that gradients are scaled by, from the `sums` of all their pieces: f64[pieces,2]."""
SUM: Final = """\
    for i in range(out.shape[0]):
        out[i] += other[i]
"""
"""out += other."""
CALL: Final = """\
def kernel(words):
    w = carray(pointer(words), ({count},), int64)
    {function}({arguments})
"""
"""The call of a C function: w[0] is its address, the other words are what it is given."""
_BLOCK: Final = 16
"""Elements of a mask that one block of Philox gives: masks are cut at multiples of it."""
_DRAWN: Final = 1.0
"""Nanoseconds that an element of a mask takes."""


class Instruction(NamedTuple):
    """What `Tape.add` takes: parts, and the i64[1] that a task sets to end the run, if one may."""

    parts: Sequence[Tasks]
    refusal: Array | None = None


def c_call(function: str, *values: Word) -> Task:
    """A task that calls a C function, by the name of its wrapper in `c_calls.py`, such as gemm_f32.

    `values` are the words of the wrapper: the address of the C function, then its arguments.
    """
    listed = ", ".join([f"w[{k}]" for k in range(len(values))])
    text = CALL.format(count=len(values), function=function, arguments=listed)
    return Task(compiled(text).address, values)


def sums(partial: Sequence[Array], out: Array) -> Tasks:
    """Tasks, for one thread, that add each of the partial results to `out`."""
    return [_task(SUM, out=out.reshape(-1), other=a.reshape(-1)) for a in partial]


def added(partial: Sequence[Array], out: Array, threads: int) -> Instruction:
    """An instruction that adds the partial results to `out`, which holds that of the first part.

    It is cut along the first axis, so that each thread adds up its own rows of all of them.
    """
    worth = BYTE * (2 + len(partial)) * out.nbytes / WORTH
    multiple = LINE if out.ndim == 1 else 1
    ranges = [slice(*c) for c in cuts(len(out), shared(threads, worth), multiple)]
    return Instruction([sums([a[r] for a in partial], out[r]) for r in ranges])


def clocked() -> tuple[Instruction, Array] | None:
    """An instruction that reads the clock, and the i64[2] (seconds, nanoseconds) that it writes;
    None where there is no clock."""
    function, number = clock.native_clock()
    if not function:
        return None
    noted = np.zeros(2, np.int64)
    return Instruction([[c_call("call_clock", function, number, noted)]]), noted


def finite(arrays: Sequence[Array], threads: int) -> Instruction:
    """The check before a step's first write: refuses where an array is not finite, or so large that
    its sum of squares is not below SQUARES."""
    refused = np.zeros(1, np.int64)
    parts: list[list[Task]] = [[] for _ in range(threads)]
    for a in arrays:
        flat = a.reshape(-1)
        most = shared(threads, BYTE * a.nbytes / WORTH)
        text = FINITE.format(zero=f"{a.dtype.name}(0)", most=f"{a.dtype.name}({SQUARES!r})")
        for part, (start, stop) in zip(parts, cuts(flat.size, most, LINE), strict=False):
            part.append(_task(text, a=flat[start:stop], refused=refused))
    return Instruction([part for part in parts if part] or [[]], refused)


def places(starts: Array, labels: Array, classes: int, out: Array) -> Instruction:
    """The flat places of labels, out i64[N] from starts and labels i64[N]; refuses a label that is
    out of range."""
    refused = np.zeros(1, np.int64)
    arrays = {"starts": starts, "labels": labels, "classes": np.array([classes])}
    return Instruction([[_task(PLACES, **arrays, out=out, refused=refused)]], refused)


def mask(op: DropoutMask, step: Array, out: Array, threads: int) -> Instruction:
    """The dropout mask of a step, with the bits of `DropoutMask.run`; `step` is i64[]."""
    flat = out.reshape(-1)
    key = np.array([op.seed, name_hash(op.key)], np.uint64).view(np.int64)
    arrays = {"step": step, "key": key, "below": np.array([op.below])}
    arrays |= {"scale": np.array([op.scale], out.dtype)}
    text = f"    nothing = {out.dtype.name}(0)\n{MASK}"
    ranges = cuts(flat.size, shared(threads, _DRAWN * flat.size / WORTH), _BLOCK)
    return Instruction(
        [
            [_task(text, out=flat[start:stop], first=np.array([op.start + start]), **arrays)]
            for start, stop in ranges
        ]
    )


def clip_factor(
    op: ClipFactor, arrays: Sequence[Array], out: Array, threads: int
) -> list[Instruction]:
    """The clip factor of all the arrays, into out []: one instruction sums squares, each part some
    pieces of the arrays; a second makes the factor of these sums."""
    flat = [a.reshape(-1) for a in arrays if a.size]
    most = shared(threads, BYTE * sum([a.nbytes for a in flat]) / WORTH)
    pieces: list[list[Array]] = [[] for _ in range(most)]
    for a in flat:
        for piece, (start, stop) in zip(pieces, cuts(a.size, most, LINE), strict=False):
            piece.append(a[start:stop])
    squares = np.zeros((sum(map(len, pieces)), 2))
    rows = iter(squares)
    parts = [[_task(NORM, a=a, sums=next(rows)) for a in piece] for piece in pieces if piece]
    factor = _task(FACTOR, sums=squares, limit=np.array(op.limit), out=out)
    return [Instruction(parts or [[]]), Instruction([[factor]])]


def _task(text: str, **arrays: Array) -> Task:
    """A task that runs the body `text` on arrays, which it knows by these names."""
    kernel = compiled("\n".join([*prologue(list(arrays.items())), text]))
    return Task(kernel.address, words(list(arrays.values())))
