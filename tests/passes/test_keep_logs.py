"""Logarithms of what underflows are numbers, whatever moves its elements in between."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import verigrad as vg
from verigrad.graph import OPS, apply

X = np.array([[-200.0, 0.0, -1.0], [3.0, -300.0, 4.0]], np.float32)
SHARES: dict[str, tuple[Callable[[vg.Node], vg.Node], Callable[[np.ndarray], np.ndarray]]] = {
    "softmax": (vg.softmax, lambda x: x - np.log(np.exp(x).sum(axis=1, keepdims=True))),
    "sigmoid": (vg.sigmoid, lambda x: -np.logaddexp(0, -x)),
    "complement": (lambda x: 1.0 - vg.sigmoid(-x), lambda x: -np.logaddexp(0, -x)),
    "exp": (vg.exp, lambda x: x),
}
MOVES: dict[str, tuple[Callable[[vg.Node], vg.Node], Callable[[np.ndarray], np.ndarray]]] = {
    "column": (lambda s: s[:, 0], lambda a: a[:, 0]),
    "part": (lambda s: s[:, None, :2], lambda a: a[:, :2]),
    "reshape": (lambda s: vg.reshape(s, ("N", 1, 3)), lambda a: a),
    "transpose": (lambda s: s.T, lambda a: a),
    "broadcast": (lambda s: vg.broadcast_to(s, (2, "N", 3)), lambda a: np.stack([a, a])),
    "concat": (lambda s: vg.concat(s, axis=1), lambda a: a),
    "joined": (
        lambda s: vg.concat([s, s + 1.0], axis=1),
        lambda a: np.hstack([a, np.log1p(np.exp(a))]),
    ),
    "cast": (lambda s: vg.cast(vg.cast(s, "f64"), "f32"), lambda a: a),
    "max": (lambda s: vg.max(s[:, :2], axis=1, keepdims=True), lambda a: a[:, :2].max(1)),
    "minimum": (lambda s: vg.minimum(s[:, 0], s[:, 1]), lambda a: a[:, :2].min(1)),
    "where": (lambda s: vg.where(vg.greater(s, 2.0), 1.0, s), lambda a: np.where(a > 0.7, 0, a)),
    "all": (lambda s: vg.copy(vg.reshape(s[:, 1:].T, (2, "N"))[0]), lambda a: a[:, 1]),
}


PAIRS = [
    *[("softmax", move) for move in MOVES],
    *[(share, "all") for share in SHARES if share != "softmax"],
]


@pytest.mark.parametrize(("share", "move"), PAIRS)
def test_logarithms_of_moved_shares_are_numbers(share: str, move: str) -> None:
    made, logarithm = SHARES[share]
    moved, picked = MOVES[move]
    x = vg.input("x", ("N", 3)) * vg.parameter("w", (3,), "ones")
    logs = vg.log(moved(made(x)))
    net = vg.Graph("g", {"logs": logs, "shares": made(x)}, loss=vg.sum(logs))
    program = vg.compile(net, optimizer=vg.SGD(1e-6))
    expected = picked(logarithm(X.astype(np.float64)))
    found, gradients = program.gradients(x=X)
    assert found == pytest.approx(expected.sum(), rel=1e-6)
    assert np.isfinite(gradients["w"]).all()
    predicted = program.predict(x=X)
    assert np.sort(predicted["logs"].ravel()) == pytest.approx(np.sort(expected.ravel()), rel=1e-6)
    assert predicted["shares"] == pytest.approx(np.exp(logarithm(X)), rel=1e-5)
    assert np.isfinite(program.step(x=X))


def test_a_binary_cross_entropy_that_is_written_out_is_finite() -> None:
    p, y = vg.sigmoid(vg.input("x", ("N", 3)) * vg.parameter("w", (3,), "ones")), X > -0.5
    for made in (p[:, 0], vg.reshape(p, ("N", 3, 1))[:, 0, 0]):
        t = vg.input("y", ("N",))
        loss = -vg.sum(t * vg.log(made) + (1.0 - t) * vg.log(1.0 - made))
        program = vg.compile(vg.Graph("g", loss=loss), optimizer=vg.SGD(1e-3))
        found, gradients = program.gradients(x=X, y=1.0 - y[:, 0])
        assert found == pytest.approx(np.abs(X[:, 0]).sum() + np.log1p(np.exp(-3)), rel=1e-6)
        slopes = (1 / (1 + np.exp(-X[:, 0].astype("f8"))) - (1.0 - y[:, 0])) * X[:, 0]
        assert gradients["w"] == pytest.approx([slopes.sum(), 0, 0], rel=1e-5)


def test_a_long_chain_of_moves_is_passed_in_one_sweep() -> None:
    s = vg.softmax(vg.input("x", ("N", 3)))
    for k in range(3000):
        s = vg.reshape(s, ("N", 3, 1) if k % 2 else ("N", 3))
    program = vg.compile(vg.Graph("g", {"y": vg.log(s)}))
    assert np.isfinite(program.predict(x=X)["y"]).all()


SAMPLES = {"cast": ("f64",), "reshape": ((6,),), "transpose": ((1, 0),), "concat": (0,)}
SAMPLES |= {"broadcast_to": ((2, 2, 3),), "slice": (1, 0, 2), "to_shards": (8,)}


@pytest.mark.parametrize("name", [name for name, kind in OPS.items() if kind.moves])
def test_what_moves_elements_moves_their_logarithms_alike(name: str) -> None:
    x, op = vg.input("x", (2, 3)), OPS[name](*SAMPLES.get(name, ()))
    g = vg.Graph("g", {"a": vg.log(apply(op, x)), "b": apply(op, vg.log(x))})
    found = vg.interpret(g, {"x": np.arange(1, 7, dtype="f4").reshape(2, 3)}).outputs
    np.testing.assert_allclose(found["a"], found["b"], rtol=1e-6)
