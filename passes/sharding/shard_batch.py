"""Cuts each batch into shards, whose sums meet in a binary tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from ...graph import (
    Constant,
    Graph,
    Input,
    Node,
    Op,
    PassError,
    ShardSymbol,
    Source,
    State,
    apply,
    created_at,
)
from ...ops import (
    AllReduce,
    BatchNorm,
    BatchVariance,
    DropoutMask,
    GatherRows,
    Gradient,
    Shard,
    ToShards,
    TotalVariance,
    count,
    dim,
    greater,
    square,
    sum,
    where,
)
from ...ops.reductions import Mean, Sum
from ..base import Numbers, Pass
from ..dtype import cast_to
from ..methods.kinds import check_methods
from ..methods.shards import Shards
from .symbols import with_symbols
from .unrolled import shards_of


@dataclass(frozen=True)
class ShardBatch(Pass):
    """The graph of one shard of the batch: what joins rows is summed over all shards.

    Before:

        graph net {
          %x: f32[N,4] = input
          %w: f32[4] = parameter{init=ones}
          %y: f32[N,4] = multiply(%x, %w)
          %loss: f32[] = mean(%y)
          return loss=%loss
        }

    After (with Shards(8)):

        graph net {
          %x: f32[N,4] = input
          %w: f32[4] = parameter{init=ones}
          %c4: f64[] = constant{4.0}
          %x.shard: f32[N.of8,4] = shard{8}(%x)
          %w.shard: f32[4] = to_shards{8}(%w)
          %y: f32[N.of8,4] = multiply(%x.shard, %w.shard)
          %loss.sum.shard: f32[] = sum(%y)
          %loss.sum: f32[] = all_reduce{tree=8,bucket=none}(%loss.sum.shard)
          %dim: f64[] = dim{N}()
          %multiply: f64[] = multiply(%dim, %c4)
          %loss.count: f32[] = cast{f32}(%multiply)
          %loss: f32[] = divide(%loss.sum, %loss.count)
          return loss=%loss
        }

    A mean divides by the rows of the whole batch, a dropout mask is the shard's rows of that of the
    batch, and outputs with rows are gathered: so only the order of sums is another. Means over the
    rows of batch normalization are of the whole batch, unless `shards` says "per_shard": then the
    pass runs before they are there. Without `shards` nothing is done. An error where an op takes
    all rows at once, such as a maximum over them. Before differentiation, which makes each
    gradient a sum over all shards.
    """

    name: ClassVar[str] = "shard_batch"
    needs: ClassVar[tuple[str, ...]] = ("forward", "differentiable")
    shards: Shards | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_methods(shards=self.shards)

    @property
    def numbers(self) -> Numbers:  # type: ignore[override]
        """The order of sums; of batch normalization by shards, what is computed."""
        per_shard = self.shards is not None and self.shards.batch_norm == "per_shard"
        return "meaning" if per_shard else "reassociate"

    def apply(self, g: Graph) -> Graph:
        if self.shards is None or shards_of(g) == self.shards.count:
            return g
        if (of := shards_of(g)) is not None:
            raise PassError(f"graph {g.name} is of one of {of} shards, and cannot be cut again")
        return _Sharding(g, self.shards.count).graph()


class _Sharding:
    """What the nodes of a graph become: `became` for all shards alike, or in one shard."""

    def __init__(self, g: Graph, shards: int) -> None:
        self._g = g
        self._of = shards
        self._whole = _batch_symbol(g)
        self._rows = str(ShardSymbol(self._whole, shards))
        self._in_shard: set[Node] = set()
        self._became: dict[Node, Node] = {}
        self._sent: dict[Node, Node] = {}

    def graph(self) -> Graph:
        """The graph of one shard; outputs with rows are those of the whole batch."""
        for n in self._g.nodes:
            with created_at(n.where):
                self._became[n] = self._made(n)
        outputs = {k: self._returned(k, n) for k, n in self._g.outputs.items()}
        updates = {w: self._became[n] for w, n in self._g.updates.items()}
        return self._g.but(outputs=outputs, updates=updates)

    def _made(self, n: Node) -> Node:
        """What a node becomes."""
        if isinstance(n.op, Source):
            if isinstance(n.op, Input) and self._has_rows(n):
                self._in_shard.add(n)
                return apply(Shard(self._of), n, name=f"{self._g.names[n]}.shard")
            return n
        inside = any(i in self._in_shard for i in n.inputs)
        if not inside and not self._has_rows(n):
            inputs = tuple([self._became[i] for i in n.inputs])
            return n if inputs == n.inputs else n.but(inputs=inputs)
        if self._has_rows(n):
            self._check(n, "each")
            self._in_shard.add(n)
            return self._named(apply(self._op(n.op), *self._inputs(n)), n)
        return self._joined(n)

    def _joined(self, n: Node) -> Node:
        """What joins rows: the sum over all shards of what each makes of its own."""
        x = n.inputs[0].type
        name = self._g.names[n]
        if isinstance(n.op, Mean):
            (rows,) = self._inputs(n)
            own = apply(Sum(n.op.axes, n.op.keepdims), rows)
            joined = count(x, n.op.reduced(x)).but(name=f"{name}.count")
            return self._named(self._total(own, f"{name}.sum") / joined, n)
        if isinstance(n.op, BatchVariance):
            own = sum(square(*self._inputs(n)), axes=(0,))
            total = self._total(own, f"{name}.sum")
            return self._named(apply(TotalVariance(self._whole), total), n)
        joins = self._check(n, "sum", "mean")
        own = apply(self._op(n.op), *self._inputs(n))
        if joins == "sum":
            return self._total(own, name)
        dtype = n.type.dtype
        rows = cast_to(dim(self._rows), dtype)
        # A batch of fewer rows than shards leaves some without, and of nothing there is no mean.
        weighed = where(greater(rows, 0.0), own * rows, 0.0)
        total = self._total(weighed, f"{name}.sum")
        return self._named(total / cast_to(dim(self._whole), dtype), n)

    def _total(self, own: Node, name: str) -> Node:
        """The sum over all shards."""
        return apply(AllReduce(self._of, None), own.but(name=f"{name}.shard"), name=name)

    def _inputs(self, n: Node) -> list[Node]:
        """A node's inputs as they are read in a shard."""
        if isinstance(n.op, Gradient):  # which refers to them, and reads none
            return [self._became[i] for i in n.inputs]
        return [self._sent_to(i) if i not in self._in_shard else self._became[i] for i in n.inputs]

    def _sent_to(self, n: Node) -> Node:
        """What all shards have alike, as it is read in one of them."""
        new = self._became[n]
        if isinstance(new.op, (Constant, State)) or not new.type.is_float:
            return new  # no gradient reaches it
        if n not in self._sent:
            name = f"{self._g.names[n]}.shard"
            self._sent[n] = apply(ToShards(self._of), new, name=name)
        return self._sent[n]

    def _op(self, op: Op) -> Op:
        """The op with the rows of a shard in the place of those of the batch."""
        return with_symbols(op, lambda symbol: self._rows if symbol == self._whole else symbol)

    def _named(self, new: Node, n: Node) -> Node:
        """The node that stands in the place of another, under its name."""
        return Node(new.op, new.inputs, new.type, self._g.names[n], None, n.where)

    def _returned(self, key: str, n: Node) -> Node:
        """An output, of the whole batch."""
        new = self._became[n]
        if n not in self._in_shard:
            return new
        return apply(GatherRows(self._of), new, name=f"{self._g.names[n]}.rows")

    def _has_rows(self, n: Node) -> bool:
        return self._whole in n.type.symbols

    def _check(self, n: Node, *expected: str) -> str:
        """How a node's result follows from blocks of rows; PassError where it is none of these."""
        known = isinstance(n.op, _EACH)
        if n.op.random and not known:
            raise self._refused(n, "draws numbers for all rows at once, and no shard knows its own")
        over = "each" if known else n.op.over_rows(*(i.type for i in n.inputs))
        if over is None:
            raise self._refused(n, "takes all rows of the batch at once, which no shard has", _TELL)
        if over == "max":
            raise self._refused(n, "is a maximum over rows, and shards are joined by sums")
        in_front = n.type.shape[:1] == n.type.symbols == (self._whole,)
        if over not in expected or (over == "each" and not in_front):
            raise self._refused(n, "has its rows elsewhere than in its first axis")
        return over

    def _refused(self, n: Node, why: str, instead: str = "") -> PassError:
        node = f"%{self._g.names[n]} = {n.op.name}: {n.type}"
        return PassError(f"{node} {why}; compile without shards={instead}")


