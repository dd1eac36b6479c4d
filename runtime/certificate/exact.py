"""The exact layer: whether two graphs compute the same, with no tolerance.

Both are evaluated at random points of a field, by the exact meaning of each op. Rational functions
that differ agree at a random point with a chance of at most d / p, for numerators of degree d and
a prime p (Schwartz 1980, Zippel 1979); what is none is a random function, whose results differ
wherever its arguments do.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...graph import Array, Graph, Node, NoRuleError
from ...graph.modular.arithmetic import PRIMES
from ...passes import unrolled
from ...passes.tensor_names import named_tensors, new_name
from .evaluation import Evaluation
from .points import LARGE, At, points
from .scalars import Scalars


class Difference(NamedTuple):
    """A tensor that a compiled graph computes otherwise than the declared one means it."""

    tensor: str
    """An output, or the new value of a parameter or a state."""
    node: str = ""
    """Where the compiled graph first differs; nowhere, where the tensor is in one graph alone."""
    stage: str = ""
    """The pass behind which it does."""
    where: tuple[int, ...] = ()
    found: int = 0
    expected: int = 0
    modulus: int = 0

    def __str__(self) -> str:
        of = f" after the pass {self.stage}" if self.stage else ""
        at = f"[{', '.join(map(str, self.where))}]" if self.where else ""
        numbers = (
            f": {self.found}, where {self.expected} is expected (numbers modulo {self.modulus})"
            if self.modulus
            else ""
        )
        first = f", first at %{self.node}" if self.node else ""
        return f"{self.tensor}{at} differs{of}{first}{numbers}"


class Exact(NamedTuple):
    """What the exact layer found."""

    compared: int
    """The tensors that were compared: outputs, and new values of parameters and state."""
    skipped: tuple[str, ...] = ()
    """Those that could not be, each with the reason."""
    differences: tuple[Difference, ...] = ()
    chance: float = 0.0
    """That a tensor which differs was taken for equal."""
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        if self.differences:
            return "refuted"
        return "partly skipped" if self.skipped else "proved"


def compare(
    reference: Graph,
    compiled: Graph,
    meant: Mapping[str, Graph] | None = None,
    stages: Mapping[str, Graph] | None = None,
    at: Sequence[At] | None = None,
) -> Exact:
    """Whether a compiled graph gives what the reference means: outputs, and updates.

    Among `stages`, the graphs after each pass, the guilty pass is found by those that are `meant`,
    after each pass that defines a meaning and no other.
    """
    start = time.perf_counter()
    skipped: dict[str, str] = {}
    differences: dict[str, Difference] = {}
    tensors = {*named_tensors(reference)} | {*named_tensors(compiled)}
    scalars = Scalars(reference)
    for point in points(reference, compiled) if at is None else at:
        point.modulus.stands_for = scalars.residue
        for tensor, outcome in _compared(reference, compiled, point):
            if isinstance(outcome, Difference):
                differences.setdefault(tensor, outcome)
            else:
                skipped[tensor] = outcome
    stage, node = "", ""
    if differences and meant and stages:
        stage, node = _guilty(meant, stages)
    located = [d._replace(stage=stage, node=node or d.node) for d in differences.values()]
    steps = _depth(reference) + _depth(compiled)
    return Exact(
        len(tensors) - len(skipped),
        tuple([f"{tensor}: {why}" for tensor, why in skipped.items()]),
        tuple(located),
        float(np.prod([min(steps / p, 1.0) for p in PRIMES])),
        time.perf_counter() - start,
    )


def _guilty(meant: Mapping[str, Graph], stages: Mapping[str, Graph]) -> tuple[str, str]:
    """The first pass whose graph is not as it is meant, and the node; nothing where all are."""
    due = stages["declared"]
    for stage, g in stages.items():
        due, whole = meant.get(stage, due), unrolled(g)
        scalars = Scalars(due)
        for at in points(due, whole):
            at.modulus.stands_for = scalars.residue
            for _, outcome in _compared(due, whole, at):
                if isinstance(outcome, Difference):
                    return stage, outcome.node
    return "", ""


def _compared(reference: Graph, compiled: Graph, at: At) -> Iterator[tuple[str, Difference | str]]:
    """The tensors that are not equal at a point, each with the difference or why it is skipped."""
    expected, actual = named_tensors(reference), named_tensors(compiled)
    # What nothing updates stays as it is.
    actual = {new_name(reference.names[w]): w for w in reference.updates} | actual
    for tensor in {**expected, **actual}:
        if tensor not in actual or tensor not in expected:
            absent = "not there" if tensor not in actual else "declared by nobody"
            yield tensor, Difference(f"{tensor}, which is {absent},")
    e = Evaluation(at)
    e.add(reference)
    first = _added(e, reference, compiled)
    for tensor, n in expected.items():
        m = actual.get(tensor)
        if m is None or e.number[n] == e.number[m]:
            continue
        try:
            due, have = e.part(n).value, e.part(m).value
        except NoRuleError as error:
            yield tensor, str(error)
            continue
        if due.shape != have.shape or not np.array_equal(due, have):
            node = compiled.names.get(m if first is None else first, compiled.name)
            yield tensor, _difference(tensor, node, due, have, at)


def _difference(tensor: str, node: str, due: Array, have: Array, at: At) -> Difference:
    if due.shape != have.shape:
        return Difference(f"{tensor}, of shape {list(have.shape)} and not {list(due.shape)},", node)
    where = tuple(int(i) for i in np.argwhere(due != have)[0])
    return Difference(tensor, node, "", where, int(have[where]), int(due[where]), at.modulus)


def _added(e: Evaluation, reference: Graph, compiled: Graph) -> Node | None:
    """Numbers a compiled graph's nodes, each as the reference's of the same name where their values
    are equal; the first node whose value is another while its inputs' are as they should be."""
    in_reference, guilty = e.count, None
    wrong: set[Node] = set()
    for n in compiled.nodes:
        e.add(compiled, [n])
        other = reference.named.get(compiled.names[n])
        if e.number[n] < in_reference or other is None or other.type != n.type:
            continue
        if np.prod(n.type.bind(e.at.sizes), dtype=int) > LARGE:
            continue
        try:
            equal = np.array_equal(e.value(n).value, e.value(other).value)
        except NoRuleError:
            continue
        if equal:
            e.same(n, other)
        else:
            guilty = n if guilty is None and wrong.isdisjoint(n.inputs) else guilty
            wrong.add(n)
    return guilty


def _depth(g: Graph) -> int:
    """How many ops the longest chain of a graph has."""
    longest: dict[Node, int] = {}
    for n in g.nodes:
        longest[n] = 1 + max([longest[i] for i in n.inputs], default=0)
    return max(longest.values(), default=1)
