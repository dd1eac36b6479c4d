"""Evaluating graphs at a random point of a field: every tensor a block of numbers modulo a prime.

Nodes are numbered by what they compute: two with one op on equal inputs have one number, and one
value, in whatever graph they stand. So what two graphs have in common is never computed twice, and
what nobody asks for not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from ...graph import (
    SETTINGS,
    Array,
    Constant,
    Graph,
    IntShape,
    Node,
    NoRuleError,
    Point,
    Residues,
    Source,
    VerigradError,
    compute,
)
from ...graph.modular.arithmetic import residues
from ...ops import Gemm, MatMul
from .points import LARGE, At, classes_of, rows_of, source

_REPEATED: Final = 4
"""So many different numbers of a constant are scalars that may stand for products."""


class _Item(NamedTuple):
    """How one number's value is computed: by a node from others', or as it is given."""

    node: Node
    inputs: tuple[int, ...]
    given: Callable[[], Residues] | None = None
    name: str = ""


class Evaluation:
    """The values of nodes of one graph or several at a point; sources are the same by name.

    `tangents` are the sources that have a derivative along the direction. With `fold`, what is
    made of constants alone is computed by its kernels, as passes do it, and rounded.
    """

    def __init__(self, at: At, tangents: Sequence[str] = (), fold: bool = True) -> None:
        self.at = at
        self._fold = fold
        self._tangents = frozenset(tangents)
        self._numbers: dict[Hashable, int] = {}
        self._items: list[_Item] = []
        self._constants: dict[Node, Any] = {}
        self._classes: dict[Graph, Mapping[Node, int]] = {}
        self._values: dict[int, Residues | NoRuleError] = {}
        self._parts: dict[int, Residues] = {}
        self.number: dict[Node, int] = {}
        """What each node that was added computes."""

    @property
    def count(self) -> int:
        """How many different numbers there are."""
        return len(self._items)

    def add(self, g: Graph, nodes: Sequence[Node] | None = None) -> None:
        """Numbers all nodes of a graph, or some that its sources and these are enough for."""
        if g not in self._classes:
            self._classes[g] = classes_of(g)
        classes = self._classes[g]
        for n in g.nodes if nodes is None else nodes:
            if n not in self.number:
                self.number[n] = self._numbered(g, n, classes)

    def _numbered(self, g: Graph, n: Node, classes: Mapping[Node, int]) -> int:
        constants = self._constants
        if isinstance(n.op, Constant):
            constants[n] = n.op.array
        elif self._fold and n.inputs and all(i in constants for i in n.inputs):
            folded = _folded(n, constants, self.at.sizes)
            if folded is not None:
                constants[n] = folded
        inputs = tuple([self.number[i] for i in n.inputs])
        same = n.op.passes_on(inputs) if n not in constants else None
        if same is not None and n.inputs[same].type == n.type:
            # A pass may see it, too, and then fold what is made of a constant.
            if n.inputs[same] in constants:
                constants[n] = constants[n.inputs[same]]
            return inputs[same]
        if n in constants:
            array = constants[n]
            key: Hashable = (n.type.dtype, array.shape, array.tobytes())
            # At once: which scalar is a product of others depends on which are there.
            if key in self._numbers:
                return self._numbers[key]
            value = self._constant(array, n.type.dtype)
            return self._new(key, _Item(n, (), lambda: value))
        if isinstance(n.op, Source):
            name = g.names[n]
            key = (n.op.name, name, n.type)
            if key in self._numbers:
                return self._numbers[key]
            return self._new(
                key,
                _Item(
                    n,
                    (),
                    partial(source, n, name, classes.get(n), self.at, name in self._tangents),
                    name,
                ),
            )
        return self._new((_hashed(n.op), n.type, inputs), _Item(n, inputs))

    def _new(self, key: Hashable, item: _Item) -> int:
        number = self._numbers.setdefault(key, len(self._items))
        if number == len(self._items):
            self._items.append(item)
        return number

    def same(self, n: Node, other: Node) -> None:
        """Gives a node the number of another, whose value has been found to be equal."""
        self.number[n] = self.number[other]

    # ---- values ------------------------------------------------------------------------------

    def value(self, n: Node) -> Residues:
        """A node's value; NoRuleError where an op that it is made by has no exact meaning."""
        return self._number(self.number[n])

    def _number(self, number: int) -> Residues:
        stack = [number]
        while stack:
            k = stack[-1]
            missing = [i for i in self._items[k].inputs if i not in self._values]
            if k in self._values or not missing:
                stack.pop()
                if k not in self._values:
                    self._values[k] = self._computed(k)
            else:
                stack += missing
        value = self._values[number]
        if isinstance(value, NoRuleError):
            raise value
        return value

    def put(self, n: Node, value: Residues) -> None:
        """Sets what a node's value is."""
        self._values[self.number[n]] = value

    def part(self, n: Node) -> Residues:
        """Some rows of a large tensor, drawn by its shape; all of one that is not large."""
        shape = n.type.bind(self.at.sizes)
        if prod(shape) <= LARGE:
            return self.value(n)
        rows, number = rows_of(shape, self.at.key), self.number[n]
        stack = [number]
        while stack:
            k = stack[-1]
            missing = [i for i in self._by_rows(k, shape) if i not in self._parts]
            if k in self._parts or not missing:
                stack.pop()
                if k not in self._parts:
                    self._parts[k] = self._part(k, shape, rows)
            else:
                stack += missing
        return self._parts[number]

    def _by_rows(self, k: int, shape: IntShape) -> list[int]:
        """Of what is rows of that shape enough, to compute rows of a value of the shape."""
        item = self._items[k]
        if k in self._values or not (item.node.op.elementwise or isinstance(item.node.op, Gemm)):
            return []
        inputs = item.inputs if item.node.op.elementwise else item.inputs[:1]
        return [i for i in inputs if self._items[i].node.type.bind(self.at.sizes) == shape]

    def _part(self, k: int, shape: IntShape, rows: Array) -> Residues:
        """Rows of a value, from rows of those that it is computed from where that is enough."""
        item, at = self._items[k], self.at
        n, by_rows = item.node, set(self._by_rows(k, shape))
        if k in self._values:
            return self._number(k)[rows]
        if isinstance(n.op, Source) and not isinstance(n.op, Constant):
            return source(n, item.name, None, at, item.name in self._tangents, rows)
        if item.inputs and n.op.elementwise:
            inputs = [
                self._parts[i] if i in by_rows else self._spread(i, shape, rows)
                for i in item.inputs
            ]
            return exact(n, inputs, at, (len(rows), *shape[1:]))
        if isinstance(n.op, (MatMul, Gemm)):
            first = 1 if isinstance(n.op, Gemm) else 0
            a = self._number(item.inputs[first])
            own = [self._parts[item.inputs[0]]] if first else []
            cut = a[:, rows] if n.op.transpose_a else a[rows]
            others = [self._number(i) for i in item.inputs[first + 1 :]]
            return exact(n, [*own, cut, *others], at, (len(rows), *shape[1:]))
        return self._number(k)[rows]

    def _spread(self, k: int, shape: IntShape, rows: Array) -> Residues:
        """A value that is repeated along rows, or its rows where there are as many."""
        value = self._number(k)
        has_rows = len(value.shape) == len(shape) and value.shape[0] == shape[0] > 1
        return value[rows] if has_rows else value

    def _computed(self, k: int) -> Residues | NoRuleError:
        item = self._items[k]
        if item.given is not None:
            return item.given()
        inputs: list[Residues] = []
        for i in item.inputs:
            value = self._values[i]
            if isinstance(value, NoRuleError):
                return value
            inputs.append(value)
        try:
            return exact(item.node, inputs, self.at)
        except NoRuleError as e:
            return e

    def _constant(self, array: Array, dtype: str) -> Residues:
        p = self.at.modulus
        value = residues(array, p)
        if array.dtype.kind == "f":
            for number in np.unique(array).tolist()[:_REPEATED]:
                stands = p.scalar(number, dtype)
                if stands is not None:
                    value = np.where(array == number, stands, value)
        return Residues(value, dtype, p)


