"""Into how many parts a batch is cut, and what batch normalization makes of them."""

from __future__ import annotations

from typing import ClassVar, Final, Literal, get_args

from ...graph import GraphError, check_choice, is_whole, shown
from .arguments import Given

Statistics = Literal["synchronised", "per_shard"]
_STATISTICS: Final = get_args(Statistics)
LARGEST: Final = 1024


class Shards(Given):
    """A batch is cut into `count` shards, a power of two, whose sums meet in a binary tree.

    `batch_norm` is "synchronised", by the mean and the variance of the whole batch, or "per_shard",
    by those of each shard, as when each worker normalizes its own rows; the running values are then
    updated by the means over all shards, weighed by their rows.
    """

    name: ClassVar[str] = "shards"
    count: int
    batch_norm: Statistics = "synchronised"

    def __post_init__(self) -> None:
        count = self.count
        if not is_whole(count, 1) or count & (count - 1) or count > LARGEST:
            raise GraphError(
                f"shards is {shown(count)}, where a power of two from 1 to {LARGEST} is expected, "
                "e.g. 8: their sums meet in a binary tree, which 1, 2, 4 or 8 ranks can share"
            )
        check_choice("batch_norm", self.batch_norm, _STATISTICS)
