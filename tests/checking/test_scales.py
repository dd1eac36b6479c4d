"""The gradient check says the same however the loss is scaled, and whatever the tolerance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from kinked import Skewed, at_distance, batch, lines, net

import verigrad as vg
from verigrad.passes.simplify import Simplify

SCALES = [1e-30, 1e-15, 1e-8, 1.0, 1e15]


def scaled(g: vg.Graph, scale: float) -> vg.Graph:
    assert g.loss is not None
    return vg.Graph(g.name, loss=g.loss * scale)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("wrong", [-2.0, -1.0, 0.0005, 0.0])
def test_a_wrong_gradient_fails_at_every_scale(
    wrong: float, scale: float, rng: np.random.Generator
) -> None:
    g = scaled(net(lambda h: vg.apply(Skewed(wrong=wrong), h)), scale)
    report = vg.gradcheck(g, batch(rng))
    assert report.verdict == ("FAIL" if wrong else "PASS"), report
    assert [f.split(" at ")[0] for f in report.faults] == ["%fc1.checking_skewed"] * bool(wrong)


@vg.op
class Scaled(vg.Op):
    """y = scale x^2; its value or its slope is multiplied by a factor where it is told so."""

    name = "checking_scaled"
    scale: float
    value: float = 1.0
    slope: float = 1.0

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        self.takes(types, 1)
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (dy * node.inputs[0] * (2.0 * self.scale * self.slope),)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, x, out=out)
        np.multiply(out, self.scale * self.value, out=out)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("factor", [-1.0, 1.001])
def test_the_check_of_an_op_says_the_same_at_every_scale(
    factor: float, scale: float, dtype: str
) -> None:
    def violations(**wrong: float) -> tuple[str, ...]:
        op = Scaled(scale, **wrong)
        return vg.check_op(op, [f"{dtype}[N,3]"], lambda x: scale * x * x).violations

    assert violations() == ()
    assert any("the vjp of input 0 is wrong" in v for v in violations(slope=factor))
    assert any("the value is" in v for v in violations(value=factor))


@pytest.mark.parametrize("scale", SCALES)
def test_the_pass_that_did_it_is_named_with_its_rewrite(
    scale: float, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    right = Simplify.rewrites

    def wrong(self: Simplify, g: vg.Graph) -> Iterator[object]:
        yield from right(self, g)
        for key, n in g.outputs.items():
            if key == "fc1.bias.grad" and n.op.name != "negative":
                yield vg.Rewrite(n, vg.negative(n), "sums turned round")

    monkeypatch.setattr(Simplify, "rewrites", wrong)
    report = vg.gradcheck(scaled(net(vg.tanh), scale), batch(rng))
    assert [r.name for r in report.rows if r.verdict == "FAIL"] == ["fc1.bias"]
    (fault,) = report.faults
    assert fault.startswith("the pass simplify, in what it does to %fc1.bias.grad"), fault
    assert "(sums turned round): every node's own vector-Jacobian product is right" in fault


@pytest.mark.parametrize("name", ["relu", "absolute", "tanh"])
@pytest.mark.parametrize("distance", [2e-4, 4e-6, 1e-6])
def test_the_estimate_is_the_same_whatever_the_tolerance(
    name: str, distance: float, rng: np.random.Generator
) -> None:
    feeds = batch(rng)
    given = at_distance(rng, feeds, distance)
    reports = [
        vg.gradcheck(net(getattr(vg, name)), feeds, parameters=given, tolerance=tolerance)
        for tolerance in (0.9, 1e-3, 1e-7)
    ]
    errors = [[r.error for r in report.rows] for report in reports]
    assert errors[0] == errors[1] == errors[2]
    assert max(errors[0]) < 1e-8


def test_the_report_says_what_an_error_is_relative_to(rng: np.random.Generator) -> None:
    g = net(lambda h: vg.tanh(vg.batch_norm(h, name="bn1")))
    report = vg.gradcheck(g, batch(rng))
    relative_to = {r.name: r.relative_to for r in report.rows}
    assert relative_to["fc1.bias"] == "max|a| of all"
    assert set(relative_to.values()) <= {"max|a| of all", "|a| + |n|", "0.001 max|a|"}
    for row in report.rows:
        assert row.relative_to in lines(report, row.name)[0]


def test_a_net_whose_gradients_are_all_0_passes() -> None:
    w = vg.parameter("w", (3,), dtype="f64")
    report = vg.gradcheck(vg.Graph("flat", loss=vg.sum(vg.relu(-vg.square(w)) + 1.0)), {})
    assert (report.verdict, report.max_relative_error) == ("PASS", 0.0)


NARROW = {
    "a root": lambda z, size: vg.sqrt(vg.square(z) + size**2),
    "a logarithm": lambda z, size: vg.log(vg.square(z) + size**2),
    "a quotient": lambda z, size: 1.0 / (z + 10.0 * size),
    "a wave": lambda z, size: vg.sin(z / size),
    "a product": lambda z, size: z * z * z,
}


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e5])
@pytest.mark.parametrize("wrong", [0.0, 0.0005, -1.0, -2.0])
def test_the_verdict_is_right_where_a_slope_shows_at_other_steps_alone(
    name: str, size: float, wrong: float, rng: np.random.Generator
) -> None:
    w = vg.parameter("w", (3,), dtype="f64")
    y = NARROW[name](vg.apply(Skewed(wrong=wrong), w) / size, size)
    g = vg.Graph("narrow", loss=vg.sum(y))
    value = size * np.array([0.7, -1.2, 1.9])
    assert vg.gradcheck(g, {}, parameters={"w": value}).verdict == ("FAIL" if wrong else "PASS")


@pytest.mark.parametrize("offset", [1e12, 1e20, 1e300])
@pytest.mark.parametrize("wrong", [0.0, -1.0, -2.0])
def test_a_loss_in_which_gradients_drown_accuses_no_right_one_and_passes_no_wrong_one(
    offset: float, wrong: float, rng: np.random.Generator
) -> None:
    g = net(lambda h: vg.apply(Skewed(wrong=wrong), h), offset)
    found = vg.gradcheck(g, batch(rng)).verdict
    assert found == "INCONCLUSIVE" if not wrong else found != "PASS"


@pytest.mark.parametrize("size", [1e5, 1e7, 1e10])
@pytest.mark.parametrize("seed", range(5))
def test_a_loss_that_rounding_scatters_on_the_way_accuses_no_right_gradient(
    size: float, seed: int
) -> None:
    x = vg.input("x", ("N", 3))
    h = vg.tanh(vg.dense(x, 4, name="fc1"))
    g = vg.Graph("cancels", loss=vg.mean(vg.square((h + size) - size)))
    feeds = {"x": np.random.default_rng(seed).standard_normal((5, 3))}
    report = vg.gradcheck(g, feeds, seed=seed)
    assert report.verdict != "FAIL", report


@pytest.mark.parametrize("wrong", [0.1, -1.0])
def test_a_gradient_that_is_wrong_beyond_what_rounding_scatters_fails(
    wrong: float, rng: np.random.Generator
) -> None:
    g = net(lambda h: (vg.apply(Skewed(wrong=wrong), h) + 1e5) - 1e5)
    assert vg.gradcheck(g, batch(rng)).verdict == "FAIL"


def test_gradients_that_are_all_0_by_mistake_fail_however_large_the_loss_is() -> None:
    w = vg.parameter("w", (3,), dtype="f64")
    g = vg.Graph("lost", loss=vg.sum(vg.apply(Skewed(wrong=-1.0), w)) + 1e20)
    report = vg.gradcheck(g, {})
    assert report.verdict == "FAIL" and "%checking_skewed at" in report.faults[0], report
