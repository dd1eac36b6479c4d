"""Writing a step for the jitted backend: the same plan, as a tape that runs without Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ....graph import Array, Node, Nodes, Op
from ....ops.blas import numpy_blas
from ...planning.tiling import tiling
from ..backend import CHECK, Stamp, StepWriter, WritingTask
from ..freivalds import Multiplication
from ..numpy.writer import NumpyWriter
from ..step_text import Kernel
from ..tiles import TiledLane, joined, parts
from ..tracing import Call, record
from .lowering import products
from .lowering.fixed_kernels import clocked, finite
from .lowering.kernel_text import Text
from .lowering.nest_fusion import Waiting, Work
from .lowering.nests import Nest, regions
from .lowering.ops import Lowered, lowered
from .lowering.products import MatrixProduct, product
from .lowering.statements import Statement, flattened, quick_function, statement
from .tape.clock import now, seconds
from .tape.tape import Tape


class NumbaWriter(StepWriter):
    """Puts a step on a tape: products as calls of the BLAS, the calls between them as loops.

    What neither can do stays the NumPy call that it is, between two runs of the tape: a writer of
    such calls writes them into the same text. Below a run the text says what it makes. The plan is
    the same as without: a temporary that only a loop reads is never written. Where the whole step
    is on the tape, `step` runs it at once.
    """

    def __init__(self, task: WritingTask) -> None:
        super().__init__(task)
        self._numpy = NumpyWriter(task, _as_loops)
        self._tape = Tape([self.memory.arrays[n] for n in self.memory.feeds], task.threads)
        self._blas = numpy_blas()
        self._waiting = Waiting()
        self._held: list[tuple[Array, ...]] = []  # stand for temporaries: none is written
        self._begun = 0  # the instruction that the next run starts with
        self._listing: list[str] = []
        self._noted: list[tuple[Kernel, Array]] = []
        self._once = False
        self._whole = True

    def function(
        self, name: str, groups: Sequence[Nodes], copies: Sequence[str] = (), after: str = ""
    ) -> None:
        self._once = name == "prepare"  # what runs once is not worth a kernel
        super().function(name, groups, copies, after)
        self._whole = self._whole and not copies
        if name == "commit" and self._whole and self.stamps is None:
            run = self.step.names.bound("run", "step", self._tape.runner(0, len(self._tape)))
            self.step.name("step", f"{run}  # all of the above at once")

    def groups(self, groups: Sequence[Nodes]) -> None:
        super().groups(groups)
        self._run()

    def call_first(self, call: Callable[[], None]) -> None:
        self._leave()
        super().call_first(call)

    def group(self, group: Nodes) -> None:
        if self._once:
            self._numpy.group(group)
            return
        tiles = tiling(self.g, group, self.memory.sizes)
        if tiles is None:
            for n in group:
                self._one(n)
            return
        for part in parts(self.g, group, tiles, self.memory):
            if self._loop(part):
                continue
            if part.rows <= part.step:
                for n, inputs, out, scratch in part.kernels(0, part.rows):
                    self._calls(n, inputs, out, scratch)
            else:
                self._leave()
                self._numpy.tiled(part)

    def finite(self, arrays: Sequence[Array], fed: Sequence[Array]) -> None:
        self.step.begin("finite")
        check = finite([*joined(arrays), *[a.reshape(-1) for a in fed]], self._tape.threads)
        self._tape.add(*check)
        self.step.count(CHECK, 1)
        self.step.add(f"return {self._runner()}({self.step.given})")
        self.step.add(f"#   all finite?{_in_parts(len([p for p in check.parts if p]))}")

    def stamp(self, ended: Kernel) -> None:
        if self.stamps is None:
            return
        self._flush()  # so that each group's time is its own
        reading = clocked() if self._begun < len(self._tape) else None
        if reading is not None:
            look, noted = reading
            self._tape.add(*look)
            self._noted.append((ended, noted))
            self.step.names.objects.update(stamp=self.stamps.append)
            return
        self._run()
        self._numpy.stamp(ended)
        self.step.names.objects.update(now=now)

    # ---- the tape ----------------------------------------------------------------------------

    def _runner(self) -> str:
        """The name of a function that runs what has come onto the tape since the last."""
        runner = self._tape.runner(self._begun, len(self._tape))
        name = self.step.names.bound("run", ("run", self._begun), runner)
        self._begun = len(self._tape)
        return name

    def _run(self) -> None:
        """A line that runs what has come onto the tape, if anything has."""
        self._flush()
        if self._begun < len(self._tape):
            self.step.add(f"{self._runner()}({self.step.given})")
            self._end_run()

    def _end_run(self) -> None:
        """What stands below a run: what it makes, and the stamps that it has noted."""
        for line in self._listing:
            self.step.add(f"#   {line}")
        self._listing = []
        if self._noted:
            noted = self.step.names.bound("noted", ("noted", self._begun), self._noting())
            self.step.add(f"stamp({noted})")

    def _noting(self) -> Callable[[], list[Stamp]]:
        """A function that gives the stamps that the tape has made."""
        noted, self._noted = self._noted, []
        return lambda: [(ended, seconds(at)) for ended, at in noted]

    def _leave(self) -> None:
        """Python's turn: what was on the tape runs before."""
        self._run()
        self._whole = self._whole and self._once

    def _product(self, n: Node, p: MatrixProduct, line: str) -> None:
        before, behind = self._checks(p) if self.verify else ([], [])
        self._flush()
        self._lines(n, before)
        assert self._blas is not None
        split = products.append(p, self._blas, self._tape)
        self._listed((n,), line, split)
        self._lines(n, behind)

    def _checks(self, p: MatrixProduct) -> tuple[list[str], list[str]]:
        """The lines before and behind a product that check it."""
        of = p.a.array, p.b.array, p.out
        return self.product_checks(Multiplication(*of, *((p.out, *p.scaled) if p.scaled else ())))

    def _lines(self, n: Node, lines: Sequence[str]) -> None:
        """Lines of a node between two runs of the tape."""
        for line in lines:
            self._leave()
            self.step.add(line, n)

    def _listed(self, nodes: Iterable[Node], line: str, split: int) -> None:
        """Notes what an instruction does, and for whom."""
        first, *_ = nodes
        ops = " + ".join(dict.fromkeys(n.op.name for n in nodes))
        self._listing.append(f"{line}{_in_parts(split)}  # {ops}")
        self.step.count(self.schedule.groups[first], 1)

    def _shown(self, a: Array) -> str:
        """What the text calls an array; what lies in a feed, by the feed's name."""
        return self.step.names.feed(a) or str(self.step.names.value(a))

    # ---- collecting --------------------------------------------------------------------------

    def _one(self, n: Node) -> None:
        """A node by itself, on its places."""
        inputs = [self.memory.arrays[i] for i in n.inputs]
        self._calls(n, inputs, self.memory.arrays[n], self.memory.scratch.get(n, ()))

    def _calls(
        self, n: Node, inputs: Sequence[Array], out: Array, scratch: tuple[Array, ...]
    ) -> None:
        """The calls of a node's kernel: each is a product, a statement, or else a line."""
        op = n.op.bind(self.memory.sizes)
        form = lowered(op, inputs, out, self._tape.threads)
        if form is not None and self._lower(n, op, form, inputs, out):
            return
        calls = record(op, inputs, out, scratch)
        lines = [self._numpy.call(c) for c in calls or ()]
        if calls is None or None in lines:
            self._leave()
            self._numpy.kernel(n, inputs, out, scratch)
            return
        flat = [s and flattened(s) for s in [self._statement(n, c) for c in calls]]
        # A temporary need not be written, unless a call between the statements may read it.
        statements = [s for s in flat if s is not None]
        if len(statements) == len(calls):
            self._add(Work((n,), statements, regions(scratch)))
            return
        for call, s, line in zip(calls, flat, lines, strict=True):
            p = product(call) if s is None and self._blas is not None else None
            if s is not None:
                self._add(Work((n,), [s]))
            elif p is not None:
                self._product(n, p, str(line))
            else:
                self._leave()
                self.step.add(str(line), n)
                self.step.count(self.schedule.groups[n], 1)

    def _lower(self, n: Node, op: Op, form: Lowered, inputs: Sequence[Array], out: Array) -> bool:
        """Puts a node in a form of its own on the tape, if all of it can be."""
        statements = [s for s in [self._statement(n, c) for c in form.calls] if s is not None]
        if len(statements) < len(form.calls) or (form.product and self._blas is None):
            return False
        if statements:
            self._held.append(form.held)
            self._add(Work((n,), statements, regions(form.held)))
        shown = f"{form.shown}({', '.join([self._shown(a) for a in inputs])})"
        if form.product is not None:
            self._product(n, form.product, shown)
        if form.instructions:
            self._flush()
            for instruction in form.instructions:
                self._tape.add(*instruction)
            split = max([len(i.parts) for i in form.instructions])
            self._listed((n,), f"{self._shown(out)} = {shown}", split)
        if form.checked:
            names = [str(self.step.names.value(a)) for a in (*inputs, out)]
            checked = self.step.names.bound("k", id(op), op.run)
            otherwise = f"{checked}({', '.join(names[:-1])}, out={names[-1]})"
            self.step.add(f"{self._runner()}({self.step.given}) or {otherwise}", n)
            self._end_run()
        return True

    def _loop(self, part: TiledLane) -> bool:
        """A tiled part as statements of one nest, its temporaries as values that stay inside."""
        if not part.tiles.others and len(part.lane[0].type.shape) == 2:
            # By rows, as the reductions beside it: a loop is not cut into tiles.
            cut = {n: self.memory.arrays[n] for n in part.cut}
            part = part._replace(cut=cut, rows=self.memory.arrays[part.lane[-1]].shape[0])
        shape = part.cut[part.lane[-1]].shape if part.lane[-1] in part.cut else ()
        temporaries = tuple([np.empty(shape, t.dtype) for t in part.temporaries])
        statements: list[Statement] = []
        for n, inputs, out, scratch in part._replace(temporaries=temporaries).kernels(0, part.rows):
            calls = record(n.op.bind(self.memory.sizes), inputs, out, scratch)
            if calls is None or None in [self._numpy.call(c) for c in calls]:
                return False
            stated = [self._statement(n, c) for c in calls]
            if None in stated:
                return False
            statements += [s for s in stated if s is not None]
        work = Work(part.lane, statements, regions(temporaries), together=True)
        alone = Nest(statements)
        if not alone.fits or Text(alone, work.dead).kept_dead:
            return False
        self._held.append(temporaries)
        self._add(work)
        return True

    def _statement(self, n: Node, call: Call) -> Statement | None:
        indexed = isinstance(getattr(call.function, "__self__", None), np.ndarray)
        stated = None if indexed and not n.op.row_local else statement(call)
        return stated if stated is not None and Nest([stated]).fits else None

    def _add(self, work: Work) -> None:
        """Statements that wait for others beside which they run."""
        if self._waiting.clashes(work):
            self._flush()
        self._waiting.add(work)

    def _flush(self) -> None:
        """Puts all nests that wait on the tape."""
        for text in self._waiting.taken():
            arguments = ", ".join([self._shown(a) for a in text.arrays])
            self._listed(text.nest.nodes, f"loop({arguments})", text.append(self._tape))


def _in_parts(count: int) -> str:
    return f", in {count} parts" if count > 1 else ""


def _as_loops(call: Call) -> Call:
    """The call by functions that have the bits of a loop where Python calls them, too; its numbers
    as they are: few calls are left to NumPy."""
    function = quick_function(call)
    return call if function is None else call._replace(function=function)
