"""The whole graph in another float dtype."""

from __future__ import annotations

from ..graph import Graph, GraphError, Node, Op, Source, TensorType, dtype_name, shown
from ..ops import cast


def with_dtype(g: Graph, dtype: str) -> Graph:
    """The graph with every f32 made `dtype`, sources and casts included; f64 stays f64."""
    dtype = dtype_name(dtype)
    if dtype not in ("f32", "f64"):
        raise GraphError(f"dtype is {shown(dtype)}, where f32 or f64 is expected")
    if dtype == "f32":
        return g
    converted: dict[Node, Node] = {}
    for n in g.nodes:
        inputs = tuple([converted[i] for i in n.inputs])
        op = op_with_dtype(n.op, dtype)
        t = op.infer(*(i.type for i in inputs))
        converted[n] = Node(op, inputs, t, g.names[n], None, n.where)
    return Graph(
        g.name,
        {k: converted[n] for k, n in g.outputs.items()},
        updates={converted[w]: converted[n] for w, n in g.updates.items()},
        inputs=[converted[n] for n in g.inputs],
    )


def op_with_dtype(op: Op, dtype: str) -> Op:
    """The op with its f32 attributes made `dtype`."""
    if isinstance(op, Source):
        t: TensorType = op.type
        return op.but(type=t.with_dtype(dtype)) if t.dtype == "f32" else op
    if getattr(op, "dtype", None) == "f32":
        return op.but(dtype=dtype)
    return op


def cast_to(n: Node, dtype: str) -> Node:
    """The node, cast where it has another dtype."""
    return n if n.type.dtype == dtype else cast(n, dtype)
