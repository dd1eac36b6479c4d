"""Matrix products: dense layers as `vg.dense` declares them, and products of any rank."""

from __future__ import annotations

import math
from typing import Final

from .....graph import GraphError, Node, Parameter
from .....ops import MatMul, add, linear, matmul, multiply, sum
from ..call import Call, Rules
from ..values import Value, Weight
from .parts import as_dtype, expanded, in_floats, numbered, ordered, picked, shaped


def _gemm(c: Call) -> Value:
    """alpha a b + beta c; a dense layer where a weight is multiplied and a bias added."""
    alpha, beta = c.number("alpha", 1.0), c.number("beta", 1.0)
    turn_a, turn_b = bool(c.integer("transA", 0)), bool(c.integer("transB", 0))
    weight = c.value(1)
    if turn_b and isinstance(weight, Weight) and weight.alone and weight.array.ndim == 2:
        weight, turn_b = weight.turned(weight.array.T), False
    a, b = in_floats(c.node(0)), in_floats(c.reader.node(weight))
    product = _named(matmul(a, b, transpose_a=turn_a, transpose_b=turn_b), b)
    product = product if alpha == 1 else product * alpha
    if not c.has(2) or beta == 0:
        return as_dtype(product, c.node(0).dtype)
    if alpha == beta == 1 and (layer := _layer(c, product, c.value(2))) is not None:
        return layer
    added = in_floats(c.node(2))
    return as_dtype(add(product, added if beta == 1 else added * beta), c.node(0).dtype)


def biased(c: Call) -> Node | None:
    """A dense layer, where a node adds a bias to a product that nothing else reads."""
    for k in (0, 1):
        product = c.value(k)
        if isinstance(product, Node) and c.reader.sources.read_once(c.names[k]):
            layer = _layer(c, product, c.value(1 - k))
            if layer is not None:
                return layer
    return None


def _layer(c: Call, product: Node, bias: Value) -> Node | None:
    """x weight + bias as one node; None where they are no matrices and no row of weights."""
    if not isinstance(product.op, MatMul) or product.op.transpose_a or product.op.transpose_b:
        return None
    x, weight = product.inputs
    if isinstance(bias, Weight) and bias.alone and bias.array.ndim == 2 and len(bias.array) == 1:
        bias = bias.turned(bias.array.reshape(-1))
    if not isinstance(bias, Weight) or bias.array.shape != product.shape[1:]:
        return None
    return _named(linear(x, weight, c.reader.node(bias)), weight)


def _named(n: Node, weight: Node) -> Node:
    """The node under the name of the layer whose weight it reads, as vg.dense names it."""
    layer = (weight.name or "").rpartition(".")[0] if isinstance(weight.op, Parameter) else ""
    return n.but(name=layer) if layer else n


def _matmul(c: Call) -> Value:
    a, b = c.node(0), c.node(1)
    if a.type.rank == b.type.rank == 2 and a.type.is_float:
        return _named(matmul(a, b), b)
    return as_dtype(product(in_floats(a), in_floats(b)), a.dtype)


def product(a: Node, b: Node) -> Node:
    """a b of any ranks, as NumPy's matmul: the last two axes are those of matrices."""
    if not (a.type.rank and b.type.rank):
        raise GraphError(f"it multiplies {a.type} and {b.type}, where matrices are expected")
    if a.type.rank == 1:
        y = product(expanded(a, [0]), b)
        return shaped(y, [*y.shape[:-2], y.shape[-1]] if b.type.rank > 1 else y.shape[1:])
    if b.type.rank == 1:
        y = product(a, expanded(b, [1]))
        return shaped(y, y.shape[:-1])
    *rows, inner = a.shape
    numbers = [d for d in rows if isinstance(d, int)]
    if b.type.rank == 2 and len(numbers) == len(rows):
        y = matmul(shaped(a, (math.prod(numbers), inner)), b)
        return shaped(y, (*rows, b.shape[1]))
    if a.type.rank == b.type.rank == 2:
        return matmul(a, b)
    if a.shape[-1] != b.shape[-2]:
        raise GraphError(f"{a.type} and {b.type} differ in the axes that are summed")
    rank = max(a.type.rank, b.type.rank)
    left = expanded(shaped(a, (*(1,) * (rank - a.type.rank), *a.shape)), [rank])
    right = expanded(shaped(b, (*(1,) * (rank - b.type.rank), *b.shape)), [rank - 2])
    return sum(multiply(left, right), axes=(rank - 1,))


def _einsum(c: Call) -> Value:
    """The products summed over the letters that the result has not."""
    equation = c.text("equation", "").replace(" ", "")
    told, _, result = equation.partition("->")
    terms = told.split(",")
    nodes = [in_floats(n) for n in c.nodes()]
    if len(terms) != len(nodes):
        raise GraphError(
            f"the equation {equation!r} has {len(terms)} terms for {len(nodes)} inputs"
        )
    most = max([n.type.rank - len(t.replace("...", "")) for t, n in zip(terms, nodes, strict=True)])
    dots = "0123456789"[:most]
    terms = [
        t.replace("...", dots[most - (n.type.rank - len(t.replace("...", ""))) :])
        for t, n in zip(terms, nodes, strict=True)
    ]
    every = "".join(terms)
    if "->" not in equation:
        result = dots + "".join(sorted(ch for ch in set(every) - set(dots) if every.count(ch) == 1))
    result = result.replace("...", dots)
    letters = result + "".join(sorted(set(every) - set(result)))
    spread = [_spread(n, t, letters) for n, t in zip(nodes, terms, strict=True)]
    total = spread[0]
    for factor in spread[1:]:
        total = multiply(total, factor)
    summed = range(len(result), len(letters))
    total = sum(total, axes=summed) if len(summed) else total
    return as_dtype(total, c.node(0).dtype)


def _spread(x: Node, term: str, letters: str) -> Node:
    """The input with an axis for each letter, in their order, of size 1 where it has none."""
    if len(term) != x.type.rank:
        raise GraphError(f"the term {term!r} does not name the axes of {x.type}")
    while len(set(term)) < len(term):
        x, term = _diagonal(x, term)
    turned = ordered(x, sorted(range(len(term)), key=lambda k: letters.index(term[k])))
    return expanded(turned, [k for k, ch in enumerate(letters) if ch not in term])


def _diagonal(x: Node, term: str) -> tuple[Node, str]:
    """The diagonal of two axes that one letter names, as the last axis."""
    letter = next(ch for ch in term if term.count(ch) > 1)
    first, second = [k for k, ch in enumerate(term) if ch == letter][:2]
    rest = [k for k in range(len(term)) if k not in (first, second)]
    size, shape = numbered(x.shape[first]), [x.shape[k] for k in rest]
    flat = shaped(ordered(x, [*rest, first, second]), (*shape, size * size))
    diagonal = picked(flat, len(rest), range(0, size * size, size + 1))
    return diagonal, "".join(term[k] for k in rest) + letter


RULES: Final[Rules] = {
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
