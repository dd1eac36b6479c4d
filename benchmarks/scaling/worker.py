"""A rank of a contender at work: `-m verigrad.benchmarks.scaling.worker '{...}'`.

The argument says the contender, the net, the optimizer, and the socket of the driver. Each rank
is connected to it, so that those that wait for a command take no time; each line that comes is a
command, each line back its answer, and the first line says which rank this is.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..contenders import Trainer
from ..nets import Net
from ..worker import chunks
from .contenders import Contender

if TYPE_CHECKING:
    from verigrad.runtime.ranks.communicator import Communicator


def main(asked: dict[str, Any]) -> None:
    """Starts the ranks of a contender that are not started yet, and works as one of them."""
    contender = Contender(**asked["contender"])
    if contender.engine == "ddp":
        from . import ddp

        with ddp.group(asked["rank"], contender.ranks, asked["folder"]):
            serve(asked, asked["rank"], None)
    elif contender.engine == "processes":
        import verigrad as vg

        vg.launch(partial(work, asked), contender.ranks, threads=contender.threads)
    elif contender.engine == "mpi":
        from mpi4py import MPI

        from verigrad.runtime.ranks.connect import connected

        work(asked, connected(MPI.COMM_WORLD))
    else:
        serve(asked, 0, None)


def work(asked: dict[str, Any], comm: Communicator) -> None:
    """Works as one rank of several."""
    serve(asked, comm.rank, comm)


def serve(asked: dict[str, Any], rank: int, comm: Communicator | None) -> None:
    """Answers the driver's commands until it goes."""
    with ExitStack() as stack:
        connection = stack.enter_context(socket.socket(socket.AF_UNIX))
        connection.connect(asked["address"])
        lines = stack.enter_context(connection.makefile("rw", encoding="utf-8"))

        def answer(what: Callable[..., dict[str, Any]], *args: Any) -> None:
            try:
                said = what(*args)
            except Exception as e:
                said = {"failed": f"{type(e).__name__}: {e}".splitlines()[0][:300]}
            lines.write(json.dumps(said) + "\n")
            lines.flush()

        def start() -> dict[str, Any]:
            worker = stack.enter_context(trainer(asked, comm))
            commands.update(check=worker.check, time=worker.time, sent=worker.sent)
            return {"ready": True}

        commands: dict[str, Callable[..., dict[str, Any]]] = {}
        answer(lambda: {"rank": rank})
        answer(start)
        for line in lines:
            name, *args = json.loads(line)
            answer(commands[name], *args)


class Worker:
    """What a rank is asked for."""

    def __init__(self, trainer: Trainer, comm: Communicator | None) -> None:
        self._trainer = trainer
        self._comm = comm

    def check(self, steps: int) -> dict[str, Any]:
        """The losses of the first steps."""
        losses = [float(_number(self._trainer.step(i))) for i in range(steps)]
        return {"losses": losses}

    def time(self, count: int, chunk: int) -> dict[str, Any]:
        """Seconds a step, of so many chunks of steps."""
        trainer = self._trainer
        trainer.restart()
        for i in range(min(3, chunk)):
            trainer.step(i)
        return {"seconds": [*islice(chunks(trainer.step, trainer.restart, chunk), count)]}

    def sent(self, steps: int) -> dict[str, Any]:
        """The bytes that this rank sends in so many steps."""
        before = self._comm.sent if self._comm is not None else 0
        for i in range(steps):
            self._trainer.step(i)
        after = self._comm.sent if self._comm is not None else 0
        return {"bytes": after - before}


@contextmanager
def trainer(asked: dict[str, Any], comm: Communicator | None) -> Iterator[Worker]:
    """The net, ready to train."""
    contender = Contender(**asked["contender"])
    net = Net(**{**asked["net"], "sizes": tuple(asked["net"]["sizes"])})
    if contender.engine == "ddp":
        from . import ddp

        yield Worker(ddp.train(net, asked["optimizer"]), None)
        return
    from . import ours

    with ours.train(net, asked["optimizer"], comm, contender.options) as made:
        yield Worker(made, comm)


def _number(loss: Any) -> float:
    return float(loss.item() if hasattr(loss, "item") else loss)


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        asked = json.loads(sys.argv[1])
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked["cores"]])
    main(json.loads(sys.argv[1]))
