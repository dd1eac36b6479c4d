"""What compiling and the first step of a graph take grows no faster than the graph."""

from __future__ import annotations

import cProfile
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

import verigrad as vg


def chain(x: vg.Node, size: int) -> vg.Node:
    for k in range(size):
        x = vg.tanh(x) if k % 2 else x * 0.99
    return x


def fan(x: vg.Node, size: int) -> vg.Node:
    return summed([vg.tanh(x * float(k + 1)) for k in range(size)])


def layers(x: vg.Node, size: int) -> vg.Node:
    for _ in range(size // 4):
        x = vg.tanh(vg.dense(x, 4))
    return x


def scales(x: vg.Node, size: int) -> vg.Node:
    for k in range(size // 2):
        x = x * vg.parameter(f"p{k}", (4,), "ones")
    return x


def inputs(x: vg.Node, size: int) -> vg.Node:
    return summed([x * vg.input(f"i{k}", ("N", 4)) for k in range(size)])


def reductions(x: vg.Node, size: int) -> vg.Node:
    for _ in range(size // 4):
        x = x * vg.mean(x, axes=[1], keepdims=True)
    return x


def summed(parts: list[vg.Node]) -> vg.Node:
    while len(parts) > 1:
        rest = parts[-1:] if len(parts) % 2 else []
        parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=False)] + rest
    return parts[0]


def softmaxes(x: vg.Node, size: int) -> vg.Node:
    for _ in range(size // 8):
        x = vg.softmax(x)
    return x


Build = Callable[[vg.Node, int], vg.Node]
BUILDS: list[Build] = [chain, fan, layers, scales, inputs, reductions, softmaxes]


def calls(build: Build, size: int, backend: str = "numpy") -> Counter[str]:
    """How often each function is called until the first step is made."""
    x = vg.input("x", ("N", 4)) * vg.parameter("w", (4,), "ones")
    profile = cProfile.Profile(builtins=True)
    with profile:
        net = vg.Graph("net", loss=vg.mean(build(x, size)))
        # A certificate runs the plan twice, and how often its checks are made hangs on the time.
        program = vg.compile(net, optimizer=vg.Momentum(1e-3), backend=backend, certify=False)
        program.step({net.names[n]: np.full((2, 4), 0.1, np.float32) for n in net.inputs})
    return Counter({str(s.code): s.callcount for s in profile.getstats()})


def steep(build: Build, size: int, backend: str = "numpy") -> dict[str, tuple[int, int]]:
    """What is called more than two and a half times as often for twice the size."""
    calls(build, 8, backend)  # what is made once is made here
    small, large = calls(build, size, backend), calls(build, 2 * size, backend)
    enough = 80 * size
    return {f: (small[f], n) for f, n in large.items() if n > max(2.5 * small[f], enough)}


@pytest.mark.numpy_bits
@pytest.mark.parametrize("build", BUILDS)
def test_no_function_is_called_more_often_than_the_graph_grows(build: Build) -> None:
    assert not steep(build, 60)
