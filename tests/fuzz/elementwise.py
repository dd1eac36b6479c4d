"""Random nodes of ops that work element by element.

Values are kept tame where an op would make them infinite or NaN, mostly.
"""

from __future__ import annotations

import verigrad as vg
from verigrad.graph import OPS, Node

from .pool import Pool, broadcasts


def positive(x: Node) -> Node:
    """Its absolute value, and a half more."""
    return vg.absolute(x) + 0.5


def unary(p: Pool, name: str, **attributes: object) -> Node:
    c, kind = p.choices, OPS[name]
    x = p.numbers(whole=0.0 if kind.floats_only else 0.2)
    if name in ("log", "sqrt") and c.flag(0.85):
        x = positive(x)
    if name in ("exp", "expm1", "square") and x.type.is_float and c.flag(0.6):
        x = vg.tanh(x)
    return vg.apply(kind(**attributes), x)


def pair(p: Pool, floats_only: bool) -> tuple[Node, Node]:
    """Two nodes of one dtype that broadcast against each other, either first."""
    a = p.numbers(whole=0.0 if floats_only else 0.15)
    a, b = p.choices.shuffled([a, p.beside(a)])
    return a, b


def binary(p: Pool, name: str) -> Node:
    a, b = pair(p, OPS[name].floats_only)
    if name == "divide" and p.choices.flag(0.85):
        b = positive(b)
    if name == "power" and p.choices.flag(0.9):
        a, b = positive(a), vg.tanh(b)
    return vg.apply(OPS[name](), a, b)


def compared(p: Pool, name: str) -> Node:
    a, b = pair(p, False)
    if a.type.is_float and p.choices.flag(0.6):
        b = b + 0.3  # seldom a tie
    return vg.apply(OPS[name](), a, b)


def condition(p: Pool) -> Node:
    made = compared(p, p.choices.one(("greater", "less", "equal")))
    return p.found(lambda t: t.dtype == "bool", made)


def where(p: Pool) -> Node | None:
    held = condition(p)
    a = p.pick(lambda t: t.is_float and broadcasts(t.shape, held.type.shape))
    if p.choices.flag(0.15):
        a = p.pick(lambda t: not t.is_float and broadcasts(t.shape, held.type.shape), a)
    if a is None:
        return None
    return vg.where(held, *p.choices.shuffled([a, p.beside(a, held)]))


def slope(p: Pool, name: str) -> Node:
    x = p.floats()
    attributes = {"form": p.choices.one(("exact", "tanh"))} if name == "gelu_grad" else {}
    return vg.apply(OPS[name](**attributes), x, p.like(x))


def update(p: Pool, name: str) -> Node:
    c, v = p.choices, p.floats()
    factors = {"decay": c.one((0.9, 0.0, 1.0)), "scale": c.one((1.0, 0.1))}
    op = OPS[name](**{k: f for k, f in factors.items() if k in OPS[name].field_names})
    operands = getattr(op, "operands", ("y", "x", "alpha"))
    scalars = ("rate", "eps", "factor", "alpha", "kept")
    others = [p.number_like(v) if k in scalars else p.like(v) for k in operands[1:]]
    if name == "descend_scaled":
        others[1], others[-1] = positive(others[1]), positive(others[-1])
        others += [p.number_like(v)] * c.flag()
    return vg.apply(op, v, *others)


def cast(p: Pool) -> Node:
    x = p.floats()
    x = p.found(lambda t: not t.is_float, x) if p.choices.flag() else x
    to = p.choices.one(("f32", "f32", "f64", "i64", "bool"))
    if to == "i64" and x.type.is_float:
        x = vg.tanh(x) * 3.0
    return vg.cast(x, to)


def dropout_mask(p: Pool) -> Node:
    c, x = p.choices, p.floats()
    op = OPS["dropout_mask"](
        c.one(("a", "b")), c.one((0.5, 0.8, 1.0)), x.type.shape, c.one((1.0, 2.0)), 3, x.type.dtype
    )
    return vg.apply(op, p.steps() + 1 if c.flag(0.3) else p.steps())
