"""The file itself: read whole, with the functions that it defines put in their places."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

from ....graph import GraphError, RunError, cut, shown
from ....graph.writing import given_path, reaching
from ...optional import require

OLDEST: Final = 7
"""The oldest opset that is read: before it, operands were broadcast in another way."""
PARAMETERS: Final = "verigrad.parameters"
"""Under which name verigrad's own files tell the parameters, as JSON: their other initializers are
constants and state."""
ONNX_DOMAIN: Final = ("", "ai.onnx")


def read_model(source: object) -> tuple[Any, Path | None, str]:
    """The ModelProto of a path, of bytes or of itself; its folder; and what to call it in errors.

    Raises RunError where there is no such file, or what it holds is no model.
    """
    onnx = require("onnx", "onnx")
    if isinstance(source, onnx.ModelProto):
        return source, None, "the model"
    if isinstance(source, (bytes, bytearray)):
        return _parsed(bytes(source), "the model"), None, "the model"
    if not isinstance(source, (str, os.PathLike)):
        raise RunError(
            f"from_onnx takes the path of a file, bytes or an onnx.ModelProto, not {shown(source)}"
        )
    path = given_path(source)
    with reaching(path):
        if not path.is_file():
            raise RunError(f"there is no file {str(path)!r}")
        data = path.read_bytes()
    return _parsed(data, str(path)), path.parent, str(path)


def _parsed(data: bytes, what: str) -> Any:
    model = require("onnx", "onnx").ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as e:  # of protobuf, which names no class of its own here
        raise RunError(f"{what} is no ONNX file: {cut(str(e), 300)}") from None
    if not model.HasField("graph") or not model.opset_import:
        raise RunError(f"{what} is no ONNX file, or one that was cut off: it holds no graph")
    names = chain(*[_texts(model, g) for g in (model.graph, *_steps(model))])
    if not all(isinstance(name, str) for name in names):
        raise RunError(f"{what} is no ONNX file, or a damaged one: a name in it is no text")
    return model


def _steps(model: Any) -> list[Any]:
    return [info.algorithm for info in model.training_info]


def _texts(model: Any, graph: Any) -> Iterator[object]:
    """Every name that a file gives: protobuf gives bytes for what is no UTF-8."""
    for opset in model.opset_import:
        yield opset.domain
    for entry in model.metadata_props:
        yield from (entry.key, entry.value)
    for info in model.training_info:
        yield from (text for b in info.update_binding for text in (b.key, b.value))
    for function in model.functions:
        yield from (function.name, function.domain, *function.input, *function.output)
        yield from (text for n in function.node for text in _texts_of(n))
    for told in (*graph.input, *graph.output):
        yield told.name
        yield from (d.dim_param for d in told.type.tensor_type.shape.dim)
    yield graph.name
    yield from (t.name for t in graph.initializer)
    for n in every_node(graph):
        yield from _texts_of(n)
        for a in n.attribute:
            for inner in (a.g, *a.graphs):
                yield from (v.name for v in (*inner.input, *inner.output, *inner.initializer))


def _texts_of(node: Any) -> Iterator[object]:
    yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
    yield from (a.name for a in node.attribute)


def opsets(model: Any) -> dict[str, int]:
    """The version of each domain of ops; GraphError for one that is older than we read."""
    found = {("" if o.domain in ONNX_DOMAIN else o.domain): o.version for o in model.opset_import}
    version = found.get("", OLDEST)
    changed = [
        n.op_type
        for n in (every_node(model.graph) if version < OLDEST else ())
        if _since("", n.op_type, version) != _since("", n.op_type, OLDEST)
    ]
    if changed:
        raise GraphError(
            f"the opset is {version}, and {OLDEST} or newer is expected for {changed[0]}\nfix: "
            "convert it, with onnx.version_converter.convert_version"
        )
    return found


def _since(domain: str, op: str, version: int) -> int | None:
    schema = schema_of(domain, op, version)
    return None if schema is None else int(schema.since_version)


def told_parameters(model: Any) -> list[str] | None:
    """The initializers that are parameters, where the file says so, as verigrad's own do."""
    stored = {t.name for t in model.graph.initializer}
    told = next((p.value for p in model.metadata_props if p.key == PARAMETERS), None)
    try:
        names = None if told is None else json.loads(told)
    except ValueError:
        return None
    return [n for n in names if n in stored] if isinstance(names, list) else None


def step_of(model: Any) -> tuple[Any | None, dict[str, str]]:
    """The graph of a training step that a file describes, and what becomes of each initializer,
    by the names of both; the last step, where there are several."""
    if not len(model.training_info):
        return None, {}
    info = model.training_info[-1]
    stored = {t.name for t in model.graph.initializer}
    bindings = {b.key: b.value for b in info.update_binding}
    for key in bindings:
        if key not in stored:
            raise GraphError(f"its step updates {shown(key)}, which the file does not store")
    return info.algorithm, bindings


def graphs_of(model: Any) -> list[Any]:
    """The graphs that are read: of the net, and of a step."""
    step, _ = step_of(model)
    return [model.graph] if step is None else [model.graph, step]


def domain_of(node: Any) -> str:
    """The domain of a node's op, "" for ONNX's own."""
    return "" if node.domain in ONNX_DOMAIN else str(node.domain)


def label(node: Any) -> str:
    """How a node is named in errors."""
    name = node.name or (node.output[0] if node.output else "")
    return f"{shown(name)} ({'.'.join(filter(None, (domain_of(node), node.op_type)))})"


def every_node(graph: Any) -> Iterator[Any]:
    """All nodes of a graph and of the graphs in their attributes."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from every_node(inner)


def schema_of(domain: str, op: str, version: int) -> Any | None:
    """What ONNX says of an op at a version; None where it does not know it."""
    try:
        return require("onnx.defs", "onnx").get_schema(op, version, domain)
    except Exception:  # onnx' own SchemaError, which is none of Python's
        return None


def check_known(model: Any, known: Iterable[tuple[str, str]]) -> None:
    """Raises one GraphError that names all ops without a rule, with the nodes that want them."""
    known = set(known)
    missing: dict[str, list[str]] = {}
    for n in chain.from_iterable(map(every_node, graphs_of(model))):
        if (domain_of(n), n.op_type) not in known:
            missing.setdefault(".".join(filter(None, (domain_of(n), n.op_type))), []).append(
                shown(n.name or (n.output[0] if n.output else ""))
            )
    if missing:
        told = "".join(
            f"\n  {op}: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
            for op, names in sorted(missing.items())
        )
        number = f"{len(missing)} ops" if len(missing) > 1 else "an op"
        raise GraphError(f"it needs {number} that verigrad has not:{told}")
