"""The optimizers' updates: each new value of a parameter or of its state is one op."""

from __future__ import annotations

from math import prod
from typing import ClassVar

import numpy as np

from ..graph import Array, GraphError, IntShape, Op, Point, Residues, TensorType, op
from .blas import add_multiple


class Update(Op):
    """A new value of the first input; the others are of its type, the last `scalars` scalar."""

    inplace: ClassVar[tuple[int, ...]] = (0,)
    elementwise: ClassVar[bool] = True
    traceable: ClassVar[bool] = True
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
        return (types[0],)


@op
class DecayAdd(Update):
    """v' = decay v + scale g: a momentum (scale 1), or a running mean (scale 1 - decay)."""

    name: ClassVar[str] = "decay_add"
    flops_per_element: ClassVar[int] = 3
    operands: ClassVar[tuple[str, ...]] = ("v", "g")
    decay: float
    scale: float = 1.0

    def exact(self, at: Point, v: Residues, g: Residues) -> Residues:
        return v * self.decay + g * self.scale

    def run(self, v: Array, g: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        (t,) = scratch
        if self.scale == 1:
            np.multiply(v, self.decay, out=t)
            np.add(t, g, out=out)
            return
        np.multiply(g, self.scale, out=t)
        decayed = v if self.decay == 1 else np.multiply(v, self.decay, out=out)
        np.add(decayed, t, out=out)


@op
class DecayAddSquare(Update):
    """s' = decay s + scale g g: a sum of squares (1, 1), or their running mean (d, 1 - d)."""

    name: ClassVar[str] = "decay_add_square"
    flops_per_element: ClassVar[int] = 4
    operands: ClassVar[tuple[str, ...]] = ("s", "g")
    decay: float
    scale: float = 1.0

    def exact(self, at: Point, s: Residues, g: Residues) -> Residues:
        return s * self.decay + g * g * self.scale

    def run(self, s: Array, g: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        (t,) = scratch
        np.multiply(g, g, out=t)
        if self.scale != 1:
            np.multiply(t, self.scale, out=t)
        decayed = s if self.decay == 1 else np.multiply(s, self.decay, out=out)
        np.add(decayed, t, out=out)


@op
class Descend(Update):
    """w' = w - rate d."""

    name: ClassVar[str] = "descend"
    flops_per_element: ClassVar[int] = 2
    operands: ClassVar[tuple[str, ...]] = ("w", "d", "rate")
    scalars: ClassVar[int] = 1

    def exact(self, at: Point, w: Residues, d: Residues, rate: Residues) -> Residues:
        return w - d * rate

    def run(
        self, w: Array, d: Array, rate: Array, *, out: Array, scratch: tuple[Array, ...]
    ) -> None:
        (t,) = scratch
        np.multiply(d, rate, out=t)
        np.subtract(w, t, out=out)


@op
class Axpy(Op):
    """y' = y + alpha x, for one shape and a scalar: BLAS's name for it.

    What `descend` and `decay_add` compute where nothing decays, for tensors so large that the
    threads of the BLAS are worth a call each; its sum may be rounded once where theirs is twice.
    """

    name: ClassVar[str] = "axpy"
    is_blas_call: ClassVar[bool] = True
    inplace: ClassVar[tuple[int, ...]] = (0,)
    flops_per_element: ClassVar[int] = 2
    fused: ClassVar[bool] = True

    def infer(self, *types: TensorType) -> TensorType:
        return Descend().infer(*types)

    def exact(self, at: Point, y: Residues, x: Residues, alpha: Residues) -> Residues:
        return y + x * alpha

    def run(self, y: Array, x: Array, alpha: Array, *, out: Array) -> None:
        if out is not y:
            np.copyto(out, y)
        add_multiple(x, out, float(alpha))


@op
class DescendScaled(Update):
    """w' = w - rate d / (sqrt(s) + eps), or kept w - rate d / (sqrt(s) + eps).

    Adam's corrections are in `rate` and `eps`: d / (1 - b1^t) / (sqrt(s / (1 - b2^t)) + e) is
    d r / (sqrt(s) + e c) with c = sqrt(1 - b2^t) and r = c / (1 - b1^t). The scalar `kept` may be
    left out; AdamW decays w by it.
    """

    name: ClassVar[str] = "descend_scaled"
    flops_per_element: ClassVar[int] = 5
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

    def exact(
        self,
        at: Point,
        w: Residues,
        d: Residues,
        s: Residues,
        rate: Residues,
        eps: Residues,
        kept: Residues | None = None,
    ) -> Residues:
        return (w if kept is None else w * kept) - d * rate / (s.function("sqrt") + eps)

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
        (t,) = scratch
        np.sqrt(s, out=t)
        np.add(t, eps, out=t)
        np.divide(d, t, out=t)
        np.multiply(t, rate, out=t)
        if kept is not None:  # `t` is done: `out` may be `w`, and hold it decayed
            w = np.multiply(w, kept, out=out)
        np.subtract(w, t, out=out)
