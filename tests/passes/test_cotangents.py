"""What an op's vjp gives is of its inputs' types, or refused by name, whichever way it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest

import verigrad as vg


@vg.op
class Twice(vg.Op):
    """y = 2 x + 0 k, with whatever gradient a test sets."""

    name = "cotangent_twice"
    gradient: ClassVar[Callable[[vg.Node, vg.Node], object]]

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return type(self).gradient(node, dy)

    def run(self, x: np.ndarray, k: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, 2.0, out=out)


def net() -> vg.Graph:
    h = vg.dense(vg.input("x", ("N", 8)), 8, name="fc1")
    y = vg.apply(Twice(), h, vg.input("k", ("N",), dtype="i64"), name="twice")
    return vg.Graph("g", {"y": y}, loss=vg.mean(y))


FEEDS = {"x": np.ones((3, 8), np.float32), "k": np.zeros(3, np.int64)}


def by_grad() -> None:
    g = net()
    vg.compile(vg.Graph("d", {"dw": vg.grad(g.loss, [g["fc1.weight"]])[0]}))


def by_check_op() -> None:
    report = vg.check_op(Twice(), ["f32[N,8]", "i64[N]"], lambda x, k: x + x)
    assert report.ok, str(report)


WAYS = {
    "compile": lambda: vg.compile(net(), optimizer=vg.SGD(0.1)),
    "grad": by_grad,
    "gradcheck": lambda: vg.gradcheck(net(), FEEDS),
    "check_op": by_check_op,
}
WRONG: dict[str, tuple[Callable[[vg.Node, vg.Node], object], str]] = {
    "summed over rows": (lambda n, dy: (vg.sum(dy, [0]) * 2.0, None), "gives f..[8] for input 0"),
    "kept as 1": (lambda n, dy: (vg.sum(dy, [0], True), None), r"gives f..[1,8] for input 0"),
    "a scalar": (lambda n, dy: (vg.mean(dy), None), "gives f..[] for input 0"),
    "larger": (lambda n, dy: (vg.broadcast_to(dy, (2, "N", 8)), None), "f..[2,N,8] for input 0"),
    "transposed": (lambda n, dy: (vg.transpose(dy), None), "gives f..[8,N] for input 0"),
    "of whole numbers": (lambda n, dy: (vg.cast(dy, "i64"), None), "gives i64[N,8] for input 0"),
    "for whole numbers": (lambda n, dy: (dy, vg.sum(dy, [1])), "gives f..[N] for input 1"),
    "too few": (lambda n, dy: (dy,), "gives 1 cotangents for 2 inputs"),
    "too many": (lambda n, dy: (dy, None, None), "gives 3 cotangents for 2 inputs"),
    "none": (lambda n, dy: (), "gives 0 cotangents for 2 inputs"),
    "no tuple": (lambda n, dy: dy * 2.0, "where a tuple is expected"),
    "nothing": (lambda n, dy: None, "gives None, where a tuple is expected"),
    "a number": (lambda n, dy: (2.0, None), "gives 2.0 for input 0"),
    "an array": (lambda n, dy: (np.ones(8), None), "for input 0, which is f..[N,8]"),
}


def pattern(text: str) -> str:
    return text.replace("[", r"\[").replace("]", r"\]")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_cotangent_is_refused_by_name(
    wrong: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradient, said = WRONG[wrong]
    monkeypatch.setattr(Twice, "gradient", staticmethod(gradient), raising=False)
    with pytest.raises((vg.GraphError, AssertionError), match=pattern(said)) as e:
        WAYS[way]()
    assert "cotangent_twice: vjp gives" in str(e.value)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_right_passes(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Twice, "gradient", staticmethod(lambda n, dy: [dy * 2.0, None]), raising=False
    )
    WAYS[way]()


@vg.op
class Scaled(vg.Op):
    """y = x s, broadcast; summed back only where it says that it works element by element."""

    name = "cotangent_scaled"
    alone: bool = True

    @property
    def elementwise(self) -> bool:
        return self.alone

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        x, s = node.inputs
        return dy * s, dy * x

    def run(self, x: np.ndarray, s: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, s, out=out)


@pytest.mark.parametrize("shape", [(), (3,), (1, 3), ("N", 1), ("N", 3)], ids=str)
def test_only_what_an_elementwise_op_repeats_is_summed(shape: tuple[int | str, ...]) -> None:
    x, s = vg.input("x", ("N", 3)), vg.input("s", shape)
    values = {"x": np.full((4, 3), 2.0, np.float32)}
    values["s"] = np.ones([4 if d == "N" else d for d in shape], np.float32)

    def slope(alone: bool) -> np.ndarray:
        y = vg.sum(vg.apply(Scaled(alone), x, s))
        g = vg.Graph("g", {"ds": vg.grad(y, [s])[0], "x": x, "s": s})
        return vg.compile(g).predict(values)["ds"]

    assert np.array_equal(slope(True), np.full(values["s"].shape, 24.0 / values["s"].size))
    if shape == ("N", 3):
        assert np.array_equal(slope(False), slope(True))
    else:
        with pytest.raises(vg.GraphError, match="cotangent_scaled: vjp gives"):
            slope(False)


def test_a_contract_looks_at_the_gradient_in_f32_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = lambda n, dy: (vg.cast(dy, "f64") * 2.0, None)  # noqa: E731
    monkeypatch.setattr(Twice, "gradient", staticmethod(wide), raising=False)
    report = vg.check_op(Twice(), ["f32[N,8]", "i64[N]"], lambda x, k: x + x)
    assert "vjp gives f64[N,8] for input 0, which is f32[N,8]" in str(report)
