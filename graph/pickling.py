"""Nodes and graphs in pickles: as flat rows, inputs first, so that no chain is too deep for one.

A program is pickled as its declared graph, its options and its values, by `Program.__reduce__`.
A node is equal only to itself, and so it stays: a pickle gives each node a key of its own, and is
read as the node of that key where the process has one. A copy of a node or a graph, neither of
which can change, is that node or graph.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from .op import OPS
from .walk import depth_first

if TYPE_CHECKING:
    from .graph import Graph
    from .layer import Layer
    from .location import Location
    from .node import Node
    from .op import Op
    from .types import TensorType

Key = bytes
T = TypeVar("T")

_lock = Lock()
_keys: Final[WeakKeyDictionary[object, Key]] = WeakKeyDictionary()
_known: Final[WeakValueDictionary[Key, Any]] = WeakValueDictionary()


def _unlock() -> None:
    """In the child of a fork, whose other threads are gone, with what they held."""
    global _lock
    _lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


class NodeRow(NamedTuple):
    """A node, its inputs as the numbers of their rows."""

    key: Key
    op: Op
    inputs: tuple[int, ...]
    type: TensorType
    name: str | None
    layer: Layer | None
    where: Location | None


def key_of(x: object) -> Key:
    """What pickles know an object by, in any process."""
    with _lock:
        if x not in _keys:
            _keys[x] = os.urandom(16)
            _known[_keys[x]] = x
        return _keys[x]


def kept(key: Key, made: T) -> T:
    """The object of that key, if this process has one, and else the one that was made."""
    with _lock:
        known: T = _known.setdefault(key, made)
        _keys.setdefault(known, key)
        return known


def rows_of(nodes: Sequence[Node]) -> list[NodeRow]:
    """The rows of some nodes, each behind those of its inputs."""
    at = {n: i for i, n in enumerate(nodes)}
    return [
        NodeRow(key_of(n), n.op, tuple([at[i] for i in n.inputs]), n.type, n.name, n.layer, n.where)
        for n in nodes
    ]


def nodes_of(rows: Iterable[NodeRow]) -> list[Node]:
    """The nodes of some rows; their ops are known from then on, a user's too."""
    from .node import Node

    import_module("..ops", __package__)  # what was pickled may be read before anything is used
    nodes: list[Node] = []
    for r in rows:
        OPS.setdefault(r.op.name, type(r.op))
        inputs = tuple([nodes[i] for i in r.inputs])
        nodes.append(kept(r.key, Node(r.op, inputs, r.type, r.name, r.layer, r.where)))
    return nodes


def reduced_node(n: Node) -> tuple[Any, ...]:
    """What `pickle` makes a node from."""
    return _node, (rows_of(depth_first([n])),)


def _node(rows: Sequence[NodeRow]) -> Node:
    return nodes_of(rows)[-1]


def reduced_graph(g: Graph) -> tuple[Any, ...]:
    """What `pickle` makes a graph from; its nodes stay what they are."""
    roots = [*g.outputs.values(), *g.updates, *g.updates.values()]
    nodes = depth_first([*roots, *g.inputs, *(g.schedule.order if g.schedule is not None else ())])
    at = {n: i for i, n in enumerate(nodes)}
    outputs = {k: at[n] for k, n in g.outputs.items()}
    updates = {at[target]: at[n] for target, n in g.updates.items()}
    schedule = None if g.schedule is None else g.schedule.renamed(at)
    inputs = [at[n] for n in g.inputs]
    return _graph, (g.name, rows_of(nodes), outputs, updates, schedule, inputs)


def _graph(
    name: str,
    rows: Sequence[NodeRow],
    outputs: Mapping[str, int],
    updates: Mapping[int, int],
    schedule: Any,
    inputs: Sequence[int],
) -> Graph:
    from .graph import Graph

    nodes = nodes_of(rows)
    return Graph(
        name,
        {k: nodes[i] for k, i in outputs.items()},
        updates={nodes[i]: nodes[k] for i, k in updates.items()},
        schedule=None if schedule is None else schedule.renamed(nodes),
        inputs=[nodes[i] for i in inputs],
    )


def reduced_layer(layer: Layer) -> tuple[Any, ...]:
    """What `pickle` makes a layer without a name from, numbered yet or not."""
    return _layer, (key_of(layer), layer.kind, layer.name)


def _layer(key: Key, kind: str, name: str | None) -> Layer:
    from .layer import Layer

    layer = kept(key, Layer(kind))
    layer.name = layer.name or name
    return layer
