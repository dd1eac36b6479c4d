"""Products of matrices in C, and what is fused to them."""

from __future__ import annotations

from typing import Any

from ....graph import Node
from .body import Body
from .numbers import TYPES, literal


def write_matmul(b: Body, n: Node) -> None:
    """y = a b."""
    left, right = n.inputs
    _clear(b, n)
    _add_product(b, n, left, right, literal(1, n.type.dtype))


def write_linear(b: Body, n: Node) -> None:
    """y = x weight + bias."""
    _affine(b, n, relu=False)


def write_linear_relu(b: Body, n: Node) -> None:
    """y = max(x weight + bias, 0)."""
    _affine(b, n, relu=True)


def write_gemm(b: Body, n: Node) -> None:
    """c' = beta c + alpha a b; with a beta of 0, c is not read."""
    c, left, right, alpha, beta = n.inputs
    zero = b.element(beta, "")
    kept = f"{zero} == 0 ? 0 : {zero} * {b.element(c, 'i')}"
    if zero == literal(1, n.type.dtype):
        kept = b.element(c, "i")
    if kept != f"{b.array(n)}[i]":
        with b.text.block(b.text.head("i", b.text.count(n.type.shape))):
            b.put(n, "i", kept)
    _add_product(b, n, left, right, b.element(alpha, ""))


def _affine(b: Body, n: Node, relu: bool) -> None:
    x, weight, bias = n.inputs
    _clear(b, n)
    _add_product(b, n, x, weight, literal(1, n.type.dtype))
    with b.text.loops(n.type.shape, ("i", "j")):
        place = b.text.place(n.type.shape, ("i", "j"))
        added = b.element(bias, b.text.place(bias.type.shape, ("j",)))
        y = f"{b.array(n)}[{place}] + {added}"
        if relu:
            b.text.add(f"const {TYPES[n.type.dtype]} sum = {y};")
            y = "sum <= 0 ? 0 : sum"
        b.put(n, place, y)


def _clear(b: Body, n: Node) -> None:
    b.text.add(f"memset({b.array(n)}, 0, {b.text.count(n.type.shape)} * sizeof *{b.array(n)});")


def _add_product(b: Body, n: Node, left: Node, right: Node, alpha: str) -> None:
    """n += alpha left right, each read transposed where the op says so."""
    op: Any = n.op
    turned = [getattr(op, f"transpose_{k}", False) for k in "ab"]
    name = "add_product" + "".join([f"_t{k}" for k, t in zip("ab", turned, strict=True) if t])
    inner = left.type.shape[0 if turned[0] else 1]
    sizes = [b.text.size(d) for d in (n.type.shape[0], inner, n.type.shape[1])]
    arrays = [b.array(v) for v in (left, right, n)]
    b.text.add(f"{b.helper(name, n.type)}({', '.join([*sizes, alpha, *arrays])});")
