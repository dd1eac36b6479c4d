"""Where dropout goes, and how it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from ...graph import Graph, GraphError, Node, check_choice, field, layer_of, shown
from ...ops import MODES, LayerDropout, Linear, LinearRelu, MatMul, Mode, check_keep
from ..base import Refused, chosen_by_name
from .arguments import Given


class Dropout(Given):
    """Dropout behind each activation that a later linear layer reads, and on the input if asked.

    `keep` in (0, 1] is the probability of keeping a unit; `layers` gives other probabilities by
    layer, `input` one for the inputs. Inverted (h mask / keep) unless `mode="vanilla"` (h mask,
    and keep h in inference). Source: the dropout of CS231n and EECS 498.
    """

    name: ClassVar[str] = "dropout"
    keep: float = field(default=1.0, kw_only=True)
    layers: Mapping[str, float] = field(default={}, kw_only=True)
    input: float = field(default=1.0, kw_only=True)
    mode: Mode = field(default="inverted", kw_only=True)

    def __post_init__(self) -> None:
        layers = {} if self.layers is None else self.layers
        if not isinstance(layers, Mapping):
            raise GraphError(f"layers is {shown(layers)}, where e.g. {{'fc2': 0.5}} is expected")
        by_layer = {k: check_keep(v, f"keep of layer {shown(k)}") for k, v in layers.items()}
        self._set("keep", check_keep(self.keep))
        self._set("layers", by_layer)
        self._set("input", check_keep(self.input, "keep of the input"))
        check_choice("dropout mode", self.mode, MODES)

    def changed(self) -> dict[str, Any]:
        """The probability, always: libraries differ in what they call it; what else is changed."""
        return {"keep": self.keep, **super().changed()}


class Site(NamedTuple):
    """A node to drop units of: the mask's key, the probability and the mode."""

    node: Node
    key: str
    keep: float
    mode: str

    @property
    def declared(self) -> bool:
        return isinstance(self.node.op, LayerDropout)

    @property
    def value(self) -> Node:
        """What the mask multiplies: the node, or what a declared dropout reads."""
        return self.node.inputs[0] if self.declared else self.node


def sites(g: Graph, asked: Dropout | None) -> Iterator[Site | Refused]:
    """Where units are dropped: where declared, and where `asked` says; with one key a place."""
    if asked is not None:
        chosen_by_name(asked.layers, g.layers, "layer")
    leads = _leads_to_linear(g)
    taken: set[str] = set()
    unused = dict.fromkeys(asked.layers) if asked is not None else {}
    for n in g.nodes:
        if isinstance(n.op, LayerDropout):
            key = layer_of(g.names[n], g.layers) or g.names[n]
            keep, mode = n.op.keep, n.op.mode
        elif asked is not None and (n.op.activation or (n in g.inputs and asked.input < 1)):
            key = layer_of(g.names[n], g.layers) or g.names[n]
            layer = _asked_layer(g, n, asked)
            keep = asked.layers[layer] if layer else asked.keep if n.inputs else asked.input
            mode = asked.mode
            reason = _not_here(g, n, keep, leads)
            if layer and (reason is None or keep == 1):
                unused.pop(layer, None)
            if reason is not None:
                yield Refused(n, reason)
                continue
        else:
            continue
        spelled, k = key, 0
        while spelled in taken:
            k += 1
            spelled = f"{key}.{k}"
        taken.add(spelled)
        yield Site(n, spelled, keep, mode)
    for layer in unused:
        raise GraphError(
            f"there is no dropout behind the layer {shown(layer)}: it has no activation that a "
            "later linear layer reads, or its dropout is declared\n  fix: leave it out of "
            "layers=, or declare vg.dropout(h, keep=) where you want it"
        )


def _asked_layer(g: Graph, n: Node, asked: Dropout) -> str | None:
    """The layer that `layers` names: the activation's, or one before it up to the linear layer."""
    while n.inputs:
        layer = g.layer(n)
        if layer is not None and layer in asked.layers:
            return layer
        if isinstance(n.op, (Linear, LinearRelu, MatMul)):
            break
        n = n.inputs[0]
    return None


def _not_here(g: Graph, n: Node, keep: float, leads: set[Node]) -> str | None:
    if not n.type.is_float:
        return f"%{g.names[n]} is {n.type}: only floats are dropped"
    if n not in leads:
        return f"no linear layer reads %{g.names[n]} later"
    if keep == 1:
        return f"keep is 1 for %{g.names[n]}"
    declared = [u for u in g.users[n] if isinstance(u.op, LayerDropout)]
    if declared:
        return f"%{g.names[n]} has declared dropout, %{g.names[declared[0]]}"
    return None


def _leads_to_linear(g: Graph) -> set[Node]:
    """The nodes that a linear layer reads, directly or through others."""
    leads: set[Node] = set()
    for n in reversed(g.order):
        if n in leads or isinstance(n.op, (Linear, LinearRelu, MatMul)):
            leads.update(n.inputs)
    return leads
