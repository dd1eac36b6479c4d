"""The figures of docs/speed.md but for the trained accuracies: `python benchmarks/figures.py`.

Prints a Markdown table. Times are medians, taken in processes of their own where caches matter.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tracemalloc

import numpy as np

import verigrad as vg

NET = """
import time
import verigrad as vg
x = vg.input("x", ("N", 3072))
y = vg.input("y", ("N",), dtype="i64")
scores = vg.mlp(x, [100, 100, 10])
net = vg.Graph("three_layer", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
start = time.perf_counter()
program = vg.compile(net, optimizer=vg.Momentum(lr=1e-2), regularizer=vg.L2(1e-4),
                     dropout=vg.Dropout(keep=0.5))
"""
IMPORT = """
import time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
import verigrad
print((time.perf_counter() - start) / (middle - start))
"""
COMPILE = NET + "print(1e3 * (time.perf_counter() - start))"
PLAN = (
    NET
    + """
program.plan(N=128)
start = time.perf_counter()
program.plan(N=100)
print(1e3 * (time.perf_counter() - start))
"""
)


def median(code: str, rounds: int = 9) -> float:
    """The median of what a new process prints."""
    command = [sys.executable, "-c", code]
    printed = [subprocess.run(command, capture_output=True, text=True, check=True).stdout
               for _ in range(rounds)]  # fmt: skip
    return statistics.median(map(float, printed))


def arena() -> tuple[int, int]:
    """The arena of the three-layer step with momentum at N = 128, and the bytes without a plan."""
    plan = vg.compile(net(3072, 100, 100, 10), optimizer=vg.Momentum(lr=1e-2)).plan(N=128)
    return plan.nbytes, plan.unplanned_nbytes


def allocated(keep: float) -> int:
    """The peak of what 100 warmed steps allocate, in bytes."""
    program = vg.compile(
        net(784, 256, 128, 10), optimizer=vg.Momentum(lr=1e-2), dropout=vg.Dropout(keep=keep)
    )
    rng = np.random.default_rng(0)
    feeds = {
        "x": rng.standard_normal((128, 784)).astype(np.float32),
        "y": rng.integers(0, 10, 128),
    }
    for _ in range(20):
        program.step(feeds)
    tracemalloc.start()
    program.step(feeds)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for _ in range(100):
        program.step(feeds)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak


def net(*sizes: int) -> vg.Graph:
    """An MLP of these sizes with softmax cross-entropy."""
    x = vg.input("x", ("N", sizes[0]))
    y = vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, list(sizes[1:]))
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def main() -> None:
    nbytes, unplanned = arena()
    rows = [
        ("`import verigrad`, of `import numpy`", f"{median(IMPORT):.2f} x", "1.5 x"),
        ("three-layer net compiled for training", f"{median(COMPILE):.0f} ms", "100 ms"),
        ("a plan for one more batch size", f"{median(PLAN):.1f} ms", "20 ms"),
        ("arena of its step, momentum, N=128",
         f"{nbytes:,} bytes, {100 * nbytes / unplanned:.0f} % of {unplanned:,}", "60 %"),
        ("allocated at a time in 100 warmed steps", f"{allocated(1.0):,} bytes", "4 kB"),
        ("the same with dropout", f"{allocated(0.5):,} bytes", "16 kB"),
    ]  # fmt: skip
    print("| what | measured | at most |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
