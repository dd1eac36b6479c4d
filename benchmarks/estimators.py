"""Estimators beside scikit-learn's: `python -m verigrad.benchmarks.estimators`, a table of both.

Each fits the same rows from the same seed in a process of its own; they take turns, epoch sets of
one after those of another, and a ratio is the median of those within a round. One that does not
show scikit-learn's losses is void. Memory is the most that a process has had resident.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NamedTuple

import click
import numpy as np

NETS: Final = {
    "tiny": ((64, 32, 10), 32, 40),
    "small": ((64, 100, 10), 200, 20),
    "course": ((3072, 100, 100, 10), 100, 10),
    "fashion": ((784, 512, 256, 10), 128, 10),
    "deep": ((784, *[100] * 10, 10), 64, 10),
}
"""The sizes, the rows of a batch, and how many batches an epoch has."""
CONTENDERS: Final = {
    "scikit-learn": {},
    "numpy": {"backend": "numpy"},
    "numba": {"backend": "numba"},
    "numba, f32": {"backend": "numba", "dtype": "f32"},
}
CLOSE: Final = {"f64": 1e-9, "f32": 1e-3}
SHOWN: Final = 3
"""So many epochs' losses are compared."""


class Case(NamedTuple):
    """A net, how it is trained, and in which dtype its rows come."""

    net: str
    solver: str
    dtype: str

    @property
    def title(self) -> str:
        """The net with its sizes and the rows of a batch."""
        sizes, batch, _ = NETS[self.net]
        first, *hidden, last = sizes
        many = len(hidden) > 3
        shape = f"{len(hidden)}x{hidden[0]}" if many else "-".join(map(str, hidden))
        return f"{self.net} {first}-{shape}-{last} ({batch})"


class Figures(NamedTuple):
    """What a contender took: microseconds a step, of each round, and megabytes."""

    steps: list[float]
    megabytes: float
    differs: float


def work(case: Case, contender: str, epochs: int) -> None:
    """A process of one contender: a line in is a round, a line out is what it took."""
    warnings.simplefilter("ignore")
    sizes, batch, count = NETS[case.net]
    rng = np.random.default_rng(0)
    x = rng.random((batch * count, sizes[0])).astype("f4" if case.dtype == "f32" else "f8")
    y = rng.integers(0, sizes[-1], len(x))
    if contender == "scikit-learn":
        from sklearn.neural_network import MLPClassifier as Estimator
    else:
        from verigrad import MLPClassifier as Estimator

    def fitted(epochs: int) -> Any:
        how = {"solver": case.solver, "batch_size": batch, "random_state": 0, "tol": 0.0}
        e = Estimator(
            sizes[1:-1], max_iter=epochs, n_iter_no_change=10**6, **how, **CONTENDERS[contender]
        )
        return e.fit(x, y)

    print(json.dumps(fitted(SHOWN).loss_curve_), flush=True)
    for _ in sys.stdin:
        # What a fit takes beside its epochs is the same of few and of many.
        seconds = []
        for n in (1, 1 + epochs):
            start = time.perf_counter()
            fitted(n)
            seconds.append(time.perf_counter() - start)
        print((seconds[1] - seconds[0]) / epochs / count * 1e6, flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


@contextmanager
def worker(case: Case, contender: str, epochs: int, threads: int) -> Iterator[Any]:
    """The process of a contender."""
    code = "from verigrad.benchmarks import estimators as e; import sys, json; "
    code += "e.work(e.Case(*json.loads(sys.argv[1])), sys.argv[2], int(sys.argv[3]))"
    command = [sys.executable, "-c", code, json.dumps(case), contender, str(epochs)]
    env = {**os.environ, **{f"{k}_NUM_THREADS": str(threads) for k in ("OPENBLAS", "OMP")}}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env) as process:
        yield process


def measured(case: Case, rounds: int, epochs: int, threads: int) -> dict[str, Figures]:
    """All contenders of a case, which take turns."""
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(worker(case, name, epochs, threads))
            for name in CONTENDERS
            if not (case.dtype == "f32" and "f32" in name)
        }
        losses = {name: json.loads(p.stdout.readline()) for name, p in processes.items()}
        steps: dict[str, list[float]] = {name: [] for name in processes}
        for _ in range(rounds):
            for name, p in processes.items():
                p.stdin.write("\n")
                p.stdin.flush()
                steps[name].append(float(p.stdout.readline()))
        memory = {}
        for name, p in processes.items():
            p.stdin.close()
            memory[name] = float(p.stdout.readline())
    theirs = np.array(losses["scikit-learn"])
    off = {n: float(np.max(np.abs(np.array(v) / theirs - 1))) for n, v in losses.items()}
    return {name: Figures(steps[name], memory[name], off[name]) for name in processes}


def row(case: Case, figures: dict[str, Figures]) -> list[str]:
    """The cells of a case: theirs in microseconds, ours as times as fast, and the memory."""
    theirs = figures["scikit-learn"]
    cells = [case.title, case.solver, case.dtype, f"{statistics.median(theirs.steps):,.0f}"]
    for name in CONTENDERS:
        if name == "scikit-learn":
            continue
        found = figures.get(name)
        allowed = CLOSE["f32" if "f32" in (case.dtype, name[-3:]) else "f64"]
        if found is None:
            cells.append("-")
        elif not found.differs <= allowed:
            cells.append(f"void: its losses differ by {found.differs:.0e}")
        else:
            ratios = [a / b for a, b in zip(theirs.steps, found.steps, strict=True)]
            cells.append(f"{statistics.median(ratios):.1f}")
    memory = [f"{figures[n].megabytes:,.0f}" for n in ("scikit-learn", "numpy", "numba")]
    return [*cells, " / ".join(memory)]


HEADS: Final = (
    "net (batch)", "solver", "X", "scikit-learn, us a step", "numpy, times as fast",
    "numba, times as fast", 'numba and dtype="f32", times as fast', "MB: theirs / numpy / numba",
)  # fmt: skip


@click.command()
@click.option("--nets", default=",".join(NETS), show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
def main(nets: str, rounds: int, epochs: int, threads: int) -> None:
    """Estimators beside scikit-learn's, as a table in Markdown."""
    print_row(HEADS)
    print_row(["---"] * len(HEADS))
    for net in nets.split(","):
        for solver in ("adam", "sgd"):
            for dtype in ("f64", "f32"):
                case = Case(net, solver, dtype)
                print_row(row(case, measured(case, rounds, epochs, threads)))


def print_row(cells: Sequence[str]) -> None:
    """A row of the table."""
    click.echo(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