_EACH: Final = (DropoutMask, BatchNorm, Gradient)
"""What is of a row each in a shard, though all rows have a part in it: masks are counted from the
shard's first row, and what batch norm and gradients become is derived of the shard."""
_TELL: Final = (
    ", or give the op an `over_rows` that says how its result follows from blocks of rows"
)


def _batch_symbol(g: Graph) -> str:
    """What counts the rows of the batch; PassError where nothing does, or several do."""
    rows = {n.type.shape[0]: n for n in g.inputs if n.type.symbols}
    symbols = dict.fromkeys(s for n in g.inputs for s in n.type.symbols)
    elsewhere = [n for n in g.inputs if n.type.symbols and n.type.symbols != n.type.shape[:1]]
    if len(symbols) == 1 and not elsewhere:
        return next(iter(symbols))
    if not symbols:
        what = "has no input with rows"
    elif elsewhere:
        what = f"has the input %{g.names[elsewhere[0]]}: {elsewhere[0].type}"
    else:
        listed = " and ".join(f"{n.type} (%{g.names[n]})" for n in rows.values())
        what = f"has inputs with other rows, {listed}"
    raise PassError(
        f"graph {g.name} {what}, where one batch is to be cut into shards: inputs [N,...] with one "
        "symbol, in the first axis; compile without shards="
    )
