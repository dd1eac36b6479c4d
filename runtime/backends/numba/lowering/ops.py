"""Ops that are not lowered call by call: the table of their forms on the tape.

For these a form written by hand is faster than the NumPy calls of their kernel, or the kernel makes
no calls that can be recorded. Each gets the same numbers as `run`. To add one, write a function
that gives a `Lowered`, and put it in the table at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from .....graph import Array, Op
from .....ops.clipping import ClipFactor
from .....ops.dropout import DropoutMask
from .....ops.likelihood import LabelPlaces
from .....ops.linear import Gemm, turned
from .....ops.updates import Axpy
from ...tracing import Call
from .fixed_kernels import Instruction, clip_factor, mask, places
from .products import MatrixProduct, matrices
from .statements import multiple


class Lowered(NamedTuple):
    """What takes the place of an op's kernel: first `calls`, then a product or instructions.

    `calls` are NumPy calls that must become loops, else the form is not used. `held` are arrays
    that stand for temporaries between these calls: loops keep them in registers, and nothing is
    written to them. `shown` names the op in the text of a step. With `checked`, an instruction may
    refuse its data; then the op's own `run` is called, to raise the error that says why.
    """

    calls: Sequence[Call] = ()
    held: tuple[Array, ...] = ()
    product: MatrixProduct | None = None
    instructions: Sequence[Instruction] = ()
    shown: str = ""
    checked: bool = False


def lowered(op: Op, inputs: Sequence[Array], out: Array, threads: int) -> Lowered | None:
    """The form of an op on these arrays, cut for at most so many threads; None where it has none.

    The op's symbols are bound, so that it knows all sizes.
    """
    lower = _LOWERED.get(type(op))
    return lower(op, inputs, out, threads) if lower is not None else None


def _gemm(op: Gemm, inputs: Sequence[Array], out: Array, threads: int) -> Lowered | None:
    """out = beta c + alpha a b: c is copied to `out` first, unless it lies there."""
    c, a, b, alpha, beta = inputs
    left, right = turned(op, a, b)
    p = matrices(left, right, out, (alpha, beta))
    if p is None:
        return None
    copied = [] if out is c else [Call(np.copyto, (out.reshape(-1), c.reshape(-1)), {})]
    return Lowered(copied, product=p, shown=op.name)


def _axpy(op: Axpy, inputs: Sequence[Array], out: Array, threads: int) -> Lowered:
    """out = y + alpha x as a loop, which is cut into parts later, when its nest is complete."""
    y, x, alpha = inputs
    calls, times = multiple(y, x, alpha, out)
    return Lowered(calls, (times,))


def _places(op: LabelPlaces, inputs: Sequence[Array], out: Array, threads: int) -> Lowered:
    starts, labels = inputs
    instruction = places(starts, labels, op.classes, out)
    return Lowered(instructions=[instruction], shown="places", checked=True)


def _mask(op: DropoutMask, inputs: Sequence[Array], out: Array, threads: int) -> Lowered | None:
    (step,) = inputs
    return Lowered(instructions=[mask(op, step, out, threads)], shown="mask") if out.size else None


def _clip_factor(op: ClipFactor, inputs: Sequence[Array], out: Array, threads: int) -> Lowered:
    return Lowered(instructions=clip_factor(op, inputs, out, threads), shown=op.name)


_LOWERED: Final[Mapping[type[Op], Callable[..., Lowered | None]]] = {
    Axpy: _axpy,
    ClipFactor: _clip_factor,
    DropoutMask: _mask,
    Gemm: _gemm,
    LabelPlaces: _places,
}
