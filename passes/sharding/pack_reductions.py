"""Packs the sums over all shards into buckets, each of which ranks send as one message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from ...graph import Graph, Node, apply
from ...ops import AllReduce
from ..base import Pass, Rewrite

_BYTES: Final = 1 << 18
"""Enough for a message: to send so many takes some 0.2 ms at 10 Gbit/s."""


@dataclass(frozen=True)
class PackReductions(Pass):
    """Numbers the buckets of `all_reduce`: what is there at the same time travels together.

    Before:

        graph net {
          %x: f32[N,4] = input
          %x.shard: f32[N.of8,4] = shard{8}(%x)
          %mean: f32[4] = sum{axes=[0]}(%x.shard)
          %a: f32[4] = all_reduce{tree=8,bucket=none}(%mean)
          %c: f32[N.of8,4] = subtract(%x.shard, %a)
          %sum: f32[] = sum(%c)
          %total: f32[] = all_reduce{tree=8,bucket=none}(%sum)
          return a=%a, total=%total
        }

    After:

        graph net {
          %x: f32[N,4] = input
          %x.shard: f32[N.of8,4] = shard{8}(%x)
          %mean: f32[4] = sum{axes=[0]}(%x.shard)
          %a: f32[4] = all_reduce{tree=8,bucket=0}(%mean)
          %c: f32[N.of8,4] = subtract(%x.shard, %a)
          %sum: f32[] = sum(%c)
          %total: f32[] = all_reduce{tree=8,bucket=1}(%sum)
          return a=%a, total=%total
        }

    Sums of one dtype that wait for none of each other share a bucket until it has 256 kB, those
    with the shortest chains before them first: the gradients of the last layers are then on their
    way while those of the first are computed. Not where sums are in their buckets. After all that
    rewrites the graph.
    """

    name: ClassVar[str] = "pack_reductions"
    breaks: ClassVar[tuple[str, ...]] = ("as declared",)

    def rewrites(self, g: Graph) -> Sequence[Rewrite]:
        return [
            Rewrite(n, apply(AllReduce(n.op.tree, bucket), *n.inputs), f"in bucket {bucket}")
            for bucket, members in enumerate(_buckets(g))
            for n in members
            if isinstance(n.op, AllReduce) and n.op.bucket != bucket
        ]


def by_level(g: Graph) -> list[Node]:
    """The nodes but sources, by how many sums over all shards stand one behind another before
    them: what is summed together can then be sent together."""
    level = _levels(g)
    return sorted(g.order, key=level.__getitem__)


def _levels(g: Graph) -> dict[Node, int]:
    """How many sums over all shards stand one behind another up to each node, itself included."""
    level: dict[Node, int] = {}
    for n in g.order:
        before = max([level.get(i, 0) for i in n.inputs], default=0)
        level[n] = before + isinstance(n.op, AllReduce)
    return level


def _depths(g: Graph) -> dict[Node, int]:
    """How long the longest chain to each node is: what has a short one is there first."""
    depth: dict[Node, int] = {}
    for n in g.order:
        depth[n] = 1 + max([depth.get(i, 0) for i in n.inputs], default=0)
    return depth


def _buckets(g: Graph) -> list[list[Node]]:
    """The sums that share a message, in the order in which they are sent."""
    level, depth = _levels(g), _depths(g)
    open_: dict[tuple[int, str], list[Node]] = {}
    buckets: list[list[Node]] = []
    for n in sorted(g.order, key=depth.__getitem__):
        if not isinstance(n.op, AllReduce):
            continue
        key = level[n], n.type.dtype
        bucket = open_.get(key)
        if bucket is None or sum([m.type.nbytes({}) for m in bucket]) >= _BYTES:
            bucket = open_[key] = []
            buckets.append(bucket)
        bucket.append(n)
    return buckets
