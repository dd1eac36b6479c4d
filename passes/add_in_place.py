"""Adds what an update adds straight to what it updates: products, and multiples of tensors.

An update's new value is read as a sum of terms, each a node times a factor. With momentum, for
example, %v' = 0.9 %v + (%x^T %dy) is a sum of the old value %v, times 0.9, and a product, times 1.
BLAS computes such a sum where %v lies: `gemm` adds a matrix product, `axpy` a multiple of a tensor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Final, NamedTuple

from ..graph import (
    Constant,
    Graph,
    Input,
    Node,
    Source,
    State,
    apply,
    constant,
    readers_of,
    whole_symbols,
)
from ..ops import Axpy, DecayAdd, Descend, Gemm, MatMul, multiply
from ..ops.arithmetic import Add, Multiply
from .base import ASSUMED, Numbers, Pass, Refused, Rewrite

_LEAST: Final = {"f32": 2.0**-126, "f64": 2.0**-1022}
"""The least normal number of each dtype: a factor below it may become 0 in the BLAS."""


@dataclass(frozen=True)
class AddInPlace(Pass):
    """An update that adds to the old value becomes gemm and axpy, and a product is kept nowhere.

    Before:

        graph net {
          %dy: f32[N,256] = input
          %x: f32[N,256] = input
          %w: f32[256,256] = parameter{init=zeros}
          %w.velocity: f32[256,256] = state{init=zeros}
          %c0.1: f32[] = constant{0.1}
          %w.grad: f32[256,256] = matmul{transpose_a=true}(%x, %dy)
          %w.velocity.1: f32[256,256] = decay_add{0.9}(%w.velocity, %w.grad)
          %w.1: f32[256,256] = descend(%w, %w.velocity.1, %c0.1)
          update %w.velocity = %w.velocity.1
          update %w = %w.1
          return dy=%dy
        }

    After:

        graph net {
          %dy: f32[N,256] = input
          %x: f32[N,256] = input
          %w: f32[256,256] = parameter{init=zeros}
          %w.velocity: f32[256,256] = state{init=zeros}
          %c1: f32[] = constant{1.0}
          %c0.9: f32[] = constant{0.9}
          %c-0.1: f32[] = constant{-0.1}
          %w.velocity.1: f32[256,256] = gemm{transpose_a=true}(%w.velocity, %x, %dy, %c1, %c0.9)
          %w.1: f32[256,256] = axpy(%w, %w.velocity.1, %c-0.1)
          update %w.velocity = %w.velocity.1
          update %w = %w.1
          return dy=%dy
        }

    The gradient %w.grad, of 256 x 256 elements, is then never stored. Where several terms are
    added, such as a product and the decay of a weight, a gemm or axpy for each follows the other.
    That is not done where the old value is added as it is (a weight, not a velocity that decays):
    each term would be rounded by itself, and a small one would be lost at every step.

    The sum is now computed after the step has been checked, not before, which rules out more. A
    product's factors (%x, %dy) must be kept until then: not where those that are no inputs are
    together larger than the product, nor where something else reads the product, which is stored
    then anyway. And the check, which now sees the factors only, must still imply that the sum is
    finite: not where a part is fed or another state, or is multiplied by more than 1. A multiple is
    added in place only of a tensor that is stored in any case, not of one that stays inside a
    kernel call.

    Not for tensors of fewer than `smallest` elements, which stay in the cache; a symbol counts as
    `rows`. After differentiation and simplification, since gemm and axpy have no gradient and no
    other rewrites.
    """

    name: ClassVar[str] = "add_in_place"
    breaks: ClassVar[tuple[str, ...]] = ("differentiable",)
    numbers: ClassVar[Numbers] = "reassociate"
    smallest: int = 32_768
    rows: int = ASSUMED

    def rewrites(self, g: Graph) -> Iterator[Rewrite | Refused]:
        scalars = _Scalars()
        rewritten: set[Node] = set()
        late = readers_of(g.order, g.updates.values())
        kept = frozenset(g.nodes).difference(late).union(g.roots)
        updated = Counter(g.updates.values())
        for old, new in g.updates.items():
            if self._is_small(old) or updated[new] > 1:
                continue
            what = f"added to %{g.names[old]} in its place"
            terms, sums = _terms(g, new)
            if any(isinstance(t.node.op, MatMul) for t in terms):
                why_not = self._why_not(g, old, terms, late)
                if why_not is None:
                    rewritten |= sums
                    yield Rewrite(new, scalars.total(old, terms), f"a product {what}")
                    continue
                yield Refused(new, f"no product {what}: {why_not}")
            multiple = _multiple(old, new)
            if multiple is not None and multiple.node in kept:
                rewritten.add(new)
                yield Rewrite(new, scalars.plus(old, multiple), f"a multiple {what}")
        for n in g.order:
            pair = None if n in rewritten or self._is_small(n) else _computed_and_multiple(g, n)
            if pair is not None:
                old, multiple = pair
                what = f"a multiple added to %{g.names[old]} in its place"
                yield Rewrite(n, scalars.plus(old, multiple), what)

    def _is_small(self, n: Node) -> bool:
        t = n.type
        return bool(t.symbols) or not t.is_float or self._size(n) < self.smallest

    def _why_not(self, g: Graph, old: Node, terms: Sequence[_Term], late: set[Node]) -> str | None:
        """Why the terms, products among them, are not added one by one to `old` in its place; None
        where they are. `late` are the new values of the graph's updates and all that reads one."""
        shares = [t.factor for t in terms if t.node is old]
        if len(shares) != 1:
            return f"%{g.names[old]} is added {len(shares)} times, where once is expected"
        if shares == [_ONE] and len(terms) > 2:
            return "more is added, and would be rounded by itself at each step"
        factors: set[Node] = set()
        for n, factor in terms:
            name = g.names[n]
            if isinstance(n.op, MatMul):
                if _is_read_elsewhere(g, n):
                    return f"%{name} is read elsewhere"
                if n in late:
                    return f"%{name} reads a new value"
                if 0 < abs(factor.number) < _LEAST[n.type.dtype]:
                    return f"%{name} would be multiplied by {factor.number:g}, in {n.type.dtype} 0"
                factors.update([i for i in n.inputs if not isinstance(i.op, Input)])
            elif n in late and n not in g.roots:
                return f"%{name}, which is added too, would have to be kept"
            elif n is not old and isinstance(n.op, (Input, State)):
                return f"%{name}, which is added too, is looked at in the sum alone"
        if sum(map(self._size, factors)) > self._size(old):
            return "its factors, which would have to be kept, are larger than it"
        return None

    def _size(self, n: Node) -> int:
        return prod(n.type.bind(dict.fromkeys(whole_symbols(n.type.symbols), self.rows)))


