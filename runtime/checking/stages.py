"""The graphs behind a program's gradients, from the one that is differentiated on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...graph import Array, Graph
from ...passes import Pass, unrolled
from ..execution.feeds import FeedReader
from ..interpreter import interpret
from ..program import Program


class Stages:
    """The graph after each pass that the gradients went through, and the values to run it with."""

    def __init__(self, program: Program, feeds: Mapping[str, Any]) -> None:
        self.pipeline = pipeline = program.options.gradients()
        self.declared = program.declared
        graphs = pipeline.run(program.declared).stages
        self.differentiation = next(p.name for p in pipeline if "gradients" in p.gives)
        names = list(graphs)
        self.forward = unrolled(graphs[names[names.index(self.differentiation) - 1]])
        """The graph that is differentiated."""
        self.differentiated = unrolled(graphs[self.differentiation])
        """The same with the gradients among its outputs."""
        reader = FeedReader(self.forward, program.declared, program.metadata)
        arrays, _ = reader.read(feeds)
        inputs = {name: a for (name, _), a in zip(reader.inputs, arrays, strict=True)}
        self.values: dict[str, Array] = {**program.parameters, **program.state, **inputs}

    def steps(self) -> Iterator[tuple[Pass, Graph, Graph]]:
        """Each pass that was run from differentiation on, and the graph before and after it."""
        steps = list(self.pipeline.steps(self.declared))
        first = next(k for k, (p, _, _) in enumerate(steps) if p.name == self.differentiation)
        yield from steps[first:]

    def gradient(self, g: Graph, name: str) -> Array:
        """A parameter's gradient in one of these graphs, by the interpreter."""
        key = f"{name}.grad"
        graph = Graph(g.name, {key: g.outputs[key]})
        return interpret(graph, self.values).outputs[key]
