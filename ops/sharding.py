"""What a step is made of whose batch is cut into shards: rows of one, and sums over all of them.

A graph with these ops is that of any one shard, and what it means is what `unrolled` makes of it:
the same for all shards, side by side. What depends on the rows of a shard differs between them;
what does not is the same for all, and `to_shards` marks where it enters one, as its gradient is the
sum over all of them. That sum has one order, a binary tree over the shards, whoever computes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar, Final

import numpy as np

from ..graph import (
    Array,
    Dim,
    GraphError,
    Node,
    Op,
    Point,
    Residues,
    RunError,
    ShardSymbol,
    TensorType,
    apply,
    op,
    shard_symbol,
    size_of,
)

_FEWEST: Final = 2
"""A variance has at least so many rows."""


@op
class Shard(Op):
    """y = rows of x [N,...]: those of shard `shard` of `of`, or of the one that the graph is of.

    Shards are contiguous, each of N // of rows or one more; the longer ones come first.
    """

    name: ClassVar[str] = "shard"
    flops_per_element: ClassVar[int] = 0
    of: int
    shard: int | None = None

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        (x,) = types
        whole = x.shape[0] if x.shape else None
        if not isinstance(whole, str):
            raise GraphError(f"input is {x}, where rows counted by a symbol, [N,...], are expected")
        rows = ShardSymbol(whole, self.of, self.shard, self.shard)
        return x.with_shape((str(rows), *x.shape[1:]))

    def exact(self, at: Point, x: Residues) -> Residues:
        start, stop = self._rows(x.shape[0])
        return x[start:stop]

    def run(self, x: Array, *, out: Array) -> None:
        start, stop = self._rows(x.shape[0])
        np.copyto(out, x[start:stop])

    def _rows(self, count: int) -> tuple[int, int]:
        if self.shard is None:
            raise _of_all("shard")
        return ShardSymbol("", self.of, self.shard, self.shard).rows(count)


@op
class ToShards(Op):
    """y = x, which all shards have alike, where one of `of` shards reads it.

    Its cotangent is the sum of what all shards make of it.
    """

    name: ClassVar[str] = "to_shards"
    moves: ClassVar[bool] = True
    traceable: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0
    of: int

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        return types[0]

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (apply(AllReduce(self.of, None), dy),)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x)


@op
class AllReduce(Op):
    """y = the sum of x over all shards, as a binary tree over them: ((0+1)+(2+3))+((4+5)+(6+7)).

    `bucket` numbers the messages in which ranks send what they sum; None until they are packed.
    """

    name: ClassVar[str] = "all_reduce"
    tree: int
    bucket: int | None

    def infer(self, *types: TensorType) -> TensorType:
        return _of_fixed_shape(self, types)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (apply(ToShards(self.tree), dy),)

    def run(self, x: Array, *, out: Array) -> None:
        raise _of_all(self.name)


@op
class GatherRows(Op):
    """y = the rows of all shards [N,...], one shard after another.

    Reads those of the one shard that the graph is of; once laid out, those of each of them.
    """

    name: ClassVar[str] = "gather_rows"
    flops_per_element: ClassVar[int] = 0
    of: int

    def infer(self, *types: TensorType) -> TensorType:
        rows = self._rows(types)
        if rows is None:
            listed = ", ".join(map(str, types)) or "nothing"
            raise GraphError(
                f"inputs are {listed}, where rows of shards of {self.of} are expected, one after "
                "another and alike but for their number"
            )
        return types[0].with_shape((rows, *types[0].shape[1:]))

    def _rows(self, types: Sequence[TensorType]) -> str | None:
        """What counts the rows of the result; None where the inputs cannot be joined."""
        shards = [shard_symbol(str(t.shape[0])) if t.shape else None for t in types]
        alike = {t.with_shape(t.shape[1:]) for t in types}
        known = [s for s in shards if s is not None and s.of == self.of]
        if not known or len(known) < len(types) or len(alike) > 1:
            return None
        first, last = known[0], known[-1]
        if first.first is None:
            return first.whole if len(known) == 1 else None
        for before, behind in pairwise(known):
            if (
                before.last is None
                or behind.first != before.last + 1
                or behind.whole != first.whole
            ):
                return None
        whole = (first.first, last.last) == (0, self.of - 1)
        return first.whole if whole else str(first._replace(last=last.last))

    def exact(self, at: Point, *xs: Residues) -> Residues:
        y, start = at.numbers(0), 0
        for x in xs:
            y += x.put((slice(start, start + x.shape[0]),), at.shape)
            start += x.shape[0]
        return y

    def run(self, *xs: Array, out: Array) -> None:
        if sum([len(x) for x in xs]) != len(out):
            raise _of_all(self.name)
        np.concatenate(xs, out=out)


@op
class TotalVariance(Op):
    """y = x / N, for the sum x of the squares of N rows from which their mean was subtracted.

    Fewer than two rows are an error, as in batch_variance.
    """

    name: ClassVar[str] = "total_variance"
    rows: Dim

    def infer(self, *types: TensorType) -> TensorType:
        return _of_fixed_shape(self, types)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (apply(TotalVariance(self.rows), dy),)

    def free_symbols(self) -> tuple[str, ...]:
        return (self.rows,) if isinstance(self.rows, str) else ()

    def bind(self, sizes: Mapping[str, int]) -> Op:
        return TotalVariance(size_of(self.rows, sizes)) if isinstance(self.rows, str) else self

    def exact(self, at: Point, x: Residues) -> Residues:
        return x / at.numbers(at.size(self.rows))

    def run(self, x: Array, *, out: Array) -> None:
        assert isinstance(self.rows, int)
        check_rows(self.rows)
        np.divide(x, self.rows, out=out)


def _of_fixed_shape(op: Op, types: tuple[TensorType, ...]) -> TensorType:
    """The type of the one input, and of the result; GraphError where it has rows, or no floats."""
    op.takes(types, 1)
    (x,) = types
    if not x.is_float or x.symbols:
        raise GraphError(f"input is {x}, where floats of a fixed shape are expected")
    return x


def check_rows(rows: int) -> None:
    """Raises RunError for fewer rows than a variance has."""
    if rows < _FEWEST:
        raise RunError(
            f"batch normalization of a batch of {rows} is not defined in training: the "
            "variance of one row is 0; feed two rows or more (inference takes any number)"
        )


def _of_all(name: str) -> RunError:
    return RunError(f"{name} is of all shards, and this graph of one: run unrolled(graph)")
