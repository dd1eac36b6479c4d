"""Who takes part: programs on one rank or two, started in each way, and PyTorch's DDP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

Engine = Literal["alone", "processes", "mpi", "ddp"]

BACKENDS: Final = ("numpy", "numba")


@dataclass(frozen=True)
class Contender:
    """So many ranks of so many threads each, which an engine connects.

    `batch_share` is the part of the batch that it trains on: weak scaling compares two ranks with
    one that has half of their rows.
    """

    name: str
    title: str
    engine: Engine = "alone"
    ranks: int = 1
    threads: int = 1
    backend: str | None = None
    shards: int | None = None
    batch_share: float = 1.0

    @property
    def ours(self) -> bool:
        return self.backend is not None

    @property
    def options(self) -> dict[str, Any]:
        """What `vg.compile` is given."""
        options: dict[str, Any] = {"backend": self.backend, "shards": self.shards}
        if self.backend == "numba":  # NumPy's products take what the environment says
            options["threads"] = self.threads
        return options


def _ours(backend: str) -> tuple[Contender, ...]:
    def of(what: str, title: str, *how: Any, shards: int | None = None) -> Contender:
        engine, ranks, threads = (*how, *("alone", 1, 1)[len(how) :])
        name = f"{backend}-{what}"
        return Contender(name, f"{backend}, {title}", engine, ranks, threads, backend, shards)

    return (
        of("one", "one rank"),
        of("one-of-8", "one rank, 8 shards", shards=8),
        of("threads", "one rank of two threads", "alone", 1, 2),
        of("processes-of-8", "two processes, 8 shards", "processes", 2, shards=8),
        of("processes-of-2", "two processes, 2 shards", "processes", 2, shards=2),
        of("mpi-of-8", "two ranks of MPI, 8 shards", "mpi", 2, shards=8),
        of("mpi-of-2", "two ranks of MPI, 2 shards", "mpi", 2, shards=2),
        Contender(f"{backend}-half", f"{backend}, one rank, half of the batch", backend=backend,
                  batch_share=0.5),
    )  # fmt: skip


CONTENDERS: Final = {
    c.name: c
    for c in (
        *[c for backend in BACKENDS for c in _ours(backend)],
        Contender("ddp-one", "DDP, one process", "ddp"),
        Contender("ddp-two", "DDP, two processes", "ddp", 2),
        Contender("ddp-half", "DDP, one process, half of the batch", "ddp", batch_share=0.5),
    )
}
