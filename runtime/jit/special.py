"""Kernels that are no loops over statements: checks that refuse, and dropout masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ...graph import Array
from ...ops.dropout import DropoutMask
from ...ops.random import name_hash
from ..headroom import SQUARES
from . import driver
from .kernels import compiled, prologue, words
from .tape import BYTE, LINE, WORTH, Tape, Task, cuts, shared

PLACES: Final = """\
    for i in range(labels.shape[0]):
        if labels[i] < 0 or labels[i] >= classes[0]:
            refused[0] = 1
        else:
            out[i] = starts[i] + labels[i]
"""
"""The places of labels; refused where one is out of range."""
FINITE: Final = """\
    total = {zero}
    for i in range(a.shape[0]):
        total = plus(total, a[i] * a[i])
    if not total < {most}:
        refused[0] = 1
"""
"""Refuses where the sum of all squares is not below SQUARES."""
MASK: Final = """\
    kept, limit, k0, k1, at, drawing = scale[0], below[0], key[0], key[1], first[0], step[0]
    whole = out.shape[0] // 16
    for b in range(whole):
        drawn = philox(k0, k1, at + b, drawing)
        for k in range(16):
            out[16 * b + k] = kept if half(drawn, k) < limit else nothing
    if 16 * whole < out.shape[0]:
        drawn = philox(k0, k1, at + whole, drawing)
        for k in range(out.shape[0] - 16 * whole):
            out[16 * whole + k] = kept if half(drawn, k) < limit else nothing
"""
"""A dropout mask, 16 elements of each block of four words."""
_BLOCK: Final = 16
_DRAWN: Final = 1.0
"""Nanoseconds of an element of a mask."""


def append_finite(arrays: Sequence[Array], refused: Array, tape: Tape) -> int:
    """Puts the check of flat arrays on a tape, and says in how many parts."""
    parts: list[list[Task]] = [[] for _ in range(tape.threads)]
    for a in arrays:
        flat = a.reshape(-1)
        threads = shared(tape.threads, BYTE * a.nbytes / WORTH)
        text = [
            *prologue([("a", flat), ("refused", refused)]),
            FINITE.format(zero=f"{a.dtype.name}(0)", most=f"{a.dtype.name}({SQUARES!r})"),
        ]
        kernel = compiled("\n".join(text))
        ranges = cuts(flat.size, threads, LINE)
        for part, (start, stop) in zip(parts, ranges, strict=False):
            given = words([flat[start:stop], refused])
            part.append(Task(driver.KERNEL, kernel.address, given))
    tape.add([part for part in parts if part] or [[]], refused)
    return sum([1 for part in parts if part])


def append_places(
    starts: Array, labels: Array, classes: int, out: Array, refused: Array, tape: Tape
) -> None:
    """Puts the places of labels on a tape."""
    most = np.array([classes])
    given = {"starts": starts, "labels": labels, "classes": most, "out": out, "refused": refused}
    kernel = compiled("\n".join([*prologue(list(given.items())), PLACES]))
    task = Task(driver.KERNEL, kernel.address, words(list(given.values())))
    tape.add([[task]], refused)


def append_mask(op: DropoutMask, step: Array, out: Array, tape: Tape) -> int:
    """Puts the mask of a step on a tape, and says in how many parts."""
    flat = out.reshape(-1)
    key = np.array([op.seed, name_hash(op.key)], np.uint64).view(np.int64)
    below, scale = np.array([op.below]), np.array([op.scale], out.dtype)
    threads = shared(tape.threads, _DRAWN * flat.size / WORTH)
    parts: list[list[Task]] = []
    for start, stop in cuts(flat.size, threads, _BLOCK):
        first = np.array([start // _BLOCK])
        given = {"out": flat[start:stop], "step": step, "key": key, "first": first}
        given |= {"below": below, "scale": scale}
        lines = [*prologue(list(given.items())), f"    nothing = {out.dtype.name}(0)", MASK]
        kernel = compiled("\n".join(lines))
        parts.append([Task(driver.KERNEL, kernel.address, words(list(given.values())))])
    tape.add(parts)
    return len(parts)
