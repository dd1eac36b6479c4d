"""What a file is given and stores, as ours: inputs, parameters, state, constants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ....graph import (
    Array,
    Dim,
    GraphError,
    Node,
    as_array,
    dtype_name,
    input,
    parameter,
    shown,
    state,
    suggest,
)
from .naming import Names, cleaned
from .tensors import NUMPY_KINDS, our_dtype, to_array
from .values import Known, Value, Weight

Trainable = bool | Iterable[str] | None


class Wishes(NamedTuple):
    """What a user asks of the sources, by their names in the file, and what the file says.

    `trainable` are the initializers that are trained, None chooses (`Sources.is_trained`). `shapes`
    replaces those of inputs, `constants` fixes inputs and stored tensors; what is `updated` and no
    parameter is state. Unless it `turns` weights, they keep the order that they have in the file.
    """

    trainable: Trainable = None
    shapes: Mapping[str, Sequence[Dim]] = {}
    constants: Mapping[str, Any] = {}
    updated: Iterable[str] = ()
    turns: bool = True


class Sources:
    """The sources of a graph on its way to ours, each declared when it is first read."""

    def __init__(self, folder: Path | None, wishes: Wishes, graphs: Sequence[Any]) -> None:
        self.folder = folder
        self.inputs: dict[Node, str] = {}
        """The inputs, and what the file calls each."""
        self.freed: dict[int, str] = {}
        """The sizes of a batch that the file fixed, with the symbol in the place of each."""
        self._turns, self._updated = wishes.turns, frozenset(wishes.updated)
        self._trainable, self._shapes, self._constants = _found(wishes, graphs[0])
        self._names, self._symbols = Names(), Names()
        self._declared: dict[str, Node] = {}
        self._stored: set[str] = set()
        self._uses = Counter([*self._updated, *(n for g in graphs for n in _reads(g))])

    # ---- inputs --------------------------------------------------------------------------------

    def input(self, told: Any) -> Value:
        """An input; an array where it is fixed."""
        name, what = str(told.name), f"the input {shown(told.name)}"
        if name in self._constants:
            return self._fixed(name, NUMPY_KINDS.get(told.type.tensor_type.elem_type))
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
        node = input(self._names.of(name), shape, dtype)
        self.inputs[node] = name
        return node

    def _dim(self, told: Any, axis: int) -> Dim:
        if told.HasField("dim_value") and told.dim_value >= 0:
            return int(told.dim_value)
        if told.dim_param:
            return self._symbols.of(told.dim_param)
        return self._symbols.of("N") if axis == 0 else self._symbols.new(f"d{axis}")

    def _free(self, told: Any, shape: list[Dim]) -> None:
        """Remembers the batch's size that the file has in the place of a symbol that is given."""
        sizes = [d.dim_value for d in told.dim]
        if sizes and shape and sizes[0] > 0 and isinstance(shape[0], str):
            self.freed[sizes[0]] = shape[0]

    def _fixed(self, name: str, dtype: object) -> Known:
        """What the user fixes, in the type that the file has for it."""
        array = as_array(
            self._constants[name], f"constants[{name!r}]", "an array of numbers", name=name
        )
        return Known(array if dtype is None else array.astype(np.dtype(dtype)))  # type: ignore[call-overload]

    # ---- what is stored ------------------------------------------------------------------------

    def initializer(self, tensor: Any) -> Value:
        """A stored tensor of a graph: a weight, a state, or an array."""
        name = str(tensor.name)
        value = self.stored(name, to_array(tensor, self.folder))
        if name in self._constants:
            return self._fixed(name, value.array.dtype)
        if name in self._updated and not (isinstance(value, Weight) and self.is_trained(value)):
            return self.state(Weight(name, value.array, alone=False))
        return value

    def stored(self, name: str, array: Array, *, initializer: bool = True) -> Known | Weight:
        """A stored tensor: a weight where it is one of our floats."""
        if array.dtype not in (np.float32, np.float64):
            return Known(array)
        alone = self._turns and self._uses[name] <= 1
        own, k = name, 2
        while own in self._stored:  # by a branch, whose names are its own
            own, k = f"{name}_{k}", k + 1
        self._stored.add(own)
        return Weight(own, array, alone, initializer)

    def is_trained(self, weight: Weight) -> bool:
        """Whether a weight is a parameter: as `trainable` says, or initializers with axes."""
        if isinstance(self._trainable, bool):
            return self._trainable and weight.stored
        if self._trainable is not None:
            return weight.name in self._trainable
        return weight.stored and weight.array.ndim > 0

    @property
    def is_chosen(self) -> bool:
        """Whether it is said what is trained."""
        return self._trainable is not None

    def read_once(self, name: str) -> bool:
        """Whether one node alone reads a name."""
        return self._uses[name] == 1

    def parameter(self, weight: Weight) -> Node:
        """A weight as the parameter that begins so."""
        return self._source(weight, parameter)

    def state(self, weight: Weight) -> Node:
        """A weight as a state, which only updates change."""
        return self._source(weight, state)

    def _source(self, weight: Weight, declare: Any) -> Node:
        array = weight.array
        if weight.name not in self._declared:
            dtype, name = dtype_name(array.dtype), self._names.of(weight.name)
            self._declared[weight.name] = declare(name, array.shape, array, dtype=dtype)
        found = self._declared[weight.name]
        if found.shape != array.shape or found.op.name != declare.__name__:
            raise GraphError(
                f"the weight {shown(weight.name)} is read as {declare.__name__} of the shape "
                f"{list(array.shape)}, and as {found.op.name}: {found.type} before"
            )
        return found


def _reads(graph: Any) -> Iterator[str]:
    """The names that a graph reads, those of graphs in its nodes too; each as often as it does."""
    for proto in graph.node:
        yield from (name for name in proto.input if name)
        for attribute in proto.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _reads(inner)
    yield from (o.name for o in graph.output)


def _found(
    wishes: Wishes, graph: Any
) -> tuple[bool | frozenset[str] | None, dict[str, Sequence[Dim]], dict[str, Any]]:
    """What is asked for by the names of the file, where it was by ours as well; GraphError for a
    name that is neither."""
    chosen = wishes.trainable
    if isinstance(chosen, str):
        raise GraphError(f"trainable is {shown(chosen)}, where a list of names is expected")
    inputs = [i.name for i in graph.input]
    stored = [t.name for t in graph.initializer]
    stored += [o for n in graph.node if n.op_type in ("Constant", "Identity") for o in n.output]
    trainable = chosen if isinstance(chosen, bool | None) else _in_file("trainable", chosen, stored)
    shapes = _in_file("shapes", wishes.shapes, inputs)
    constants = _in_file("constants", wishes.constants, [*inputs, *stored])
    return (
        trainable if isinstance(trainable, bool | None) else frozenset(trainable),
        {name: wishes.shapes[asked] for name, asked in shapes.items()},
        {name: wishes.constants[asked] for name, asked in constants.items()},
    )


def _in_file(what: str, asked: Iterable[Any], there: Sequence[str]) -> dict[str, Any]:
    """The names of the file for those that are asked for, which may be ours for them."""
    ours = {cleaned(name): name for name in reversed(there)}
    found = {}
    for name in asked:
        if not isinstance(name, str) or (name not in there and name not in ours):
            raise GraphError(
                f"{what} names {shown(name)}, which the file has not{suggest(name, there)}"
            )
        found[name if name in there else ours[name]] = name
    return found
