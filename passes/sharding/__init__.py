"""The parallel step: a batch in shards, and what runs of it where."""

from .pack_reductions import PackReductions
from .shard_batch import ShardBatch
from .unrolled import Part, buckets, check_size, laid_out, unrolled

__all__ = ["PackReductions", "Part", "ShardBatch", "buckets", "check_size", "laid_out", "unrolled"]
