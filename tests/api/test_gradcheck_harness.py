"""The gradient check: the course's numbers, its report, and that it catches a wrong gradient."""

from __future__ import annotations

import numpy as np
import pytest
from api_nets import rows, says, two_layer

import verigrad as vg


def course() -> tuple[vg.Graph, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The course's two-layer net, its feeds and its parameters."""
    parameters = {
        "fc1.weight": np.linspace(-0.7, 0.3, 250).reshape(5, 50),
        "fc1.bias": np.linspace(-0.1, 0.9, 50),
        "fc2.weight": np.linspace(-0.3, 0.4, 350).reshape(50, 7),
        "fc2.bias": np.linspace(-0.9, 0.1, 7),
    }
    feeds = {"x": np.linspace(-5.5, 4.5, 15).reshape(5, 3).T, "y": np.array([0, 5, 1])}
    return two_layer(5, 50, 7), feeds, parameters


@pytest.mark.parametrize(("strength", "expected"), [(0.0, 3.4702243556), (1.0, 26.5948426952)])
def test_losses_of_the_course_to_ten_digits(strength: float, expected: float) -> None:
    net, feeds, parameters = course()
    program = vg.compile(net, regularizer=vg.L2(strength), dtype="f64")
    for name, value in parameters.items():
        program.parameters[name] = value
    assert round(program.loss(feeds), 10) == expected


@pytest.mark.parametrize("strength", [0.0, 0.7])
def test_gradients_of_the_course_to_1e_7(strength: float) -> None:
    net, feeds, parameters = course()
    report = vg.gradcheck(net, feeds, regularizer=vg.L2(strength), parameters=parameters)
    assert report.ok
    assert report.max_relative_error < 1e-7


@pytest.mark.parametrize("mode", ["inverted", "vanilla"])
def test_dropout_and_penalties_are_checked_too(mode: str) -> None:
    dropout = vg.Dropout(keep=0.6, input=0.9, mode=mode)
    report = vg.gradcheck(
        two_layer(), rows(5), regularizer=vg.ElasticNet(0.1, 0.2), dropout=dropout, seed=3
    )
    assert report.ok
    assert report.max_relative_error < 1e-7


@vg.op
class Cubed(vg.Op):
    """x^3, whose gradient is multiplied by 1 + wrong."""

    name = "api_cubed"
    wrong: float = 0.0

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        self.takes(types, 1, "x")
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        (x,) = node.inputs
        return (dy * vg.square(x) * (3.0 * (1 + self.wrong)),)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, x, out=out)
        np.multiply(out, x, out=out)


def cubed(wrong: float) -> vg.Graph:
    """A net whose hidden layer is cubed."""
    x = vg.input("x", ("N", 6))
    y = vg.input("y", ("N",), dtype="i64")
    h = vg.apply(Cubed(wrong=wrong), vg.dense(x, 5, name="fc1"))
    return vg.Graph("cubed", loss=vg.softmax_cross_entropy(vg.dense(h, 3, name="fc2"), y))


def test_a_users_right_gradient_passes() -> None:
    report = vg.gradcheck(cubed(0.0), rows(4))
    assert report.ok and report
    assert report.max_relative_error < 1e-7


@pytest.mark.parametrize("wrong", [0.0005, -0.0005, 1.0, -2.0])
def test_a_gradient_wrong_by_0_05_percent_is_caught(wrong: float) -> None:
    report = vg.gradcheck(cubed(wrong), rows(4))
    assert not report.ok
    assert not report
    assert report.max_relative_error > 2e-4


def test_the_report_is_a_table_with_a_verdict() -> None:
    good, bad = (str(vg.gradcheck(cubed(wrong), rows(4))) for wrong in (0.0, 0.0005))
    for text in (good, bad):
        header = text.lower()
        for word in ("parameter", "max error", "at", "step"):
            assert word in header
        for name in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"):
            assert sum(line.split()[:1] == [name] for line in text.splitlines()) == 1
    assert "PASS" in good and "FAIL" not in good
    assert "FAIL" in bad and "PASS" not in bad


def test_the_check_is_the_same_for_the_same_seed() -> None:
    texts = {str(vg.gradcheck(two_layer(), rows(4), seed=seed)) for seed in (0, 0, 1)}
    assert len(texts) == 2


def test_a_correct_net_passes_for_every_seed() -> None:
    reports = [vg.gradcheck(two_layer(), rows(4, seed=s), seed=s) for s in range(10)]
    assert all(report.ok for report in reports)
    assert max(report.max_relative_error for report in reports) < 1e-7


def test_a_wide_penalised_net_passes_for_every_seed() -> None:
    net = two_layer(512, 64, 10)
    reports = [
        vg.gradcheck(net, rows(4, 512, 10, seed=s), regularizer=vg.L2(0.7), seed=s, entries=100)
        for s in range(6)
    ]
    assert [report.ok for report in reports] == [True] * 6


def test_parameters_that_do_not_fit_are_refused() -> None:
    net, feeds, parameters = course()
    with says("fc1.weight", "[5,50]"):
        vg.gradcheck(net, feeds, parameters={**parameters, "fc1.weight": np.zeros((50, 5))})
    with says("fc3.weight"):
        vg.gradcheck(net, feeds, parameters={**parameters, "fc3.weight": np.zeros(3)})


def test_a_check_needs_a_loss_and_parameters() -> None:
    x = vg.input("x", ("N", 3))
    with says("loss"):
        vg.gradcheck(vg.Graph("none", {"h": vg.dense(x, 2, name="fc")}), {"x": np.ones((2, 3))})
    with says("no parameter"):
        vg.gradcheck(vg.Graph("none", loss=vg.mean(x)), {"x": np.ones((2, 3))})


def test_numbers_that_are_not_finite_fail() -> None:
    feeds = rows(4)
    feeds["x"][1, 2] = np.nan
    report = vg.gradcheck(two_layer(), feeds)
    assert not report.ok
    assert "FAIL" in str(report)


def test_f64_feeds_are_not_rounded() -> None:
    net, feeds, parameters = course()
    program = vg.compile(net, dtype="f64")
    for name, value in parameters.items():
        program.parameters[name] = value
    rounded = {**feeds, "x": feeds["x"].astype(np.float32)}
    assert program.loss(feeds) != program.loss(rounded)
