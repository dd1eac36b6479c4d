"""What the tests of the gradient check share: nets at their kinks, and ops with wrong gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import verigrad as vg

Arrays = dict[str, np.ndarray]


@vg.op
class Skewed(vg.Op):
    """x^2, whose gradient is multiplied by 1 + wrong at one element, or at all."""

    name = "checking_skewed"
    wrong: float = 0.0
    at: tuple[int, ...] = ()

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        self.takes(types, 1, "x")
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        (x,) = node.inputs
        right = dy * x * 2.0
        if not self.at:
            return (right * (1 + self.wrong),)
        row, column = self.at
        factor = np.ones((4, 5))
        factor[row, column] += self.wrong
        return (right * vg.constant(factor, "f64"),)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, x, out=out)


def net(act: Callable[[vg.Node], vg.Node], offset: float = 0.0, rows: int | str = "N") -> vg.Graph:
    """A hidden layer fc1 of 5, with an activation, and a softmax layer fc2 behind it."""
    x = vg.input("x", (rows, 6), dtype="f64")
    y = vg.input("y", (rows,), dtype="i64")
    h = act(vg.dense(x, 5, name="fc1"))
    loss = vg.softmax_cross_entropy(vg.dense(h, 3, name="fc2"), y)
    return vg.Graph("net", loss=loss + offset if offset else loss)


def batch(rng: np.random.Generator) -> Arrays:
    """Four rows for `net`."""
    return {"x": rng.standard_normal((4, 6)), "y": np.array([0, 1, 2, 0])}


def at_distance(rng: np.random.Generator, feeds: Arrays, distance: float) -> Arrays:
    """Values of fc1 that put the first row's pre-activations so far from 0, on either side."""
    weight = rng.standard_normal((6, 5))
    sides = distance * np.array([1, -1, 1, -1, 1])
    return {"fc1.weight": weight, "fc1.bias": sides - feeds["x"][0] @ weight}


def lines(report: object, word: str) -> list[str]:
    """The lines of a report that begin with a word."""
    return [s.strip() for s in str(report).splitlines() if s.split()[:1] == [word]]
