"""What tests/ranks/test_mpi.py has several processes do: `mpiexec -n 4 python under_mpi.py TASK`.

Rank 0 prints what it found, as JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

import verigrad as vg
from verigrad.runtime.ranks.communicator import tree_sum
from verigrad.runtime.ranks.connect import connected
from verigrad.runtime.ranks.mpi import MPIRanks
from verigrad.runtime.ranks.reductions import Reduction, doubling, halving, pieces

WORLD = MPI.COMM_WORLD


def compiled() -> vg.Program:
    x, y = vg.input("x", ("N", 20)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.batch_norm(vg.dense(x, 15, name="fc0"), name="bn"))
    scores = vg.mlp(h, [10, 3])
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    dropout = vg.Dropout(keep=0.8)
    return vg.compile(net, optimizer=vg.Adam(0.01), dropout=dropout, seed=3, shards=8)


def trained(comm: Any = None, steps: int = 9, **how: Any) -> list[str]:
    """The bits of the state and of the losses that a run ends with."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((130, 20)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 1)
    program = compiled()
    history = vg.fit(program, (x, y), steps=steps, batch_size=50, comm=comm, progress=False, **how)
    values = {**program.parameters, **program.state}
    state = b"".join(np.ascontiguousarray(values[k]).tobytes() for k in sorted(values))
    return [hashlib.sha256(state).hexdigest(), *map(float.hex, history.losses)]


def groups(size: int) -> MPI.Comm:
    """All processes in groups of so many ranks."""
    return WORLD.Split(WORLD.rank // size)


def bits() -> dict[str, Any]:
    """On 1, 2, 4 and 8 ranks: what those of each number end with. Of eight processes the first
    is by itself, two and four train beside it, and then all."""
    beside = WORLD.Split([0, 1, 1, 2, 2, 2, 2, 3][WORLD.rank])
    own = [(comm.size, json.dumps(trained(comm))) for comm in (beside, WORLD)]
    ended = [pair for pairs in WORLD.allgather(own) for pair in pairs]
    return {str(size): sorted({t for s, t in ended if s == size}) for size in (1, 2, 4, 8)}


def resumed(path: str) -> list[str]:
    """What a run ends with that goes on with 4, 2 and 4 ranks."""
    for size, steps in ((4, 2), (2, 5), (4, 9)):
        ranks = groups(size)
        if WORLD.rank < size:
            ended = trained(ranks, steps, checkpoint=Path(path), resume=True)
        WORLD.Barrier()
    return ended


def sums() -> list[Any]:
    """Each way to sum a buffer, beside the tree of additions; the bytes that all ranks send."""
    found = []
    rng = np.random.default_rng(0)
    for size in (2, 4, 8):
        comm = groups(size)
        for count in (1, 7, 10_000):
            parts = list(rng.standard_normal((size, count)).astype(np.float32))
            due, total = np.empty(count, np.float32), np.zeros(count, np.float32)
            tree_sum(parts, due)
            for way in (doubling, pieces, halving):
                reduction = Reduction(MPI, way(comm, 0, parts[comm.rank]))
                for _ in range(3):
                    total.fill(0)
                    reduction.start()
                    while not (reduction.advance() and reduction.are_sent()):
                        time.sleep(0)
                    tree_sum(reduction.summands, total)
                    assert total.tobytes() == due.tobytes()
                reduction.free()
                found.append([size, count, way.__name__, comm.allreduce(reduction.sent)])
    return found


def gathered() -> list[Any]:
    """How much all ranks tell, of different lengths, and nothing."""
    ranks = connected(WORLD)
    assert ranks is connected(WORLD)
    told = [ranks.gather(b"x" * (k * ranks.rank)) for k in (0, 1, 100_000)]
    return [[len(t) for t in each] for each in told]


def reopened() -> list[float]:
    """What is received in a step behind one that no rank has finished."""
    ranks, t, out = connected(WORLD), vg.TensorType("f32", (2,)), np.empty(2, np.float32)
    for value in (1, 2):
        ranks.open([[t], [t]])
        for bucket in range(2):
            ranks.start(bucket, [np.full(2, value + bucket, np.float32)])
        if WORLD.rank < 2 and isinstance(ranks, MPIRanks):
            time.sleep(0.2)
            ranks._progress()  # these two go on to what they send to the others
    totals = []
    for bucket in range(2):
        ranks.finish(bucket, 0, out)
        totals += out.tolist()
    return totals


class Ends(vg.Callback):
    """Ends a rank in a step, in some way."""

    def __init__(self, how: str, rank: int) -> None:
        self.how = how if rank == WORLD.rank else ""

    def on_step(self, step: int, loss: float) -> None:
        if step == 3 and self.how == "raise":
            raise ValueError("the disk is full")
        if step == 3 and self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)


def ending(how: str, rank: str, *apart: str) -> list[str]:
    """A run in which a rank ends; `apart`, those from rank 2 on are on a machine of their own."""
    if apart and WORLD.rank >= 2:
        socket.gethostname = lambda: "elsewhere"
    connected(WORLD).advise("go on with: mpiexec -n 4 python mine.py", command=True)
    return trained(WORLD, 30, callbacks=[Ends(how, int(rank))])


def train() -> list[str]:
    """A run on all processes."""
    return trained(WORLD, 1)


class Prints(vg.Callback):
    """Prints something behind the first step."""

    def __init__(self, something: object) -> None:
        self.something = something

    def on_step(self, step: int, loss: float) -> None:
        if self.something is not None:
            print(json.dumps(self.something), flush=True)
            self.something = None


def killed(path: str) -> None:
    """A run without an end that goes on from a checkpoint; rank 0 prints all processes."""
    connected(WORLD).advise("go on with: mpiexec -n 4 python mine.py", command=True)
    prints = Prints(WORLD.gather(os.getpid()))
    trained(WORLD, 1_000_000, checkpoint=Path(path), resume=True, callbacks=[prints])


def resumed_to(path: str, steps: str) -> list[str]:
    """What a run that goes on from a checkpoint ends with, after so many steps."""
    prints = Prints(None)  # a run goes on with the callbacks that it began with
    return trained(WORLD, int(steps), checkpoint=Path(path), resume=True, callbacks=[prints])


TASKS = {
    f.__name__: f
    for f in (bits, resumed, sums, gathered, reopened, ending, train, killed, resumed_to)
}

if __name__ == "__main__":
    result = TASKS[sys.argv[1]](*sys.argv[2:])
    if WORLD.rank == 0:
        print(json.dumps(result))
