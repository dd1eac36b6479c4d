"""The process of one contender, driven by lines of JSON: `-m verigrad.benchmarks.worker '{...}'`.

The argument says the contender, the net, the threads, and either the optimizer or how many rows
to predict. Each line on stdin is a command, each line on stdout its answer; the first line says
how long the way to the first step was, or why there is none.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from .contenders import CONTENDERS, Predictor, Trainer, UnavailableError
from .nets import Net

CHUNK_SECONDS = 1e-3
"""Steps are timed in chunks of about so long, so that the clock itself costs nothing."""
RESTART_AFTER = 500
"""Steps after which the net starts anew: with the loss at zero, moments become denormal numbers,
which cost the processor many times more and would reach the fastest contender first."""


def chunks(
    call: Callable[[int], object], restart: Callable[[], None], chunk: int
) -> Iterator[float]:
    """Seconds a step, of one chunk of so many steps after another."""
    since = 0
    while True:
        if since >= RESTART_AFTER:
            restart()
            call(0)
            since = 0
        before = time.perf_counter()
        for i in range(since, since + chunk):
            call(i)
        yield (time.perf_counter() - before) / chunk
        since += chunk


class Worker:
    """A contender at work: made from the argument, it answers commands."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.net = Net(**{**asked["net"], "sizes": tuple(asked["net"]["sizes"])})
        self.contender = CONTENDERS[asked["contender"]]
        self.optimizer: str | None = asked.get("optimizer")
        self.rows: int = asked.get("rows", 0)
        self.threads: int = asked["threads"]
        self.options: dict[str, Any] = asked.get("options", {})

    def start(self) -> dict[str, Any]:
        """Imports, compiles and makes the first step; how long each took, in seconds."""
        start = time.perf_counter()
        self.module = self.contender.load()
        imported = time.perf_counter()
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(self.threads)
        self.run = self._made(self.net)
        self.call(0)
        return {
            "import_seconds": imported - start,
            "first_step_seconds": time.perf_counter() - imported,
        }

    def _made(self, net: Net) -> Trainer | Predictor:
        if self.optimizer is not None:
            return self.module.train(net, self.optimizer, **self.options)  # type: ignore[no-any-return]
        from .nets import rows

        return self.module.predict(net, rows(net, self.rows))  # type: ignore[no-any-return]

    @property
    def call(self) -> Callable[[int], object]:
        run = self.run
        return run.step if isinstance(run, Trainer) else lambda _: run.run()

    def check(self, steps: int) -> dict[str, Any]:
        """The losses of the first steps, dropout left out; or the result of a prediction."""
        run = self.run
        if isinstance(run, Predictor):
            return {"gives": run.gives, "values": _listed(run.run(), run.gives)}
        compared = self.net.keep < 1 and run.reports != "nothing"
        trainer = self._made(replace(self.net, keep=1.0)) if compared else run
        assert isinstance(trainer, Trainer)
        if trainer.reports == "nothing":
            return {"gives": "nothing", "losses": []}
        trainer.restart()
        losses = [_number(trainer.step(i)) for i in range(steps)]
        return {"gives": trainer.reports, "losses": losses, "eps_hat": trainer.eps_hat}

    def time(self, seconds: float) -> dict[str, Any]:
        """The median time of a step over some seconds, in microseconds."""
        call = self.call
        chunk = self._chunk(call, seconds)
        self._restart()
        for i in range(min(5 * chunk, 50)):
            call(i)
        taken: list[float] = []
        end = time.perf_counter() + seconds
        timed = chunks(call, self._restart, chunk)
        while time.perf_counter() < end or len(taken) < 5:
            taken.append(next(timed))
        return {"microseconds": 1e6 * statistics.median(taken), "steps": chunk * len(taken)}

    def _chunk(self, call: Callable[[int], object], seconds: float) -> int:
        """How many steps fill a chunk; finding out is part of the warm-up."""
        self._restart()
        best = float("inf")
        end = time.perf_counter() + min(0.1, seconds / 4)
        while time.perf_counter() < end or best == float("inf"):
            before = time.perf_counter()
            call(0)
            best = min(best, time.perf_counter() - before)
        return max(1, min(RESTART_AFTER // 5, round(CHUNK_SECONDS / best)))

    def _restart(self) -> None:
        if isinstance(self.run, Trainer):
            self.run.restart()

    def end(self) -> dict[str, Any]:
        """The most memory that the process held, in bytes."""
        return {"peak_bytes": _peak_bytes()}


def _peak_bytes() -> int:
    """From /proc where there is one: getrusage begins with what the parent process held."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _number(loss: Any) -> float:
    return float(loss.item() if hasattr(loss, "item") else loss)


def _listed(values: Any, gives: str) -> list[list[float]]:
    """The first rows of a prediction as lists; the floor's are no prediction."""
    import numpy as np

    return [] if gives == "nothing" else np.asarray(values, np.float64)[:100].tolist()


def main() -> None:
    # Whatever a library prints must not stand between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    asked = json.loads(sys.argv[1])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked["threads"]])
    worker = Worker(asked)

    def answer(what: Callable[..., dict[str, Any]], *args: Any) -> bool:
        try:
            said = what(*args)
        except UnavailableError as e:
            said = {"unavailable": str(e)}
        except Exception as e:
            said = {"failed": f"{type(e).__name__}: {e}".splitlines()[0][:300]}
        answers.write(json.dumps(said) + "\n")
        answers.flush()
        return "failed" not in said and "unavailable" not in said

    if not answer(worker.start):
        return
    commands: dict[str, Callable[..., dict[str, Any]]] = {
        "check": worker.check,
        "time": worker.time,
        "end": worker.end,
    }
    for line in sys.stdin:
        name, *args = json.loads(line)
        answer(commands[name], *args)
        if name == "end":
            return


if __name__ == "__main__":
    main()