class _Factor(NamedTuple):
    """What a term is multiplied by: `number` times the product of `scalars`, nodes of shape [] that
    a step computes or holds, such as a scheduled learning rate."""

    number: float
    scalars: tuple[Node, ...]

    def times(self, *others: Node | float) -> _Factor:
        number, scalars = self
        for other in others:
            if not isinstance(other, Node):
                number *= other
            elif isinstance(other.op, Constant):
                number *= float(other.op.value.array)
            else:
                scalars = (*scalars, other)
        return _Factor(number, scalars)


_ONE: Final = _Factor(1.0, ())


class _Term(NamedTuple):
    """A part of a sum: `factor` times `node`."""

    node: Node
    factor: _Factor


def _terms(g: Graph, new: Node) -> tuple[list[_Term], set[Node]]:
    """The terms whose sum is `new`, and the nodes that were taken apart to find them.

    A sum within the sum is taken apart too, unless something else reads it (it is stored then
    anyway) or multiplies a part by anything but a constant from -1 to 1 (it may overflow though
    its parts are finite).
    """
    terms: list[_Term] = []
    sums: set[Node] = set()
    stack = [_Term(new, _ONE)]
    while stack:
        n, factor = stack.pop()
        parts = _summands(n)
        inner = n is not new
        if parts is None or (inner and (_is_read_elsewhere(g, n) or not _are_shares(parts))):
            terms.append(_Term(n, factor))
            continue
        sums.add(n)
        stack += [_Term(part, factor.times(*by)) for part, *by in parts]
    return terms, sums


