"""The walk over a file's nodes: each name becomes a value, by the rule of the op that gives it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....graph import (
    Array,
    Dim,
    Graph,
    GraphError,
    Node,
    Parameter,
    VerigradError,
    cut,
    depth_first,
    dtype_name,
    input,
    parameter,
    shown,
    state,
    suggest,
)
from ....ops import dropout
from ...interpreter import interpret
from .call import Call
from .model import domain_of, label
from .naming import Names
from .rules import RULES
from .symbolic import with_symbols
from .tensors import NUMPY_KINDS, our_dtype, to_array
from .values import Known, Value, Weight, is_small, known_node

Trainable = bool | Iterable[str] | None


class Reader:
    """A file's graph on its way to ours: what each of its names stands for.

    `trainable` names the initializers that are trained; None chooses (see `is_trained`). `shapes`
    replaces those of inputs, `constants` fixes inputs and stored tensors; what is `updated` and no
    parameter is state. Unless it `turns` weights, they keep the order that they have in the file.
    """

    def __init__(
        self,
        versions: Mapping[str, int],
        folder: Path | None,
        *,
        trainable: Trainable = None,
        shapes: Mapping[str, Sequence[Dim]] | None = None,
        constants: Mapping[str, Array] | None = None,
        updated: Iterable[str] = (),
        turns: bool = True,
    ) -> None:
        self.versions = versions
        self.folder = folder
        self.names, self.symbols = Names(), Names()
        self.values: dict[str, Value] = {}
        self.freed: dict[int, str] = {}
        """The sizes of a batch that the file fixed, with the symbol in the place of each."""
        self.inputs: dict[Node, str] = {}
        """The inputs, and what the file calls each."""
        self._trainable = trainable if isinstance(trainable, bool) else _set(trainable)
        self._shapes = dict(shapes or {})
        self._constants = dict(constants or {})
        self._updated = frozenset(updated)
        self._turns = turns
        self._sources: dict[str, Node] = {}
        self._uses: Counter[str] = Counter()
        self.given: frozenset[str] = frozenset()
        """The names of the graph's outputs."""
        self._reads: dict[Node, bool] = {}

    # ---- the graph -----------------------------------------------------------------------------

    def read(self, graph: Any, step: Any | None = None) -> dict[str, Value]:
        """The values of the graph's outputs, by their names in the file; then those of the graph
        of a step, which reads this one's names."""
        graphs = [graph] if step is None else [graph, step]
        self._uses.update(self._updated)
        for one in graphs:
            self._count(one)
        self.given = frozenset(o.name for one in graphs for o in one.output)
        self._check_named(graph)
        self._store(graph)
        for told in graph.input:
            if told.name not in self.values:
                self._input(told)
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

    # ---- sources -------------------------------------------------------------------------------

    def _count(self, graph: Any) -> None:
        for proto in graph.node:
            self._uses.update(name for name in proto.input if name)
            for attribute in proto.attribute:
                for inner in (attribute.g, *attribute.graphs):
                    self._count(inner)
        self._uses.update(o.name for o in graph.output)

    def _check_named(self, graph: Any) -> None:
        """Raises GraphError for an argument that names what the file does not have."""
        inputs = {i.name for i in graph.input}
        stored = {t.name for t in graph.initializer}
        stored |= {o for n in graph.node if n.op_type in ("Constant", "Identity") for o in n.output}
        chosen = () if isinstance(self._trainable, bool | None) else self._trainable
        for what, names, there in (
            ("shapes", self._shapes, inputs),
            ("constants", self._constants, inputs | stored),
            ("trainable", chosen, stored),
        ):
            for name in names:
                if name not in there:
                    raise GraphError(
                        f"{what} names {shown(name)}, which the file has not{suggest(name, there)}"
                    )

    def _store(self, graph: Any) -> None:
        if len(graph.sparse_initializer):
            raise GraphError("it stores sparse tensors, which are not read\nfix: store them dense")
        for tensor in graph.initializer:
            if tensor.name in self.values:
                raise GraphError(f"it stores {shown(tensor.name)} twice")
            stored = self.stored(tensor.name, to_array(tensor, self.folder))
            trained = isinstance(stored, Weight) and self.is_trained(stored)
            if tensor.name in self._constants:
                fixed = np.asarray(self._constants[tensor.name])
                self.values[tensor.name] = Known(fixed.astype(stored.array.dtype))
            elif tensor.name in self._updated and not trained:
                own = Weight(tensor.name, stored.array, alone=False)
                self.values[tensor.name] = self._source(own, state=True)
            else:
                self.values[tensor.name] = stored

    def stored(self, name: str, array: Array, *, initializer: bool = True) -> Known | Weight:
        """A stored tensor: a weight where it is one of our floats."""
        if array.dtype in (np.float32, np.float64):
            return Weight(name, array, self._turns and self._uses[name] <= 1, initializer)
        return Known(array)

    def _input(self, told: Any) -> None:
        name, what = str(told.name), f"the input {shown(told.name)}"
        if name in self._constants:
            self.values[name] = Known(self._fixed(name, told))
            return
        if not told.type.HasField("tensor_type"):
            raise GraphError(f"{what} is no tensor, but {told.type.WhichOneof('value')}")
        tensor = told.type.tensor_type
        dtype = our_dtype(tensor.elem_type, what)
        if name in self._shapes:
            shape = list(self._shapes[name])
            self._free(tensor.shape, shape)
        elif not tensor.HasField("shape"):
            raise GraphError(
                f"{what} has no shape\nfix: from_onnx(..., shapes={{{name!r}: (...)}})"
            )
        else:
            shape = [self._dim(d, axis) for axis, d in enumerate(tensor.shape.dim)]
        node = input(self.names.of(name), shape, dtype)
        self.inputs[node] = name
        self.values[name] = node

    def _fixed(self, name: str, told: Any) -> Array:
        """The array that an input is fixed to, in its type."""
        array = np.asarray(self._constants[name])
        return array.astype(NUMPY_KINDS.get(told.type.tensor_type.elem_type, array.dtype))

    def _dim(self, told: Any, axis: int) -> Dim:
        if told.HasField("dim_value") and told.dim_value >= 0:
            return int(told.dim_value)
        if told.dim_param:
            return self.symbols.of(told.dim_param)
        return self.symbols.of("N") if axis == 0 else self.symbols.new(f"d{axis}")

    def _free(self, told: Any, shape: list[Dim]) -> None:
        """Remembers the batch's size that the file has in the place of a symbol that is given."""
        sizes = [d.dim_value for d in told.dim]
        if sizes and shape and sizes[0] > 0 and isinstance(shape[0], str):
            self.freed[sizes[0]] = shape[0]

    # ---- nodes ---------------------------------------------------------------------------------

    def node(self, value: Value, trained: bool | None = None) -> Node:
        """A value as a node; a weight is a parameter unless it is not trained."""
        if isinstance(value, Node):
            return value
        if isinstance(value, Known):
            return known_node(value)
        if not (self.is_trained(value) if trained is None else trained):
            return known_node(Known(value.array))
        return self._source(value)

    def is_trained(self, weight: Weight) -> bool:
        """Whether a weight is a parameter: as `trainable` says, or initializers with axes."""
        if isinstance(self._trainable, bool):
            return self._trainable and weight.stored
        if self._trainable is not None:
            return weight.name in self._trainable
        return weight.stored and weight.array.ndim > 0

    def read_once(self, name: str) -> bool:
        """Whether one node alone reads a name."""
        return self._uses[name] == 1

    def dropped(self, x: Node, share: float) -> Node:
        """Dropout of a share of the units of x, as training has it."""
        return dropout(x, keep=1 - share)

    @property
    def is_chosen(self) -> bool:
        """Whether it is said what is trained."""
        return self._trainable is not None

    def state(self, value: Value) -> Node:
        """A stored tensor as a state, which only updates change; any other value as its node."""
        return self._source(value, state=True) if isinstance(value, Weight) else self.node(value)

    def _source(self, weight: Weight, state: bool = False) -> Node:
        kind = "state " if state else "parameter "
        if kind + weight.name not in self._sources:
            dtype = dtype_name(weight.array.dtype)
            declare = _state if state else _parameter
            name = self.names.of(weight.name)
            self._sources[kind + weight.name] = declare(name, weight.array, dtype)
        found = self._sources[kind + weight.name]
        if found.shape != weight.array.shape:
            raise GraphError(f"the weight {shown(weight.name)} is read in two shapes")
        return found

    def fed(self, n: Node) -> list[str]:
        """The inputs that a node depends on, by their names in the file: whole numbers alone,
        which shapes and places are made of, where there are any."""
        below = [self.inputs[i] for i in depth_first([n]) if i in self.inputs]
        whole = [name for i, name in self.inputs.items() if name in below and not i.type.is_float]
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


def _parameter(name: str, array: Array, dtype: str) -> Node:
    return parameter(name, array.shape, array, dtype=dtype)


def _state(name: str, array: Array, dtype: str) -> Node:
    return state(name, array.shape, array, dtype=dtype)


def _set(names: Iterable[str] | None) -> frozenset[str] | None:
    if isinstance(names, str):
        raise GraphError(f"trainable is {shown(names)}, where a list of names is expected")
    return None if names is None else frozenset(names)
