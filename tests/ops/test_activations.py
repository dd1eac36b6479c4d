"""Activations against torch, and what they promise at kinks and limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import verigrad as vg

INF = math.inf


def run(build: Callable[[vg.Node], vg.Node], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The function and its slope at each element."""
    given = vg.input("x", x.shape, dtype=x.dtype)
    y = build(given)
    slope = vg.grad(vg.sum(y), [given])[0]
    outputs = vg.interpret(vg.Graph("f", {"y": y, "slope": slope}), {"x": x}).outputs
    return outputs["y"], outputs["slope"]


TORCHS: dict[str, tuple[Callable[[vg.Node], vg.Node], Callable[[Any, Any], Any]]] = {
    "leaky_relu": (vg.leaky_relu, lambda f, x: f.leaky_relu(x)),
    "leaky_relu of 0.2": (lambda x: vg.leaky_relu(x, slope=0.2), lambda f, x: f.leaky_relu(x, 0.2)),
    "elu": (vg.elu, lambda f, x: f.elu(x)),
    "elu of 0.5": (lambda x: vg.elu(x, alpha=0.5), lambda f, x: f.elu(x, 0.5)),
    "selu": (vg.selu, lambda f, x: f.selu(x)),
    "gelu": (vg.gelu, lambda f, x: f.gelu(x)),
    "gelu by tanh": (
        lambda x: vg.gelu(x, form="tanh"),
        lambda f, x: f.gelu(x, approximate="tanh"),
    ),
    "softplus": (vg.softplus, lambda f, x: f.softplus(x, threshold=1000)),
    "silu": (vg.silu, lambda f, x: f.silu(x)),
}


@pytest.mark.parametrize("name", TORCHS)
def test_values_and_slopes_are_torchs(torch: Any, name: str) -> None:
    build, theirs = TORCHS[name]
    x = np.concatenate([np.linspace(-30, 30, 601), [1e-9, -1e-9, 0.0]])
    y, slope = run(build, x)
    given = torch.tensor(x, requires_grad=True)
    expected = theirs(torch.nn.functional, given)
    expected.sum().backward()
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(slope, given.grad.numpy(), rtol=1e-11, atol=1e-13)


def test_erf_is_accurate_to_a_few_units() -> None:
    x = np.concatenate([np.linspace(-7, 7, 20011), np.geomspace(1e-300, 6, 500), [0.46875, 4.0]])
    y, _ = run(vg.erf, x)
    expected = np.array([math.erf(v) for v in x])
    np.testing.assert_allclose(y, expected, rtol=1e-15, atol=0)


@pytest.mark.parametrize(
    ("build", "at_zero"),
    [(vg.leaky_relu, 0.01), (vg.elu, 1.0), (lambda x: vg.elu(x, alpha=2.0), 2.0)],
)
def test_slopes_at_zero_are_those_from_below(
    build: Callable[[vg.Node], vg.Node], at_zero: float
) -> None:
    assert run(build, np.array([0.0, -0.0]))[1].tolist() == [at_zero, at_zero]


def test_softplus_is_finite_and_its_slope_is_sigmoid() -> None:
    y, slope = run(vg.softplus, np.array([-1000.0, -50.0, 0.0, 50.0, 1000.0, INF, -INF]))
    assert y.tolist() == [0.0, math.exp(-50), math.log(2), 50.0, 1000.0, INF, 0.0]
    expected = [0.0, math.exp(-50), 0.5, 1.0, 1.0, 1.0, 0.0]
    np.testing.assert_allclose(slope, expected, rtol=1e-14)


def test_selu_keeps_mean_and_variance(rng: np.random.Generator) -> None:
    y, _ = run(vg.selu, rng.standard_normal(400_000))
    assert abs(y.mean()) < 0.01
    assert abs(y.var() - 1) < 0.01


@pytest.mark.parametrize(
    "build", [vg.leaky_relu, vg.elu, vg.selu, vg.gelu, vg.softplus, vg.silu, vg.tanh, vg.sigmoid]
)
def test_dropout_goes_behind_every_activation(build: Callable[[vg.Node], vg.Node]) -> None:
    x, y = vg.input("x", ("N", 4)), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(build(vg.dense(x, 5)), 3)
    net = vg.Graph("net", loss=vg.softmax_cross_entropy(scores, y))
    program = vg.compile(net, optimizer=vg.SGD(0.1), dropout=vg.Dropout(keep=0.5))
    assert "dropout_mask" in [n.op.name for n in program.training.order]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda x: vg.leaky_relu(x, slope=0.0), "slope"),
        (lambda x: vg.elu(x, alpha=-1.0), "alpha"),
        (lambda x: vg.gelu(x, form="quick"), "form"),
    ],
)
def test_what_cannot_be_is_an_error(build: Callable[[vg.Node], vg.Node], message: str) -> None:
    with pytest.raises(vg.GraphError, match=message):
        build(vg.input("x", ("N",)))
