"""The nets of the benchmark: sizes, first weights and batches, the same for every contender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

OPTIMIZERS: Final = ("sgd", "momentum", "adam")
RATES: Final = {"sgd": 1e-3, "momentum": 1e-3, "adam": 1e-4}
"""Low, so that trajectories can be compared: at ten times these rates a rounding of f32 that moves
one unit across relu's kink changes the deep net's loss by 0.4 % within 20 steps."""
RHO: Final = 0.9
BETA1: Final = 0.9
BETA2: Final = 0.999
EPS: Final = 1e-8
"""Adam's, beside the corrected root, as PyTorch has it."""
BATCHES: Final = 8
"""Different batches that the steps take in turn."""


@dataclass(frozen=True)
class Net:
    """Dense layers with relu between them and softmax cross-entropy at the end.

    A regularized net has, behind each dense layer but the last, batch normalization before the
    relu and dropout after it; those dense layers have no bias. `l2` / 2 times the sum of the
    weights' squares is added to the loss.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    keep: float = 1.0
    l2: float = 0.0
    batch_norm: bool = False

    @property
    def layers(self) -> int:
        return len(self.sizes) - 1

    @property
    def title(self) -> str:
        """The name with what it stands for, such as `tiny 64-32-10 (32)`."""
        first, *hidden, last = self.sizes
        if len(hidden) > 3 and len(set(hidden)) == 1:
            shape = f"{first}-{len(hidden)}x{hidden[0]}-{last}"
        else:
            shape = "-".join(map(str, self.sizes))
        return f"{self.name} {shape} ({self.batch})"

    def without_dropout(self) -> Net:
        return Net(self.name, self.sizes, self.batch, 1.0, self.l2, self.batch_norm)


NETS: Final = {
    net.name: net
    for net in (
        Net("tiny", (64, 32, 10), 32),
        Net("course", (3072, 100, 100, 10), 100),
        Net("fashion", (784, 512, 256, 10), 128),
        Net("deep", (784, *[100] * 10, 10), 64),
        Net("wide", (1024, 2048, 2048, 10), 256),
        Net("regularized", (784, 512, 256, 10), 128, keep=0.8, l2=1e-4, batch_norm=True),
    )
}


def weights(net: Net) -> list[Array]:
    """He-normal weights, f32 [in,out], one a layer; biases start at 0, scales at 1."""
    rng = np.random.default_rng(1)
    pairs = zip(net.sizes, net.sizes[1:], strict=False)
    return [(rng.standard_normal(p) * np.sqrt(2 / p[0])).astype(np.float32) for p in pairs]


def batches(net: Net, count: int = BATCHES) -> list[tuple[Array, Array]]:
    """Rows f32 [batch,in] and labels i64 [batch], of a normal and a uniform distribution."""
    rng = np.random.default_rng(2)
    return [
        (
            rng.standard_normal((net.batch, net.sizes[0])).astype(np.float32),
            rng.integers(0, net.sizes[-1], net.batch),
        )
        for _ in range(count)
    ]


def rows(net: Net, count: int) -> Array:
    """Rows f32 [count,in] to predict."""
    return np.random.default_rng(3).standard_normal((count, net.sizes[0])).astype(np.float32)