_Summands = list[tuple[Node, *tuple[Node | float, ...]]]


def _summands(n: Node) -> _Summands | None:
    """What a node adds: tuples of a node and what it is multiplied by. `descend(w, d, rate)` gives
    [(w,), (d, -1.0, rate)], a tensor times a scalar one tuple. None for any other node, and for one
    that reads a node twice."""
    if len(set(n.inputs)) < len(n.inputs):
        return None
    if isinstance(n.op, Descend):
        w, d, rate = n.inputs
        return [(w,), (d, -1.0, rate)]
    if isinstance(n.op, DecayAdd):
        v, g = n.inputs
        return [(v, n.op.decay), (g, n.op.scale)]
    if isinstance(n.op, (Add, Multiply)):
        a, b = n.inputs
        if isinstance(n.op, Multiply) and not (a.type.rank and b.type.rank):
            return [(a, b) if a.type.rank else (b, a)]
        if isinstance(n.op, Add) and a.type == b.type:
            return [(a,), (b,)]
    return None


def _are_shares(parts: _Summands) -> bool:
    """Whether all factors are constants from -1 to 1, so that no part grows by its own."""
    factors = [_ONE.times(*by) for _, *by in parts]
    return all(not f.scalars and abs(f.number) <= 1 for f in factors)


def _multiple(old: Node, new: Node) -> _Term | None:
    """The term t where `new` is exactly old + t; None where it is no such sum."""
    terms = [_Term(n, _ONE.times(*by)) for n, *by in _summands(new) or ()]
    if len(terms) != 2 or terms[0] != (old, _ONE) or terms[1].node is old:
        return None
    return terms[1]


def _computed_and_multiple(g: Graph, n: Node) -> tuple[Node, _Term] | None:
    """The parts of n = old + t, where `old` is computed for this sum alone, so that the sum may lie
    in its place, and t is a multiple of a tensor that is stored anyway: a source, or one that
    something else reads too. None where n is no such sum."""
    if not isinstance(n.op, Add) or n.inputs[0].type != n.inputs[1].type:
        return None
    for old, product in (n.inputs, n.inputs[::-1]):
        parts = None if _is_read_elsewhere(g, product) else _summands(product)
        if parts is None or len(parts) != 1 or not old.inputs or _is_read_elsewhere(g, old):
            continue
        x, *by = parts[0]
        if isinstance(x.op, Source) or len(g.users[x]) > 1:
            return old, _Term(x, _ONE.times(*by))
    return None


def _is_read_elsewhere(g: Graph, n: Node) -> bool:
    return len(g.users[n]) > 1 or n in g.roots


class _Scalars:
    """Makes nodes of factors, and uses one node for all equal factors of a dtype."""

    def __init__(self) -> None:
        self._made: dict[tuple[_Factor, str], Node] = {}

    def node(self, factor: _Factor, dtype: str) -> Node:
        if (factor, dtype) not in self._made:
            value = constant(factor.number, dtype)
            for s in factor.scalars:
                value = multiply(value, s)
            self._made[factor, dtype] = value
        return self._made[factor, dtype]

    def plus(self, y: Node, term: _Term) -> Node:
        """y + factor x, for the term (x, factor)."""
        return apply(Axpy(), y, term.node, self.node(term.factor, y.type.dtype))

    def total(self, old: Node, terms: Sequence[_Term]) -> Node:
        """The sum of all terms, `old` among them. Products come first: the first gemm also
        multiplies `old` by its factor, which an axpy cannot do."""
        new, dtype = old, old.type.dtype
        (share,) = [t.factor for t in terms if t.node is old]
        for n, factor in terms:
            if isinstance(n.op, MatMul):
                by = self.node(factor, dtype), self.node(share, dtype)
                new = apply(Gemm(n.op.transpose_a, n.op.transpose_b), new, *n.inputs, *by)
                share = _ONE
        for term in terms:
            if term.node is not old and not isinstance(term.node.op, MatMul):
                new = self.plus(new, term)
        return new
