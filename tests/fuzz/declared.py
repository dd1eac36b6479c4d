"""A random declared graph: nodes of any ops, a loss that reaches every parameter, updates."""

from __future__ import annotations

import verigrad as vg
from verigrad.graph import OPS, Graph, Input, Node, Op, depth_first

from .choices import Choices
from .families import NAMES, maker, small
from .nets import layers, loss_of, paired
from .pool import Pool

OFTEN = ["matmul", "linear", "relu", "reshape", "transpose", "sum", "batch_norm", "gradient"]

CALLED = ("h", "h.1", "x", "w0.grad", "penalty", "c1", "loss", "out0")
"""Names that users might give, and that passes and printers might have taken."""


def declare(c: Choices, updated: bool) -> Graph:
    """A graph of the choices' making; `updated` says whether it may update parameters itself."""
    p = Pool(c)
    p.sources()
    scores = layers(p) if c.flag(0.5) else None
    grow(p, c.number(0, 6) if scores is not None else c.number(2, 16))
    loss = None
    if c.flag(0.95):
        loss = _loss(p, scores)
    outputs = _outputs(c, p, least=0 if loss is not None else 1)
    updates = _updates(p, updated) if loss is not None else {}
    fed = [n for n in p.nodes if isinstance(n.op, Input)]
    if loss is not None:
        loss = _reaching(loss, [loss, *outputs.values(), *updates, *updates.values()])
    return Graph("fuzzed", outputs, loss=loss, updates=updates, inputs=fed)


def grow(p: Pool, count: int) -> None:
    """So many nodes more, of ops that are each as likely, but for those of `OFTEN`."""
    for _ in range(count):
        name = p.choices.one(OFTEN if p.choices.flag(0.15) else NAMES)
        n = maker(name)(p)
        if n is not None and small(n):
            p.add(n.but(name=p.choices.one(CALLED)) if p.choices.flag(0.1) else n)


def _loss(p: Pool, scores: Node | None) -> Node:
    """A sum of what is made of some smooth nodes."""
    c = p.choices
    terms = [] if scores is None else [loss_of(p, scores)]
    smooth = [n for n in p.nodes if n in p.smooth and n.type.is_float]
    chosen = [c.one(smooth[-8:] if c.flag(0.8) else smooth) for _ in range(c.number(0, 3))]
    terms += [_term(p, n) for n in dict.fromkeys(chosen)]
    if not terms:
        terms = [_term(p, p.x)]
    loss = terms[0]
    for term in terms[1:]:
        loss = loss + c.one((1.0, 0.3)) * vg.cast(term, loss.type.dtype)
    return loss


def _term(p: Pool, n: Node) -> Node:
    """A scalar of a node."""
    c, t = p.choices, n.type
    is_scores = t.rank == 2 and isinstance(t.shape[1], int) and t.shape[1] > 0
    kind = c.number(0, 5)
    if kind == 0 and is_scores:
        return loss_of(p, n)
    if kind == 1:
        return paired(p, n)
    if kind == 2:
        return vg.squared_norm(vg.tanh(n))
    if kind == 3 and not t.rank:
        return n
    joined = c.one((vg.sum, vg.mean, vg.max))
    tame: Node = joined(n if c.flag() else vg.tanh(n))
    return tame


def _outputs(c: Choices, p: Pool, least: int) -> dict[str, Node]:
    """Some nodes, in the middle of the graph or at its end, one of them twice now and then."""
    made = [n for n in p.nodes if n.inputs] or p.nodes
    chosen = [c.one(made[-6:] if c.flag(0.7) else p.nodes) for _ in range(c.number(least, 4))]
    return {f"out{k}": n for k, n in enumerate(chosen)}


def _updates(p: Pool, parameters: bool) -> dict[Node, Node]:
    """What some state becomes: running means, counters, swaps, or whatever is of its type."""
    c, updates = p.choices, {}
    targets = p.state + (c.some(p.parameters, 0.3) if parameters else [])
    for s in c.some(targets, 0.7):
        if s.type.dtype == "i64":
            updates[s] = s + 1
        elif c.flag(0.3):
            updates[s] = vg.apply(OPS["decay_add"](0.9, 0.1), s, p.like(s))
        else:
            made = [n for n in p.nodes if n.type == s.type and (n is not s or c.flag(0.05))]
            updates |= {s: c.one(made)} if made else {}
    return updates


def _reaching(loss: Node, roots: list[Node]) -> Node:
    """The loss, with a penalty on each parameter that no gradient would reach."""
    reached = gradient_reaches(loss)
    for n in depth_first(roots):
        if n.op.name == "parameter" and n not in reached:
            loss = loss + 0.01 * vg.cast(vg.squared_norm(n), loss.type.dtype)
    return loss


def gradient_reaches(loss: Node) -> set[Node]:
    """The nodes that the gradient of the loss surely reaches: not through declared gradients."""
    reached, stack = {loss}, [loss]
    while stack:
        n = stack.pop()
        if not n.inputs or n.op.name == "gradient" or type(n.op).vjp is Op.vjp:
            continue
        dy = Node(Input(n.type), (), n.type, "dy")
        for i, part in zip(n.inputs, n.op.vjp(n, dy), strict=True):
            if part is not None and i.type.is_float and i not in reached:
                reached.add(i)
                stack.append(i)
    return reached
