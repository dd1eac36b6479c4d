"""What a builder wrote, as the messages of the format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ....graph import Array, TensorType
from ...optional import require
from .builder import Builder, Typed, Value, Written

ELEMENT_TYPES: Final = {"f32": 1, "i64": 7, "str": 8, "bool": 9, "f64": 11, "u64": 13}
"""The numbers that the format has for them (TensorProto.DataType)."""


def graph_proto(
    builder: Builder,
    name: str,
    outputs: Mapping[str, TensorType],
    initializers: Mapping[str, Array],
    others: Mapping[str, TensorType],
) -> Any:
    """The GraphProto; the types of `others`, which lie between, are told as well."""
    constants = {str(value.name): array for value, array in builder.constants.values()}
    return helper().make_graph(
        [_node(n) for n in builder.nodes],
        name,
        _typed(builder.fed),
        _typed(outputs),
        [tensor(array, key) for key, array in {**initializers, **constants}.items()],
        value_info=_typed(others),
    )


def helper() -> Any:
    """The functions of the package onnx that make messages."""
    return require("onnx.helper", "onnx")


def tensor(array: Array, name: str) -> Any:
    """A TensorProto."""
    return require("onnx.numpy_helper", "onnx").from_array(array, name)


def _node(n: Written) -> Any:
    attributes = {k: _attribute(k, v) for k, v in n.attributes.items()}
    outputs = _names(n.outputs)
    return helper().make_node(n.kind, _names(n.inputs), outputs, name=outputs[0], **attributes)


def _attribute(key: str, value: object) -> object:
    if isinstance(value, Builder):
        return _body(value, key)
    return ELEMENT_TYPES[value] if key == "to" and isinstance(value, str) else value


def _body(body: Builder, name: str) -> Any:
    """The graph that a loop repeats; its constants lie around it."""
    tell = helper().make_tensor_value_info
    inputs, outputs = (
        [tell(v.name, ELEMENT_TYPES[v.dtype], None) for v in values]
        for values in (body.inputs, body.outputs)
    )
    return helper().make_graph([_node(n) for n in body.nodes], name, inputs, outputs)


def _names(values: Iterable[Value]) -> list[str]:
    return [str(v.name) for v in values]


def _typed(types: Mapping[str, TensorType | Typed]) -> list[Any]:
    tell = helper().make_tensor_value_info
    return [tell(name, ELEMENT_TYPES[t.dtype], t.shape) for name, t in types.items()]
