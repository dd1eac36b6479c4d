"""Graphs: named outputs and updates, and what they reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any, Final

from .arguments import check_kind
from .cached import cached_property
from .declared import binding, check_source_names, checked_outputs, checked_updates
from .drawable import Drawable
from .errors import GraphError, suggest
from .frozen import Frozen
from .naming import assign_names, layer_names, number_layers
from .node import Node
from .notebook import as_svg
from .op import Source
from .quoting import shown
from .record import Record
from .replace import rebuild
from .shards import whole_symbols
from .sources import Constant, Input, Parameter, State, is_trained
from .types import name_pattern
from .walk import depth_first

if TYPE_CHECKING:
    from networkx import MultiDiGraph


ALIGNMENT: Final = 64
"""Bytes that every buffer begins at a multiple of, but for those packed behind another."""


class Schedule(Record):
    """In which order a graph runs, and what shares a kernel call or a buffer.

    `groups` numbers the kernel calls from 0, `takeovers` says whose buffer a result takes over.
    Each of `packs` lists parameters, state or results that lie one after another in memory, so
    that one call works on them all; `once` holds what is computed once and kept for all steps.
    `places` gives offset and size in the arena, in bytes, once a plan has placed the results, and
    `scratch` those of the temporaries of each kernel, at the first of its nodes.
    """

    order: tuple[Node, ...]
    groups: Mapping[Node, int]
    takeovers: Mapping[Node, Node]
    places: Mapping[Node, tuple[int, int]] = {}
    scratch: Mapping[Node, tuple[tuple[int, int], ...]] = {}
    packs: tuple[tuple[Node, ...], ...] = ()
    once: frozenset[Node] = frozenset()

    def renamed(self, to: Any) -> Schedule:
        """The schedule with `to[n]` in the place of each node n."""
        return Schedule(
            tuple([to[n] for n in self.order]),
            {to[n]: group for n, group in self.groups.items()},
            {to[n]: to[old] for n, old in self.takeovers.items()},
            {to[n]: place for n, place in self.places.items()},
            {to[n]: places for n, places in self.scratch.items()},
            tuple([tuple([to[n] for n in pack]) for pack in self.packs]),
            frozenset([to[n] for n in self.once]),
        )


class Graph(Drawable, Frozen):
    """A static dataflow graph: immutable, its nodes reached from outputs and updates.

    `updates` are the only way that state changes. They happen at once: right sides read old
    values. `replace` is the only edit, and gives a new graph. Of `inputs`, those that nothing
    reads are kept only where no other binds a symbol that the graph needs.
    """

    def __init__(
        self,
        name: str,
        outputs: Mapping[str, Node] | None = None,
        loss: Node | None = None,
        updates: Mapping[Node, Node] | None = None,
        *,
        schedule: Schedule | None = None,
        inputs: Iterable[Node] = (),
    ) -> None:
        if not (isinstance(name, str) and name_pattern.fullmatch(name)):
            raise GraphError(f"graph name {shown(name)} cannot be used; write a name such as 'mlp'")
        self.name = name
        self.outputs: Mapping[str, Node] = MappingProxyType(checked_outputs(outputs, loss))
        self.updates: Mapping[Node, Node] = MappingProxyType(checked_updates(updates))
        check_kind("schedule", schedule, (Schedule, NoneType), "a Schedule")
        self.schedule = schedule
        reached = depth_first([*self.outputs.values(), *self.updates, *self.updates.values()])
        if schedule is None:
            self.order = tuple([n for n in reached if n.inputs or not isinstance(n.op, Source)])
        else:
            self.order = tuple(schedule.order)
        reached += binding(inputs, reached)
        self._sources = tuple([n for n in reached if isinstance(n.op, Source)])
        number_layers([*self._sources, *self.order])
        check_source_names(self._sources)
        self._made = True

    def _instead(self, name: str) -> str:
        if name in ("name", "outputs", "updates", "schedule"):
            return f"a Graph is immutable; g.but({name}=...) makes another"
        return "a Graph is immutable; vg.Graph(...), g.but(...) and g.replace(...) make others"

    def __copy__(self) -> Graph:
        return self

    def __deepcopy__(self, memo: object) -> Graph:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        from .pickling import reduced_graph

        return reduced_graph(self)

    # ---- what it holds -----------------------------------------------------------------------

    @property
    def loss(self) -> Node | None:
        """The output that is named loss, which the differentiation starts from."""
        return self.outputs.get("loss")

    @cached_property
    def sources(self) -> tuple[Node, ...]:
        """Inputs, then parameters, state and constants, each in the order of their first use."""
        return (*self.inputs, *self.parameters, *self.state, *self.constants)

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        return self._of(Input)

    @cached_property
    def parameters(self) -> tuple[Node, ...]:
        return self._of(Parameter)

    @cached_property
    def trained(self) -> tuple[Node, ...]:
        """The parameters that are not frozen."""
        return tuple([n for n in self.parameters if is_trained(n)])

    @cached_property
    def state(self) -> tuple[Node, ...]:
        return self._of(State)

    @cached_property
    def constants(self) -> tuple[Node, ...]:
        return self._of(Constant)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node: sources, then the others in their order."""
        return (*self.sources, *self.order)

    @cached_property
    def users(self) -> Mapping[Node, tuple[Node, ...]]:
        """Who reads each node, in order; a reader stands once, however often it reads."""
        users: dict[Node, list[Node]] = {n: [] for n in self.nodes}
        for n in self.order:
            for i in dict.fromkeys(n.inputs):
                users.setdefault(i, []).append(n)
        return {n: tuple(u) for n, u in users.items()}

    @cached_property
    def roots(self) -> frozenset[Node]:
        """What outputs and updates hold."""
        return frozenset([*self.outputs.values(), *self.updates.values()])

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that the inputs bind, in order."""
        return whole_symbols(s for n in self.inputs for s in n.type.symbols)

    # ---- names -------------------------------------------------------------------------------

    @cached_property
    def names(self) -> Mapping[Node, str]:
        """Each node's own name: the user's where there is one, with a number where it is taken."""
        return assign_names(self.sources, self.order, self.outputs)

    @cached_property
    def named(self) -> Mapping[str, Node]:
        """Each name's node."""
        return {name: n for n, name in self.names.items()}

    def __getitem__(self, name: str) -> Node:
        try:
            return self.named[name]
        except (KeyError, TypeError):
            if not isinstance(name, str):
                raise GraphError(
                    f"{self.name}[...] takes the name of a node, not {shown(name)}"
                ) from None
            raise GraphError(
                f"{self.name} has no node named {shown(name)}{suggest(name, self.named)}"
            ) from None

    def layer(self, n: Node) -> str | None:
        """The layer that a node belongs to: `fc1` for `fc1.weight`, `fc1` and `fc1.relu.grad`.

        A node that reads several layers' belongs to the latest; what is computed behind all of
        them, for the loss alone, belongs to none.
        """
        if not isinstance(n, Node) or n not in self.names:
            raise GraphError(
                f"{shown(n)} is no node of graph {self.name}; take one by its name, "
                f"{self.name}['fc1']"
            )
        found = self.membership.get(n)
        return found if found in self.layers else None

    @cached_property
    def membership(self) -> Mapping[Node, str]:
        """The layer of each node that has one, and that of the loss behind all layers."""
        from .membership import membership

        return membership(self)

    @cached_property
    def layers(self) -> Mapping[str, None]:
        """The layers' names, in order: what stands before the last dot of a parameter's name."""
        return layer_names(self.names[p] for p in self.parameters)

    # ---- edits -------------------------------------------------------------------------------

    def replace(self, mapping: Mapping[Node, Node]) -> Graph:
        """The graph with some nodes replaced by others of the same type, all at once.

        A replaced node inside another's replacement is replaced too; inside its own it stays, so
        `{h: h * mask}` wraps h. What no root reaches falls away. Raises GraphError where a
        replacement has another type or is part of another graph's cycle.
        """
        check_kind("replace: mapping", mapping, Mapping, "a dict {old: new} of nodes")
        for old, new in mapping.items():
            check_kind("replace: the replaced", old, Node, "a node")
            check_kind("replace: the replacement", new, Node, "a node")
            if old not in self.names:
                raise GraphError(f"{old!r} is not part of graph {self.name}, so it is not replaced")
            if old.type != new.type:
                raise GraphError(
                    f"%{self.names.get(old, old.asked_name)}: {old.type} cannot be replaced by "
                    f"{new.op.name}: {new.type}; a replacement keeps the type"
                )
        roots = [*self.outputs.values(), *self.updates.values()]
        rebuilt = iter(rebuild(self.nodes, mapping, roots))
        outputs = {k: next(rebuilt) for k in self.outputs}
        updates = {w: next(rebuilt) for w in self.updates}
        return Graph(self.name, outputs, updates=updates, inputs=self.inputs)

    def but(
        self,
        *,
        name: str | None = None,
        outputs: Mapping[str, Node] | None = None,
        updates: Mapping[Node, Node] | None = None,
        schedule: Schedule | None = None,
    ) -> Graph:
        """The same graph with another name, other outputs, updates or a schedule."""
        return Graph(
            self.name if name is None else name,
            self.outputs if outputs is None else outputs,
            updates=self.updates if updates is None else updates,
            schedule=schedule,
            inputs=self.inputs,
        )

    def freeze(self, *patterns: str) -> Graph:
        """The graph whose parameters with matching names are frozen, such as `"fc1.*"`: training
        reads them, and neither differentiates by them nor changes them.

        Patterns are those of `fnmatch`, upper and lower case apart. Raises GraphError where one
        matches no parameter.
        """
        from .freezing import with_trainable

        return with_trainable(self, patterns, trainable=False)

    def unfreeze(self, *patterns: str) -> Graph:
        """The graph whose parameters with matching names are trained again: `freeze` undone."""
        from .freezing import with_trainable

        return with_trainable(self, patterns, trainable=True)

    # ---- views -------------------------------------------------------------------------------

    def __str__(self) -> str:
        from .text.printer import print_graph

        return print_graph(self)

    def __repr__(self) -> str:
        return f"<Graph {self.name}: {len(self.sources)} sources, {len(self.order)} nodes>"

    def to_networkx(self) -> MultiDiGraph[str]:
        """A networkx view: names as keys, the node as `node`, the operand's slot on each edge."""
        from .network import to_networkx

        return to_networkx(self)

    @cached_property
    def _picture(self) -> str | None:
        """What a notebook shows, which asks for it in two ways; None where nothing can draw it."""
        from .pictures.drawing import to_svg
        from .pictures.options import Options

        try:
            return to_svg(self, Options({}))
        except GraphError:
            return None

    @as_svg
    def _repr_mimebundle_(self) -> str | None:
        return self._picture

    def _repr_svg_(self) -> str | None:
        return self._picture

    def _of(self, kind: type[Source]) -> tuple[Node, ...]:
        return tuple([n for n in self._sources if isinstance(n.op, kind)])
