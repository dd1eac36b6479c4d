"""The model beside what was measured, and where nothing can be: on 64 and 1,024 ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from verigrad.passes import Part

from ..contenders.ours import compiled
from ..nets import Net
from .contenders import CONTENDERS, Contender
from .model import (
    STOPS,
    Cores,
    Event,
    Network,
    Sent,
    events,
    fitted_cores,
    fitted_network,
    least,
    shared,
    step,
    traffic,
)

OPTIMIZER: Final = "sgd"
RANKS: Final = (1, 2, 4, 8, 64, 1024)
ROWS: Final = 256
"""Of each rank, where the batch grows with them."""
NETWORKS: Final = (
    Network("10 Gbit/s, 30 us a message", 30e-6, 10e9 / 8),
    Network("100 Gbit/s, 5 us a message", 5e-6, 100e9 / 8),
)
_ONE: Final = ("numpy-one", "numpy-half", "numpy-one-of-8")
_TWO: Final = ("numpy-mpi-of-8", "numpy-mpi-of-2", "numpy-processes-of-8", "numpy-processes-of-2")


def model(
    nets: Sequence[Net],
    times: Mapping[str, Mapping[str, float]],
    sums: Sequence[tuple[int, float]],
) -> dict[str, Any]:
    """The model of each net: its rates, what it says of that which was measured, and of more ranks.

    `times` are seconds a step by net and contender, `sums` bytes and seconds of sums over two
    ranks.
    """
    if not sums:
        return {}
    here = fitted_network("this machine", sums)
    rates: dict[str, Cores] = {}
    checked, extended = [], []
    for net in nets:
        found = times.get(net.name, {})
        one = {name: _events_of(net, CONTENDERS[name]) for name in _ONE if name in found}
        if len(one) < len(_ONE):
            continue
        cores = fitted_cores([(one[name], found[name]) for name in _ONE])
        rates[net.name] = cores
        for name in (*_ONE, *_TWO):
            if name in found:
                contender = CONTENDERS[name]
                said = step(_events_of(net, contender), contender.ranks, cores, here).seconds
                told = {"net": net.title, "what": contender.title.partition(", ")[2]}
                checked.append({**told, "model": said, "measured": found[name]})
        extended += _extended(net, cores)
    return {
        "cores": rates,
        "messages": (here.latency, here.nbytes),
        "checked": checked,
        "extended": extended,
    }


def sent_by_model(net: Net, contender: Contender) -> tuple[float, float]:
    """Bytes that a rank sends in a step on the mean, and the fewest with which it would do."""
    ranks = contender.ranks
    sent = [e.nbytes for e in _events_of(net, contender) if isinstance(e, Sent)]
    by_model = [
        shared(n, ranks) if contender.engine == "processes" else traffic(n + STOPS, ranks)
        for n in sent
    ]
    return sum(t.nbytes for t in by_model), sum(least(n, ranks) for n in sent)


def rank_events(net: Net, batch: int, ranks: int, shards: int | None) -> list[Event]:
    """What a rank does in a step of SGD."""
    program = _program(net, shards)
    sizes = {"N": batch}
    if ranks == 1:
        return events(program.plan(**sizes).graph, sizes)
    return events(program._variants.of_rank(Part(0, ranks, 0)).graph, sizes)


@lru_cache
def _program(net: Net, shards: int | None) -> Any:
    return compiled(net, OPTIMIZER, backend="numpy", shards=shards)


def _events_of(net: Net, contender: Contender) -> list[Event]:
    batch = round(net.batch * contender.batch_share)
    return rank_events(net, batch, contender.ranks, contender.shards)


def _extended(net: Net, cores: Cores) -> list[dict[str, Any]]:
    """Steps of as many shards as ranks, on networks: of the same batch, on as many ranks as it has
    rows at most, and of a batch that grows with them."""
    powers = [1 << k for k in range(net.batch.bit_length())]
    strong = [("strong", ranks, net.batch) for ranks in powers]
    weak = [("weak", ranks, ROWS * ranks) for ranks in RANKS]
    points = []
    for kind, ranks, batch in (*strong, *weak):
        does = rank_events(net, batch, ranks, ranks if ranks > 1 else None)
        for network in NETWORKS:
            made = step(does, ranks, cores, network)
            told = {"kind": kind, "net": net.title.partition(" (")[0], "network": network.name}
            points.append({**told, "ranks": ranks, "seconds": made.seconds, "waits": made.waits})
    return points
