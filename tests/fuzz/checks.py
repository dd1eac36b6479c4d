"""What must hold of every case."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from golden.runner import same_bits

import verigrad as vg
from verigrad.graph import Constant, VerigradWarning
from verigrad.graph.text.attributes import print_value
from verigrad.passes import Pass
from verigrad.runtime.execution import poison
from verigrad.runtime.execution.executable import Executable
from verigrad.runtime.planning import tiling
from verigrad.runtime.planning.interference import check_placement

from .case import Case
from .coverage import Coverage
from .outcome import Outcome
from .running import Run, different, finite
from .views import check_blocks, check_views

ONCE = {"differentiate", "attach_optimizer"}
"""Passes that are no use a second time, beside those that change the meaning."""
PARTS = ("gradients", "predict")
"""What runs beside the step and the evaluation, and is a part of one of them."""


def check(case: Case, *, exact_only: bool = False, numeric: bool = False) -> Outcome:
    """All that is found of a case, or only what the exact layer finds of it.

    `numeric`: its gradients are also compared with difference quotients.
    """
    outcome = Outcome()
    with warnings.catch_warnings(), _set_for(case):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", VerigradWarning)
        program = None
        with outcome.layer("compile"):
            program = case.compile()
            outcome.coverage = Coverage.of(program)
        if program is None:
            return outcome
        _certified(program, outcome, () if exact_only else PARTS)
        if exact_only or outcome.failures:
            return outcome
        _texts(program, outcome)
        _passes(program, outcome)
        _plans(case, program, outcome)
        run = Run(case, program, outcome)
        run.batches()
        _floats(program, outcome)
        check_blocks(case, program, outcome)
        if case.viewed:
            check_views(case, program, run, outcome)
        if case.limit:
            _limited(case, outcome)
        if numeric:
            _numeric(case, outcome)
    return outcome


@contextmanager
def _set_for(case: Case) -> Iterator[None]:
    """Groups run so many elements at a time: few enough that small graphs have remainders. Memory
    that is dead holds NaN, where the case wants it."""
    usual, tiling.TILE = tiling.TILE, case.tile
    before = os.environ.get(poison.VARIABLE, "")
    os.environ[poison.VARIABLE] = "1" if case.poisoned else before
    try:
        yield
    finally:
        tiling.TILE, os.environ[poison.VARIABLE] = usual, before


def _executables(program: vg.Program, more: Sequence[str] = PARTS) -> dict[str, Executable]:
    """What a program runs, by what it is for: training and inference, and parts of both."""
    v, found = program._variants, {"evaluate": program._variants.evaluation}
    if program.declared.loss is not None:
        found["step"] = v.executable
        if "gradients" in more:
            found["gradients"] = v.gradients
    if "predict" in more and set(program.declared.outputs) - {"loss"}:
        found["predict"] = v.prediction
    return found


def _certified(program: vg.Program, outcome: Outcome, more: Sequence[str]) -> None:
    """Each compiled graph is what was declared, exactly, and its gradients those of the loss."""
    for what, e in _executables(program, more).items():
        with outcome.layer("exact"):
            assert e.certifier is not None
            found = e.certifier.certificate
            outcome.count(f"exact: {found.exact.verdict}")
            if found.derivatives is not None:
                outcome.count(f"derivatives: {found.derivatives.verdict}")
            if found.verdict == "refuted":
                outcome.fail("exact", f"{what} is refuted\n{found}")


def _floats(program: vg.Program, outcome: Outcome) -> None:
    """Counts what the float layer came to; what it refutes is an error of a run."""
    for e in _executables(program).values():
        assert e.certifier is not None
        for f in e.certifier.certificate.floats:
            outcome.count(f"floats: {f.verdict}")


def _texts(program: vg.Program, outcome: Outcome) -> None:
    """Each stage is read back from its text."""
    with outcome.layer("text"):
        stages = [*program.stages.items(), *program.inference_stages.items()]
        for name, g in {g: (name, g) for name, g in stages}.values():
            constants = [n.op for n in g.nodes if isinstance(n.op, Constant)]
            stored = {print_value(c.value): c.value.array for c in constants}
            again = vg.parse(str(g), stored)
            if str(again) != str(g):
                outcome.fail("text", f"{name} is another text when it is read\n{g}\n{again}")
            elif [n.op for n in again.order] != [n.op for n in g.order]:
                outcome.fail("text", f"{name} has other ops when it is read\n{g}")
            vg.verify(again)


def _passes(program: vg.Program, outcome: Outcome) -> None:
    """A pass that says so keeps all bits, and nothing is left to do for it a second time."""
    options, declared = program.options, program.declared
    pipelines = [(options.inference(), declared.but(updates={}), program.inference_stages)]
    if declared.loss is not None:
        pipelines.append((options.training(), declared, program.stages))
    for pipeline, start, stages in pipelines:
        with outcome.layer("idempotent"):
            for p in pipeline:
                g = stages[p.name]
                if p.numbers == "meaning" or p.name in ONCE:
                    continue
                again = p.apply(g)
                if _unscheduled(again) != _unscheduled(g):
                    outcome.fail("idempotent", f"{p.name} does more a second time\n{g}\n{again}")
        with outcome.layer("bits"):
            for p, before, after in pipeline.steps(start):
                if after is not before and p.numbers == "nothing" and not p.defines:
                    _bits(p, before, after, outcome)


def _unscheduled(g: vg.Graph) -> str:
    """A graph as text, but for the order, of which the next best is as good."""
    return str(vg.Graph(g.name, g.outputs, updates=g.updates, inputs=g.inputs))


def _bits(p: Pass, before: vg.Graph, after: vg.Graph, outcome: Outcome) -> None:
    rng, values = np.random.default_rng(0), {}
    for g in (before, after):
        for n in (*g.inputs, *g.parameters, *g.state):
            shape = n.type.bind(dict.fromkeys(n.type.symbols, 3))
            drawn = rng.standard_normal(shape) if n.type.is_float else rng.integers(0, 1, shape)
            values.setdefault(g.names[n], np.asarray(drawn).astype(n.type.numpy))
    with np.errstate(all="ignore"):
        try:
            a = vg.interpret(before, values)
        except vg.RunError:
            return
        b = vg.interpret(after, values)
    for told in (
        *different(b.outputs, a.outputs, same_bits),
        *different({**values, **b.updates}, {**values, **a.updates}, same_bits),
    ):
        outcome.fail("bits", f"{p.name} says that it keeps all bits, but {told}")


def _plans(case: Case, program: vg.Program, outcome: Outcome) -> None:
    """No two results that must both be intact share a byte: says another than the planner."""
    for k, e in enumerate(_executables(program).values()):
        sizes = case.sizes[k % len(case.sizes)]
        with outcome.layer("plan"):
            plan = e.plan({s: sizes[s] for s in e.graph.symbols})
            check_placement(plan.graph, plan.sizes, plan.nbytes)


def _limited(case: Case, outcome: Outcome) -> None:
    """In less memory a step has the same bits, or the plan says that it takes more."""
    with outcome.layer("limit"):
        sizes, usual = case.sizes[0], case.compile(certify=False)
        symbols = usual.executable.graph.symbols
        at = {s: sizes[s] for s in symbols}
        most = usual.plan(**at).nbytes
        if most < 2:
            return
        limit = max(1, int(case.limit * most))
        tight = case.compile(certify=False, memory_limit=limit, recompute=True)
        try:
            plan = tight.plan(**at)
        except vg.RunError as e:
            outcome.count("limit: not to be kept")
            if "memory_limit" not in str(e):
                outcome.fail("limit", f"another error than that of the limit: {e}")
            return
        if plan.nbytes > limit:
            outcome.fail("limit", f"the plan takes {plan.nbytes} bytes of {limit}")
        check_placement(plan.graph, plan.sizes, plan.nbytes)
        feeds = case.feeds(sizes)
        if usual.declared.loss is None:
            return
        try:
            (loss, gradients), (other, others) = usual.gradients(feeds), tight.gradients(feeds)
        except vg.RunError:
            outcome.count("limit: not to be computed")
            return
        outcome.count("limit: kept")
        found = {"loss": np.asarray(other), **others}
        for told in different(found, {"loss": np.asarray(loss), **gradients}, same_bits):
            outcome.fail("limit", f"with recompute, {told}")


def _numeric(case: Case, outcome: Outcome) -> None:
    """The gradients are those that difference quotients give."""
    with outcome.layer("gradcheck"):
        program = case.compile(certify=False)
        if not program.parameters or program.declared.loss is None:
            return
        feeds = case.feeds(case.sizes[0])
        try:
            loss, gradients = program.gradients(feeds)
        except vg.RunError:
            return
        if not finite({"loss": np.asarray(loss), **gradients}):
            return
        report = vg.gradcheck(program, feeds)
        outcome.count(f"gradcheck: {report.verdict}")
        if not report.ok:
            outcome.fail("gradcheck", str(report))
