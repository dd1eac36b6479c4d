"""Small models of ONNX, as tests write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

Told = tuple[int, Sequence[int | str | None] | None]
"""The element type and the shape of an input or an output."""


def node(op: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    """A node whose inputs and outputs are parted by blanks; `-` is one that is left out."""
    helper = pytest.importorskip("onnx.helper")
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op, names, outputs.split(), **attributes)


def model(
    *nodes: Any,
    inputs: Mapping[str, Told] | None = None,
    outputs: Mapping[str, Told] | None = None,
    stored: Mapping[str, Any] | None = None,
    opset: int = 20,
    domains: Mapping[str, int] | None = None,
    functions: Sequence[Any] = (),
) -> Any:
    """The model of these nodes; x [N,4] and y of floats, where nothing else is said."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    ins = {"x": (1, ["N", 4])} if inputs is None else inputs
    outs = {"y": (1, None)} if outputs is None else outputs
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(k, *told) for k, told in ins.items()],
        [helper.make_tensor_value_info(k, *told) for k, told in outs.items()],
        [
            onnx.numpy_helper.from_array(np.asarray(value), name)
            for name, value in (stored or {}).items()
        ],
    )
    imports = [helper.make_opsetid(d, v) for d, v in {"": opset, **(domains or {})}.items()]
    return helper.make_model(graph, opset_imports=imports, functions=list(functions))


def dense(rng: np.random.Generator, last: str = "Identity", **options: Any) -> Any:
    """x [N,4] through two dense layers, a relu between them, and a last op to y [N,3]."""
    stored = {
        "fc1.weight": rng.standard_normal((8, 4)).astype(np.float32),
        "fc1.bias": rng.standard_normal(8).astype(np.float32),
        "fc2.weight": rng.standard_normal((3, 8)).astype(np.float32),
        "fc2.bias": rng.standard_normal(3).astype(np.float32),
    }
    return model(
        node("Gemm", "x fc1.weight fc1.bias", "a", transB=1),
        node("Relu", "a", "b"),
        node("Gemm", "b fc2.weight fc2.bias", "s", transB=1),
        node(last, "s", "y"),
        stored=stored,
        **options,
    )
