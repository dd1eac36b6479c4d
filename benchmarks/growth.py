"""How the time of a step grows with batch, width and depth, against the floor and two peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from .contenders import CONTENDERS
from .driver import Case, Settings, measure
from .nets import Net
from .ratios import summary

CONTENDING: Final = ("floor", "verigrad", "verigrad-numba", "torch", "jax")
OPTIMIZER: Final = "momentum"
ROUNDS: Final = 3
"""At most: a point of a curve needs fewer than a row of the table."""


def sweeps(quick: bool) -> dict[str, list[tuple[int, Net]]]:
    """The nets of each sweep, by the number that grows."""

    def some(numbers: Sequence[int]) -> Sequence[int]:
        return numbers[:3] if quick else numbers

    return {
        "batch": [(n, Net("batch", (784, 512, 256, 10), n)) for n in some((8, 32, 128, 512, 2048))],
        "width": [(n, Net("width", (n, n, n, 10), 128)) for n in some((32, 128, 512, 1024, 2048))],
        "depth": [(n, Net("depth", (100,) * n + (10,), 64)) for n in some((2, 4, 8, 16, 32, 64))],
    }


def growth(
    names: Sequence[str],
    settings: Settings,
    caches: Path,
    quick: bool,
    tell: Callable[[str], None],
) -> list[dict[str, Any]]:
    """The points of all sweeps: what grows, how far, and each contender's figures."""
    settings = replace(settings, rounds=min(settings.rounds, ROUNDS))
    taking_part = [n for n in CONTENDING if n in names]
    points = []
    for what, nets in sweeps(quick).items():
        for number, net in nets:
            tell(f"growth with {what}: {number}")
            rows = measure(Case(net, OPTIMIZER), taking_part, settings, caches)
            figures = {n: {k: row[k] for k in ("status", "reason", "median", "to_floor")}
                       for n, row in summary(rows).items()}  # fmt: skip
            points.append({"sweep": what, "number": number, "contenders": figures})
    return points


def draw(points: Sequence[dict[str, Any]], path: Path) -> None:
    """The three sweeps side by side, as an SVG; both axes are logarithmic."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "verigrad"
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(p["sweep"] for p in points))
    figure, axes = plt.subplots(1, len(names), figsize=(12, 4), squeeze=False, layout="constrained")
    for axis, what in zip(axes[0], names, strict=True):
        chosen = [p for p in points if p["sweep"] == what]
        for name in dict.fromkeys(n for p in chosen for n in p["contenders"]):
            timed = [
                (p["number"], p["contenders"][name]["median"])
                for p in chosen
                if p["contenders"].get(name, {}).get("median")
            ]
            if timed:
                style = {"color": "black", "linestyle": ":"} if name == "floor" else {}
                title = CONTENDERS[name].title
                axis.plot(*zip(*timed, strict=True), marker="o", label=title, **style)
        axis.set(xscale="log", yscale="log", xlabel=what, title=f"by {what}")
        numbers = sorted({p["number"] for p in chosen})
        axis.set_xticks(numbers, [str(n) for n in numbers], minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("microseconds a step")
    axes[0][0].legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
