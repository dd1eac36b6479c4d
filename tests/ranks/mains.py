"""What ranks run in tests, where processes of their own can import it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import verigrad as vg
from verigrad.runtime.ranks.communicator import Communicator

RNG = np.random.default_rng(1)
X = RNG.standard_normal((130, 20)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 1)
Values = dict[str, np.ndarray]


def compiled(backend: str = "numpy") -> vg.Program:
    """A net whose sums travel in two buckets, one of them large enough to be cut in slices."""
    x, y = vg.input("x", ("N", 20)), vg.input("y", ("N",), dtype="i64")
    h = vg.batch_norm(vg.dense(x, 200, name="fc0"), name="bn")
    scores = vg.mlp(vg.relu(h), [200, 3])
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    how: dict[str, Any] = {"seed": 3, "shards": 8, "certify": False, "backend": backend}
    dropout = vg.Dropout(keep=0.8)
    return vg.compile(net, optimizer=vg.Adam(0.01), dropout=dropout, **how)


def values(program: vg.Program) -> Values:
    return {k: np.array(v) for k, v in {**program.parameters, **program.state}.items()}


def trained(
    backend: str, steps: int, checkpoint: Path | None, comm: Communicator | None
) -> tuple[Values, list[float]]:
    """The state after so many steps, from the checkpoint where there is one, and the losses."""
    program = compiled(backend)
    how: dict[str, Any] = {"checkpoint": checkpoint, "resume": checkpoint is not None}
    history = vg.fit(program, (X, Y), steps=steps, batch_size=50, comm=comm, **how)
    return values(program), history.losses


class At(vg.Callback):
    """Does something in one rank behind a step."""

    def __init__(self, comm: Communicator, rank: int, step: int, what: str) -> None:
        self.here = comm.rank == rank
        self.step, self.what = step, what

    def on_step(self, step: int, loss: float) -> None:
        if self.here and step == self.step:
            does(self.what)


def does(what: str) -> None:
    if what == "raise":
        raise ValueError("the disk is full")
    if what == "exit":
        os._exit(3)
    if what == "interrupt":
        os.kill(os.getppid(), signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.Signals[what])


def ending(rank: int, step: int, what: str, checkpoint: Path | None, comm: Communicator) -> None:
    """Trains until something happens in one rank; before all steps with step -1."""
    if step < 0 and comm.rank == rank:
        does(what)
    data, at = (X, Y), At(comm, rank, step, what)
    program = compiled()
    how: dict[str, Any] = {"checkpoint": checkpoint, "callbacks": [at], "resume": bool(checkpoint)}
    vg.fit(program, data, steps=5_000, batch_size=50, comm=comm, **how)


def not_finite(comm: Communicator) -> None:
    data = X.copy()
    data[77, 3] = 3e38
    vg.fit(compiled(), (data, Y), epochs=1, batch_size=50, comm=comm)


def told(comm: Communicator) -> list[bytes]:
    return comm.gather(f"{comm.rank} of {comm.size}".encode())


def threads(comm: Communicator) -> list[bytes]:
    from verigrad.ops.blas import threads as of_blas

    return comm.gather(str(of_blas()).encode())


def unpicklable(comm: Communicator) -> Any:
    return lambda: comm


class OwnError(Exception):
    """An error that no other process can be given."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def own_error(comm: Communicator) -> None:
    if comm.rank == 1:
        raise OwnError(1, 2)
    comm.gather(b"")


def early(comm: Communicator) -> None:
    """Rank 1 ends as it should, while the others still wait for it."""
    if comm.rank != 1:
        comm.gather(b"")


def forever(comm: Communicator) -> NoReturn:
    """Writes its process id, and works on."""
    Path(sys.argv[3], f"{comm.rank}").write_text(str(os.getpid()))
    while True:
        comm.gather(b"")
        time.sleep(0.01)


class Prints(vg.Callback):
    """Prints something behind the first step."""

    def __init__(self, something: str) -> None:
        self.something = something

    def on_step(self, step: int, loss: float) -> None:
        if self.something:
            print(self.something, flush=True)
            self.something = ""


def killed(path: str, comm: Communicator) -> None:
    """A run without an end that goes on from a checkpoint; rank 0 prints all processes."""
    processes = [int(told) for told in comm.gather(str(os.getpid()).encode())]
    prints = Prints(json.dumps(processes) if comm.rank == 0 else "")
    how: dict[str, Any] = {"checkpoint": path, "resume": True, "steps": 1_000_000}
    vg.fit(compiled(), (X, Y), batch_size=50, comm=comm, callbacks=[prints], **how)


def resumed_to(path: str, steps: str, comm: Communicator | None = None) -> list[str]:
    """What a run that goes on from a checkpoint ends with, after so many steps."""
    return in_words(trained("numpy", int(steps), Path(path), comm))


def in_words(ended: tuple[Values, list[float]]) -> list[str]:
    state, losses = ended
    return [str(losses), *(f"{k} {v.tobytes().hex()}" for k, v in sorted(state.items()))]


TASKS = {"killed": killed, "resumed_to": resumed_to}

if __name__ == "__main__":
    task, ranks, *given = sys.argv[1:]
    if task == "forever":
        vg.launch(forever, int(ranks))
    else:
        print(json.dumps(vg.launch(partial(TASKS[task], *given), int(ranks))))
