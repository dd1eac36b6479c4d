"""The floor: a step's matrix products alone, by NumPy's own BLAS into buffers that exist.

For each layer x W, x' dy and, but for the first, dy W'; for a prediction the x W. `np.dot` has
less overhead and `np.matmul` copies no strided operand: each product takes whichever of the two
was faster when it was tried here.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ..nets import Array, Net, batches, weights
from .contender import Predictor, Trainer

Multiply = Callable[[Array, Array, Array], object]
Product = tuple[Multiply, Array, Array, Array]


def train(net: Net, optimizer: str) -> Trainer:
    """All products of a step; the optimizer costs nothing here."""
    w = weights(net)
    hidden = [_filled(net.batch, n) for n in net.sizes[1:]]
    dy = [_filled(net.batch, n) for n in net.sizes[1:]]
    dx = [_filled(net.batch, n) for n in net.sizes[:-1]]
    dw = [np.empty_like(a) for a in w]
    steps: list[list[Product]] = []
    chosen: list[Multiply] = []
    for x, _ in batches(net):
        inputs = [x, *[_filled(net.batch, n) for n in net.sizes[1:-1]]]
        products = [(inputs[i], w[i], hidden[i]) for i in range(net.layers)]
        for i in reversed(range(net.layers)):
            products.append((inputs[i].T, dy[i], dw[i]))
            if i:
                products.append((dy[i], w[i].T, dx[i]))
        chosen = chosen or [_faster(*p) for p in products]
        steps.append([(f, *p) for f, p in zip(chosen, products, strict=True)])
    count = len(steps)

    def step(i: int) -> None:
        for multiply, a, b, out in steps[i % count]:
            multiply(a, b, out)

    return Trainer(step, lambda: None, "nothing")


def predict(net: Net, x: Array) -> Predictor:
    """The forward products for these rows."""
    buffers = [x, *[_filled(len(x), n) for n in net.sizes[1:]]]
    operands = list(zip(buffers, weights(net), buffers[1:], strict=False))
    products = [(_faster(*p), *p) for p in operands]

    def run() -> Array:
        for multiply, a, b, out in products:
            multiply(a, b, out)
        return buffers[-1]

    return Predictor(run, "nothing")


def _filled(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _faster(a: Array, b: Array, out: Array) -> Multiply:
    """`np.dot` or `np.matmul`, the one with the lower best of some tries."""
    # The chain of products would overflow on results of its own: tried on a buffer apart.
    out = np.empty_like(out)
    best: dict[Multiply, float] = {np.dot: np.inf, np.matmul: np.inf}
    start = time.perf_counter()
    while time.perf_counter() - start < 0.02 or np.inf in best.values():
        for multiply in best:
            before = time.perf_counter()
            multiply(a, b, out)
            best[multiply] = min(best[multiply], time.perf_counter() - before)
    return min(best, key=best.__getitem__)
