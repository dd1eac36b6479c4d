"""Gradients, exactly: the backward graph against derivatives along a direction, in a field.

For the loss L, parameters w, their gradients g as the compiled graph has them and a random
direction u: the derivative of L along u, which is computed forwards, is the sum of g u. No rule of
an op's `vjp` takes part in the derivative along u, and nothing is rounded. Source: the dot-product
test of adjoints, as in Griewank and Walther 2008, chapter 3.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from ...graph import (
    Array,
    Graph,
    Input,
    IntShape,
    Node,
    NoRuleError,
    Residues,
    depth_first,
)
from ...graph.modular.arithmetic import PRIMES, random_residues
from ...passes import cotangents
from .evaluation import Evaluation, exact
from .points import At, points


class Derivatives(NamedTuple):
    """What was found of the gradients of a loss."""

    verdict: str
    """proved, refuted or skipped."""
    reason: str = ""
    """Whose fault it is, or why nothing could be said."""
    seconds: float = 0.0


def gradients_of(g: Graph) -> dict[str, Node]:
    """The gradients of a graph's loss that are among its outputs, by the names of the parameters;
    nothing where one is missing."""
    if g.loss is None:
        return {}
    keys = {g.names[n]: f"{g.names[n]}.grad" for n in g.trained}
    there = all(key in g.outputs for key in keys.values())
    return {name: g.outputs[key] for name, key in keys.items()} if there else {}


def check_gradients(
    g: Graph, gradients: Mapping[str, Node], at: Sequence[At] | None = None
) -> Derivatives:
    """Whether these nodes are the gradients of a graph's loss for its parameters, by name."""
    start = time.perf_counter()
    verdict, reason = "proved", ""
    try:
        for point in (points(g) if at is None else at)[: len(PRIMES)]:
            point.modulus.stands_for = None
            if not _agree(g, gradients, point):
                verdict, reason = "refuted", _guilty(g, point)
                break
    except NoRuleError as e:
        verdict, reason = "skipped", str(e)
    return Derivatives(verdict, reason, time.perf_counter() - start)


def _agree(g: Graph, gradients: Mapping[str, Node], at: At) -> bool:
    forward, plain = _forward(g, at, [*gradients]), Evaluation(at, fold=False)
    assert g.loss is not None
    along = forward.value(g.loss)
    plain.add(g)
    total = Residues(0.0, along.dtype, at.modulus)
    parameters = {g.names[n]: n for n in g.trained}
    for name, gradient in gradients.items():
        total += _inner(plain.part(gradient), forward.part(parameters[name]))
    expected = 0.0 if along.tangent is None else float(along.tangent)
    return float(total.value) == expected


def _forward(g: Graph, at: At, names: list[str]) -> Evaluation:
    """The nodes that the loss is made of, each with its derivative along the direction."""
    assert g.loss is not None
    forward = Evaluation(at, names, fold=False)
    needed = set(depth_first([g.loss]))
    forward.add(g, [n for n in g.nodes if n in needed or n in g.parameters])
    return forward


def _inner(a: Residues, along: Residues) -> Residues:
    """The sum of a times the direction."""
    u = Residues(0.0 if along.tangent is None else along.tangent, a.dtype, a.modulus)
    return (a.fixed * u).sum()


def _guilty(g: Graph, at: At) -> str:
    """The first node behind the loss whose own vector-Jacobian product is wrong."""
    assert g.loss is not None
    e = Evaluation(at, fold=False)
    e.add(g)
    for n in depth_first([g.loss]):
        if n.inputs and n.type.is_float and not vjp_holds(n, [e.value(i) for i in n.inputs], at):
            line = f" ({n.where.described})" if n.where else ""
            return f"the vjp of op {n.op.name}, at %{g.names[n]}{line}"
    return "the sum of the gradients of a node that several read"


def vjp_holds(n: Node, values: list[Residues], at: At, stopped: Collection[int] = ()) -> bool:
    """Whether <dy, J u> = <vjp(dy), u> for one node at these values of its inputs; u is 0 for those
    that are `stopped`, by their places."""
    p = at.modulus
    inputs = [Node(Input(i.type), (), i.type, f"x{k}") for k, i in enumerate(n.inputs)]
    dy = Node(Input(n.type), (), n.type, "dy")
    y = Node(n.op, tuple(inputs), n.type, "y")
    by_input = cotangents(y, dy)
    moved = [
        Residues(v.value, v.dtype, p, _random(k, v.shape, p))
        if i.type.is_float and k not in stopped
        else v
        for k, (i, v) in enumerate(zip(inputs, values, strict=True))
    ]
    along = exact(y, moved, at)
    u = Residues(_random(len(inputs), along.shape, p), along.dtype, p)
    forwards = _inner(u, along)
    feeds = {f"x{k}": v.fixed for k, v in enumerate(values)} | {"dy": u}
    outputs = {f"c{k}": c for k, c in enumerate(by_input) if c is not None}
    if not outputs:
        return not forwards.value.any()
    backward = Graph("vjp", outputs, inputs=[*inputs, dy])
    e = Evaluation(at, fold=False)
    e.add(backward)
    for i in backward.inputs:
        e.put(i, feeds[backward.names[i]])
    total = Residues(0.0, along.dtype, p)
    for key, c in outputs.items():
        total += _inner(e.value(c), moved[int(key[1:])])
    return float(total.value) == float(forwards.value)


def _random(key: int, shape: IntShape, p: int) -> Array:
    return random_residues(key, np.arange(prod(shape)).reshape(shape), p)
