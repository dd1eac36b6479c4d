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
from zlib import crc32

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
    State,
    VerigradError,
    compute,
)
from ...graph.modular.arithmetic import PRIMES, random_residues, residues
from ...graph.modular.residues import Modulus
from ...ops import Gemm, MatMul
from ...ops.likelihood import NLL, LabelPlaces, NLLGrad

STEP: Final = 3
"""The number of the step: at the first, states are 0, and hide faults."""
_KEY: Final = 0x5EED
_FIRST: Final = 3
"""The symbols' sizes, but at the point where all are 1: from here on, no two alike."""
_WHOLE: Final = 7
"""Whole numbers that are fed or kept are from 1 to here."""
_REPEATED: Final = 4
"""So many different numbers of a constant are scalars that may stand for products."""
LARGE: Final = 1 << 14
"""Of tensors with more elements, _ROWS rows are compared."""
_ROWS: Final = 64


class At(NamedTuple):
    """A point: sizes of the symbols, a prime, and the key by which all else is drawn."""

    sizes: dict[str, int]
    modulus: Modulus
    key: int
    drawn: dict[tuple[str, int], Array]
    """What was drawn of large sources of fixed sizes, which points of one prime share."""


def points(g: Graph) -> list[At]:
    """Where graphs are compared: at two primes, and with all sizes 1."""
    sizes = {s: _FIRST + k for k, s in enumerate(g.symbols)}
    drawn: dict[tuple[str, int], Array] = {}
    moduli = [Modulus(p) for p in PRIMES]
    at = [At(sizes, p, _KEY, drawn) for p in moduli]
    return [*at, At(dict.fromkeys(sizes, 1), moduli[0], _KEY, drawn)] if sizes else at


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
        self.number: dict[Node, int] = {}
        """What each node that was added computes."""

    @property
    def count(self) -> int:
        """How many different numbers there are."""
        return len(self._items)

    def add(self, g: Graph, nodes: Sequence[Node] | None = None) -> None:
        """Numbers all nodes of a graph, or some that its sources and these are enough for."""
        if g not in self._classes:
            self._classes[g] = _classes(g)
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
            return self._new(key, _Item(n, (), partial(self._drawn, n, name, classes.get(n)), name))
        inputs = tuple([self.number[i] for i in n.inputs])
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
        return self._part(self.number[n], rows_of(shape, self.at.key))

    def _part(self, k: int, rows: Array) -> Residues:
        """Rows of a value, from rows of those that it is computed from where that is enough."""
        item, value = self._items[k], self._values.get(k)
        n, at = item.node, self.at
        shape = n.type.bind(at.sizes)
        if value is None and isinstance(n.op, Source) and not isinstance(n.op, Constant):
            return self._drawn(n, item.name, None, rows)
        if value is None and len(item.inputs) and n.op.elementwise:
            inputs = [
                self._part(i, rows)
                if self._items[i].node.type.bind(at.sizes) == shape
                else self._spread(i, shape, rows)
                for i in item.inputs
            ]
            return exact(n, inputs, at, (len(rows), *shape[1:]))
        if value is None and isinstance(n.op, (MatMul, Gemm)):
            first = 1 if isinstance(n.op, Gemm) else 0
            a = self._number(item.inputs[first])
            own = [self._part(item.inputs[0], rows)] if first else []
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

    def _drawn(
        self, n: Node, name: str, classes: int | None, rows: Array | None = None
    ) -> Residues:
        """The value of a source, or rows of it: by its name, the same at any time."""
        shape, dtype, p = n.type.bind(self.at.sizes), n.type.dtype, self.at.modulus
        key = crc32(name.encode()) ^ self.at.key
        places = np.arange(prod(shape)).reshape(shape)
        places = places if rows is None else places[rows]
        if n.type.is_float:
            tangent = None
            if name in self._tangents:
                tangent = np.zeros(places.shape)
                some = rows is None and prod(shape) > LARGE
                along = rows_of(shape, self.at.key) if some else ...
                tangent[along] = random_residues(~key % 2**64, places[along], p)
            if rows is not None or n.type.symbols or prod(shape) <= LARGE:
                return Residues(random_residues(key, places, p), dtype, p, tangent)
            if (name, p) not in self.at.drawn:
                self.at.drawn[name, p] = random_residues(key, places, p)
            return Residues(self.at.drawn[name, p], dtype, p, tangent)
        if isinstance(n.op, State) and name == "step":
            return Residues(np.full(places.shape, float(STEP)), dtype, p)
        chosen = random_residues(key, places, p)
        if dtype == "bool":
            return Residues(chosen % 2, dtype, p)
        return Residues(chosen % (classes or _WHOLE) + (0 if classes else 1), dtype, p)


def rows_of(shape: IntShape, key: int) -> Array:
    """The places of some rows of a large tensor, in their order."""
    places = np.arange(shape[0])
    if shape[0] <= _ROWS:
        return places
    chosen = np.argsort(random_residues(key, places, PRIMES[0]), kind="stable")[:_ROWS]
    return np.sort(chosen)


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


def _classes(g: Graph) -> dict[Node, int]:
    """How many classes there are for each input of class numbers."""
    found: dict[Node, int] = {}
    for n in g.order:
        if isinstance(n.op, (NLLGrad, LabelPlaces)):
            count = n.op.classes
        elif isinstance(n.op, NLL):
            (_, count) = n.inputs[0].type.shape  # type: ignore[assignment]
        else:
            continue
        labels = n.inputs[1]
        found[labels] = min(count, found.get(labels, count))
    return found


def depth(g: Graph) -> int:
    """How many ops the longest chain of a graph has."""
    longest: dict[Node, int] = {}
    for n in g.nodes:
        longest[n] = 1 + max([longest[i] for i in n.inputs], default=0)
    return max(longest.values(), default=1)
