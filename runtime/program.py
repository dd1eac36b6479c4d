"""Programs: what `compile` returns. They hold the state, run steps and show every stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..graph import (
    Array,
    Frozen,
    Graph,
    GraphError,
    MissingError,
    NonFiniteError,
    RunError,
    cached_property,
    shown,
    suggest,
)
from ..graph.notebook import Table, as_html, page
from ..ops import check_seed
from ..passes import (
    INFERENCE,
    TRAINING,
    Clip,
    Compilation,
    Dropout,
    Optimizer,
    Pipeline,
    Record,
    Regularizer,
    Shards,
    with_dtype,
)
from .again import Again
from .arguments import count_of
from .backends.registry import Backend
from .doubts import warn_of_doubts, warn_of_unscaled_inputs
from .execution.executable import Executable
from .execution.executor import Executor
from .forks import alone
from .options import Options, instead
from .planning.plan import Plan
from .state import Values
from .variants import Variants

if TYPE_CHECKING:
    from .bisection.bisection import Bisection
    from .certificate.certificate import Certificate
    from .execution.twin import Twin
    from .exporting.c.header import StaticMemory
    from .files.program_file import Content
    from .profiling.cost import Cost
    from .profiling.report import Profile
    from .report.measured import Check, Run
    from .totals import Blockwise

R = TypeVar("R")


def compile(
    net: Graph,
    *,
    optimizer: Optimizer | None = None,
    regularizer: Regularizer | None = None,
    dropout: Dropout | None = None,
    clip: Clip | None = None,
    seed: int = 0,
    dtype: str = "f32",
    pipeline: Pipeline = TRAINING,
    inference_pipeline: Pipeline = INFERENCE,
    memory_limit: int | None = None,
    recompute: bool = False,
    backend: Backend = "numpy",
    threads: int | None = None,
    certify: bool = True,
    shards: Shards | int | None = None,
) -> Program:
    """Compiles a declared graph into a program that trains, predicts and shows its stages.

    The graph's first values and its dropout are functions of `seed`. First values are drawn when
    one is first needed: an error that an initializer raises as it draws comes then, and not here.
    `clip` bounds the gradients that the optimizer reads, `vg.ClipNorm(1.0)` or
    `vg.ClipValue(0.5)`. Without an optimizer the program has no `step`; without a loss it only
    predicts. `dtype="f64"` compiles all in f64.
    `memory_limit` bounds, in bytes, the arena of everything that the program runs (`plan.nbytes`;
    state and feeds lie beside it): a batch whose plan is over it is a RunError before anything
    runs. With `recompute=True` a step keeps to it, where it can, by computing some results of the
    forward pass again for the backward pass, to the same bits. `backend="numba"` (the extra jit)
    compiles what lies between the matrix products into loops, once for all nets: the same numbers
    within rounding, in less time. `threads` is the most that a step takes, from 1; unsaid, a step
    takes those of NumPy's BLAS or one, whichever takes less time, and no bit depends on which.
    Before it first runs, a graph is checked against what was declared: `program.certificate` says
    how, and what is not the same is an error; `certify=False` runs it unchecked. `shards=8` cuts
    each batch into eight, whose sums meet in a binary tree: the bits of a training are then the
    same on 1, 2, 4 or 8 ranks, `vg.fit(..., comm=...)`, each of one thread unless `threads` says
    more; `vg.Shards(8, batch_norm="per_shard")` normalizes each by its own rows.
    Raises GraphError or PassError naming the pass that could not do its work.
    """
    options = Options(
        optimizer,
        regularizer,
        dropout,
        check_seed(seed),
        dtype,
        pipeline,
        inference_pipeline,
        clip,
        memory_limit,
        recompute,
        backend,
        threads,
        certify,
        shards,
    )
    return Program(net, options.check())


class Program(Frozen):
    """A compiled graph with its state: parameters, optimizer state and the step counter."""

    def __init__(self, net: Graph, options: Options, like: Program | None = None) -> None:
        if not isinstance(net, Graph):
            raise GraphError(
                f"compile takes a Graph, not {shown(net)}; write vg.Graph(name, outputs, loss)"
            )
        self.metadata: dict[str, str] = {}
        """Texts that are saved with the program, such as the names of classes."""
        self.options = options
        if like is not None:
            self._variants: Variants = Again(like._variants, self.metadata)
        else:
            warn_of_doubts(net)
            self._variants = Variants(with_dtype(net, options.dtype), options, self.metadata)
        self.declared = self._variants.declared
        self._blockwise: dict[str | None, Blockwise] = {}
        self._values = self._variants.values
        # Calls share arenas and state: one at a time, whichever thread asks.
        self._lock = self._values.lock
        types = {name: n.type for name, n in self._variants.sources.items()}
        parameters = {name: types[name] for name in self._variants.parameters}
        self.parameters = Values("parameter", parameters, self._values)
        self.state = Values(
            "state", {k: types[k] for k in types if k not in parameters}, self._values
        )
        self._made = True

    def again(self) -> Program:
        """A program of its own that is compiled as this one is, with first values and no step.

        It takes little time: graphs, plans and certificates are those that are there.
        """
        return Program(self.declared, self.options, like=self)

    def _instead(self, name: str) -> str:
        return instead(name, self.parameters, self.state)

    # ---- what it is --------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.declared.name

    @property
    def stages(self) -> dict[str, Graph]:
        """The graph after each pass of training; of inference, where there is no loss."""
        return dict(self._compilation.stages)

    @property
    def inference_stages(self) -> dict[str, Graph]:
        """The graph after each pass of the inference pipeline."""
        return dict(self._variants.inference.stages)

    @property
    def records(self) -> tuple[Record, ...]:
        """Why each rewrite was made, and why others were refused."""
        return self._compilation.records

    @property
    def seconds(self) -> dict[str, float]:
        """How long each pass took."""
        return dict(self._compilation.seconds)

    @property
    def training(self) -> Graph:
        """The compiled training graph: forward, backward and updates."""
        self._variants.check_loss()
        return self._compilation.graph

    @property
    def inference(self) -> Graph:
        """The compiled inference graph."""
        return self._variants.inference.graph

    @property
    def executable(self) -> Executable:
        """The training step, or inference where there is no loss."""
        return self._variants.executable

    @property
    def certificate(self) -> Certificate:
        """That the training step (inference, where there is no loss) computes what was declared.

        It is made when something first runs, or is asked for; RunError under `certify=False`.
        """
        certifier = self._variants.certifier
        if certifier is None:
            raise RunError(f"program {self.name} has no certificate: it is compiled without one")
        certificate: Certificate = alone(self._lock, lambda: certifier.certificate)
        return certificate

    def bisect(self, feeds: Mapping[str, Any] | None = None, /, **named: Any) -> Bisection:
        """Who is guilty where training or inference does not compute what was declared: the first
        pass that does not keep what it is given and its one rewrite, or a kernel of the training
        step (of inference, where there is no loss); with a small graph that shows it, and a test
        of it for pytest.

        Numbers are compared on the feeds, drawn where there are none. Nothing of the program is
        changed; it need not have been certified.
        """
        from .bisection.bisection import bisect_program

        def bisected(_: Program, batch: Mapping[str, Any]) -> Bisection:
            o = self.options
            pipelines = [(o.inference(), self.declared.but(updates={}))]
            if self._variants.training is not None:
                pipelines.insert(0, (o.training(), self.declared))
            reader = self.executable.reader
            arrays = reader.read(batch)[0] if batch else []
            fed = {name: a for (name, _), a in zip(reader.inputs, arrays, strict=False)}
            return bisect_program(self.declared, pipelines, o.changed(), self._twin, fed)

        return self._alone(bisected, feeds, named)

    def _twin(self, declared: Graph, feeds: Mapping[str, Array]) -> Twin:
        """A step of a graph that is compiled as this one is, on values of its own."""
        variants = Variants(declared, self.options._replace(certify=False), self.metadata)
        inputs = {declared.names[n] for n in declared.inputs}
        return variants.executable.twin({k: v for k, v in feeds.items() if k in inputs})

    @property
    def _compilation(self) -> Compilation:
        return self._variants.training or self._variants.inference

    @property
    def step_number(self) -> int:
        """How many steps have been made."""
        return int(self.state["step"]) if "step" in self.state else 0

    def plan(self, **sizes: int) -> Plan:
        """The memory plan of the training step (of inference, where there is no loss).

        Raises RunError where it takes more than the program's `memory_limit`.
        """
        return alone(self._lock, lambda: self.executable.plan(sizes))

    def cost(self, **sizes: int) -> Cost:
        """Operations and bytes of each node of the training step (of inference, without a loss)."""
        from .profiling.cost import Cost

        plan = self.plan(**sizes)
        return Cost(plan.graph, plan.sizes)

    def source(self, **sizes: int) -> str:
        """The step as Python text: a straight line of kernel calls."""
        return alone(self._lock, lambda: self.executable.executor(self.plan(**sizes).sizes).source)

    def __repr__(self) -> str:
        at = "a step cut off" if self._values.cut else f"step {self.step_number}"
        return f"<Program {self.name}: {len(self.parameters)} parameters, {at}>"

    @as_html
    def _repr_mimebundle_(self) -> str:
        types = {name: n.type for name, n in self._variants.sources.items()}
        held = [
            (name, str(types[name]), types[name].nbytes({}))
            for name in (*self.parameters, *self.state)
        ]
        passes = [
            (name, len(g.order), f"{1e3 * self.seconds.get(name, 0.0):.1f}")
            for name, g in self._compilation.stages.items()
        ]
        return page(
            str(self)[1:-1],
            Table(("parameters and state", "type", "bytes"), held),
            Table(("after the pass", "nodes", "ms"), passes),
        )

    # ---- what it runs ------------------------------------------------------------------------

    def step(self, feeds: Mapping[str, Any] | None = None, /, **named: Any) -> float:
        """Forward, backward and update; returns the loss, penalties included.

        Raises NonFiniteError where the loss or a gradient is not finite, and RunError for feeds
        that do not fit; the state is then as it was before.
        """
        return self._alone(Program._step, feeds, named)

    def step_with(self, feeds: Mapping[str, Any], key: str) -> tuple[float, Array]:
        """A step: its loss, and a copy of an output of the training graph as it computed it."""
        _check_output(self.training, key)
        return self._alone(
            lambda _, batch: (self._step(batch), self._stepping.last.output(key)), feeds, {}
        )

    def predict(self, feeds: Mapping[str, Any] | None = None, /, **named: Any) -> dict[str, Array]:
        """The outputs of the inference graph but the loss, by name; labels are not needed."""
        return self._alone(Program._predict, feeds, named)

    def evaluate(self, feeds: Mapping[str, Any] | None = None, /, **named: Any) -> dict[str, Any]:
        """The outputs of the inference graph, with the data loss as the float `loss`."""
        return self._alone(Program._evaluate, feeds, named)

    def blockwise(self, by_row: str | None) -> Blockwise:
        """How the loss of any number of rows, and the output `by_row`, are evaluated in blocks."""
        from .totals import Blockwise, split

        if by_row is not None:
            _check_output(self.inference, by_row)
        if by_row not in self._blockwise:
            parts = split(self.inference, () if by_row is None else (by_row,))
            blocks = self.inference if parts is None else parts.blocks
            executable = self._variants.blocks(blocks) if blocks is not None else None
            self._blockwise[by_row] = Blockwise(parts, executable, self._block, self._values)
        return self._blockwise[by_row]

    def rows_at_a_time(self, most: int) -> int:
        """How many rows, of `most`, `evaluate` takes in one call within the memory limit."""
        most = count_of("most", most)
        return alone(self._lock, lambda: self._variants.evaluation.rows_within_limit(most))

    def loss(self, feeds: Mapping[str, Any] | None = None, /, **named: Any) -> float:
        """The loss that `step` would now report, penalties and dropout included; no update."""
        variants = self._variants
        variants.check_loss()
        return self._alone(
            lambda _, batch: self._compute(variants.loss, batch).scalar("loss"), feeds, named
        )

    def gradients(
        self, feeds: Mapping[str, Any] | None = None, /, **named: Any
    ) -> tuple[float, dict[str, Array]]:
        """The loss, and its gradient for each parameter by name; no update."""
        self._variants.check_loss()
        return self._alone(Program._loss_and_gradients, feeds, named)

    def profile(
        self, feeds: Mapping[str, Any] | None = None, /, *, steps: int = 100, **named: Any
    ) -> Profile:
        """The step's kernels on one batch, each with its measured and its predicted time.

        Makes `steps` steps with stamps and as many without, on a copy of the state.
        """
        from .profiling.profile import profile

        run = self.executable, self._values, self.options
        return self._alone(lambda _, batch: profile(*run, batch, steps), feeds, named)

    def report(
        self,
        path: str | Path,
        feeds: Mapping[str, Any] | None = None,
        *,
        history: Run | None = None,
        gradcheck: Check | None = None,
        profile: Profile | None = None,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        """Writes all that is known of the program as one page, to be opened in a browser: stages
        and reasons, nodes and what became of them, gradients, memory, cost, certificate.

        `report.html` needs no other file, and no network; beside it `report.txt` tells the same as
        text, without times, for who compares two programs. A path that ends in .txt writes that
        text alone. With `feeds`, one batch, nodes and gradients show their values; `history`,
        `gradcheck` and `profile` are what `vg.fit`, `vg.gradcheck` and `program.profile` returned.
        Bytes and operations are those of the fed batch, of `sizes`, {"N": 64}, or for 128 rows.
        """
        from .report.write import Asked, write_report

        asked = Asked(feeds, history, gradcheck, profile, sizes)
        self._alone(lambda _, __: write_report(self._variants, path, asked), {}, {})

    def _alone(
        self,
        call: Callable[[Program, Mapping[str, Any]], R],
        feeds: Mapping[str, Any] | None,
        named: dict[str, Any],
    ) -> R:
        """What a call of this program returns that computes on these feeds, while no other does."""
        values = self._values
        if values.taken():
            values.check_free(f"program {self.name} cannot run")
        if feeds is not None and named:
            raise RunError("feeds are given as one dict or by name, not both")
        # On one line, as in `alone`, without whose call a step takes less time.
        with self._lock: return call(self, feeds if feeds is not None else named)  # fmt: skip  # noqa: E701

    def _step(self, feeds: Mapping[str, Any]) -> float:
        values, executable = self._values, self._variants.ranked or self._whole_step
        values.check_whole()
        executor, arrays = executable.ready(feeds)
        # Before the step, as it may be cut off anywhere.
        values.last = executor
        values.version += 1
        try:
            executor.step(arrays, values.version)
        except NonFiniteError as e:
            counted = self.step_number if "step" in self.state else None
            raise executor.explained(e, counted) from None
        return executor.scalar("loss")

    def _predict(self, feeds: Mapping[str, Any]) -> dict[str, Array]:
        return self._outputs(self._variants.prediction, feeds)

    def _evaluate(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        outputs: dict[str, Any] = self._outputs(self._variants.evaluation, feeds)
        return {k: float(v) if k == "loss" else v for k, v in outputs.items()}

    def _block(self, executable: Executable, feeds: Mapping[str, Any]) -> dict[str, Array]:
        return self._alone(lambda _, batch: self._outputs(executable, batch), feeds, {})

    def _outputs(self, executable: Executable, feeds: Mapping[str, Any]) -> dict[str, Array]:
        """All that a graph without updates gives."""
        executor = self._compute(executable, feeds)
        return {key: executor.output(key) for key in executable.graph.outputs}

    def _loss_and_gradients(self, feeds: Mapping[str, Any]) -> tuple[float, dict[str, Array]]:
        executable = self._variants.gradients
        executor, outputs = self._compute(executable, feeds), executable.graph.outputs
        keys = {name: f"{name}.grad" for name in self.parameters}
        gradients = {name: executor.output(key) for name, key in keys.items() if key in outputs}
        return executor.scalar("loss"), gradients

    def _compute(self, executable: Executable, feeds: Mapping[str, Any]) -> Executor:
        """Runs all that writes no state; the executor holds the results, under the lock."""
        self._values.check_whole()
        executor, arrays = executable.ready(feeds)
        executor.compute(arrays, self._values.version)
        return executor

    @property
    def _stepping(self) -> Executable:
        """The training step, or a rank's part of it."""
        return self._variants.ranked or self._whole_step

    @cached_property
    def _whole_step(self) -> Executable:
        """The training step, where there is something to update."""
        self._variants.check_loss()
        if self.options.optimizer is None and not self.declared.updates:
            raise RunError("the program has no optimizer; compile(..., optimizer=vg.SGD(lr=0.1))")
        self.executable.look = lambda arrays: warn_of_unscaled_inputs(self.declared, arrays)
        return self.executable

    # ---- what becomes of it ------------------------------------------------------------------

    def but(self, net: Graph | None = None, **options: Any) -> Program:
        """Another program, compiled with other options or of a changed graph, that goes on with
        copies of this one's parameters, state, step and metadata: `program.but(optimizer=...)`.

        Options are those of `compile`. Values are carried over by their names; what this program
        does not have, such as the moments of another optimizer, has its first value, and what
        the other does not have is left. `program.but(program.declared.freeze("fc1.*"))` freezes.
        Raises CallError for what is no option, RunError where a value of the same name has
        another shape, and what `compile` raises.
        """
        other = Program(self.declared if net is None else net, self.options.but(options, net))
        values = self._values.read(self._values)
        for kept in (other.parameters, other.state):
            kept.update({name: values[name] for name in kept if name in values})
        other.metadata.update(self.metadata)
        return other

    def reset(self) -> None:
        """Sets parameters, state and the step counter to their first values, those of its seed."""
        self._values.reset()

    # ---- files -------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Writes graph, options and all state to a safetensors file; `vg.load` reads it."""
        from .files.program_file import save

        save(self._content(), path)

    def to_c(
        self,
        path: str | Path,
        *,
        training: bool = False,
        sizes: Mapping[str, int] | None = None,
    ) -> StaticMemory:
        """Writes the program as C99: a .c file and its header, which need math.h and nothing else.

        `net.c` has a function `net_predict`, and with `training` also `net_step`, one training
        step, on the state `net_state`, which `net_init` sets to what it is now. `sizes`, {"N": 64},
        are the largest that calls take, of 128 rows where nothing is said; memory is static, and
        what is returned tells how many bytes. The header says how to call it all; compiled with
        the macro `NET_CHECK`, `net_check` tells whether a device computes what was computed here.
        Raises RunError where an op has no form in C, or the path does not end in .c.
        """
        from .exporting.c.source import write_c

        return alone(self._lock, lambda: write_c(self._variants, path, training, sizes))

    def to_numpy(self, path: str | Path, *, training: bool = False) -> None:
        """Writes the program as one file of Python that needs NumPy alone; its name ends in .py.

        It has a function `predict` and, with `training`, `step`; `state` holds all values by their
        names, and `init()` sets them to what they are now. Raises RunError for an op that has no
        form in NumPy.
        """
        from .exporting.numpy_file.source import write_numpy

        alone(self._lock, lambda: write_numpy(self._variants, path, training))

    def to_onnx(self, path: str | Path, *, training: bool = False) -> None:
        """Writes inference to a file of ONNX, or the whole training step; path ends in .onnx.

        Inputs, outputs and parameters keep their names (an output that is called as an input is
        gets a number), the batch its symbol; `metadata` is the file's too. The step is forward,
        backward and update in ordinary ops: parameters and state are inputs whose defaults are the
        values as they are now, and the new value of %w is the output `w.new`. It draws the dropout
        masks that `step` draws, and does not look whether its numbers are finite. Takes the extra
        onnx. Raises RunError for an op of the user's that has no `onnx`.
        """
        from .exporting.onnx.files import write_onnx

        write_onnx(self._variants, path, self.metadata, training=training)

    def _content(self) -> Content:
        """What a file of the program holds."""
        from .files.program_file import Content

        certifier = self._variants.certifier
        told = certifier.certificate.as_dict() if certifier is not None else None
        return Content(self.declared, self.options, self._values, self.metadata, certificate=told)

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickles and copies are made from: a program of its own, in the same state."""
        values = self._values.read(self._values)  # copies, as the program may go on
        return _restored, (self.declared, self.options, values, dict(self.metadata))


def _restored(
    declared: Graph, options: Options, values: Mapping[str, Array], metadata: Mapping[str, str]
) -> Program:
    """A program of its own in the state that a pickle or a copy holds."""
    program = Program(declared, options.check())
    program._values.fill(values.items())
    program.metadata.update(metadata)
    return program


def _check_output(g: Graph, key: object) -> None:
    """Raises MissingError unless the graph has an output of that name."""
    if not isinstance(key, str) or key not in g.outputs:
        raise MissingError(f"there is no output {shown(key)}{suggest(key, g.outputs)}")


def check_program(what: str, value: Any) -> None:
    """Raises RunError unless the value is a program, as `vg.compile` and `vg.load` make."""
    if not isinstance(value, Program):
        kind = value.__name__ if isinstance(value, type) else type(value).__name__
        raise RunError(
            f"{what} takes a program, and not a {kind}: write program = vg.compile(graph, "
            f"optimizer=...), then vg.{what}(program, ...)"
        )
