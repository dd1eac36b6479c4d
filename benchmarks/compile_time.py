"""How compile time grows with the number of nodes: deep nets with momentum, up to 10,000 nodes.

Each net is compiled in a process of its own: `python -m verigrad.benchmarks.compile_time LAYERS`
prints nodes and seconds as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

LAYERS: Final = (3, 10, 30, 100, 200, 400, 800)
QUICK: Final = (3, 10, 30)
ROUNDS: Final = 3
PATIENCE: Final = 180.0
"""Seconds after which a net counts as not compiled; larger ones are then left out."""


def compile_times(quick: bool, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """For each depth the nodes, and the medians of seconds for compiling and for the plan."""
    points = []
    for layers in QUICK if quick else LAYERS:
        tell(f"compile time of {layers} layers")
        command = [sys.executable, "-m", "verigrad.benchmarks.compile_time", str(layers)]
        try:
            printed = [
                json.loads(subprocess.run(command, capture_output=True, text=True, check=True,
                                          timeout=PATIENCE).stdout)
                for _ in range(1 if quick else ROUNDS)
            ]  # fmt: skip
        except subprocess.TimeoutExpired:
            points.append({"layers": layers, "over": PATIENCE})
            break
        middle = sorted(printed, key=lambda p: p["compile_seconds"])[len(printed) // 2]
        points.append(middle)
    return points


def compiled_once(layers: int) -> dict[str, Any]:
    """One compile of so many layers of 32 units, from the declaration on, and one plan."""
    import verigrad as vg

    from .contenders.ours import declared, optimizer_of
    from .nets import Net

    vg.compile(declared(Net("warm", (8, 8, 8), 4)), optimizer=optimizer_of("momentum"))
    start = time.perf_counter()
    g = declared(Net("deep", (32,) * layers + (10,), 32))
    program = vg.compile(g, optimizer=optimizer_of("momentum"))
    done = time.perf_counter()
    program.plan(N=32)
    nodes = max(len(stage.order) + len(stage.sources) for stage in program.stages.values())
    return {
        "layers": layers,
        "nodes": nodes,
        "compile_seconds": done - start,
        "plan_seconds": time.perf_counter() - done,
    }


def draw(points: Sequence[dict[str, Any]], path: Path) -> None:
    """Seconds by nodes beside a straight line through the largest net, as an SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "verigrad"
    import matplotlib.pyplot as plt

    done = [p for p in points if "over" not in p]
    nodes = [p["nodes"] for p in done]
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    axis.plot(nodes, [p["compile_seconds"] for p in done], marker="o", label="compile")
    axis.plot(nodes, [p["plan_seconds"] for p in done], marker="s", label="plan of one batch size")
    slope = done[-1]["compile_seconds"] / nodes[-1]
    axis.plot(nodes, [n * slope for n in nodes], "k:", label="linear")
    axis.set(xscale="log", yscale="log", xlabel="nodes of the largest stage", ylabel="seconds")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    print(json.dumps(compiled_once(int(sys.argv[1]))))
