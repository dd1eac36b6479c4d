"""Which pieces of memory share bytes while both are in use."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

Piece = tuple[int, int, int, int]
"""The first and the last kernel call that a piece is in use, its first byte and its end."""


def overlaps(pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
    """The indices of each two pieces that share bytes while both are in use, the earlier first.

    What may be in use is kept in ranges of bytes that do not overlap, in order, so a piece meets
    only what lies where it does: one sweep, and no look at every two.
    """
    starts: list[int] = []
    stops: list[int] = []
    members: list[list[int]] = []  # the pieces in each range
    for i in sorted(range(len(pieces)), key=pieces.__getitem__):
        first, _, start, stop = pieces[i]
        low = bisect_right(stops, min(start, stop))
        high = max(low, bisect_left(starts, max(start, stop)))
        there = [j for inside in members[low:high] for j in inside if pieces[j][1] >= first]
        for j in there:
            if start < pieces[j][3] and pieces[j][2] < stop:
                yield j, i
        there.append(i)
        starts[low:high] = [min(min(pieces[j][2:]) for j in there)]
        stops[low:high] = [max(max(pieces[j][2:]) for j in there)]
        members[low:high] = [there]
