"""What a pass is: one rewriting of a graph, with a reason for each change and each refusal."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, Literal, NamedTuple, Self, get_args

import numpy as np

from ..graph import (
    Constant,
    Graph,
    GraphError,
    Node,
    PassError,
    VerigradError,
    check_callable,
    check_hooks,
    check_kind,
    checked,
    shown,
)
from ..graph.types import name_pattern
from ..ops import copy

SWEEPS: Final = 10
"""How many sweeps a fixed point may take."""

ASSUMED: Final = 128
"""What a symbol counts as where a pass weighs sizes; what it does is right for any."""

Numbers = Literal["nothing", "reassociate", "meaning"]


class Rewrite(NamedTuple):
    """A node to replace by another of its type, and why."""

    old: Node
    new: Node
    reason: str


class Refused(NamedTuple):
    """A node that a pass looked at and left, and why."""

    node: Node
    reason: str


class Pass:
    """A rewriting of a graph: a frozen dataclass whose options are its fields.

    Most passes give `rewrites(g)`; a whole-graph pass overrides `apply(g)` instead. The facts
    that a pass needs, gives and breaks order a pipeline when it is built; a pass that declares
    nothing keeps meaning and bits, and needs, gives and breaks nothing.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ()
    breaks: ClassVar[tuple[str, ...]] = ()
    numbers: ClassVar[Numbers] = "nothing"
    """What the pass may do to the numbers: nothing, reassociate sums, or change the meaning."""
    defining: ClassVar[bool] = False
    """Whether what is computed, or given, is defined by it, though the numbers that were there stay
    as they are; see `defines`."""
    repeated: ClassVar[bool] = False
    """Whether it runs to a fixed point, together with the repeated passes beside it."""
    _accepted: ClassVar[bool]
    _not_hooks: ClassVar[tuple[str, ...]] = ("kinds", "options", "but")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_hooks(cls, PassError)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        name = cls.name
        if not (isinstance(name, str) and name_pattern.fullmatch(name)):
            raise PassError(
                f"{cls.__name__}.name is {shown(name)}, where a name such as 'my_pass' is expected"
            )
        if not (isinstance(cls.numbers, property) or cls.numbers in get_args(Numbers)):
            raise PassError(
                f"{cls.__name__}.numbers is {shown(cls.numbers)}, where one of "
                f"{', '.join(get_args(Numbers))} is expected"
            )
        cls._accepted = True

    def __post_init__(self) -> None:
        """Checks the options by their annotations, as the attributes of ops are."""
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            try:
                value = checked(self.name, f.name, getattr(self, f.name), f.type)
            except GraphError as e:
                raise PassError(str(e)) from None
            object.__setattr__(self, f.name, value)

    @property
    def defines(self) -> bool:
        """Whether the pass is part of what a program means: what the others make of the graph is
        compared with what these alone make of it."""
        return self.defining or self.numbers == "meaning"

    def rewrites(self, g: Graph) -> Iterable[Rewrite | Refused]:
        """What to replace, and what was refused; one sweep over the graph."""
        return ()

    def apply(self, g: Graph) -> Graph:
        """The graph after the pass."""
        check_kind(f"{self.name}: g", g, Graph, "a Graph", PassError)
        return apply_rewrites(g, [r for r in self.rewrites(g) if isinstance(r, Rewrite)])

    @classmethod
    def kinds(cls) -> dict[str, type[Pass]]:
        """Every pass that is defined, by its name."""
        kinds: dict[str, type[Pass]] = {}
        for sub in cls.__subclasses__():
            if "_accepted" in vars(sub):  # one that was refused may still be there
                kinds[sub.name] = sub
                kinds.update(sub.kinds())
        return kinds

    def options(self) -> dict[str, Any]:
        """The fields and their values."""
        if not dataclasses.is_dataclass(self):
            return {}
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def but(self, **options: Any) -> Self:
        """The same pass with some options changed."""
        chosen_by_name(options, self.options(), f"option of {self.name}", PassError)
        return type(self)(**{**self.options(), **options})


def apply_rewrites(g: Graph, rewrites: Iterable[Rewrite]) -> Graph:
    """The graph with all of them done at once: see `replacements`."""
    mapping = replacements(g, rewrites)
    return g.replace(mapping) if mapping else g


def replacements(g: Graph, rewrites: Iterable[Rewrite]) -> dict[Node, Node]:
    """What each rewritten node is replaced by.

    A new node that nobody named takes the name of the one it replaces, unless it reads that one;
    the line of the user's program that it comes from is that one's. What another node refers to,
    such as a gradient to what it is taken for, stays a node of its own, a copy where a node of the
    graph takes its place.
    """
    mapping: dict[Node, Node] = {}
    referred = {n.inputs[k] for n in g.order for k in n.op.refers_to}
    place = dict.fromkeys(g.sources, 0) | {n: i for i, n in enumerate(g.order, 1)}
    for old, new, _ in rewrites:
        if old in mapping:
            raise PassError(f"%{g.names.get(old, old.name)} is rewritten twice in one sweep")
        if old in referred and new in place:
            new = copy(new)
        if new not in place:
            nameless = new.name is None and new.layer is None
            named = nameless and not _reads(new, old, place)
            new = new.but(name=g.names[old] if named else None, where=old.where)
        mapping[old] = new
    return mapping


def _reads(new: Node, old: Node, place: Mapping[Node, int]) -> bool:
    """Whether a node is made from `old`; what stands before `old` in the graph is not."""
    seen: set[Node] = set()
    stack = [new]
    while stack:
        n = stack.pop()
        if n is old:
            return True
        if n not in seen and place.get(n, math.inf) > place.get(old, -1):
            seen.add(n)
            stack += n.inputs
    return False


def is_constant(n: Node, value: float) -> bool:
    """Whether a node is a constant all of whose elements are this value, sign of 0 included."""
    if not isinstance(n.op, Constant):
        return False
    array = n.op.value.array
    return bool(np.all(array == value) and np.all(np.signbit(array) == np.signbit(value)))


def bisect(one: Pass, g: Graph, good: Callable[[Graph], bool]) -> Rewrite | None:
    """The first rewrite of a pass with which the graph is no longer `good`; None where all are.

    `good` takes the graph after the first k rewrites. Raises PassError where it already rejects
    the graph without any.
    """
    check_kind("bisect: one", one, Pass, "a pass, e.g. MyPass(),", PassError)
    check_kind("bisect: g", g, Graph, "a Graph", PassError)
    check_callable("bisect: good", good, "a function of a graph", PassError)
    done = [r for r in one.rewrites(g) if isinstance(r, Rewrite)]
    if not good(g):
        raise PassError(f"the graph is not good before {one.name} rewrites anything")
    if good(apply_rewrites(g, done)):
        return None
    low, high = 0, len(done)  # good after `low` rewrites, not after `high`
    while high - low > 1:
        middle = (low + high) // 2
        if good(apply_rewrites(g, done[:middle])):
            low = middle
        else:
            high = middle
    return done[low]


def chosen_by_name(
    names: Iterable[str],
    known: Iterable[str],
    what: str,
    error: type[VerigradError] = GraphError,
) -> None:
    """Raises where a name that the user gave is not among the known ones."""
    from ..graph import suggest

    there = list(known)
    for name in names:
        if name not in there:
            raise error(f"there is no {what} {shown(name)}{suggest(name, there)}")
