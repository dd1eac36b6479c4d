"""The feeds of a rank: the rows of its own shards, of batches that no rank has whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...graph import Array, Graph, Node, RunError, ShardSymbol, shard_symbol
from .feeds import FeedReader, Feeds


class OwnRows(dict[str, Any]):
    """What a rank feeds of a batch of `count` rows, by the names of the inputs: its own alone."""

    def __init__(self, rows: Mapping[str, Any], count: int) -> None:
        super().__init__(rows)
        self.count = count


class OwnRowsReader:
    """Checks feeds, and hands over the rows of each shard of a rank as the inputs of its graph.

    `whole` is the graph of all shards, whose inputs are fed; `g` that of the rank, whose inputs are
    rows of them, `x.shard3`. Feeds are `OwnRows`, or of a whole batch.
    """

    def __init__(
        self, g: Graph, whole: Graph, declared: Graph, metadata: Mapping[str, str]
    ) -> None:
        self.inputs: list[tuple[str, Node]] = [(g.names[n], n) for n in g.inputs]
        self._reader = FeedReader(whole, declared, metadata)
        places = {name: k for k, (name, _) in enumerate(self._reader.inputs)}
        self._parts: list[tuple[int, ShardSymbol | None]] = []
        for name, n in self.inputs:
            rows = shard_symbol(str(n.type.shape[0])) if n.type.shape else None
            self._parts.append((places[name.rpartition(".shard")[0] if rows else name], rows))
        shards = [rows for _, rows in self._parts if rows is not None]
        first, last = min(s.first or 0 for s in shards), max(s.first or 0 for s in shards)
        self.rows = ShardSymbol(shards[0].whole, shards[0].of, first, last)
        """Those of all shards of the rank."""
        self._sizes: dict[str, int] = {}

    def read(self, feeds: Feeds) -> tuple[list[Array], dict[str, int]]:
        """The arrays, and the sizes of the symbols that the whole batch binds."""
        symbol = self.rows.whole
        arrays, sizes = self._reader.read(dict(feeds) if isinstance(feeds, OwnRows) else feeds)
        if isinstance(feeds, OwnRows):
            count = feeds.count
            start, stop = self.rows.rows(count)
            if sizes[symbol] != stop - start:
                raise RunError(
                    f"{sizes[symbol]} rows are fed, where rows {start} to {stop - 1} of a batch of "
                    f"{count} are this rank's"
                )
        else:
            count, start = sizes[symbol], 0
        if self._sizes.get(symbol) != count:
            self._sizes = {**sizes, symbol: count}
        parts: list[Array] = []
        for place, rows in self._parts:
            if rows is None:
                parts.append(arrays[place])
            else:
                first, behind = rows.rows(count)
                parts.append(arrays[place][first - start : behind - start])
        return parts, self._sizes
