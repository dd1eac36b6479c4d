"""How the nodes of a graph get their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from .sources import Constant
from .types import name_pattern

if TYPE_CHECKING:
    from .node import Node


def number_layers(nodes: Sequence[Node]) -> None:
    """Gives unnamed layers the first free number of their kind, once for all graphs."""
    unnamed = dict.fromkeys(n.layer for n in nodes if n.layer is not None and n.layer.name is None)
    if not unnamed:
        return
    taken: set[str] = set()
    for n in nodes:
        name = n.asked_name
        while name:
            taken.add(name)
            name = name.rpartition(".")[0]
    for layer in unnamed:
        if layer is not None:
            k = 1
            while f"{layer.kind}{k}" in taken:
                k += 1
            layer.name = f"{layer.kind}{k}"
            taken.add(layer.name)


def assign_names(
    sources: Sequence[Node], order: Sequence[Node], outputs: Mapping[str, Node]
) -> dict[Node, str]:
    """A name for each node: the one asked for, its output's, or its layer's with its op's."""
    names: dict[Node, str] = {}
    taken: set[str] = set()
    last: dict[str, int] = {}

    def give(n: Node, wanted: str) -> None:
        name, k = wanted, last.get(wanted, 0)
        while name in taken:
            k += 1
            name = f"{wanted}.{k}"
        if k:
            last[wanted] = k
        taken.add(name)
        names[n] = name

    for n in (*sources, *order):
        asked = n.asked_name
        if asked is not None:
            give(n, asked)
    for key, n in outputs.items():
        if n not in names:
            give(n, key)
    layers = layer_names(names[n] for n in sources if n.op.name == "parameter")
    for n in (*sources, *order):
        if n not in names:
            layer = latest((layer_of(names[i], layers) for i in n.inputs if i in names), layers)
            give(n, f"{layer}.{n.op.name}" if layer else _default_name(n))
    return {n: names[n] for n in (*sources, *order)}


def layer_names(parameters: Iterable[str]) -> dict[str, None]:
    """What stands before the last dot of the parameters' names, in order."""
    prefixes = (name.rpartition(".")[0] for name in parameters)
    return dict.fromkeys(p for p in prefixes if p)


def layer_of(name: str, layers: Mapping[str, None]) -> str | None:
    """The longest layer that the name is, or begins with."""
    while name:
        if name in layers:
            return name
        name = name.rpartition(".")[0]
    return None


def latest(found: Iterable[str | None], layers: Iterable[str]) -> str | None:
    """The one of these layers that stands last among all."""
    there = set(found)
    return next((layer for layer in reversed(list(layers)) if layer in there), None)


def _default_name(n: Node) -> str:
    if isinstance(n.op, Constant) and n.type.rank == 0:
        spelled = f"c{n.op.value.array[()]:g}"
        if name_pattern.fullmatch(spelled):
            return spelled
    return n.op.name
