"""A case: a declared graph, how it is compiled, and batches for it; all of one seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from zlib import crc32

import numpy as np

import verigrad as vg
from verigrad.graph import Graph
from verigrad.passes.text import print_pass
from verigrad.runtime.certificate.points import classes_of

from . import methods, pipelines
from .choices import Choices
from .declared import declare

ROWS: Final = (2, 3, 3, 3, 4, 4, 5, 5, 7, 7, 1, 1, 0, 33)
WHOLE: Final = 4
"""Whole numbers that are no labels are fed below this."""


class Case(NamedTuple):
    """A graph, the options that it is compiled with, and the sizes that it runs at, in turn."""

    seed: int
    graph: Graph
    options: Mapping[str, Any]
    sizes: tuple[Mapping[str, int], ...]
    tile: int = 16_384
    """So many elements of a group run at a time."""
    poisoned: bool = False
    """Memory is filled with NaN while nothing needs it."""
    viewed: bool = False
    """It is saved and loaded, drawn, and its costs are told."""
    limit: float = 0.0
    """Above 0, it is run once more, with this share of the memory that it takes as its limit."""

    def compile(self, **changed: Any) -> vg.Program:
        """The program, with some options changed."""
        return vg.compile(self.graph, **{"certify": True, **self.options, **changed})

    def feeds(self, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
        """A batch of these sizes; each input's is a function of the seed, its name and the size."""
        classes = classes_of(self.graph)
        wide = self.options.get("dtype") == "f64"
        found = {}
        for n in self.graph.inputs:
            name, shape = self.graph.names[n], n.type.bind(dict(sizes))
            rng = np.random.default_rng([self.seed, crc32(name.encode()), *sizes.values()])
            if n.type.is_float:
                drawn = rng.standard_normal(shape)
                # Ties and zeros, as data of counts have.
                drawn = np.round(drawn) if rng.random() < 0.15 else drawn
                drawn = np.abs(drawn) + 0.1 if name.startswith("weights") else drawn
            else:
                drawn = rng.integers(0, classes.get(n, WHOLE), shape)
            dtype = np.dtype("f8") if wide and n.type.is_float else n.type.numpy
            found[name] = np.asarray(drawn).astype(dtype)
        return found

    def told(self) -> str:
        """What the case is, in words: the options that are not the usual ones, and the graph."""
        usual = (None, vg.TRAINING, vg.INFERENCE)
        options = [f"{k}={_said(v)}" for k, v in self.options.items() if v not in usual]
        sizes = [dict(s) for s in self.sizes]
        return f"seed {self.seed}: {', '.join(options)}; sizes {sizes}\n{self.graph}"


def _said(value: Any) -> str:
    return "->".join(map(print_pass, value)) if isinstance(value, vg.Pipeline) else repr(value)


def case(seed: int, backend: str = "numpy") -> Case:
    """The case of a seed."""
    c = Choices(seed)
    optimized = c.flag(0.9)
    g = declare(c, updated=not optimized)
    options: dict[str, Any] = {
        "seed": c.number(0, 3),
        "dtype": c.one(("f32", "f32", "f64")),
        "inference_pipeline": pipelines.inference(c),
        "pipeline": pipelines.training(c),
        "backend": backend,
        "threads": c.one((1, 1, 1, 2, None)),
    }
    if g.loss is not None:
        names = [g.names[n] for n in g.parameters]
        if optimized and names:
            options["optimizer"] = methods.optimizer(c, names)
        options["regularizer"] = methods.regularizer(c)
        options["clip"] = methods.clip(c) if names else None
    if g.loss is not None:
        options["dropout"] = methods.dropout(c)
    symbols = g.symbols
    sizes = tuple([{s: c.one(ROWS) for s in symbols} for _ in range(2)])
    limit = c.one((0.5, 0.8, 0.99)) if c.flag(0.1) else 0.0
    tile = c.one((16_384, 8, 3))
    return Case(seed, g, options, sizes, tile, c.flag(0.25), c.flag(0.15), limit)
