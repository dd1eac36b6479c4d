"""What the graph of a shard means: all shards side by side, their sums as trees of additions."""

from __future__ import annotations

from collections.abc import Sequence

from ...graph import Graph, Node, Op, ShardSymbol, apply, created_at, shard_symbol
from ...ops import AllReduce, GatherRows, Shard, ToShards, add


def is_sharded(g: Graph) -> bool:
    """Whether a graph is that of one shard."""
    return shards_of(g) is not None


def shards_of(g: Graph) -> int | None:
    """How many shards a graph is one of; None where it is of a whole batch."""
    for n in g.order:
        if isinstance(n.op, AllReduce):
            return n.op.tree
        if isinstance(n.op, Shard) and n.op.shard is None:
            return n.op.of
    return None


def unrolled(g: Graph) -> Graph:
    """The graph of one shard, laid out for all of them: %h.shard3 is what %h is in shard 3, counted
    from 0. A graph that is of no shard stays as it is."""
    of = shards_of(g)
    return g if of is None else _Unrolling(g, of).graph()


class _Unrolling:
    """What the nodes of the graph of a shard become: one node, or one for each shard."""

    def __init__(self, g: Graph, of: int) -> None:
        self._g = g
        self._of = of
        self._alike: dict[Node, Node] = {}
        self._apart: dict[Node, tuple[Node, ...]] = {}

    def graph(self) -> Graph:
        """The graph of all shards."""
        g = self._g
        for n in g.nodes:
            with created_at(n.where):
                self._make(n)
        outputs = {k: self._alike[n] for k, n in g.outputs.items()}
        updates = {w: self._alike[n] for w, n in g.updates.items()}
        return Graph(g.name, outputs, updates=updates, inputs=g.inputs)

    def _make(self, n: Node) -> None:
        op = n.op
        if isinstance(op, Shard):
            (x,) = n.inputs
            self._apart[n] = tuple(
                [self._copy(n, Shard(op.of, k), [self._alike[x]], k) for k in range(self._of)]
            )
        elif isinstance(op, ToShards):
            (x,) = n.inputs
            self._alike[n] = self._alike[x]
        elif isinstance(op, AllReduce):
            (x,) = n.inputs
            total = tree(self._parts(x))
            self._alike[n] = total.but(name=self._g.names[n], where=n.where)
        elif isinstance(op, GatherRows):
            (x,) = n.inputs
            rows = apply(op, *self._parts(x), name=self._g.names[n])
            self._alike[n] = rows.but(where=n.where)
        elif self._differs(n):
            self._apart[n] = tuple(
                [
                    self._copy(n, _of_shard(op, k), [self._parts(i)[k] for i in n.inputs], k)
                    for k in range(self._of)
                ]
            )
        else:
            inputs = tuple([self._alike[i] for i in n.inputs])
            new = n if inputs == n.inputs else n.but(inputs=inputs)
            self._alike[n] = new if new is n else new.but(name=self._g.names[n])

    def _differs(self, n: Node) -> bool:
        """Whether a node is another in each shard."""
        symbols = (*n.type.symbols, *n.op.free_symbols())
        shards = [s for d in symbols if (s := shard_symbol(d)) is not None]
        return bool(shards) or any(i in self._apart for i in n.inputs)

    def _parts(self, n: Node) -> Sequence[Node]:
        """A node as each shard has it."""
        return self._apart[n] if n in self._apart else (self._alike[n],) * self._of

    def _copy(self, n: Node, op: Op, inputs: Sequence[Node], shard: int) -> Node:
        """A node as it is in a shard."""
        t = op.infer(*(i.type for i in inputs))
        name = self._g.names[n].removesuffix(".shard")
        return Node(op, tuple(inputs), t, f"{name}.shard{shard}", None, n.where)


def tree(parts: Sequence[Node]) -> Node:
    """The sum of a power of two of nodes as a binary tree: ((0+1)+(2+3))+((4+5)+(6+7))."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [add(a, b) for a, b in pairs]
    return parts[0]


def _of_shard(op: Op, shard: int) -> Op:
    """The op with the rows of one shard in the place of those of any."""
    changed = {}
    for field in op.field_types:
        value = getattr(op, field)
        new = _numbered(value, shard)
        if new != value:
            changed[field] = new
    return op.but(**changed) if changed else op


def _numbered(value: object, shard: int) -> object:
    if isinstance(value, tuple):
        return tuple([_numbered(v, shard) for v in value])
    if isinstance(value, str) and (s := shard_symbol(value)) is not None and s.first is None:
        return str(ShardSymbol(s.whole, s.of, shard, shard))
    return value
