"""The graphs that a program runs, each derived from the declared one when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..graph import Graph, GraphError, Node, Parameter, RunError, cached_property
from ..passes import Compilation, PackReductions, Part, Pipeline, unrolled
from .execution.executable import Executable
from .execution.feeds import FeedReader
from .execution.own_rows import OwnRowsReader
from .options import Options
from .planning.limit import MemoryLimit
from .state import StateArrays

if TYPE_CHECKING:
    from .certificate.certifier import Certifier


class Variants:
    """What a declared graph becomes under some options: training, inference, and parts of both.

    `values` are the parameters and the state that all of them run on, `sources` the nodes that
    stand for them, by name.
    """

    def __init__(self, declared: Graph, options: Options, metadata: Mapping[str, str]) -> None:
        self.declared = declared
        self.options = options
        self.metadata = metadata
        # Inference changes no state, whatever updates the graph declares.
        self.inference = options.inference().run(declared.but(updates={}))
        self.training: Compilation | None = None
        if declared.loss is not None:
            self.training = options.training().run(declared)
        elif idle := options.for_training():
            raise GraphError(
                f"graph {declared.name} has no loss to optimize, so {idle[0]} has no effect; "
                "declare one, vg.Graph(..., loss=...)"
            )
        self.compiled = self._laid_out((self.training or self.inference).graph)
        """The training step, or inference where there is no loss; of shards, all side by side."""
        compiled = [self.compiled, self.inference.graph]
        # Those that no result needs any more are the user's as well.
        named = {g.names[n]: n for g in (*compiled, declared) for n in (*g.parameters, *g.state)}
        self.sources: Mapping[str, Node] = named
        self.values = StateArrays(self.compiled, named, options.seed)
        self.ranked: Executable | None = None
        """The step of one rank of several, while they train together."""

    def check_loss(self) -> None:
        """Raises RunError where there is no loss."""
        if self.training is None:
            raise RunError(
                f"graph {self.declared.name} has no loss; declare it as vg.Graph(..., loss=...)"
            )

    @property
    def certifier(self) -> Any:
        """What makes the certificate of the training step, or of inference where there is no loss;
        None where nothing is to be checked."""
        runs = self.training is not None or self.declared.outputs
        return self.executable.certifier if self.options.certify and runs else None

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters."""
        return [name for name, n in self.sources.items() if isinstance(n.op, Parameter)]

    # ---- what runs ---------------------------------------------------------------------------

    @cached_property
    def executable(self) -> Executable:
        """The training step, or inference where there is no loss."""
        if self.training is None:
            return self.prediction
        whole = ("differentiate", "clip_gradients", "attach_optimizer")
        stages = [self.training.stages[p.name] for p in self.options.pipeline if p.name in whole]
        compiled = Made(self.declared, self.options.training(), self.training)
        return self._executable(self.compiled, [self.declared, *stages][-1], compiled)

    def of_rank(self, part: Part) -> Executable:
        """The part of the training step that a rank makes; the program's shards are shared by all
        ranks."""
        self.check_loss()
        assert self.training is not None
        sharded = PackReductions().apply(self.training.graph)
        g = self._schedule(unrolled(sharded, part))
        reader = OwnRowsReader(g, sharded, self.declared, self.metadata)
        how = self.options.backend, self._threads, self.certifier
        return Executable(g, g, self.values, self._memory, reader, *how, shared=True)

    @cached_property
    def evaluation(self) -> Executable:
        """All outputs of inference, the loss of the data among them."""
        compiled = Made(self.declared.but(updates={}), self.options.inference(), self.inference)
        return self._executable(self.inference.graph, self.declared, compiled)

    @cached_property
    def prediction(self) -> Executable:
        """All outputs of inference but the loss; RunError where there is none."""
        outputs = {k: n for k, n in self.declared.outputs.items() if k != "loss"}
        if not outputs:
            raise RunError(
                f"graph {self.declared.name} has no output but its loss; "
                'declare one, vg.Graph(..., outputs={"scores": scores})'
            )
        declared = self.declared.but(outputs=outputs, updates={})
        compiled = self._made(declared, self.options.inference())
        return self._executable(compiled.compilation.graph, declared, compiled)

    @cached_property
    def gradients(self) -> Executable:
        """The loss of training and its gradients, without what clips or uses them."""
        compiled = self._differentiated
        g = compiled.compilation.graph
        keys = {"loss", *(f"{self.declared.names[p]}.grad" for p in self.declared.trained)}
        wanted = {k: n for k, n in g.outputs.items() if k in keys}
        differentiated = compiled.compilation.stages["differentiate"]
        return self._executable(self._scheduled(g, wanted), differentiated, compiled)

    @cached_property
    def loss(self) -> Executable:
        """The loss of training alone."""
        g = self.gradients.graph
        loss = {"loss": g.outputs["loss"]}
        return self._executable(self._scheduled(g, loss), g.but(outputs=loss), self._differentiated)

    def blocks(self, g: Graph) -> Executable:
        """A part of compiled inference, for blocks of rows; it must be the same as that part."""
        if self.options.certify and (whole := self.evaluation.certifier) is not None:
            whole.check_graph()
        part = Made(g, Pipeline(()), Compilation({"declared": g}, (), {}))
        return self._executable(self._scheduled(g, g.outputs), self.declared, part)

    @property
    def step_alone(self) -> Graph:
        """The training step with the loss as its one output, scheduled anew."""
        self.check_loss()
        g = self.executable.graph
        return self._schedule(g.but(outputs={k: n for k, n in g.outputs.items() if k == "loss"}))

    def planned(self, g: Graph, sizes: Mapping[str, int]) -> Graph:
        """A compiled graph as its plan for these sizes has it: scheduled anew for them, within the
        memory limit."""
        g = self._schedule(unrolled(g), sizes)
        return self._executable(g, self.declared).plan(sizes).graph

    @cached_property
    def _differentiated(self) -> Made:
        return self._made(self.declared, self.options.gradients())

    def _made(self, declared: Graph, pipeline: Pipeline) -> Made:
        return Made(declared, pipeline, pipeline.run(declared))

    def _scheduled(self, g: Graph, outputs: Mapping[str, Any]) -> Graph:
        """The part of a compiled graph that some outputs need, scheduled anew."""
        return self._schedule(g.but(outputs=outputs, updates={}))

    def _schedule(
        self, g: Graph, sizes: Mapping[str, int] | None = None, in_place: bool = True
    ) -> Graph:
        """The graph, scheduled anew: where sizes are given, with the best order for them."""
        scheduling = [p for p in self.options.pipeline if "scheduled" in p.gives]
        if not scheduling:
            return g
        p = scheduling[-1]
        asked = {"sizes": sizes, "in_place": in_place} if sizes else {}
        return p.but(**{k: v for k, v in asked.items() if k in p.options()}).apply(g)

    @property
    def _memory(self) -> MemoryLimit:
        """What bounds the arena of each plan."""
        return MemoryLimit(self.options.memory_limit, self.options.recompute, self._schedule)

    @property
    def _threads(self) -> int | None:
        """How many a step may take: with shards one unless said, as bits depend on it, and ranks
        have the bits of one process."""
        threads = self.options.threads
        return 1 if threads is None and self.options.shards is not None else threads

    def _laid_out(self, g: Graph) -> Graph:
        """The graph, that of a shard for all of them side by side and scheduled anew."""
        whole = unrolled(g)
        return g if whole is g else self._schedule(whole)

    def _executable(self, g: Graph, unoptimised: Graph, compiled: Made | None = None) -> Executable:
        g, unoptimised = self._laid_out(g), unrolled(unoptimised)
        reader = FeedReader(g, self.declared, self.metadata)
        certifier = compiled.certifier(g) if compiled is not None and self.options.certify else None
        how = self.options.backend, self._threads, certifier
        return Executable(g, unoptimised, self.values, self._memory, reader, *how)


class Made(NamedTuple):
    """A declared graph, the pipeline that it went through, and what became of it."""

    declared: Graph
    pipeline: Pipeline
    compilation: Compilation

    def certifier(self, g: Graph) -> Certifier:
        """What makes the certificate of a graph that this one ends with, or of a part of it."""
        from .certificate.certifier import Certifier

        return Certifier(self.declared, self.pipeline, self.compilation.stages, g)
