"""The gradient check where an op has no finite slope: it says where, and accuses nobody."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from kinked import Skewed, batch, lines, net

import verigrad as vg
from verigrad.graph import OPS


def check(loss: Callable[[vg.Node], vg.Node], value: list[float]) -> vg.GradcheckReport:
    """The check of a loss of one parameter w at a value."""
    w = vg.parameter("w", (len(value),), dtype="f64")
    g = vg.Graph("one", loss=loss(w))
    return vg.gradcheck(g, {}, parameters={"w": np.array(value)})


SINGULAR = {
    "sqrt": (lambda w: vg.sum(vg.sqrt(w)), [0.0, 0.5], "sqrt has no finite slope where %w at [0]"),
    "norm": (lambda w: vg.sqrt(vg.squared_norm(w)), [0.0, 0.0], "sqrt has no finite slope where"),
    "rmse": (lambda w: vg.sqrt(vg.mean(vg.square(w - 1.0))), [1.0, 1.0], "where %mean at [] is 0"),
    "log": (lambda w: vg.sum(vg.log(w)), [0.5, 0.0], "%log at [1] is -inf: log of 0"),
    "x log x": (lambda w: vg.sum(w * vg.log(w)), [0.0, 1.0], "%log at [0] is -inf"),
    "quotient": (lambda w: vg.sum(2.0 / w), [0.5, 0.0], "%divide at [1] is inf: divide of 2 and 0"),
    "power": (lambda w: vg.sum(vg.power(w, 0.5)), [0.0, 0.5], "power has no finite slope where"),
    "direction": (
        lambda w: vg.sum(w / vg.sqrt(vg.squared_norm(w))), [0.0, 0.0], "sqrt has no finite slope"
    ),
    "root of a distance": (
        lambda w: vg.sum(vg.sqrt(vg.absolute(w))), [0.5, 0.0], "where %absolute at [1] is 0"
    ),
    "overflow": (lambda w: vg.sum(vg.exp(w)), [1.0, 1000.0], "%exp at [1] is inf: exp of 1000"),
    "outside": (lambda w: vg.sum(vg.log(w)), [1.0, -2.0], "%log at [1] is nan: log of -2"),
}  # fmt: skip


@pytest.mark.parametrize("name", SINGULAR)
def test_a_point_without_a_finite_slope_is_inconclusive_and_named(name: str) -> None:
    loss, value, words = SINGULAR[name]
    report = check(loss, value)
    assert (report.verdict, report.faults) == ("INCONCLUSIVE", ()), report
    (line,) = lines(report, "inconclusive:")
    assert words in line and "check at other feeds or parameters=" in line


SMOOTH = {
    "square": (lambda w: vg.sum(vg.power(w, 2.0)), [0.0, 0.5]),
    "close to 0": (lambda w: vg.sum(vg.sqrt(w)), [1e-12, 0.5]),
    "close to a pole": (lambda w: vg.sum(1.0 / w + vg.log(w)), [1e-7, 0.5]),
    "clipped at its bounds": (
        lambda w: vg.sum(vg.minimum(vg.maximum(w, -1.0), 1.0) * 2.0), [1.0, -1.0]
    ),
    "of no effect": (lambda w: vg.sum(vg.relu(-vg.square(w))), [0.3, 0.5]),
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_what_has_a_slope_passes_up_to_the_point(name: str) -> None:
    assert check(*SMOOTH[name]).verdict == "PASS"


@pytest.mark.parametrize("before", [True, False])
def test_a_wrong_gradient_beside_such_a_point_still_fails(before: bool) -> None:
    def loss(w: vg.Node) -> vg.Node:
        wrong = vg.apply(Skewed(wrong=-2.0), w)
        if before:  # its gradient drowns in what is not finite
            return vg.sqrt(vg.squared_norm(wrong - vg.square(w)))
        return vg.sum(wrong) + vg.sum(vg.sqrt(vg.relu(w)))

    report = check(loss, [0.5, -1.0])
    assert report.verdict == "FAIL" and not report.ok
    assert any(f.startswith("%checking_skewed at [") for f in report.faults)


def test_a_slope_that_is_not_finite_where_there_is_one_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(OPS["square"], "vjp", lambda _, n, dy: (dy * n * 2.0 / n.inputs[0],))
    report = check(lambda w: vg.sum(vg.square(w)), [0.0, 1.0])
    assert report.verdict == "FAIL"
    assert lines(report, "guilty:")[0].startswith("guilty: %square at [0]: the vector-Jacobian ")


def test_a_feed_that_is_not_finite_is_a_failure_as_before(rng: np.random.Generator) -> None:
    x = vg.input("x", ("N", 6), dtype="f64")
    loss = vg.sqrt(vg.mean(vg.square(vg.dense(x, 2, name="fc"))))
    feeds = batch(rng)["x"]
    feeds[1, 2] = np.nan
    report = vg.gradcheck(vg.Graph("net", loss=loss), {"x": feeds})
    assert report.verdict == "FAIL"
    assert lines(report, "guilty:") == ["guilty: %x at [1,2] is nan, the first that is not finite"]


@vg.op
class Lost(vg.Op):
    """tanh, whose vjp is NaN everywhere."""

    name = "checking_lost"

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        self.takes(types, 1)
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (dy * vg.log(vg.square(node) * 0.0 - 1.0),)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.tanh(x, out=out)


@pytest.mark.parametrize("seed", range(4))
def test_a_gradient_of_nan_where_there_is_a_slope_fails(seed: int) -> None:
    feeds = batch(np.random.default_rng(seed))
    report = vg.gradcheck(net(lambda h: vg.apply(Lost(), h)), feeds)
    assert report.verdict == "FAIL", report
    assert report.faults[0].startswith("%fc1.checking_lost at"), report.faults


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_parameter_that_is_not_finite_is_told(value: float) -> None:
    w = vg.parameter("w", (2, 2), np.array([[1.0, 2.0], [value, 3.0]]))
    net = vg.Graph("net", loss=vg.sum(vg.tanh(w)))
    with pytest.raises(vg.RunError, match=r"'w' holds -?(inf|nan) at \[1,0\].*parameters="):
        vg.gradcheck(net, {})
    finite = {"w": np.ones((2, 2))}
    assert vg.gradcheck(net, {}, parameters=finite)
