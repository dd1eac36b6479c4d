"""A graph of ours as a model of ONNX: which values have which names, and what is in the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import numpy as np

from ....graph import Array, Constant, Graph, Input, Node
from ....ops import DropoutMask
from ...importing.onnx.model import PARAMETERS
from .builder import Builder, Typed, Value, as_utf8, named
from .columns import Raw, assembled, filled
from .patterns import patterns
from .protos import graph_proto, helper
from .rules import check_forms, written

OPSET: Final = 20
"""The first that has Gelu, the youngest of the ops that are written: runtimes since the start of
2024 read it (onnxruntime 1.17; 1.21 for masks, which count in u64), and no newer one is needed."""
IR_VERSION: Final = 9
"""The format's own version that came with that opset."""
NEW: Final = ".new"
"""What the name of an update's output ends with: %w becomes `w.new`."""
SEED: Final = "seed"
"""What the input of the dropout masks' seed is called, which is there where there are any."""
GRAPH: Final = "verigrad.graph"
"""What the graph's own name is called among the texts of a model."""


class Named(NamedTuple):
    """The values that a model gives: outputs and new values of the state, each by its name."""

    outputs: Mapping[str, Node]
    updates: Mapping[str, str]
    """The output that holds the new value of each parameter or state, by the name of that."""


def model_proto(
    g: Graph,
    values: Mapping[str, Array],
    raw: Mapping[Node, Raw],
    metadata: Mapping[str, str],
    *,
    state_is_fed: bool,
) -> tuple[Any, Named]:
    """The ModelProto of a graph, and what it gives.

    `values` are the parameters and the state: initializers, which are inputs as well where
    `state_is_fed`, so that a value that is fed takes their place, and so is the seed of the dropout
    masks. `raw` is the input that is made of a table's columns, which are then fed in its place.
    """
    draft = _Draft(g, state_is_fed)
    draft.hold(values)
    draft.read(raw)
    if state_is_fed:
        draft.feed_seed()
    draft.write()
    return _model(draft.proto(), g, metadata), draft.given


class _Draft:
    """A graph as it is written: the values of its nodes, and the names that are taken."""

    def __init__(self, g: Graph, state_is_fed: bool) -> None:
        self.at = Builder()
        self.g = g
        self.state_is_fed = state_is_fed
        self.names = {n: g.names[n] for n in g.sources}
        self.given = _given(g, self.names)
        _name_the_rest(g, self.names, self.given)
        self.taken = {*self.names.values(), *self.given.outputs}
        self.initializers: dict[str, Array] = {}
        self.made: dict[Node, Value] = {}

    def hold(self, values: Mapping[str, Array]) -> None:
        """Takes in the values of parameters, state and constants that have a name."""
        for n in (*self.g.parameters, *self.g.state):
            self.initializers[self.names[n]] = values[self.g.names[n]]
        for n in self.g.constants:
            if isinstance(n.op, Constant) and n.asked_name is not None:
                self.initializers[self.names[n]] = n.op.array

    def read(self, raw: Mapping[Node, Raw]) -> None:
        """Makes the values of the sources."""
        for n in self.g.sources:
            if n in raw and raw[n].encodings:
                columns = _columns(raw[n], self.taken - {self.names[n]})
                self.made[n] = assembled(self.at, n, raw[n], columns)
                self.taken |= {*columns.values()}
            else:
                self.made[n] = self._source(n)
        for n in raw:
            self.made[n] = filled(self.at, self.made[n], raw[n])

    def _source(self, n: Node) -> Value:
        """What is fed, or held; a constant without a name is one of the builder's."""
        if isinstance(n.op, Constant) and n.asked_name is None:
            return self.at.number(n.op.array, n.dtype)
        if isinstance(n.op, Input) or (self.state_is_fed and not isinstance(n.op, Constant)):
            return self.at.input(self.names[n], n.type)
        return Value(self.at, n.dtype, self.names[n])

    def feed_seed(self) -> None:
        """Makes the seed of the dropout masks an input, where there is one of all."""
        seeds = {n.op.seed for n in self.g.order if isinstance(n.op, DropoutMask)}
        if len(seeds) == 1:
            name, (seed,) = _free(SEED, self.taken), seeds
            self.at.seeds[seed] = self.at.input(name, Typed("u64", ()))
            self.initializers[name] = np.array(seed, np.uint64)
            self.taken.add(name)

    def write(self) -> None:
        """Writes all nodes behind the sources."""
        check_forms(self.g)
        joined = patterns(self.g)
        within = {n for pattern in joined.values() for n in pattern.within}
        for n in self.g.order:
            if n in within:
                continue
            if n in joined:
                self.at.owner = self.g.names[n]
                value = joined[n].write(self.at, *[self.made[i] for i in joined[n].inputs])
            else:
                inputs = [self.made[i] for i in n.inputs]
                value = written(self.at, n, self.g.names[n], *inputs)
            value.name = self.names[n]
            self.made[n] = value
        for key, n in self.given.outputs.items():
            if self.made[n].name != key:
                self.at.op("Identity", self.made[n]).name = key

    def proto(self) -> Any:
        """The GraphProto."""
        named(self.at, self.taken)
        outputs = {key: n.type for key, n in self.given.outputs.items()}
        between = {self.names[n]: n.type for n in self.g.order if n in self.made}
        between = {name: t for name, t in between.items() if name not in outputs}
        return graph_proto(self.at, self.g.name, outputs, self.initializers, between)


def _columns(raw: Raw, taken: set[str]) -> dict[str, str]:
    """What the inputs of a table's columns are called: as they are, but for what is taken."""
    called: dict[str, str] = {}
    for encoding in raw.encodings:
        called[encoding.name] = _free(as_utf8(encoding.name), {*taken, *called.values()})
    return called


def _given(g: Graph, names: dict[Node, str]) -> Named:
    """What the model gives; what no other output is called by takes its name in `names`."""
    used = set(names.values())
    outputs: dict[str, Node] = {}

    def give(wanted: str, n: Node) -> str:
        key = wanted if names.get(n) == wanted and n.op.name == "input" else _free(wanted, used)
        used.add(key)
        outputs[key] = n
        names.setdefault(n, key)
        return key

    for key, n in g.outputs.items():
        give(key, n)
    updates = {g.names[w]: give(g.names[w] + NEW, n) for w, n in g.updates.items()}
    return Named(outputs, updates)


def _name_the_rest(g: Graph, names: dict[Node, str], given: Named) -> None:
    used = {*names.values(), *given.outputs}
    for n in g.order:
        if n not in names:
            names[n] = _free(g.names[n], used)
            used.add(names[n])


def _free(wanted: str, used: Iterable[str]) -> str:
    """The name, with a number where it is taken."""
    name, k = wanted, 0
    while name in used:
        k += 1
        name = f"{wanted}.{k}"
    return name


def _model(proto: Any, g: Graph, metadata: Mapping[str, str]) -> Any:
    model = helper().make_model(
        proto,
        opset_imports=[helper().make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="verigrad",
        producer_version=version("verigrad"),
    )
    texts = {as_utf8(k): as_utf8(text) for k, text in metadata.items()}
    told = json.dumps([g.names[n] for n in g.parameters])
    helper().set_model_props(model, {**texts, GRAPH: g.name, PARAMETERS: told})
    return model