def exact(n: Node, inputs: Sequence[Residues], at: At, shape: IntShape | None = None) -> Residues:
    """What a node means, from its inputs' values; NoRuleError where its op does not say it.

    `shape` is that of the result, where it is not all of the node's.
    """
    shape = n.type.bind(at.sizes) if shape is None else shape
    point = Point(shape, n.type.dtype, at.modulus, at.sizes)
    try:
        with SETTINGS, np.errstate(all="ignore"):
            y = n.op.exact(point, *inputs)
    except NoRuleError:
        raise
    except Exception as e:
        raise NoRuleError(f"op {n.op.name}: exact fails with {type(e).__name__}: {e}") from e
    if not isinstance(y, Residues) or y.value.shape != shape:
        raise NoRuleError(f"op {n.op.name}: exact does not give a result of shape {list(shape)}")
    y.dtype = n.type.dtype
    return y


def _folded(n: Node, constants: Mapping[Node, Any], sizes: Mapping[str, int]) -> Any:
    """What the kernel makes of constants, whose rounding is meant; None where it refuses them."""
    try:
        with SETTINGS:
            return compute(n, [constants[i] for i in n.inputs], sizes)
    except VerigradError:
        return None


def _hashed(op: Any) -> Hashable:
    try:
        hash(op)
    except TypeError:
        return id(op)
    return op  # type: ignore[no-any-return]
