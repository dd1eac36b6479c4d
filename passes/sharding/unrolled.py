"""What the graph of a shard means: all shards side by side, their sums as trees of additions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...graph import (
    Graph,
    GraphError,
    Input,
    Node,
    Op,
    PassError,
    RunError,
    TensorType,
    apply,
    created_at,
    name_in_shard,
    shard_symbol,
)
from ...ops import AllReduce, GatherRows, Receive, Send, Shard, ToShards, add
from .pack_reductions import by_level
from .symbols import with_symbols


def shards_of(g: Graph) -> int | None:
    """How many shards a graph is one of; None where it is of a whole batch."""
    for n in g.order:
        if isinstance(n.op, AllReduce):
            return n.op.tree
        for d in n.type.symbols:
            if (shard := shard_symbol(d)) is not None and shard.first is None:
                return shard.of
    return None


def check_size(ranks: int, shards: int) -> None:
    """Raises RunError where shards cannot be shared evenly by so many ranks."""
    if shards % ranks:
        *divisors, largest = [str(1 << k) for k in range(shards.bit_length())]
        some = f"{', '.join(divisors)} or {largest}" if divisors else largest
        raise RunError(
            f"there are {ranks} ranks, which cannot share {shards} shards evenly; start {some} of "
            "them, or compile with other shards="
        )


class Part(NamedTuple):
    """The shards that a rank computes, of `ranks` that share them all, and the link to the others.

    Rank 1 of 4 has shards 2 and 3 of 8.
    """

    rank: int
    ranks: int
    link: int

    def shards(self, of: int) -> range:
        """The shards of this rank; RunError where they cannot be shared evenly."""
        check_size(self.ranks, of)
        each = of // self.ranks
        return range(self.rank * each, (self.rank + 1) * each)


def unrolled(g: Graph, part: Part | None = None) -> Graph:
    """The graph of one shard, laid out for all of them: %h.shard3 is what %h is in shard 3, counted
    from 0. A graph that is of no shard stays as it is.

    With `part`, for the shards of a rank alone: its inputs are the rows of these shards,
    %x.shard3, and sums over all shards are received from all ranks.
    """
    of = shards_of(g)
    if of is None:
        return g
    return _Unrolling(g, range(of)).graph() if part is None else _OfRank(g, of, part).graph()


def laid_out(g: Graph) -> tuple[Graph, Mapping[Node, Sequence[Node]]]:
    """The graph of all shards, and what each node has become: one node, or one for each shard."""
    of = shards_of(g)
    if of is None:
        return g, {n: (n,) for n in g.nodes}
    unrolling = _Unrolling(g, range(of))
    return unrolling.graph(), unrolling.became()


def buckets(g: Graph) -> list[list[TensorType]]:
    """The types of what a rank's graph sends, bucket by bucket."""
    sent = {n.op.bucket: [i.type for i in n.inputs] for n in g.order if isinstance(n.op, Send)}
    return [sent[bucket] for bucket in range(len(sent))]


