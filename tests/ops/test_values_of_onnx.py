"""Values of the ops that ONNX has too, beside the reference evaluator that defines its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import verigrad as vg

Arrays = dict[str, np.ndarray]
OPSET = 22


class Case(NamedTuple):
    """An op of ONNX with its attributes, the same by ours, and types of the inputs.

    `more` are inputs that ONNX takes as tensors where ours takes arguments. Some of its functions
    are `f32` whatever they are given.
    """

    kind: str
    build: Callable[..., vg.Node]
    types: tuple[str, ...]
    attributes: dict[str, Any] = {}  # noqa: RUF012
    more: tuple[Any, ...] = ()
    f32: bool = False

    @property
    def label(self) -> str:
        return f"{self.kind}{self.attributes or ''}({','.join(self.types)})"


ONE, TWO, ROWS = ("[4,6]",), ("[4,6]", "[4,6]"), ("[4,6]", "[6]")
CASES = [
    Case("Abs", vg.absolute, ONE),
    Case("Cos", vg.cos, ONE),
    Case("Elu", lambda x: vg.elu(x, alpha=0.25), ONE, {"alpha": 0.25}),
    Case("Erf", vg.erf, ONE, f32=True),
    Case("Exp", vg.exp, ONE),
    Case("Floor", vg.floor, ONE),
    Case("Gelu", vg.gelu, ONE, f32=True),
    Case("Gelu", lambda x: vg.gelu(x, form="tanh"), ONE, {"approximate": "tanh"}, f32=True),
    Case("LeakyRelu", lambda x: vg.leaky_relu(x, slope=0.125), ONE, {"alpha": 0.125}),
    Case("Log", vg.log, ("[4,6]+",)),
    Case("Neg", vg.negative, ONE),
    Case("Relu", vg.relu, ONE),
    Case("Sigmoid", vg.sigmoid, ONE),
    Case("Sign", vg.sign, ONE),
    Case("Sin", vg.sin, ONE),
    Case("Softplus", vg.softplus, ONE),
    Case("Sqrt", vg.sqrt, ("[4,6]+",)),
    Case("Tanh", vg.tanh, ONE),
    *(
        Case(kind, build, types)
        for kind, build in (("Add", vg.add), ("Sub", vg.subtract), ("Mul", vg.multiply),
                            ("Max", vg.maximum), ("Min", vg.minimum),
                            ("Greater", vg.greater), ("GreaterOrEqual", vg.greater_equal),
                            ("Less", vg.less), ("LessOrEqual", vg.less_equal),
                            ("Equal", vg.equal))
        for types in (TWO, ROWS)
    ),
    Case("Div", vg.divide, ("[4,6]", "[4,6]+")),
    Case("Pow", vg.power, ("[4,6]+", "[4,6]")),
    Case("Where", vg.where, ("bool[4,6]", "[4,6]", "[4,6]")),
    Case("MatMul", vg.matmul, ("[4,6]", "[6,3]")),
    Case("Gemm", vg.linear, ("[4,6]", "[6,3]", "[3]")),
    Case("Transpose", vg.transpose, ONE),
    Case("Transpose", lambda x: vg.transpose(x, (2, 0, 1)), ("[2,3,4]",), {"perm": [2, 0, 1]}),
    Case("Reshape", lambda x: vg.reshape(x, (3, 8)), ONE, {}, ([3, 8],)),
    Case("Expand", lambda x: vg.broadcast_to(x, (4, 6)), ("[6]",), {}, ([4, 6],)),
    Case("Concat", lambda a, b: vg.concat(a, b, axis=1), TWO, {"axis": 1}),
    Case("Slice", lambda x: vg.slice(x, 1, 1, 4), ONE, {}, ([1], [4], [1])),
    Case("Pad", lambda x: vg.pad(x, 1, 2, 1), ONE, {"mode": "constant"}, ([0, 2, 0, 1],)),
    Case("Cast", lambda x: vg.cast(x, "i64"), ONE, {"to": 7}),
    *(
        Case(kind, lambda x, f=f: f(x, 1, keepdims=True), ("[4,6,3]",), {"keepdims": 1}, ([1],))
        for kind, f in (("ReduceSum", vg.sum), ("ReduceMean", vg.mean), ("ReduceMax", vg.max))
    ),
    Case("ReduceSumSquare", vg.squared_norm, ONE, {"keepdims": 0}),
    Case("Softmax", vg.softmax, ONE, {"axis": -1}),
    Case("LogSoftmax", vg.log_softmax, ONE, {"axis": -1}),
    Case("SoftmaxCrossEntropyLoss", vg.softmax_cross_entropy, ("[4,6]", "labels[4]")),
    Case("NegativeLogLikelihoodLoss", vg.nll, ("[4,6]", "labels[4]"), {"reduction": "none"}),
]  # fmt: skip


def drawn(types: tuple[str, ...], dtype: str, rng: np.random.Generator) -> list[np.ndarray]:
    """An array of each type: floats, some of them halves; positive ones, truth values, labels."""
    arrays = []
    for t in types:
        shape = tuple(map(int, t[t.index("[") + 1 : t.index("]")].split(",")))
        if t.startswith("labels"):
            arrays.append(rng.integers(0, 6, shape))
        elif t.startswith("bool"):
            arrays.append(rng.random(shape) < 0.5)
        else:
            x = np.where(rng.random(shape) < 0.3, rng.integers(-6, 7, shape) / 2,
                         3 * rng.standard_normal(shape))  # fmt: skip
            arrays.append((np.abs(x) + 0.125 if t.endswith("+") else x).astype(dtype))
    return arrays


def by_onnx(onnx: Any, case: Case, arrays: list[np.ndarray]) -> np.ndarray:
    """What ONNX's evaluator gives for the op of that case."""
    more = [np.array(value, np.int64) for value in case.more]
    inputs = {f"x{i}": a for i, a in enumerate([*arrays, *more])}
    kind = onnx.helper.np_dtype_to_tensor_dtype
    node = onnx.helper.make_node(case.kind, [*inputs], ["y"], **case.attributes)
    graph = onnx.helper.make_graph(
        [node], "case",
        [onnx.helper.make_tensor_value_info(k, kind(a.dtype), a.shape) for k, a in inputs.items()],
        [onnx.helper.make_tensor_value_info("y", kind(arrays[0].dtype), None)],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])
    (y,) = onnx.reference.ReferenceEvaluator(model).run(None, inputs)
    return np.asarray(y)


