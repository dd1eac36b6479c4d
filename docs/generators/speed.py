"""What is not reached: the steps of the benchmark that take longer than the fastest peer's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from verigrad.benchmarks.contenders import OURS
from verigrad.benchmarks.report import Results, ahead

from .page import ROOT, table, write_page

RESULTS: Final = ROOT / "benchmarks" / "results" / "results.json"


def behind(results: Results) -> str:
    """A table of the training steps in which none of our backends is as fast as each peer."""
    rows = []
    for case in results["training"]:
        figures = case["contenders"]
        ours = {n: figures[n]["to_best_peer"] for n in OURS if figures[n]["to_best_peer"]}
        best = min(ours, key=ours.__getitem__, default=None)
        if best is not None and ours[best] > 1:
            rows.append([case["net"], case["task"], ahead(figures, best)])
    return table(["net (batch)", "optimizer", "times as fast as the best peer"], rows)


def write(folder: Path) -> None:
    """The part of the page on speed that tells of them."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    write_page(folder / "speed" / "behind.txt", behind(results))
