"""What a graph is declared with, checked: outputs, updates and the names of its sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .errors import GraphError
from .node import Node
from .quoting import shown
from .shards import whole_symbols
from .sources import Constant, Input, Parameter, State, is_frozen
from .types import name_pattern


def checked_outputs(outputs: Mapping[str, Node] | None, loss: Node | None) -> dict[str, Node]:
    """The outputs by name, the loss first; GraphError for what cannot be one."""
    outputs = {} if outputs is None else outputs
    if loss is not None and "loss" in outputs and outputs["loss"] is not loss:
        raise GraphError("the loss is given twice: as loss= and as the output named 'loss'")
    if not isinstance(outputs, Mapping):
        raise GraphError(
            f"outputs is a {type(outputs).__name__}, where names with their nodes are expected: "
            'write vg.Graph(..., {"scores": scores}), and loss=node for the loss'
        )
    named: dict[str, Any] = {"loss": loss, **outputs} if loss is not None else dict(outputs)
    for key, n in named.items():
        if not (isinstance(key, str) and name_pattern.fullmatch(key)):
            raise GraphError(
                f"output name {shown(key)} cannot be used; write a name such as 'scores'"
            )
        if not isinstance(n, Node):
            raise GraphError(f"output {key!r} is {type(n).__name__}, where a node is expected")
    loss = named.get("loss")
    if loss is not None and (loss.type.rank or not loss.type.is_float):
        raise GraphError(
            f"the loss is {loss.type}, where a float scalar such as f32[] is expected"
            + (f" ({loss.where.described})" if loss.where else "")
            + "; take its mean, e.g. vg.mean(loss)"
        )
    return named


def checked_updates(updates: Mapping[Node, Node] | None) -> dict[Node, Node]:
    """What each state becomes; GraphError for what cannot be updated, or to that."""
    updates = {} if updates is None else updates
    if not isinstance(updates, Mapping):
        raise GraphError(
            f"updates is {type(updates).__name__}, where states with their new values are "
            "expected: write vg.Graph(..., updates={state: value})"
        )
    for target, value in updates.items():
        if not (isinstance(target, Node) and isinstance(value, Node)):
            raise GraphError(f"update of {shown(target)} by {shown(value)}: both have to be nodes")
        if not isinstance(target.op, (Parameter, State)):
            raise GraphError(f"update of {shown(target)}: only parameters and state are updated")
        if is_frozen(target):
            raise GraphError(
                f"update of %{target.asked_name}: it is frozen, trainable=False; declare it as "
                "vg.state, which only updates change"
            )
        if target.type != value.type:
            raise GraphError(
                f"update of %{target.asked_name}: {target.type} by a value of type {value.type}"
            )
    return dict(updates)


def binding(inputs: Iterable[Node], reached: Sequence[Node]) -> list[Node]:
    """Those of the inputs that alone bind a symbol of what is reached; floats before labels."""
    try:
        declared = tuple(inputs)
    except TypeError:
        raise GraphError(f"inputs is {shown(inputs)}, where a list of nodes is expected") from None
    for n in declared:
        if not (isinstance(n, Node) and isinstance(n.op, Input)):
            raise GraphError(f"inputs holds {shown(n)}, where nodes of vg.input are expected")
    there = set(reached)
    unread = [n for n in declared if n not in there]
    if not unread:
        return []
    free = {s for n in reached for s in whole_symbols((*n.type.symbols, *n.op.free_symbols()))}
    free.difference_update(
        *(whole_symbols(n.type.symbols) for n in reached if isinstance(n.op, Input))
    )
    needed: list[Node] = []
    for n in sorted(unread, key=lambda n: not n.type.is_float):
        if not free.isdisjoint(n.type.symbols):
            needed.append(n)
            free.difference_update(n.type.symbols)
    return needed


def check_source_names(sources: Iterable[Node]) -> None:
    """Raises GraphError where two sources have one name.

    Not of constants: no value goes by their names, and two losses of class weights each, or two
    backward graphs, both begin with one. They are numbered.
    """
    seen: dict[str, Node] = {}
    for n in sources:
        name = n.asked_name
        if name is None:
            continue
        if name in seen and isinstance(n.op, Constant) and isinstance(seen[name].op, Constant):
            continue
        if name in seen:
            at = [m.where.described for m in (seen[name], n) if m.where is not None]
            raise GraphError(
                f"the name {name!r} is used twice"
                + "".join(f"\n  at {a}" for a in at)
                + "\n  fix: give one of them another name"
            )
        seen[name] = n
