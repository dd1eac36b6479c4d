"""The optimizers' updates: each new value of a parameter or of its state is one op.

Kernels work in chunks that stay in the cache, through a temporary of one chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import ClassVar, Final

import numpy as np

from ..graph import Array, GraphError, IntShape, Op, TensorType, op

_CHUNK: Final = 16_384


class Update(Op):
    """A new value of the first input; the others are of its type, the last `scalars` scalar."""

    inplace: ClassVar[tuple[int, ...]] = (0,)
    operands: ClassVar[tuple[str, ...]]
    scalars: ClassVar[int] = 0

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, len(self.operands), *self.operands)
        first = types[0]
        full = len(self.operands) - self.scalars
        if not first.is_float:
            raise GraphError(f"{self.operands[0]} is {first}, where floats are expected")
        for i, (name, t) in enumerate(zip(self.operands, types, strict=True)):
            wanted = first if i < full else first.with_shape(())
            if t != wanted:
                raise GraphError(f"{name} is {t}, where {wanted} is expected")
        return first

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        size = int(np.prod(types[0].bind({}), dtype=np.int64))
        return (types[0].with_shape((min(size, _CHUNK),)),)


@op
class DecayAdd(Update):
    """v' = decay v + scale g: a momentum (scale 1), or a running mean (scale 1 - decay)."""

    name: ClassVar[str] = "decay_add"
    flops_per_element: ClassVar[int] = 3
    calls: ClassVar[int] = 3
    operands: ClassVar[tuple[str, ...]] = ("v", "g")
    decay: float
    scale: float = 1.0

    def run(self, v: Array, g: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        for (vc, gc, oc), t in _chunks(scratch[0], v, g, out):
            np.multiply(gc, self.scale, out=t)
            np.multiply(vc, self.decay, out=oc)
            np.add(oc, t, out=oc)


@op
class DecayAddSquare(Update):
    """s' = decay s + scale g g: a sum of squares (1, 1), or their running mean (d, 1 - d)."""

    name: ClassVar[str] = "decay_add_square"
    flops_per_element: ClassVar[int] = 4
    calls: ClassVar[int] = 4
    operands: ClassVar[tuple[str, ...]] = ("s", "g")
    decay: float
    scale: float = 1.0

    def run(self, s: Array, g: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        for (sc, gc, oc), t in _chunks(scratch[0], s, g, out):
            np.multiply(gc, gc, out=t)
            np.multiply(t, self.scale, out=t)
            np.multiply(sc, self.decay, out=oc)
            np.add(oc, t, out=oc)


@op
class Descend(Update):
    """w' = w - rate d."""

    name: ClassVar[str] = "descend"
    flops_per_element: ClassVar[int] = 2
    calls: ClassVar[int] = 2
    operands: ClassVar[tuple[str, ...]] = ("w", "d", "rate")
    scalars: ClassVar[int] = 1

    def run(
        self, w: Array, d: Array, rate: Array, *, out: Array, scratch: tuple[Array, ...]
    ) -> None:
        for (wc, dc, oc), t in _chunks(scratch[0], w, d, out):
            np.multiply(dc, rate, out=t)
            np.subtract(wc, t, out=oc)


@op
class DescendScaled(Update):
    """w' = w - rate d / (sqrt(s) + eps), or kept w - rate d / (sqrt(s) + eps).

    Adam's corrections are in `rate` and `eps`: d / (1 - b1^t) / (sqrt(s / (1 - b2^t)) + e) is
    d r / (sqrt(s) + e c) with c = sqrt(1 - b2^t) and r = c / (1 - b1^t). The scalar `kept` may be
    left out; AdamW decays w by it.
    """

    name: ClassVar[str] = "descend_scaled"
    flops_per_element: ClassVar[int] = 5
    calls: ClassVar[int] = 5
    operands: ClassVar[tuple[str, ...]] = ("w", "d", "s", "rate", "eps")
    scalars: ClassVar[int] = 2

    def infer(self, *types: TensorType) -> TensorType:
        decayed = len(types) == len(self.operands) + 1
        if decayed and types[-1] != types[0].with_shape(()):
            raise GraphError(f"kept is {types[-1]}, where {types[0].with_shape(())} is expected")
        return super().infer(*(types[:-1] if decayed else types))

    def flops(self, result: IntShape, *inputs: IntShape) -> int:
        decayed = len(inputs) > len(self.operands)
        return (self.flops_per_element + decayed) * prod(result)

    def run(
        self,
        w: Array,
        d: Array,
        s: Array,
        rate: Array,
        eps: Array,
        kept: Array | None = None,
        *,
        out: Array,
        scratch: tuple[Array, ...],
    ) -> None:
        for (wc, dc, sc, oc), t in _chunks(scratch[0], w, d, s, out):
            np.sqrt(sc, out=t)
            np.add(t, eps, out=t)
            np.divide(dc, t, out=t)
            np.multiply(t, rate, out=t)
            if kept is not None:  # `t` is done: `out` may be `w`, and hold it decayed
                wc = np.multiply(wc, kept, out=oc)
            np.subtract(wc, t, out=oc)


def _chunks(temporary: Array, *arrays: Array) -> Iterator[tuple[tuple[Array, ...], Array]]:
    """The arrays, flat, chunk by chunk, with as much of the temporary."""
    size, chunk = arrays[0].size, temporary.size
    if size <= chunk:
        yield tuple([a.reshape(-1) for a in arrays]), temporary[:size]
        return
    flat = [a.reshape(-1) for a in arrays]
    for start in range(0, size, chunk):
        piece = tuple([a[start : start + chunk] for a in flat])
        yield piece, temporary[: piece[0].size]