NAMES = {np.dtype("f4"): "f32", np.dtype("f8"): "f64", np.dtype("i8"): "i64", np.dtype("?"): "bool"}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_values_are_those_of_onnx(
    onnx: Any, case: Case, dtype: str, rng: np.random.Generator
) -> None:
    arrays = drawn(case.types, dtype, rng)
    nodes = [vg.input(f"x{i}", a.shape, dtype=NAMES[a.dtype]) for i, a in enumerate(arrays)]
    program = vg.compile(vg.Graph("case", {"y": case.build(*nodes)}))
    found = program.predict({f"x{i}": a for i, a in enumerate(arrays)})["y"]
    expected = by_onnx(onnx, case, arrays)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    if found.dtype.kind == "f":
        tiny = 8 * np.finfo("f4" if case.f32 else dtype).eps
        size = float(np.abs(expected).max())
        np.testing.assert_allclose(found, expected, rtol=4 * tiny, atol=tiny * max(size, 1.0))
    else:
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("momentum", [0.75, 0.875])
def test_batch_normalization_and_its_running_values_are_those_of_onnx(
    onnx: Any, momentum: float, rng: np.random.Generator
) -> None:
    """In training, where ONNX keeps the biased variance as we do and PyTorch does not; then not."""
    x = vg.input("x", ("N", 3))
    y = vg.batch_norm(x, name="bn", momentum=momentum, eps=2.0**-10)
    net = vg.Graph("net", {"y": y}, loss=vg.mean(vg.square(y)))
    program = vg.compile(net, optimizer=vg.SGD(1e-300), dtype="f64")
    values = [rng.uniform(0.5, 2, 3) for _ in range(4)]
    for name, value in zip(("weight", "bias"), values, strict=False):
        program.parameters[f"bn.{name}"] = value
    running = values[2:]
    for name, value in zip(("running_mean", "running_var"), running, strict=True):
        program.state[f"bn.{name}"] = value

    def evaluated(rows: np.ndarray, training: int) -> list[np.ndarray]:
        names = ["x", "scale", "b", "mean", "var"]
        node = onnx.helper.make_node(
            "BatchNormalization", names, ["y", "m", "v"][: 3 if training else 1],
            epsilon=2.0**-10, momentum=momentum, training_mode=training,
        )  # fmt: skip
        value = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            [node], "bn", [value(n, 11, None) for n in names],
            [value(n, 11, None) for n in node.output],
        )  # fmt: skip
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])
        feeds = dict(zip(names, [rows, *values[:2], *running], strict=True))
        return list(onnx.reference.ReferenceEvaluator(model).run(None, feeds))

    for n in (5, 2, 9):
        rows = rng.standard_normal((n, 3)) * 2 + 1
        normalized, *running = evaluated(rows, 1)
        loss = program.step(x=rows)
        assert math.isclose(loss, float((normalized**2).mean()), rel_tol=1e-12)
        np.testing.assert_allclose(program.state["bn.running_mean"], running[0], rtol=1e-12)
        np.testing.assert_allclose(program.state["bn.running_var"], running[1], rtol=1e-12)
    (expected,) = evaluated(rows, 0)
    np.testing.assert_allclose(program.predict(x=rows)["y"], expected, rtol=1e-11)


def test_layer_normalization_is_that_of_onnx(onnx: Any, rng: np.random.Generator) -> None:
    x = vg.input("x", ("N", 6), dtype="f64")
    y = vg.layer_norm(x, name="ln", eps=2.0**-10)
    program = vg.compile(vg.Graph("net", {"y": y}), dtype="f64")
    arrays = [rng.standard_normal((4, 6)), rng.uniform(0.5, 2, 6), rng.standard_normal(6)]
    program.parameters.update({"ln.weight": arrays[1], "ln.bias": arrays[2]})
    case = Case("LayerNormalization", vg.layer_norm, (), {"epsilon": 2.0**-10})
    expected = by_onnx(onnx, case, arrays)
    np.testing.assert_allclose(program.predict(x=arrays[0])["y"], expected, rtol=1e-12, atol=1e-13)
