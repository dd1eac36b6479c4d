"""A hundred steps of the training ops of ONNX end where those of our dialect do.

ONNX keeps attributes in f32: all that are given here are fractions that it holds exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from smooth_net import STEPS, Values, batch, gradients, moved, trained, worst

import verigrad as vg

EPS, HALF = 2.0**-20, 2.0**-5
CASES: dict[str, tuple[vg.Optimizer, str, int, dict[str, Any]]] = {
    "momentum": (
        vg.Momentum(0.05, 0.875, dialect="onnx"), "Momentum", 1,
        {"alpha": 0.875, "beta": 1.0, "mode": "standard", "norm_coefficient": 0.0},
    ),
    "momentum dampened and decayed": (
        vg.Momentum(0.05, 0.875, dampening=0.25, weight_decay=HALF, dialect="onnx"), "Momentum", 1,
        {"alpha": 0.875, "beta": 0.75, "mode": "standard", "norm_coefficient": HALF},
    ),
    "nesterov": (
        vg.Nesterov(0.05, 0.875, dialect="onnx"), "Momentum", 1,
        {"alpha": 0.875, "beta": 1.0, "mode": "nesterov", "norm_coefficient": 0.0},
    ),
    "nesterov dampened and decayed": (
        vg.Nesterov(0.05, 0.875, dampening=0.25, weight_decay=HALF, dialect="onnx"), "Momentum", 1,
        {"alpha": 0.875, "beta": 0.75, "mode": "nesterov", "norm_coefficient": HALF},
    ),
    "adagrad": (
        vg.AdaGrad(0.1, EPS, dialect="onnx"), "Adagrad", 1,
        {"epsilon": EPS, "decay_factor": 0.0, "norm_coefficient": 0.0},
    ),
    "adagrad of a falling rate": (
        vg.AdaGrad(0.1, EPS, lr_decay=HALF, weight_decay=HALF, dialect="onnx"), "Adagrad", 1,
        {"epsilon": EPS, "decay_factor": HALF, "norm_coefficient": HALF},
    ),
    "adam": (
        vg.Adam(0.01, 0.875, 0.96875, EPS, dialect="onnx"), "Adam", 2,
        {"alpha": 0.875, "beta": 0.96875, "epsilon": EPS, "norm_coefficient": 0.0,
         "norm_coefficient_post": 0.0},
    ),
    "adam decayed": (
        vg.Adam(0.01, 0.875, 0.96875, EPS, weight_decay=HALF, dialect="onnx"), "Adam", 2,
        {"alpha": 0.875, "beta": 0.96875, "epsilon": EPS, "norm_coefficient": HALF,
         "norm_coefficient_post": 0.0},
    ),
}  # fmt: skip


def by_onnx(
    onnx: Any, start: Values, rate: float, kind: str, moments: int, attributes: dict[str, Any]
) -> list[Values]:
    """The parameters after each step of a training op, with gradients by hand."""
    value = onnx.helper.make_tensor_value_info
    names = ["r", "t", "x", "g", *(f"m{i}" for i in range(moments))]
    results = ["y", *(f"n{i}" for i in range(moments))]
    domain = "ai.onnx.preview.training"
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(kind, names, results, domain=domain, **attributes)], kind,
        [value(n, 7 if n == "t" else 11, None) for n in names],
        [value(n, 11, None) for n in results],
    )  # fmt: skip
    opsets = [onnx.helper.make_opsetid("", 22), onnx.helper.make_opsetid(domain, 1)]
    op = onnx.reference.ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=opsets))
    p = dict(start)
    state = {k: [np.zeros_like(w) for _ in range(moments)] for k, w in p.items()}
    after = []
    for step in range(STEPS):
        g = gradients(p, batch(step))
        for k, w in p.items():
            fed = [np.array(rate), np.array(step), w, g[k], *state[k]]
            p[k], *state[k] = op.run(None, dict(zip(names, fed, strict=True)))
        after.append(dict(p))
    return after


@pytest.mark.parametrize("case", CASES)
def test_a_hundred_steps_end_where_onnx_does(onnx: Any, case: str) -> None:
    optimizer, kind, moments, attributes = CASES[case]
    start, after = trained(optimizer)
    expected = by_onnx(onnx, start, optimizer.lr, kind, moments, attributes)
    assert moved(start, after) > 0.01
    assert worst(after, expected) < 1e-11
