"""What the tests of the public surface share: small nets, their data, and one helper for errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import verigrad as vg


def two_layer(features: int = 6, hidden: int = 5, classes: int = 3) -> vg.Graph:
    """Linear, relu, linear and softmax cross-entropy: layers fc1 and fc2."""
    x = vg.input("x", ("N", features))
    y = vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.dense(x, hidden, name="fc1"))
    scores = vg.dense(h, classes, name="fc2")
    return vg.Graph("two_layer", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def rows(n: int, features: int = 6, classes: int = 3, seed: int = 0) -> dict[str, np.ndarray]:
    """A batch for `two_layer`, the same for the same seed."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, features)).astype(np.float32)
    return {"x": x, "y": rng.integers(0, classes, n)}


def snapshot(program: vg.Program) -> dict[str, bytes]:
    """Every bit of a program's state."""
    values = {**dict(program.parameters), **dict(program.state)}
    return {name: np.asarray(value).tobytes() for name, value in values.items()}


@contextmanager
def says(*parts: str) -> Iterator[None]:
    """Expects one of our errors, whose message holds all the parts."""
    with pytest.raises(vg.VerigradError) as caught:
        yield
    message = str(caught.value)
    for part in parts:
        assert re.search(re.escape(part), message), f"{part!r} is not in:\n{message}"
