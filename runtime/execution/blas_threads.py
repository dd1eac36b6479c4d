"""The threads of NumPy's BLAS in the steps of a plan: all, none, or whichever takes less time.

What the BLAS takes is a setting of the whole process. A step that sets it holds SETTINGS until it
is put back, and so does one whose bits depend on it: each finds what it is to find. Where a choice
is made, no bit depends on it: products are made on one thread as sums of the pieces that several
threads add (`ops/pieces.py`), and where nothing that was tried has their bits, as often in f64,
nothing is chosen: such a step takes all threads, unless it was compiled with fewer.

The choice is one for the whole step and not for each product. What threads cost beside a busy
program is waiting for each other, and that is the same for all products; and to time products by
themselves would cost each of them a call.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from functools import partial
from time import perf_counter_ns
from typing import Any, Final
from weakref import WeakMethod

import numpy as np

from ...graph import SETTINGS, Array, Graph, Node, is_ours
from ...ops.blas import at_most, numpy_blas, threads
from ...ops.linear import Gemm, turned
from ...ops.pieces import Pieces, add_in, agreeing, dot_in
from ..backends import choice
from ..backends.step_text import STEP_FILE, StepText

_PRODUCT: Final = 1 << 18
_VECTOR: Final = 9_000
"""Multiplications up to which OpenBLAS takes one thread: of matrices, and of what has a vector."""
_WORTH: Final = 2_000_000
"""Multiplications of a whole step, in products above these, from which a choice is worth its time;
it takes some 2 us."""

_ALL: Final = 1 << 20
"""More threads than there are."""

Run = Callable[[Sequence[Array], Any], None]
Functions = Mapping[str, Callable[..., Any]]
Take = Callable[[Functions], None]


class Threads:
    """How a plan's steps take the BLAS's threads.

    `limit` is the most that they take; None for those that the BLAS takes, or a choice. No choice
    is made here for what `sets_threads` by itself.
    """

    def __init__(
        self,
        g: Graph,
        sizes: Mapping[str, int],
        context: Context,
        limit: int | None,
        sets_threads: bool,
    ) -> None:
        self.limit = limit
        self._context = context
        self._sizes = sizes
        self._heavy = [n for n in g.order if _is_heavy(n, sizes)]
        self._pieces: dict[Node, Pieces] = {}
        self._agrees = self._has_run = False
        self._one, self._all = at_most(1), at_most(_ALL)
        self._words = array("q", bytes(8 * choice.WORDS))  # its numbers are held by nothing else
        choice.reset(self._words, True)
        ours, blas = all(_is_ours(n) for n in g.order), numpy_blas()
        self.free = ours and not self._heavy and not sets_threads
        """Whether steps take no threads, and need not hold SETTINGS."""
        self._chooses = ours and limit is None and not (self.free or sets_threads)
        if blas is None or not blas.set_threads or self._multiplications() < _WORTH:
            self._chooses = False

    def begin(self, step: StepText, functions: Functions, take: Take) -> None:
        """`take`, a method, is called with other functions of the step where products are to be
        made in pieces, and with `functions` where they are not."""
        self._step = step
        self._take = WeakMethod(take)  # its object holds this one
        self._made = {False: functions}
        self._in_pieces: bool | None = False

    def run(self, run: Run, feeds: Sequence[Array], given: Any) -> None:
        """Calls `run` in the context of steps, while the BLAS takes as many threads as it shall."""
        if self.limit is not None:
            with SETTINGS, at_most(self.limit):
                self._context.run(run, feeds, given)
        elif self._agrees or (self._chooses and self._is_due()):
            by_itself = choice.next_alone(self._words)
            start = perf_counter_ns()
            if by_itself or self._pieces:
                with SETTINGS, self._one if by_itself else self._all as count:
                    if self._pieces and self._in_pieces != (count == 1):
                        self._change(count == 1)
                    self._context.run(run, feeds, given)
            else:
                self._context.run(run, feeds, given)
            choice.note(self._words, perf_counter_ns() - start)
        else:
            # On one line, as in `alone`, without whose call a step allocates less.
            with SETTINGS: self._context.run(run, feeds, given)  # fmt: skip  # noqa: E701
            self._has_run = True

    def _is_due(self) -> bool:
        """Whether steps may choose from now on. What runs once is not worth finding out."""
        if self._has_run and threads() > 1:
            self._agrees = self._chooses = self._agree()
        return self._agrees

    def _change(self, in_pieces: bool) -> None:
        take = self._take()
        if take is not None:
            self._in_pieces = None  # until all is taken: who interrupts it has it taken again
            take(self._made[in_pieces])
            self._in_pieces = in_pieces

    def _multiplications(self) -> int:
        """How many a step makes in its large products."""
        products = [n.product(self._sizes) for n in self._heavy]
        return sum(p.flops // 2 for p in products if p is not None)

    def _agree(self) -> bool:
        """Whether one thread gives the bits of several, some products made in pieces."""
        with SETTINGS, at_most(_ALL) as count:
            for n in self._heavy:
                p = n.product(self._sizes)
                if p is None:
                    continue  # its elements are made by themselves, on whatever thread
                if p.of_vectors:
                    if not _runs_agree(n, self._sizes):
                        return False
                    continue
                first, second = n.added_factors or n.inputs[:2]
                cut = None if first is second else agreeing(p, n.type.numpy.str, count)
                if cut is None:
                    return False
                if cut:
                    self._pieces[n] = cut
        replaced: set[Node] = set()

        def calling(n: Node, function: Any) -> Callable[..., None] | None:
            cut, op = self._pieces.get(n), getattr(function, "__self__", None)
            if cut is not None and function is np.dot:
                replaced.add(n)
                return partial(dot_in, cut)
            if cut is not None and isinstance(op, Gemm):
                replaced.add(n)
                return partial(_gemm_in, cut, op)
            return None

        if self._pieces:
            self._made[True] = self._step.made(STEP_FILE, calling)
        return replaced == {*self._pieces}


def _gemm_in(
    cut: Pieces, op: Gemm, c: Array, a: Array, b: Array, alpha: Array, beta: Array, *, out: Array
) -> None:
    """What the kernel of `gemm` does, in pieces."""
    if out is not c:
        np.copyto(out, c)
    left, right = turned(op, a, b)
    add_in(cut, left, right, out, float(alpha), float(beta))


def _is_heavy(n: Node, sizes: Mapping[str, int]) -> bool:
    """Whether the BLAS may take several threads for it."""
    p = n.product(sizes)
    if p is None:
        return n.op.is_blas_call and int(np.prod(n.type.bind(sizes))) > _VECTOR
    vector = p.rows == 1 or p.columns == 1
    return p.flops // 2 > (_VECTOR if vector else _PRODUCT)


def _is_ours(n: Node) -> bool:
    """Whether its kernel is known, and calls the BLAS only where it says so."""
    return is_ours(type(n.op))


def _runs_agree(n: Node, sizes: Mapping[str, int]) -> bool:
    """Whether a kernel has the same bits on one thread, on numbers of its own."""
    rng, results = np.random.default_rng(0), []
    inputs = [rng.uniform(-1, 1, i.type.bind(sizes)).astype(i.type.numpy) for i in n.inputs]
    for most in (_ALL, 1):
        out = np.empty(n.type.bind(sizes), n.type.numpy)
        with SETTINGS, at_most(most):
            n.op.bind(sizes).run(*inputs, out=out)
        results.append(out.tobytes())
    return results[0] == results[1]
