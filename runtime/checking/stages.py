"""The graphs behind a program's gradients, from the one that is differentiated on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...graph import Array, Graph
from ..feeds import FeedReader
from ..interpreter import interpret
from ..program import Program


class Stages:
    """The graph after each pass that the gradients went through, and the values to run it with."""

    def __init__(self, program: Program, feeds: Mapping[str, Any]) -> None:
        pipeline = program.options.gradients()
        self.graphs = pipeline.run(program.declared).stages
        """The graph after each pass, by the pass's name."""
        self.differentiation = next(p.name for p in pipeline if "gradients" in p.gives)
        names = list(self.graphs)
        self.forward = self.graphs[names[names.index(self.differentiation) - 1]]
        """The graph that is differentiated."""
        reader = FeedReader(self.forward, program.known, program.metadata)
        arrays, _ = reader.read(feeds)
        given = {name: a for (name, _), a in zip(reader.inputs, arrays, strict=True)}
        self.values: dict[str, Array] = {**program.parameters, **program.state, **given}

    def gradients(self, name: str) -> Iterator[tuple[str, Array]]:
        """A parameter's gradient by the interpreter, after each pass from differentiation on."""
        key = f"{name}.grad"
        names = list(self.graphs)
        for stage in names[names.index(self.differentiation) :]:
            g = self.graphs[stage]
            held = Graph(g.name, {key: g.outputs[key]})
            yield stage, interpret(held, self.values).outputs[key]
