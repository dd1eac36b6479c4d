"""One graph of all rows of the table of ops, for files that are exported."""

from __future__ import annotations

import numpy as np
from table import EXPORTED, OF_SHARDS

import verigrad as vg
from verigrad.graph import OPS, Source
from verigrad.graph.types import parse_type
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.checking.sample import Sample

NEVER_EXPORTED = {"gradient", *OF_SHARDS}
"""Ops in whose place a pass puts others, and those of shards."""


def ours() -> set[str]:
    """The names of the ops that verigrad registers and exports."""
    named = {k for k, kind in OPS.items() if kind.__module__.startswith("verigrad.")}
    return {k for k in named if not issubclass(OPS[k], Source)} - NEVER_EXPORTED


class Rows:
    """One graph with an output for each row, in one dtype; each row has symbols of its own."""

    def __init__(self, dtype: str) -> None:
        self.samples: list[tuple[Sample, list[str]]] = []
        outputs, rng = {}, np.random.default_rng(5)
        for k, row in enumerate(EXPORTED):
            sample = Sample(
                row.op, [parse_type(t) for t in row.types], row.reference, row.values, rng
            ).with_dtype(dtype)
            inputs = [vg.input(f"x{k}_{i}", t.shape, dtype=t.dtype)
                      for i, t in enumerate(sample.types)]  # fmt: skip
            outputs[f"y{k}"] = vg.apply(sample.op, *inputs)
            self.samples.append((sample, [f"x{k}_{i}" for i in range(len(inputs))]))
        outputs["N"] = vg.input("bind", ("N", "M"))
        self.graph = ScheduleBuffers().apply(vg.Graph("rows", outputs))

    def feeds(self, size: int, special: bool = False) -> dict[str, np.ndarray]:
        """Values for all inputs, every symbol at one size."""
        sizes = {"N": size, "M": size}
        feeds = {"bind": np.zeros((size, size), np.float32)}
        for sample, names in self.samples:
            drawn = sample.draw_special(sizes) if special else sample.draw(sizes)
            feeds |= dict(zip(names, drawn, strict=True))
        return feeds
