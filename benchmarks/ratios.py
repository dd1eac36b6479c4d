"""What the rounds say: medians, spreads, and ratios that are taken within one round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .contenders import FLOOR, OURS
from .driver import Row


def ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """The median over rounds of one contender's time by another's in the same round."""
    return statistics.median(a / b for a, b in zip(times, others, strict=True))


def best_peer(rows: Mapping[str, Row]) -> str | None:
    """The fastest contender that is neither ours nor the floor."""
    peers = {n: row for n, row in rows.items() if n not in OURS and n != FLOOR}
    timed = {n: statistics.median(row.rounds) for n, row in peers.items() if _counts(row)}
    return min(timed, key=timed.__getitem__) if timed else None


def summary(rows: Mapping[str, Row]) -> dict[str, dict[str, Any]]:
    """Each row with `median` and `spread` (microseconds; the largest less the smallest round, of
    the median), `to_floor` and `to_best_peer`, each None where it is not to be had.
    """
    floor = rows.get(FLOOR)
    peer = best_peer(rows)
    made: dict[str, dict[str, Any]] = {}
    for name, row in rows.items():
        figures: dict[str, Any] = dict.fromkeys(("median", "spread", "to_floor", "to_best_peer"))
        if _counts(row):
            middle = statistics.median(row.rounds)
            figures["median"] = middle
            figures["spread"] = (max(row.rounds) - min(row.rounds)) / middle
            if floor is not None and _counts(floor):
                figures["to_floor"] = ratio(row.rounds, floor.rounds)
            if peer is not None:
                figures["to_best_peer"] = ratio(row.rounds, rows[peer].rounds)
        made[name] = {**asdict(row), **figures}
    return made


def _counts(row: Row) -> bool:
    return row.status == "ok" and bool(row.rounds)
