"""Headroom: how many steps can be made before anything that they write could overflow."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, Constant, Graph, Input, Node, Source
from ..backends.backend import SQUARES
from ..backends.tiles import joined
from .intervals import ANY, TRUTH, Interval, IntervalRule, fitted

_BOUND: Final = Interval(-(SQUARES**0.5), SQUARES**0.5)
"""Where the elements of the tensors that a step looks at then lie."""
_SCALAR: Final = Interval(-SQUARES, SQUARES)
"""Where the scalars do."""
_FIRST: Final = 16
_MOST: Final = 128
"""How many steps a proof covers at first, and at most: to follow one takes as long as a small step,
and after so many a look at the values, which then mostly lie where it began, is hardly noticed."""
_ROOM: Final = 2.0**24
"""How much larger than they are a proof first takes the values: one then serves a whole run."""
_COARSE: Final = 8
"""Ranges of state are taken to the next power of 2 to the power of this: few proofs serve all."""


class _Kind(NamedTuple):
    """All nodes that are the same function of sources which are alike."""

    node: Node
    inputs: tuple[int, ...]
    leaf: bool


class _Intervals:
    """Intervals whose ends lie in one array: to hold other ones takes no more memory."""

    def __init__(self, count: int) -> None:
        self._ends = array("d", bytes(16 * count))

    def __getitem__(self, k: int) -> Interval:
        return Interval(self._ends[2 * k], self._ends[2 * k + 1])

    def __setitem__(self, k: int, r: Interval) -> None:
        self._ends[2 * k], self._ends[2 * k + 1] = r


class Headroom:
    """Proves that so many steps leave all that they write finite, whatever they are fed.

    The updates are followed in intervals: from those of the state as it is, with all that a step
    looks at (`watched`) bounded, to those after one step, after two, and so on. Sources that are
    updated alike are of one kind, so that hundreds of layers are followed as quickly as three.
    `late` is what runs from the first write of state on: no step can look at it before.
    """

    def __init__(
        self,
        g: Graph,
        arrays: Mapping[Node, Array],
        late: Collection[Node],
        watched: Collection[Node],
    ) -> None:
        self._late = frozenset(late)
        self._watched = frozenset(watched)
        self._kinds: list[_Kind] = []
        self._sources: list[list[Node]] = []  # the members of each kind whose value is held
        self._updates: list[int] = []  # the kind that each of them becomes
        self._followed(g)
        self._held = [joined([arrays[n] for n in members]) for members in self._sources]
        self._rules = [None if k.leaf else IntervalRule(k.node) for k in self._kinds]
        self._found = _Intervals(len(self._kinds))
        self._start = _Intervals(len(self._sources))  # what the last proof begins with
        self._reached = _Intervals(len(self._sources))
        self._done = 0
        self._safe = 0  # how many more steps are known to leave the state finite
        self._next: int | None = None  # the version of the values that these begin at

    def proved(self, version: int) -> bool:
        """Whether the step that is made next leaves the state finite, of which this is one.

        `version` is that of the values: what nobody else has changed since the last step is not
        looked at again before the steps that were proved are used up.
        """
        if version != self._next or not self._safe:
            self._safe = self.steps()
        self._next = version + 1
        if not self._safe:
            return False
        self._safe -= 1
        return True

    def steps(self) -> int:
        """How many steps are proved from the values of the sources on: from 0 to _MOST.

        A proof begins with a few, and goes on where it was when it is asked for again; it holds
        for as long as the values are within those that it began with.
        """
        done = self._done if self._done and self._within_start() else 0
        self._done = 0  # until this proof has ended: who interrupts it ends it
        if done:
            done = self._go_on(done, min(4 * done, _MOST))
        else:
            values = [_interval(whole) for whole in self._held]
            done = self._begin([_roomy(r) for r in values]) or self._begin(map(_coarse, values))
        self._done = done
        return done

    def _begin(self, start: Iterable[Interval]) -> int:
        """How many steps are proved from these values on: _FIRST, or fewer."""
        for k, r in enumerate(start):
            self._start[k] = self._reached[k] = r
        return self._go_on(0, _FIRST)

    def _go_on(self, done: int, wanted: int) -> int:
        """How many steps are proved, where so many were and so many are wanted."""
        while done < wanted and self._step():
            done += 1
        return done

    def _within_start(self) -> bool:
        sources = enumerate(self._held)
        return all(_interval(whole).within(self._start[k]) for k, whole in sources)

    def _step(self) -> bool:
        """Follows the sources over one more step; false where one may then not be finite."""
        source = 0
        for k, (kind, rule) in enumerate(zip(self._kinds, self._rules, strict=True)):
            n = kind.node
            if rule is not None:
                r = rule(*[self._found[i] for i in kind.inputs])
            elif isinstance(n.op, Constant):
                r = _interval([n.op.array])
            elif _is_held(n):
                r, source = self._reached[source], source + 1
            else:
                r = Interval.of(n.type.numpy)
            if n in self._watched:
                r = r.meet(_BOUND if n.type.rank else _SCALAR)
            self._found[k] = r
        for source, k in enumerate(self._updates):
            self._reached[source] = self._found[k]
        return all(self._found[k].known for k in self._updates)

    def _followed(self, g: Graph) -> None:
        """Finds the kinds: first all sources of a dtype are alike, then those whose updates are."""
        nodes = self._needed(g)
        alike: dict[Node, int] = {n: 0 for n in nodes if _is_held(n)}
        while True:
            kinds: dict[Hashable, int] = {}
            kind_of: dict[Node, int] = {}
            for n in nodes:
                key = self._key(n, kind_of, alike)
                kind_of[n] = kinds.setdefault(key, len(kinds))
            pairs = {n: (alike[n], kind_of[g.updates.get(n, n)], n.type.dtype) for n in alike}
            numbers: dict[Hashable, int] = {}
            refined = {n: numbers.setdefault(pair, len(numbers)) for n, pair in pairs.items()}
            if len(numbers) == len(set(alike.values())):
                break
            alike = refined
        members: dict[int, list[Node]] = {}
        for n in alike:
            members.setdefault(kind_of[n], []).append(n)
        self._sources = list(members.values())
        self._updates = [kind_of[g.updates.get(n, n)] for n, *_ in self._sources]
        first: dict[int, Node] = {}
        for n in nodes:
            first.setdefault(kind_of[n], n)
        self._kinds = [
            _Kind(n, () if self._is_leaf(n) else tuple([kind_of[i] for i in n.inputs]), leaf)
            for n in first.values()
            for leaf in [self._is_leaf(n)]
        ]

    def _needed(self, g: Graph) -> list[Node]:
        """What the updates are computed from, as far back as it is not bounded; inputs first."""
        needed: set[Node] = set()
        stack = [*g.updates, *g.updates.values()]
        while stack:
            n = stack.pop()
            if n not in needed:
                needed.add(n)
                stack += () if self._is_leaf(n) else n.inputs
        return [n for n in g.nodes if n in needed]

    def _is_leaf(self, n: Node) -> bool:
        """Of a tensor that a step looks at, the bound is enough; what divides is a scalar."""
        return isinstance(n.op, Source) or (n not in self._late and n.type.rank > 0)

    def _key(self, n: Node, kind_of: Mapping[Node, int], alike: Mapping[Node, int]) -> Hashable:
        if _is_held(n):
            return "held", alike[n], n.type.dtype
        seen = n in self._watched
        if isinstance(n.op, Constant):
            return "constant", n.type.dtype, _interval([n.op.array]), seen
        if self._is_leaf(n):
            return "leaf", n.type.dtype, seen
        return n.op, n.type.dtype, seen, tuple([kind_of[i] for i in n.inputs])


def _is_held(n: Node) -> bool:
    """Whether a program holds the value: of a parameter or a state."""
    return isinstance(n.op, Source) and not isinstance(n.op, (Constant, Input))


def _interval(arrays: Sequence[Array]) -> Interval:
    """The interval of all their elements, which are of one dtype."""
    if arrays and arrays[0].dtype.kind == "b":
        return TRUTH
    low, high = math.inf, -math.inf
    for a in arrays:
        if a.size:
            least, most = float(np.min(a)), float(np.max(a))
            if math.isnan(least):
                return ANY
            low, high = min(low, least), max(high, most)
    interval = Interval(low, high) if low <= high else Interval(0.0, 0.0)
    return fitted(interval, arrays[0].dtype) if arrays and arrays[0].dtype.kind == "i" else interval


def _roomy(r: Interval) -> Interval:
    """The interval from 0, or from as far below 0 as above it, up to _ROOM times what it holds."""
    if not r.known:
        return r
    high = _power(_ROOM * max(abs(r.low), abs(r.high)), math.ceil)
    return Interval(0.0 if r.low >= 0 else -high, high)


def _coarse(r: Interval) -> Interval:
    """The interval taken outward to numbers of which there are few; 0 stays."""
    return Interval(_power(r.low, math.floor), _power(r.high, math.ceil)) if r.known else r


def _power(x: float, outward: Callable[[float], int]) -> float:
    """The next power of 2^_COARSE, as large as it may be infinite, with the sign of x; 0 of 0."""
    if x == 0:
        return 0.0
    sign = math.copysign(1.0, x)
    mantissa, exponent = math.frexp(abs(x))
    # Of the logarithm, only where it lies among the whole numbers, which log2 may round to.
    log2 = exponent - (1.0 if mantissa == 0.5 else 0.5)
    exponent = _COARSE * int(sign * outward(sign * log2 / _COARSE))
    return sign * (2.0**exponent if exponent < 1024 else math.inf)
