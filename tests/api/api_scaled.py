"""A user's own op, pass, optimizer and initializer, as they would stand in a user's file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import verigrad as vg


@vg.op
class Swish(vg.Op):
    """x sigmoid(b x)."""

    name = "api_swish"
    b: float = 1.0

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        self.takes(types, 1, "x")
        if not types[0].is_float:
            raise vg.GraphError(f"api_swish takes floats, not {types[0]}")
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        (x,) = node.inputs
        s = vg.sigmoid(x * self.b)
        return (dy * (s + node * (1.0 - s) * self.b),)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, -self.b, out=out)
        np.exp(out, out=out)
        np.add(out, 1, out=out)
        np.divide(x, out, out=out)


@dataclass(frozen=True)
class SquareByMultiply(vg.Pass):
    """Square by multiplication with itself, `times` at most."""

    name = "api_square_by_multiply"
    times: int = 100

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite | vg.Refused]:
        found = [n for n in g.order if n.op.name == "square"]
        for n in found[: self.times]:
            (x,) = n.inputs
            yield vg.Rewrite(n, x * x, "square is multiply")
        for n in found[self.times :]:
            yield vg.Refused(n, f"only {self.times} are wanted")
