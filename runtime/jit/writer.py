"""Writing a step for the jitted backend: the same plan, as a tape that runs without Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ...graph import Array, Graph, Node, Nodes
from ...ops.blas import numpy_blas
from ...ops.clipping import ClipFactor
from ...ops.dropout import DropoutMask
from ...ops.likelihood import LabelPlaces
from ...ops.linear import Gemm
from ...ops.updates import Axpy
from ..parts import Memory, Part, joined, parts
from ..recording import Call, record
from ..step import CHECK, Kernel, Stamp, Stamps, Writer
from ..tiling import tiling
from . import products
from .clock import now, seconds
from .loops import Text
from .nests import Nest, regions
from .products import Product, matrices, product
from .special import append_clip_factor, append_clock, append_finite, append_mask, append_places
from .statements import Statement, flattened, multiple, quick_function, statement
from .tape import Tape
from .waiting import Waiting, Work


class JitWriter(Writer):
    """Puts a step on a tape: products as calls of the BLAS, the calls between them as loops.

    What neither can do stays the NumPy call that it is, between two runs of the tape. Below a run
    the text says what it makes. The plan is the same as without: a temporary that only a loop
    reads is never written. Where the whole step is on the tape, `step` runs it at once.
    """

    def __init__(self, g: Graph, memory: Memory, stamps: Stamps | None = None) -> None:
        super().__init__(g, memory, stamps)
        self._tape = Tape([memory.arrays[n] for n in memory.feeds])
        self._blas = numpy_blas()
        self._refused = np.zeros(1, np.int64)
        self._waiting = Waiting()
        self._held: list[tuple[Array, ...]] = []  # stand for temporaries: none is written
        self._begun = 0  # the instruction that the next run starts with
        self._listing: list[str] = []
        self._noted: list[tuple[Kernel, Array]] = []
        self._whole = True

    def function(
        self, name: str, groups: Sequence[Nodes], copies: Sequence[str] = (), after: str = ""
    ) -> None:
        self._once = name == "prepare"  # what runs once is not worth a kernel
        super().function(name, groups, copies, after)
        self._whole = self._whole and not copies
        if name == "commit" and self._whole and self._stamps is None:
            self._functions.append("step")
            run = self.names.bound("run", "step", self._tape.runner(0, len(self._tape)))
            self.lines += ["", f"    step = {run}  # all of the above at once"]

    def group(self, group: Nodes) -> None:
        if self._once:
            super().group(group)
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
                self._tiled(part)

    def finite(self, arrays: Sequence[Array], fed: Sequence[Array]) -> None:
        self._functions.append("finite")
        self.lines += ["", f"    def finite({self._given()}):"]
        checked = [*joined(arrays), *[a.reshape(-1) for a in fed]]
        split = append_finite(checked, self._refused, self._tape)
        self._count(CHECK, 1)
        self.lines.append(f"        return {self._runner()}({self._given()})")
        self.lines.append(f"        #   all finite?{_in_parts(split)}")

    def end(self) -> None:
        self._run()

    def _stamp(self, ended: Kernel) -> None:
        if self._stamps is None:
            return
        self._flush()  # so that each group's time is its own
        noted = append_clock(self._tape) if self._begun < len(self._tape) else None
        if noted is not None:
            self._noted.append((ended, noted))
            self.names.objects.update(stamp=self._stamps.append)
            return
        self._run()
        super()._stamp(ended)
        self.names.objects.update(now=now)

    # ---- the tape ----------------------------------------------------------------------------

    def _runner(self) -> str:
        """The name of a function that runs what has come onto the tape since the last."""
        made = self._tape.runner(self._begun, len(self._tape))
        name = self.names.bound("run", ("run", self._begun), made)
        self._begun = len(self._tape)
        return name

    def _run(self) -> None:
        """A line that runs what has come onto the tape, if anything has."""
        self._flush()
        if self._begun < len(self._tape):
            self.lines.append(f"        {self._runner()}({self._given()})")
            self._end_run()

    def _end_run(self) -> None:
        """What stands below a run: what it makes, and the stamps that it has noted."""
        self.lines += [f"        #   {line}" for line in self._listing]
        self._listing = []
        if self._noted:
            noted = self.names.bound("noted", ("noted", self._begun), self._noting())
            self.lines.append(f"        stamp({noted})")

    def _noting(self) -> Callable[[], list[Stamp]]:
        """A function that gives the stamps that the tape has made."""
        noted, self._noted = self._noted, []
        return lambda: [(ended, seconds(at)) for ended, at in noted]

    def _leave(self) -> None:
        """Python's turn: what was on the tape runs before."""
        self._run()
        self._whole = self._whole and self._once

    def _product(self, n: Node, p: Product, line: str) -> None:
        self._flush()
        assert self._blas is not None
        split = products.append(p, self._blas, self._tape)
        self._listed((n,), line, split)

    def _listed(self, nodes: Iterable[Node], line: str, split: int) -> None:
        """Notes what an instruction does, and for whom."""
        first, *_ = nodes
        ops = " + ".join(dict.fromkeys(n.op.name for n in nodes))
        self._listing.append(f"{line}{_in_parts(split)}  # {ops}")
        self._count(self.schedule.groups[first], 1)

    def _shown(self, a: Array) -> str:
        """What the text calls an array; what lies in a feed, by the feed's name."""
        return self.names.feed(a) or str(self.names.value(a))

    def _call(self, call: Call, name: Callable[[Any], str | None]) -> str | None:
        """A function has the bits of a loop where Python calls it, too."""
        ours = quick_function(call)
        return super()._call(call if ours is None else call._replace(function=ours), name)

    def _arguments(self, call: Call) -> Sequence[Any]:
        """Numbers as they are: in loops they take no time, and few calls are left to NumPy."""
        return call.arguments

    # ---- collecting --------------------------------------------------------------------------

    def _one(self, n: Node) -> None:
        """A node by itself, on its places."""
        inputs = [self.memory.arrays[i] for i in n.inputs]
        self._calls(n, inputs, self.memory.arrays[n], self.memory.scratch.get(n, ()))

    def _calls(
        self, n: Node, inputs: Sequence[Array], out: Array, scratch: tuple[Array, ...]
    ) -> None:
        """The calls of a node's kernel: each is a product, a statement, or else a line."""
        if isinstance(n.op, LabelPlaces):
            self._places(n, n.op, inputs, out)
            return
        if isinstance(n.op, Gemm) and self._gemm(n, n.op, inputs, out):
            return
        if isinstance(n.op, Axpy) and self._axpy(n, inputs, out):
            return
        op = n.op.bind(self.memory.sizes)
        if isinstance(op, DropoutMask) and out.size:
            self._flush()
            split = append_mask(op, inputs[0], out, self._tape)
            self._listed((n,), f"{self._shown(out)} = mask({self._shown(inputs[0])})", split)
            return
        if isinstance(op, ClipFactor):
            self._flush()
            split = append_clip_factor(op, inputs, out, self._tape)
            shown = ", ".join([self._shown(a) for a in inputs])
            self._listed((n,), f"{self._shown(out)} = clip_factor({shown})", split)
            return
        calls = record(op, inputs, out, scratch)
        lines = [self._call(c, self.names.value) for c in calls or ()]
        if calls is None or None in lines:
            self._leave()
            self._kernel(n, inputs, out, scratch, self.names.value, "")
            return
        found = [s and flattened(s) for s in [self._statement(n, c) for c in calls]]
        # A temporary need not be written, unless a call between the statements may read it.
        statements = [s for s in found if s is not None]
        if len(statements) == len(calls):
            self._add(Work((n,), statements, regions(scratch)))
            return
        for call, s, line in zip(calls, found, lines, strict=True):
            p = product(call) if s is None and self._blas is not None else None
            if s is not None:
                self._add(Work((n,), [s]))
            elif p is not None:
                self._product(n, p, str(line))
            else:
                self._leave()
                self.line(n, str(line))
                self._count(self.schedule.groups[n], 1)

    def _gemm(self, n: Node, op: Gemm, inputs: Sequence[Array], out: Array) -> bool:
        """Puts a product that is added to `out` on the tape, if it can be."""
        c, a, b, *scaled = inputs
        left, right = a.T if op.transpose_a else a, b.T if op.transpose_b else b
        p = matrices(left, right, out, (scaled[0], scaled[1]))
        if self._blas is None or p is None:
            return False
        if out is not c:
            copied = self._statement(n, Call(np.copyto, (out.reshape(-1), c.reshape(-1)), {}))
            if copied is None:
                return False
            self._add(Work((n,), [copied]))
        shown = ", ".join([self._shown(m) for m in inputs])
        self._product(n, p, f"gemm({shown})")
        return True

    def _axpy(self, n: Node, inputs: Sequence[Array], out: Array) -> bool:
        """Makes y + alpha x statements of loops, if it can be: these have threads of their own."""
        y, x, alpha = inputs
        calls, times = multiple(y, x, alpha, out)
        found = [s for s in [self._statement(n, c) for c in calls] if s is not None]
        if len(found) < len(calls):
            return False
        self._held.append((times,))
        self._add(Work((n,), found, regions([times])))
        return True

    def _places(self, n: Node, op: LabelPlaces, inputs: Sequence[Array], out: Array) -> None:
        """The places of the labels; where one is out of range, the op's own kernel says so."""
        starts, labels = inputs
        self._flush()
        append_places(starts, labels, op.classes, out, self._refused, self._tape)
        first, second, result = [str(self.names.value(a)) for a in (starts, labels, out)]
        self._listed((n,), f"{result} = places({first}, {second}, {op.classes})", 1)
        checked = self.names.bound("k", id(op), op.run)
        otherwise = f"{checked}({first}, {second}, out={result})"
        self.line(n, f"{self._runner()}({self._given()}) or {otherwise}")
        self._end_run()

    def _loop(self, part: Part) -> bool:
        """A tiled part as statements of one nest, its temporaries as values that stay inside."""
        if not part.tiles.others and len(part.lane[0].type.shape) == 2:
            # By rows, as the reductions beside it: a loop is not cut into tiles.
            cut = {n: self.memory.arrays[n] for n in part.cut}
            part = part._replace(cut=cut, rows=self.memory.arrays[part.lane[-1]].shape[0])
        shape = part.cut[part.lane[-1]].shape if part.lane[-1] in part.cut else ()
        held = tuple([np.empty(shape, t.dtype) for t in part.temporaries])
        statements: list[Statement] = []
        for n, inputs, out, scratch in part._replace(temporaries=held).kernels(0, part.rows):
            calls = record(n.op.bind(self.memory.sizes), inputs, out, scratch)
            if calls is None or None in [self._call(c, self.names.value) for c in calls]:
                return False
            found = [self._statement(n, c) for c in calls]
            if None in found:
                return False
            statements += [s for s in found if s is not None]
        work = Work(part.lane, statements, regions(held), together=True)
        alone = Nest(statements)
        if not alone.fits or Text(alone, work.dead).kept_dead:
            return False
        self._held.append(held)
        self._add(work)
        return True

    def _statement(self, n: Node, call: Call) -> Statement | None:
        indexed = isinstance(getattr(call.function, "__self__", None), np.ndarray)
        found = None if indexed and not n.op.row_local else statement(call)
        return found if found is not None and Nest([found]).fits else None

    def _add(self, work: Work) -> None:
        """Statements that wait for others beside which they run."""
        if self._waiting.clashes(work):
            self._flush()
        self._waiting.add(work)

    def _flush(self) -> None:
        """Puts all nests that wait on the tape."""
        for text in self._waiting.taken():
            given = ", ".join([self._shown(a) for a in text.arrays])
            self._listed(text.nest.nodes, f"loop({given})", text.append(self._tape))


def _in_parts(count: int) -> str:
    return f", in {count} parts" if count > 1 else ""
