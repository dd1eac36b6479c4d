"""Wrong steps in shards: rows that are lost, sums that are none, masks that begin anew."""

from __future__ import annotations

from typing import Final

from catch.fault import Fault


def _shards(name: str, file: str, old: str, new: str, tests: str = "") -> Fault:
    return Fault(name, "shards", file, old, new, tests or "sharding/test_per_shard.py")


FAULTS: Final = (
    _shards(
        "a-shard-left-out-of-the-sum",
        "passes/sharding/unrolled.py",
        "zip(parts[::2], parts[1::2], starts, strict=True)",
        "zip(parts[::2], parts[::2], starts, strict=True)",
    ),
    _shards(
        "last-rows-in-no-shard",
        "graph/shards.py",
        "return shard * each + min(shard, longer)",
        "return shard * each",
        "sharding/test_per_shard.py",
    ),
    _shards(
        "gradient-of-one-shard",
        "ops/sharding.py",
        "return (apply(AllReduce(self.of, None), dy),)",
        "return (dy,)",
    ),
    _shards(
        "mean-by-the-rows-of-a-shard",
        "passes/sharding/shard_batch.py",
        "joined = count(x, n.op.reduced(x))",
        "joined = (count(x, n.op.reduced(x)) / float(self._of))",
    ),
    _shards(
        "masks-that-begin-anew",
        "ops/dropout.py",
        "start = self._first(sizes)",
        "start = 0",
        "sharding/test_planted_faults.py",
    ),
    _shards(
        "batch-norm-by-shards-unasked",
        "runtime/options.py",
        'if shards.batch_norm == "per_shard" else "differentiate"',
        'if shards.count else "differentiate"',
    ),
    _shards(
        "variance-by-one-row-less",
        "ops/sharding.py",
        "np.divide(x, self.rows, out=out)",
        "np.divide(x, self.rows - 1, out=out)",
        "ops/test_op_table.py",
    ),
)
