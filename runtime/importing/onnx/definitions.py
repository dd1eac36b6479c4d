"""Functions in the place of what calls them: a file's own, and ONNX's definitions by other ops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ....graph import GraphError, cut, shown
from ...optional import require
from .model import domain_of, every_node, opsets, schema_of


def inlined(model: Any, known: Iterable[tuple[str, str]]) -> Any:
    """The model with each function that it defines, and each op that no rule knows but ONNX
    defines by others, in the place of what calls it."""
    known = set(known)
    if len(model.functions):
        _check_written_out(model)
        model = _inlined(model, None, "the functions that it defines")
    for _ in range(_DEEPEST):
        told = opsets(model)
        schemas = {}
        for n in every_node(model.graph):
            op = domain_of(n), str(n.op_type)
            if op not in known and (schema := _definition(*op, told.get(op[0], 1))) is not None:
                schemas[op] = schema
        if not schemas:
            return model
        try:
            model = _typed(_spelled_out(model, schemas), schemas)
            if len(model.functions):
                model = _inlined(model, None, _OF_ONNX)
            model = _inlined(model, [*schemas], _OF_ONNX)
        except GraphError:  # some that onnx cannot put in their places: they are missing
            return model
    return model


_OF_ONNX: Final = "a definition of ONNX's"
_OWN: Final = "verigrad.defined"
"""The domain of functions that stand for single nodes until they are in their places."""
_DEEPEST: Final = 8
"""How deep definitions by others may stand in one another."""


_MOST_NODES: Final = 1 << 20
"""How many nodes a file may come to with its functions written out."""


def _check_written_out(model: Any) -> None:
    """Raises GraphError where functions of a file call themselves, or come to too many nodes."""
    functions = {(f.domain, f.name): f for f in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: Iterable[Any], within: tuple[tuple[str, str], ...]) -> int:
        total = 0
        for n in nodes:
            called = n.domain, n.op_type
            if called in within:
                raise GraphError(f"its function {shown(n.op_type)} calls itself")
            if called in functions and called not in sizes:
                sizes[called] = size(functions[called].node, (*within, called))
            total += sizes.get(called, 1)
            for a in n.attribute:
                total += sum(size(g.node, within) for g in (a.g, *a.graphs))
        return total

    if len(functions) > _MOST_FUNCTIONS or size(model.graph.node, ()) > _MOST_NODES:
        raise GraphError(
            f"its functions come to more than {_MOST_NODES:,} nodes when they are written out"
        )


_MOST_FUNCTIONS: Final = 500
"""How many functions a file may define, which may stand in one another."""


def _inlined(model: Any, chosen: list[tuple[str, str]] | None, what: str) -> Any:
    inliner = require("onnx.inliner", "onnx")
    try:
        if chosen is None:
            return inliner.inline_local_functions(model)
        return inliner.inline_selected_functions(model, chosen, False, True)
    except Exception as e:  # of onnx' own code, on functions that are none
        raise GraphError(f"{what} cannot be put in its place: {cut(str(e), 300)}") from None


def _definition(domain: str, op: str, version: int) -> Any | None:
    """ONNX's schema of an op that it defines by others; None of another op."""
    schema = schema_of(domain, op, version)
    made = schema is not None and (schema.has_function or schema.has_context_dependent_function)
    return schema if made else None


def _spelled_out(model: Any, schemas: Mapping[tuple[str, str], Any]) -> Any:
    """The model with the attributes that nodes of these ops leave out: onnx leaves them out of
    the definition as well."""
    whole = type(model)()
    whole.CopyFrom(model)
    for n in every_node(whole.graph):
        schema = schemas.get((domain_of(n), n.op_type))
        there = {a.name for a in n.attribute}
        for name, attribute in schema.attributes.items() if schema is not None else ():
            if name not in there and attribute.default_value.name:
                n.attribute.append(attribute.default_value)
    return whole


def _typed(model: Any, schemas: Mapping[tuple[str, str], Any]) -> Any:
    """The model with a function of its own for each node that leaves out an input: its definition
    depends on types, which onnx' inliner does not know of what is left out."""
    onnx, types = require("onnx", "onnx"), None
    for k, n in enumerate(model.graph.node):
        schema = schemas.get((domain_of(n), n.op_type))
        if schema is None or not schema.has_context_dependent_function or "" not in n.input:
            continue
        types = _types(model) if types is None else types
        told = [types.get(name, onnx.TypeProto()).SerializeToString() for name in n.input]
        body = onnx.FunctionProto()
        try:
            given = schema.get_context_dependent_function(n.SerializeToString(), told)
            body.ParseFromString(given)
        except Exception as e:  # of onnx' own code, on a node that is none of its op
            raise GraphError(f"{_OF_ONNX} cannot be made: {cut(str(e), 300)}") from None
        n.domain, n.op_type = body.domain, body.name = _OWN, f"{n.op_type}{k}"
        del n.attribute[:]
        model.functions.append(body)
    if types is not None:
        model.opset_import.append(onnx.helper.make_opsetid(_OWN, 1))
    return model


def _types(model: Any) -> dict[str, Any]:
    """The types of the values of a graph, as far as onnx infers them."""
    onnx = require("onnx.shape_inference", "onnx") and require("onnx", "onnx")
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except Exception as e:  # of onnx' own code
        raise GraphError(f"its shapes cannot be inferred: {cut(str(e), 300)}") from None
    stored = {
        t.name: onnx.helper.make_tensor_type_proto(t.data_type, t.dims) for t in graph.initializer
    }
    return stored | {v.name: v.type for v in (*graph.input, *graph.value_info, *graph.output)}
