"""The walk over a file's nodes: each name becomes a value, by the rule of the op that gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ....graph import (
    Graph,
    GraphError,
    Node,
    Parameter,
    VerigradError,
    cut,
    depth_first,
    shown,
    suggest,
)
from ...interpreter import interpret
from .call import Call
from .model import domain_of, label
from .rules import RULES
from .sources import Sources
from .symbolic import with_symbols
from .values import Known, Value, is_small, known_node


class Reader:
    """A file's graph on its way to ours: what each of its names stands for.

    `versions` are those of the domains of ops. A name that a node gives stays what it is.
    """

    def __init__(self, versions: Mapping[str, int], sources: Sources) -> None:
        self.versions = versions
        self.sources = sources
        self.values: dict[str, Value] = {}
        self.given: frozenset[str] = frozenset()
        """The names of the graph's outputs."""
        self._reads: dict[Node, bool] = {}

    def read(self, graphs: Sequence[Any]) -> dict[str, Value]:
        """The values of the first graph's outputs, by their names in the file; a second one, of a
        step, reads the names of the first."""
        graph = graphs[0]
        self.given = frozenset(o.name for one in graphs for o in one.output)
        self._store(graph)
        for told in graph.input:
            if told.name not in self.values:
                self.values[told.name] = self.sources.input(told)
        for one in graphs:
            self.walk(one)
        return {o.name: self.value(o.name, "the graph's outputs") for o in graph.output}

    def updates(self, bindings: Mapping[str, str]) -> dict[Node, Node]:
        """What each parameter or state becomes, by the names of both in the file."""
        return {
            self.node(self.value(key), trained=True): self.node(self.value(value))
            for key, value in bindings.items()
        }

    def walk(self, graph: Any) -> None:
        """Reads the nodes in their order, which is that of ONNX: what is read comes before."""
        for proto in graph.node:
            try:
                self._node(proto)
            except VerigradError as e:
                raise type(e)(f"node {label(proto)}: {e}") from None

    def branch(self, graph: Any) -> list[Value]:
        """The outputs of a graph in an attribute, which reads this one's names."""
        outside = dict(self.values)
        self._store(graph)
        self.walk(graph)
        given = [self.value(o.name, "the branch's outputs") for o in graph.output]
        self.values = outside
        return given

    def _store(self, graph: Any) -> None:
        if len(graph.sparse_initializer):
            raise GraphError("it stores sparse tensors, which are not read\nfix: store them dense")
        for tensor in graph.initializer:
            if tensor.name in self.values:
                raise GraphError(f"it stores {shown(tensor.name)} twice")
            self.values[tensor.name] = self.sources.initializer(tensor)

    def value(self, name: str, reader: str = "it") -> Value:
        """What a name stands for."""
        if name not in self.values:
            raise GraphError(
                f"{reader} reads {shown(name)}, which no node before it gives"
                f"{suggest(name, self.values)}"
            )
        return self.values[name]

    def _node(self, proto: Any) -> None:
        domain = domain_of(proto)
        names = [str(name) for name in proto.input]
        inputs = [self.value(name) if name else None for name in names]
        call = Call(self, proto, inputs, names, self.versions.get(domain, 1))
        try:
            folded = with_symbols(call)
            given = RULES[domain, call.op](call) if folded is None else folded
        except MemoryError:
            raise GraphError("it takes more memory than there is") from None
        except (ArithmeticError, LookupError, TypeError, ValueError) as e:
            raise GraphError(
                f"it is not what its op takes: {type(e).__name__}, {cut(str(e), 300)}"
            ) from None
        results: Sequence[Value | None] = given if isinstance(given, list) else [given]
        if call.op != "If" and call.is_known:
            results = [self._folded(v) for v in results]
        for name, result in zip(call.outputs, results, strict=False):
            if not name:
                continue
            if name in self.values:
                raise GraphError(f"it gives {shown(name)}, which another node gives as well")
            if result is not None:
                self.values[name] = result

    def _folded(self, value: Value | None) -> Value | None:
        """The array of a node that reads only what is known, where it is small."""
        if not isinstance(value, Node) or not is_small(value.type):
            return value
        return Known(interpret(Graph("known", {"value": value}), {}).outputs["value"])

    def node(self, value: Value, trained: bool | None = None) -> Node:
        """A value as a node; a weight is a parameter unless it is not trained."""
        if isinstance(value, Node):
            return value
        if isinstance(value, Known):
            return known_node(value)
        if not (self.sources.is_trained(value) if trained is None else trained):
            return known_node(Known(value.array))
        return self.sources.parameter(value)

    def fed(self, n: Node) -> list[str]:
        """The inputs that a node depends on, by their names in the file: whole numbers alone,
        which shapes and places are made of, where there are any."""
        inputs = self.sources.inputs
        below = [inputs[i] for i in depth_first([n]) if i in inputs]
        whole = [name for i, name in inputs.items() if name in below and not i.type.is_float]
        return whole or below

    def reads_parameters(self, n: Node) -> bool:
        """Whether a node depends on a parameter."""
        stack = [n]
        while stack:
            at = stack[-1]
            if at in self._reads:
                stack.pop()
            elif isinstance(at.op, Parameter):
                self._reads[at] = True
            else:
                unseen = [i for i in at.inputs if i not in self._reads]
                stack.extend(unseen)
                if not unseen:
                    self._reads[at] = any(self._reads[i] for i in at.inputs)
        return self._reads[n]
