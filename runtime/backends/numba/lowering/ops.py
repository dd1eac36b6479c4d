"""Ops whose kernels have a form of their own on the tape: all that are known here by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from .....graph import Array, Op
from .....ops.clipping import ClipFactor
from .....ops.dropout import DropoutMask
from .....ops.likelihood import LabelPlaces
from .....ops.linear import Gemm
from .....ops.updates import Axpy
from ...tracing import Call
from .fixed_kernels import Instruction, clip_factor, mask, places
from .products import MatrixProduct, matrices
from .statements import multiple


class Lowered(NamedTuple):
    """What takes the place of a kernel: calls that become loops, then a product or instructions.

    `held` stand for temporaries of the calls, which none of them writes. `shown` is what the text
    of a step calls it. With `checked`, an instruction may refuse what it is given, and the op's
    own kernel says why.
    """

    calls: Sequence[Call] = ()
    held: tuple[Array, ...] = ()
    product: MatrixProduct | None = None
    instructions: Sequence[Instruction] = ()
    shown: str = ""
    checked: bool = False


def lowered(op: Op, inputs: Sequence[Array], out: Array, threads: int) -> Lowered | None:
    """The form of an op on these arrays, its symbols bound, for so many threads; None of one that
    has none."""
    lower = _LOWERED.get(type(op))
    return lower(op, inputs, out, threads) if lower is not None else None


def _gemm(op: Gemm, inputs: Sequence[Array], out: Array, threads: int) -> Lowered | None:
    c, a, b, alpha, beta = inputs
    left, right = a.T if op.transpose_a else a, b.T if op.transpose_b else b
    p = matrices(left, right, out, (alpha, beta))
    if p is None:
        return None
    copied = [] if out is c else [Call(np.copyto, (out.reshape(-1), c.reshape(-1)), {})]
    return Lowered(copied, product=p, shown=op.name)


def _axpy(op: Axpy, inputs: Sequence[Array], out: Array, threads: int) -> Lowered:
    """Loops, which have threads of their own."""
    y, x, alpha = inputs
    calls, times = multiple(y, x, alpha, out)
    return Lowered(calls, (times,))


def _places(op: LabelPlaces, inputs: Sequence[Array], out: Array, threads: int) -> Lowered:
    starts, labels = inputs
    made = places(starts, labels, op.classes, out)
    return Lowered(instructions=[made], shown="places", checked=True)


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