class _Unrolling:
    """What the nodes of the graph of a shard become: one node, or one for each shard."""

    def __init__(self, g: Graph, shards: range) -> None:
        self._g = g
        self._shards = shards
        self._alike: dict[Node, Node] = {}
        self._apart: dict[Node, tuple[Node, ...]] = {}

    def graph(self) -> Graph:
        """The graph of all shards."""
        g = self._g
        for n in (*g.sources, *by_level(g)):
            with created_at(n.where):
                self._make(n)
        outputs = {k: self._of_all(n) for k, n in g.outputs.items()}
        updates = {w: self._of_all(n) for w, n in g.updates.items()}
        return Graph(g.name, outputs, updates=updates, inputs=self._inputs())

    def became(self) -> Mapping[Node, Sequence[Node]]:
        """What each node has become."""
        return {n: self._apart.get(n) or (self._alike[n],) for n in self._g.nodes}

    def _inputs(self) -> Sequence[Node]:
        """What may bind symbols."""
        return self._g.inputs

    def _of_all(self, n: Node) -> Node:
        """What a node has become, where it is to be one for all shards."""
        if n in self._apart:
            raise GraphError(
                f"%{self._g.names[n]} is another in each shard, and stands where all have one; it "
                "takes all_reduce, the sum over all shards, or gather_rows"
            )
        return self._alike[n]

    def _make(self, n: Node) -> None:
        op = n.op
        if isinstance(op, Shard):
            self._apart[n] = tuple([self._rows(n, op.of, k) for k in self._shards])
        elif isinstance(op, ToShards):
            (x,) = n.inputs
            self._alike[n] = self._of_all(x)
        elif isinstance(op, AllReduce):
            self._alike[n] = self._total(n, op)
        elif isinstance(op, GatherRows):
            (x,) = n.inputs
            rows = apply(op, *self._parts(x), name=self._g.names[n])
            self._alike[n] = rows.but(where=n.where)
        elif self._differs(n):
            read = [self._parts(i) for i in n.inputs]
            self._apart[n] = tuple(
                [
                    self._copy(n, _of_shard(op, shard), [parts[k] for parts in read], shard)
                    for k, shard in enumerate(self._shards)
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
        return self._apart[n] if n in self._apart else (self._alike[n],) * len(self._shards)

    def _rows(self, n: Node, of: int, shard: int) -> Node:
        """The rows of a shard."""
        (x,) = n.inputs
        return self._copy(n, Shard(of, shard), [self._alike[x]], shard)

    def _total(self, n: Node, op: AllReduce) -> Node:
        """The sum over all shards."""
        (x,) = n.inputs
        return tree(self._parts(x), self._g.names[n]).but(name=self._g.names[n], where=n.where)

    def _copy(self, n: Node, op: Op, inputs: Sequence[Node], shard: int) -> Node:
        """A node as it is in a shard."""
        t = op.infer(*(i.type for i in inputs))
        name = name_in_shard(self._g.names[n], shard)
        return Node(op, tuple(inputs), t, name, None, n.where)


class _OfRank(_Unrolling):
    """What they become for one rank: its own shards, and messages in the place of the others."""

    def __init__(self, g: Graph, of: int, part: Part) -> None:
        super().__init__(g, part.shards(of))
        self._part = part
        self._fed: list[Node] = []
        self._sent: dict[int, Node] = {}
        self._buckets: dict[int | None, list[Node]] = {}
        for n in g.order:
            if isinstance(n.op, AllReduce):
                self._buckets.setdefault(n.op.bucket, []).append(n)

    def _inputs(self) -> Sequence[Node]:
        return self._fed

    def _rows(self, n: Node, of: int, shard: int) -> Node:
        (x,) = n.inputs
        t = Shard(of, shard).infer(x.type)
        fed = Node(Input(t), (), t, f"{self._g.names[x]}.shard{shard}", None, n.where)
        self._fed.append(fed)
        return fed

    def _total(self, n: Node, op: AllReduce) -> Node:
        """What is received of a bucket, which is sent when the last of it is there."""
        members, link = self._buckets[op.bucket], self._part.link
        if op.bucket is None:
            raise PassError("ranks send sums in buckets; run pack_reductions before")
        if op.bucket not in self._sent:
            parts = [self._own_sum(m) for m in members]
            self._sent[op.bucket] = apply(Send(link, op.bucket), *parts, name=f"sent{op.bucket}")
        received = Receive(link, op.bucket, members.index(n), n.type)
        total = apply(received, self._sent[op.bucket], name=self._g.names[n])
        return total.but(where=n.where)

    def _own_sum(self, n: Node) -> Node:
        """The sum over the shards of this rank, of what is summed over all."""
        return tree(self._parts(n.inputs[0]), self._g.names[n], self._shards[0])


def tree(parts: Sequence[Node], name: str, first: int = 0) -> Node:
    """The sum of a power of two of nodes as a binary tree: ((0+1)+(2+3))+((4+5)+(6+7)).

    %name.shard0-3 is that of shards 0 to 3, for parts of the shards from `first` on.
    """
    width = 1
    while len(parts) > 1:
        width *= 2
        starts = range(first, first + width * len(parts) // 2, width)
        pairs = zip(parts[::2], parts[1::2], starts, strict=True)
        parts = [add(a, b).but(name=f"{name}.shard{k}-{k + width - 1}") for a, b, k in pairs]
    return parts[0]


def _of_shard(op: Op, shard: int) -> Op:
    """The op with the rows of one shard in the place of those of any."""

    def numbered(symbol: str) -> str:
        rows = shard_symbol(symbol)
        if rows is None or rows.first is not None:
            return symbol
        return str(rows._replace(first=shard, last=shard))

    return with_symbols(op, numbered)
