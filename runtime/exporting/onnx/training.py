"""What the format tells of a training step beside its nodes: how state begins, what becomes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from ....graph import Array
from .protos import helper, tensor

_UPDATE: Final = ".update"
_FIRST: Final = ".first"


def add_training_info(model: Any, updates: Mapping[str, str], first: Mapping[str, Array]) -> None:
    """Adds a TrainingInfoProto to the model of a step.

    `updates` name the output with the new value of each parameter or state, `first` its first one.
    The model's graph is the whole step; a binding takes outputs of the graph `algorithm` alone, so
    that this one copies them. `initialization` gives the first values: training can begin anew.
    """
    types = {v.name: v.type for v in model.graph.output}
    name = model.graph.name
    info = model.training_info.add()
    copies = [_node("Identity", [new], w + _UPDATE) for w, new in updates.items()]
    outputs = [_told(w + _UPDATE, types[new]) for w, new in updates.items()]
    info.algorithm.CopyFrom(helper().make_graph(copies, f"{name}.update", [], outputs))
    _bind(info.update_binding, updates, _UPDATE)
    begins = [_begin(w, first[w]) for w in updates]
    outputs = [_told(w + _FIRST, types[new]) for w, new in updates.items()]
    info.initialization.CopyFrom(helper().make_graph(begins, f"{name}.first", [], outputs))
    _bind(info.initialization_binding, updates, _FIRST)


def _begin(name: str, first: Array) -> Any:
    """A node that gives a first value."""
    return _node("Constant", [], name + _FIRST, value=tensor(np.asarray(first), name + _FIRST))


def _node(kind: str, inputs: list[str], output: str, **attributes: object) -> Any:
    return helper().make_node(kind, inputs, [output], name=output, **attributes)


def _told(name: str, type: Any) -> Any:
    return helper().make_value_info(name, type)


def _bind(bindings: Any, names: Iterable[str], ending: str) -> None:
    for name in names:
        entry = bindings.add()
        entry.key, entry.value = name, name + ending
