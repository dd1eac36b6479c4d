"""With VERIGRAD_POISON=1 what is dead holds NaN: right steps keep their bits, others show it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg

BACKENDS = ("numpy", "numba")


def normalized() -> vg.Graph:
    x, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
    h = vg.gelu(vg.batch_norm(vg.dense(x, 6, name="fc1")))
    scores = vg.dense(vg.tanh(vg.dense(h, 6, name="fc2") + h), 4, name="fc3")
    return vg.Graph("normalized", {"scores": scores, "h": h}, vg.softmax_cross_entropy(scores, y))


NETS = {"relu": lambda: net(5, 7, 6, 4), "normalized": normalized}
OPTIONS: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": vg.SGD(0.1)},
    "adam": {"optimizer": vg.Adam(0.01), "regularizer": vg.L2(0.01)},
    "clipped": {"optimizer": vg.Momentum(0.1), "clip": vg.ClipNorm(0.5)},
    "dropped": {"optimizer": vg.SGD(0.1), "dropout": vg.Dropout(keep=0.5)},
}


def trained(program: vg.Program, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """All that a program holds and gives after some steps of several sizes."""
    for rows in (4, 2, 4, 9):
        program.step(batch(rng, rows, 5, 4))
    values = {**program.parameters, **program.state}
    return values | program.predict(x=batch(rng, 3, 5, 4)["x"])


@pytest.mark.parametrize("case", [*product(NETS, OPTIONS, BACKENDS)], ids=" ".join)
def test_right_steps_keep_their_bits(
    case: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, options, backend = case
    if backend == "numba":
        pytest.importorskip("numba")
    runs = []
    for poisoned in ("0", "1"):
        monkeypatch.setenv("VERIGRAD_POISON", poisoned)
        program = vg.compile(NETS[shape](), **OPTIONS[options], backend=backend)
        runs.append(trained(program, np.random.default_rng(5)))
        text = program.executable.last.source
        assert ("first" in text) == (poisoned == "1")
    plain, filled = runs
    assert plain.keys() == filled.keys()
    for name in plain:
        assert np.isfinite(filled[name]).all()
        # Between kernel calls that stand apart, numba adds in another order than within one loop.
        close = np.testing.assert_array_equal if backend == "numpy" else np.testing.assert_allclose
        close(filled[name], plain[name], **({} if backend == "numpy" else {"rtol": 2e-4}))


@vg.op
class Adds(vg.Op):
    """x, added to whatever lies in the result or in a temporary: a kernel that is wrong."""

    name = "poison_adds"
    elementwise = True
    traceable = False
    temporary: bool = False

    def infer(self, x: vg.TensorType) -> vg.TensorType:
        return x

    def scratch(self, x: vg.TensorType) -> tuple[vg.TensorType, ...]:
        return (x,) if self.temporary else ()

    def run(self, x: Any, *, out: Any, scratch: Any = ()) -> None:
        np.add(x, scratch[0] if self.temporary else out, out=out)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("temporary", [False, True])
def test_a_kernel_that_reads_what_it_was_not_given_gives_nan(
    temporary: bool, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend == "numba":
        pytest.importorskip("numba")
    x = vg.input("x", ("N", 4))
    g = vg.Graph("g", {"y": vg.apply(Adds(temporary), vg.exp(x))})
    monkeypatch.setenv("VERIGRAD_POISON", "1")
    program = vg.compile(g, backend=backend, certify=False)
    assert np.isnan(program.predict(x=np.ones((3, 4), np.float32))["y"]).all()
