"""Shards of a batch: symbols such as N.3of8, whose sizes follow from that of N.

N rows are cut into contiguous parts, each of N // 8 rows or one more; the longer ones come first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

_SYMBOL: Final = re.compile(r"(?P<whole>.+)\.(?:(?P<first>\d+)(?:-(?P<last>\d+))?)?of(?P<of>\d+)")

_IN_SHARD: Final = re.compile(r"\.shard\d+(?:-\d+)?(?=(\.\d+)?$)")


class ShardSymbol(NamedTuple):
    """A symbol that counts the rows of shards `first` to `last` of `of`, both included.

    Without a number, `N.of8`, it stands for any one of them, and counts the rows of the longest.
    """

    whole: str
    of: int
    first: int | None = None
    last: int | None = None

    def __str__(self) -> str:
        if self.first is None:
            return f"{self.whole}.of{self.of}"
        until = f"-{self.last}" if self.last != self.first else ""
        return f"{self.whole}.{self.first}{until}of{self.of}"

    def rows(self, count: int) -> tuple[int, int]:
        """The first of these rows, of `count`, and the one behind the last."""
        first, last = self.first or 0, self.last or self.first or 0
        return self._start(first, count), self._start(last + 1, count)

    def _start(self, shard: int, count: int) -> int:
        each, longer = divmod(count, self.of)
        return shard * each + min(shard, longer)


def name_in_shard(name: str, shard: int) -> str:
    """What a node of the graph of any shard is called in one: %fc1.weight.shard.grad, the gradient
    of a weight that shards read, is %fc1.weight.grad.shard3."""
    parts = [part for part in name.split(".") if part != "shard"]
    return f"{'.'.join(parts) or name}.shard{shard}"


def name_in_batch(name: str) -> str:
    """What a node of one shard is called in the whole batch: %fc1 for %fc1.shard3."""
    return _IN_SHARD.sub("", name)


@lru_cache(maxsize=1024)
def shard_symbol(symbol: str) -> ShardSymbol | None:
    """What a symbol says of shards, if it does."""
    match = _SYMBOL.fullmatch(symbol)
    if match is None:
        return None
    numbers = [int(n) if (n := match[key]) is not None else None for key in ("first", "last")]
    first, last = numbers
    return ShardSymbol(match["whole"], int(match["of"]), first, first if last is None else last)


def whole_symbols(symbols: Iterable[str]) -> tuple[str, ...]:
    """The symbols from whose sizes those of all follow, each once."""
    return tuple(dict.fromkeys(s.whole if (s := shard_symbol(d)) else d for d in symbols))


def whole_sizes(sizes: Mapping[str, int]) -> dict[str, int]:
    """What the symbols of whole batches count, where each shard of one has its size among these."""
    parts: dict[tuple[str, int], dict[int | None, int]] = {}
    for symbol, size in sizes.items():
        s = shard_symbol(symbol)
        if s is not None and s.first == s.last:
            parts.setdefault((s.whole, s.of), {})[s.first] = size
    return {whole: sum(p.values()) for (whole, of), p in parts.items() if p.keys() == {*range(of)}}


def first_row(d: str | int, sizes: Mapping[str, int]) -> int | None:
    """The row of the whole batch that is the first of a shard's; None where no shard is counted."""
    shard = shard_symbol(d) if isinstance(d, str) else None
    return None if shard is None else shard.rows(sizes[shard.whole])[0]


def size_of(symbol: str, sizes: Mapping[str, int]) -> int:
    """What a symbol counts; KeyError naming the symbol whose size is not there."""
    shard = shard_symbol(symbol)
    if shard is None or symbol in sizes:
        return sizes[symbol]
    start, stop = shard.rows(sizes[shard.whole])
    return stop - start
