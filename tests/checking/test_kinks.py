"""The gradient check at kinks: recognised, checked on the side of the values, conventions kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from kinked import at_distance, batch, lines, net

import verigrad as vg
from verigrad.graph import OPS
from verigrad.runtime.checking.numeric import derivative

KINKED = {
    "relu": vg.relu,
    "leaky_relu": vg.leaky_relu,
    "selu": vg.selu,
    "elu": lambda h: vg.elu(h, alpha=0.5),
    "absolute": vg.absolute,
    "maximum": lambda h: vg.maximum(h, 0.0),
    "minimum": lambda h: vg.minimum(h * 2.0, h),
    "where": lambda h: vg.where(vg.greater(h, 0.0), h * 2.0, h * -3.0),
}


@pytest.mark.parametrize("name", KINKED)
@pytest.mark.parametrize("distance", [1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 1e-9])
def test_values_next_to_a_kink_pass(name: str, distance: float, rng: np.random.Generator) -> None:
    feeds = batch(rng)
    report = vg.gradcheck(net(KINKED[name]), feeds, parameters=at_distance(rng, feeds, distance))
    assert report.verdict == "PASS", report
    assert report.max_relative_error < 1e-6


@pytest.mark.parametrize("name", ["relu", "absolute", "maximum"])
def test_a_kink_that_is_crossed_is_named(name: str, rng: np.random.Generator) -> None:
    feeds = batch(rng)
    report = vg.gradcheck(net(KINKED[name]), feeds, parameters=at_distance(rng, feeds, 3e-6))
    bias = next(r for r in report.rows if r.name == "fc1.bias")
    assert (bias.kinks, bias.verdict) == (5, "PASS")
    assert f"%fc1.{name} at [0," in bias.kink
    assert "on the side of the values" in bias.kink
    assert "(5 at kinks)" in lines(report, "fc1.bias")[0]


def test_a_check_that_knows_no_kinks_is_wrong_there(rng: np.random.Generator) -> None:
    feeds = batch(rng)
    program = vg.compile(net(vg.relu), dtype="f64")
    program.parameters.update(at_distance(rng, feeds, 1e-6))
    bias = np.array(program.parameters["fc1.bias"])

    def loss(h: float) -> float:
        moved = bias.copy()
        moved[0] += h
        program.parameters["fc1.bias"] = moved
        return program.loss(feeds)

    naive = derivative(loss).value
    program.parameters["fc1.bias"] = bias
    symbolic = program.gradients(feeds)[1]["fc1.bias"][0]
    assert abs(naive - symbolic) > 1e-3 * abs(symbolic)


def report_of(
    loss: Callable[[vg.Node], vg.Node], value: object, shape: tuple[int, ...]
) -> vg.GradcheckReport:
    """The check of a loss of one parameter w."""
    w = vg.parameter("w", shape, dtype="f64")
    return vg.gradcheck(vg.Graph("one", loss=loss(w)), {}, parameters={"w": np.asarray(value)})


CONVENTIONS = {
    "relu": (lambda w: vg.sum(vg.relu(w) + w * 0.3), [0.0, 0.5], 0.3),
    "relu both ways": (
        lambda w: vg.sum(vg.relu(w) * 3.0 - vg.relu(-w) * 2.0 + w * 0.3), [0.0, 0.5], 0.3
    ),
    "abs": (lambda w: vg.sum(vg.absolute(w) + w * 0.3), [0.0, -2.0], 0.3),
    "abs aside": (lambda w: vg.sum(vg.absolute(w) + vg.relu(w) + w * 0.3), [0.0, 1.0], 0.3),
    "leaky": (lambda w: vg.sum(vg.leaky_relu(w, slope=0.1) + w * 0.3), [0.0, -2.0], 0.4),
    "max": (lambda w: vg.max(w) + vg.sum(w * w), [0.5, 0.5, 0.5], 2.0),
    "max of rows": (
        lambda w: vg.sum(vg.max(w, axes=(1,), keepdims=True)), [[0.5, 0.5], [0.1, 0.2]], 1.0
    ),
    "maximum": (lambda w: vg.sum(vg.maximum(w, w * 3.0)), [0.0, 1.0], 1.0),
    "minimum": (lambda w: vg.sum(vg.minimum(w, w * 3.0)), [0.0, 1.0], 1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVENTIONS)
def test_exactly_on_a_kink_the_documented_derivative_passes(name: str) -> None:
    loss, value, expected = CONVENTIONS[name]
    report = report_of(loss, value, np.shape(value))
    assert report.verdict == "PASS", report
    net_ = vg.Graph("one", loss=loss(vg.parameter("w", np.shape(value), dtype="f64")))
    program = vg.compile(net_, dtype="f64")
    program.parameters["w"] = np.array(value)
    assert program.gradients({})[1]["w"].flat[0] == pytest.approx(expected)


def test_a_row_of_zeros_passes(rng: np.random.Generator) -> None:
    feeds = batch(rng)
    feeds["x"][0] = 0
    values = {"fc1.weight": rng.standard_normal((6, 5)), "fc1.bias": np.zeros(5)}
    report = vg.gradcheck(net(vg.relu), feeds, parameters=values)
    assert report.verdict == "PASS"
    assert lines(report, "kinks:") == [f"kinks: 5 entries of %fc1.bias, e.g. {report.rows[1].kink}"]
    assert report.rows[1].kink.startswith("%fc1.relu at [0,")
    assert report.rows[1].kink.endswith("], exactly: the documented derivative")
    assert vg.gradcheck(net(vg.absolute), feeds, parameters=values).verdict == "PASS"


def test_another_one_sided_derivative_passes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = lambda w: vg.sum(vg.relu(w) + w * 0.3)  # noqa: E731
    monkeypatch.setattr(
        OPS["relu"],
        "vjp",
        lambda _, n, dy: (vg.where(vg.greater_equal(n.inputs[0], 0.0), dy, 0.0),),
    )
    report = report_of(loss, [0.0, 1.0], (2,))
    assert report.verdict == "PASS"
    assert report.rows[0].kink == "%relu at [0], exactly: the derivative to the right"


def test_a_weight_of_zero_under_l1_passes(rng: np.random.Generator) -> None:
    values = {"fc1.weight": np.zeros((6, 5)), "fc1.bias": rng.standard_normal(5)}
    report = vg.gradcheck(net(vg.tanh), batch(rng), regularizer=vg.L1(0.5), parameters=values)
    assert report.ok


def test_a_hinge_at_its_margin_passes(rng: np.random.Generator) -> None:
    x = vg.input("x", ("N", 3), dtype="f64")
    y = vg.input("y", ("N",), dtype="i64")
    g = vg.Graph("svm", loss=vg.hinge(vg.dense(x, 4, name="fc"), y))
    values = {"fc.weight": np.zeros((3, 4)), "fc.bias": np.array([0.0, 1.0, -1.0, 0.5])}
    feeds = {"x": rng.standard_normal((5, 3)), "y": np.array([0, 1, 2, 3, 0])}
    assert vg.gradcheck(g, feeds, parameters=values).verdict == "PASS"


def test_where_no_side_tells_the_check_says_so() -> None:
    c = vg.constant([1.0, 2.0, -3.0], "f64")
    report = report_of(lambda w: vg.max(c * w) + w * w, 0.0, ())
    assert report.verdict == "INCONCLUSIVE" and not report.ok
    assert lines(report, "inconclusive:") == ["inconclusive: %w at []: no side of the kink tells"]


def test_the_kink_of_an_op_that_does_not_tell_it() -> None:
    report = report_of(lambda w: vg.sum(vg.apply(Silent(), w) + w * 0.3), [0.0, 1e-5, 1.0], (3,))
    assert report.verdict == "PASS"
    assert "an op that has no `kinks`" in report.rows[0].kink


def test_stop_gradient_stands_still() -> None:
    assert report_of(lambda w: vg.sum(vg.stop_gradient(vg.tanh(w)) * w), [0.1, 0.5], (2,)).ok


@vg.op
class Silent(vg.Op):
    """relu, without a word on its kink; wrong by a factor behind it."""

    name = "checking_silent"
    wrong: float = 0.0

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (vg.where(vg.greater(node, 0.0), dy * (1 + self.wrong), 0.0),)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.maximum(x, 0, out=out)


@pytest.mark.parametrize("distance", [1.0, 1e-5, 0.0])
def test_a_wrong_gradient_next_to_a_kink_is_caught(distance: float) -> None:
    loss = lambda w: vg.sum(vg.apply(Silent(wrong=5e-4), w) + vg.relu(w) + w * 0.3)  # noqa: E731
    report = report_of(loss, [distance, 0.7], (2,))
    assert report.verdict == "FAIL"
    assert lines(report, "guilty:")[0].startswith("guilty: %checking_silent at [")


@vg.op
class Misshapen(Silent):
    """relu, with a pattern that is not of the result's shape."""

    name = "checking_misshapen"

    def kinks(self, *arrays: np.ndarray) -> np.ndarray | None:
        return np.greater(arrays[0], 0.0).any(axis=0)


def test_the_contract_of_an_op_holds_the_shape_of_its_pieces() -> None:
    report = vg.check_op(Misshapen(), ["f32[N,3]"], lambda x: np.maximum(x, 0))
    assert not report.ok
    assert "kinks gives the shape [3], where the result's is [3, 3]" in str(report)
    assert vg.check_op(OPS["relu"](), ["f32[N,3]"], lambda x: np.maximum(x, 0)).ok
