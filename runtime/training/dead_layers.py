"""Layers of relu that are dead: all their outputs are 0, and no gradient passes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ...graph import Array, Graph, Node, warn
from ...ops import LinearRelu, Relu
from ..forks import alone
from ..interpreter import interpret
from ..program import Program
from .dataset import DataSet
from .history import Row
from .watching import Watcher, drawn_rows

_ROWS: Final = 100
"""How many rows are looked at where a layer seems dead."""
_FEW: Final = 10
"""So many show almost always that none is; fewer rows say nothing of one that is."""


class DeadLayers(Watcher):
    """Warns where all outputs of a layer of relu are 0 on a batch of the data, in inference.

    It looks at the end of the epochs 1, 2, 4, 8, ..., and of the run: node by node, as compiled
    steps keep no such output longer than they need it.
    """

    def __init__(self, program: Program, data: DataSet) -> None:
        self._program = program
        self._data = data
        self._epochs = 0
        self._looked = 0
        self._told = False

    def on_epoch(self, row: Row) -> None:
        """Looks after each epoch whose number is a power of 2."""
        self._epochs += 1
        if self._epochs & (self._epochs - 1) == 0:
            self._look()

    def end(self) -> None:
        """Looks at what the run ended with."""
        if self._looked < self._epochs:
            self._look()

    def _look(self) -> None:
        self._looked = self._epochs
        if self._told or self._data.count < _FEW:
            return
        rows = drawn_rows(self._data, _ROWS)
        try:
            dead = alone(self._program._values.lock, self._dead, rows)
        except Exception:  # of a user's op, or for want of memory: a look ends no run
            return
        if dead:
            self._told = True
            names = ", ".join(map(repr, dead))
            what = f"layer {names}" if len(dead) == 1 else f"layers {names}"
            warn(
                f"all outputs of the relu {what} are 0 on {len(rows):,} rows of the data: no "
                "gradient passes, and what is before learns nothing more; give the optimizer a "
                "smaller lr, and look at the scale of the inputs and at the first values"
            )

    def _dead(self, rows: Array) -> list[str]:
        """The names of the layers that are."""
        g = self._program.inference
        layers = relu_layers(g)
        for few in (rows[:_FEW], rows):
            if layers:
                outputs = {f"relu{k}": n for k, n in enumerate(layers.values())}
                found = interpret(Graph(g.name, outputs), self._values(g, few)).outputs.values()
                layers = {
                    name: n
                    for (name, n), a in zip(layers.items(), found, strict=True)
                    if not a.any()
                }
        return [*layers]

    def _values(self, g: Graph, rows: Array) -> Mapping[str, Array]:
        """What is held, where it lies, and these rows of the data."""
        held = {g.names[n]: self._program._values[g.names[n]] for n in (*g.parameters, *g.state)}
        fed = {g.names[n]: self._data.arrays[g.names[n]][rows] for n in g.inputs}
        return {**held, **{k: a.astype(g[k].type.numpy, copy=False) for k, a in fed.items()}}


def relu_layers(g: Graph) -> dict[str, Node]:
    """The relus of layers, by the layers' names: those that a product of matrices comes before, and
    that a later one or an output reads, other than the loss."""
    made: set[Node] = set()
    for n in g.order:
        if n.op.matrix_product or not made.isdisjoint(n.inputs):
            made.add(n)
    read = {n for key, n in g.outputs.items() if key != "loss"}
    for n in reversed(g.order):
        if n.op.matrix_product or n in read:
            read.update(n.inputs)
    layers: dict[str, Node] = {}
    for n in g.order:
        if isinstance(n.op, (Relu, LinearRelu)) and n in made and n in read:
            name = g.layer(n) or g.names[n]
            layers[name if name not in layers else g.names[n]] = n
    return layers
