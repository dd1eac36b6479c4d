"""A graph of ours as a model of ONNX: which values have which names, and what is in the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from ....graph import Array, Constant, Graph, Input, Node
from ...importing.onnx.model import PARAMETERS
from .builder import Builder, Value, as_utf8, named
from .columns import Raw, assembled, filled
from .patterns import patterns
from .protos import graph_proto, helper
from .rules import written

OPSET: Final = 20
"""The first that has Gelu, the youngest of the ops that are written: runtimes since the start of
2024 read it (onnxruntime 1.17), and what is newer is not needed."""
IR_VERSION: Final = 9
"""The format's own version that came with that opset."""
NEW: Final = ".new"
"""What the name of an update's output ends with: %w becomes `w.new`."""


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
    `state_is_fed`, so that a value that is fed takes their place. `raw` is the input that is made
    of a table's columns, which are then fed in its place.
    """
    at = Builder()
    names = {n: g.names[n] for n in g.sources}
    given = _given(g, names)
    _name_the_rest(g, names, given)
    taken = {*names.values(), *given.outputs}
    held = {n: values[g.names[n]] for n in (*g.parameters, *g.state)}
    held |= {n: n.op.array for n in g.constants if isinstance(n.op, Constant) and n.asked_name}
    made: dict[Node, Value] = {}
    for n in g.sources:
        if n in raw and raw[n].encodings:
            made[n] = assembled(at, n, raw[n], _columns(raw[n], taken - {names[n]}))
            taken |= {*at.fed}
        else:
            made[n] = _source(at, n, names[n], state_is_fed)
    for n in raw:
        made[n] = filled(at, made[n], raw[n])
    order = _write(at, g, names, made)
    for key, n in given.outputs.items():
        if made[n].name != key:
            at.op("Identity", made[n]).name = key
    named(at, taken)
    between = {names[n]: n.type for n in order if names[n] not in given.outputs}
    outputs = {key: n.type for key, n in given.outputs.items()}
    initializers = {names[n]: array for n, array in held.items()}
    proto = graph_proto(at, g.name, outputs, initializers, between)
    return _model(proto, g, metadata), given


def _write(at: Builder, g: Graph, names: Mapping[Node, str], made: dict[Node, Value]) -> list[Node]:
    """Writes all nodes behind the sources, which are in `made`; gives those that have a value."""
    joined = patterns(g)
    within = {n for pattern in joined.values() for n in pattern.within}
    order = [n for n in g.order if n not in within]
    for n in order:
        if n in joined:
            at.owner = g.names[n]
            made[n] = joined[n].write(at, *[made[i] for i in joined[n].inputs])
        else:
            made[n] = written(at, n, g.names[n], *[made[i] for i in n.inputs])
        made[n].name = names[n]
    return order


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


def _source(at: Builder, n: Node, name: str, state_is_fed: bool) -> Value:
    """What is fed, or held under that name; a constant without a name is one of the builder's."""
    if isinstance(n.op, Constant) and n.asked_name is None:
        return at.number(n.op.array, n.dtype)
    if isinstance(n.op, Input) or (state_is_fed and not isinstance(n.op, Constant)):
        return at.input(name, n.type)
    return Value(at, n.dtype, name)


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
