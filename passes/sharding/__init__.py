"""The parallel step: a batch in shards, and what runs of it where."""

from .shard_batch import ShardBatch
from .unrolled import unrolled

__all__ = ["ShardBatch", "unrolled"]
