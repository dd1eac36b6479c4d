"""What a page shows of a program, gathered as plain values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final, NamedTuple, TypeVar

from ...graph import Array, Graph, Node, RunError
from ...passes import Recompute
from ...passes.pipeline import Step
from ..certificate.certificate import Certificate
from ..planning.plan import Plan
from ..profiling.cost import PHASES, Cost
from ..profiling.report import Profile
from ..variants import Variants
from .gradients import gradient_pairs
from .lineage import counterparts, passage
from .measured import Check, Run, gradcheck_rows, history_rows, profile_rows
from .memory import plan_rows
from .nodes import gradient_rule, node_row
from .stages import Stage, stage_rows, stages_of, totals
from .values import values_of

FORMAT: Final = 1
_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")
_LIMITED: Final = "Computes results again, or in another order, to keep to the memory limit."

Data = dict[str, Any]
T = TypeVar("T")


class Told(NamedTuple):
    """What is known beside the compiled graphs, where it is: numbers of one batch with the state,
    a certificate, a run, a check, a profile."""

    arrays: Mapping[str, Array] | None = None
    certificate: Certificate | None = None
    history: Run | None = None
    gradcheck: Check | None = None
    profile: Profile | None = None


def collect(variants: Variants, sizes: Mapping[str, int], told: Told) -> Data:
    """All of a program in types that JSON has, the same values for the same program.

    `sizes` has one for each symbol of its graphs.
    """
    return _Page(variants, sizes).data(told)


class _Page:
    def __init__(self, variants: Variants, sizes: Mapping[str, int]) -> None:
        self.variants = variants
        self.sizes = sizes
        self.training: list[Stage] = []
        if variants.training is not None:
            self.training = [*stages_of("training", variants.training)]
        self.inference = [*stages_of("inference", variants.inference)]
        self.ids: dict[Node, int] = {}
        self.names: dict[Node, str] = {}
        self.notes: list[str] = []
        for stage in self.stages:
            self._number(stage.graph)
        self.plan = self._planned()

    @property
    def main(self) -> list[Stage]:
        """The stages of what `step` runs; of inference, where there is no loss."""
        return self.training or self.inference

    @property
    def stages(self) -> list[Stage]:
        return [*self.training, *self.inference]

    def data(self, told: Told) -> Data:
        certificate = told.certificate
        values = {}
        if told.arrays is not None:
            values = values_of([s.graph for s in self.stages if s.changed], told.arrays)
        return {
            "format": FORMAT,
            "verigrad": version("verigrad"),
            "graph": self.variants.declared.name,
            "options": [
                [name, _ADDRESS.sub("", repr(value))]
                for name, value in self.variants.options.changed().items()
            ],
            "sizes": dict(self.sizes),
            "notes": self.notes,
            "certificate": None if certificate is None else {
                "verdict": certificate.verdict,
                "lines": str(certificate).splitlines(),
                "found": certificate.as_dict(),
            },
            "nodes": self._nodes(),
            "stages": [self._stage(k, certificate) for k in range(len(self.stages))],
            "lineage": self._lineage(),
            "gradients": [
                [self.ids[n], self.ids[dn], self.training[k].name, k]
                for n, dn, k in gradient_pairs(self.training)
            ],
            "plan": _told(self.plan, lambda plan: plan_rows(plan, self.ids, told.profile)),
            "cost": _told(self.plan, _costs),
            "profile": _told(told.profile, profile_rows),
            "history": _told(told.history, history_rows),
            "gradcheck": _told(told.gradcheck, gradcheck_rows),
            "values": {str(self.ids[n]): row for n, row in values.items()},
        }  # fmt: skip

    def _number(self, g: Graph) -> None:
        for n in g.nodes:
            self.ids.setdefault(n, len(self.ids))
            self.names.setdefault(n, g.names[n])

    def _planned(self) -> Plan | None:
        """The plan of the step; None where there is none, which is noted. Where it runs another
        graph than was compiled, to keep to a limit, that is a stage more."""
        executable = self.variants.executable
        try:
            plan = executable.plan({s: self.sizes[s] for s in executable.graph.symbols})
        except RunError as e:
            self.notes.append(f"no plan: {e}")
            return None
        last = self.main[-1]
        same = counterparts(plan.graph.nodes, last.graph)
        if [same.get(n) for n in plan.graph.order] != [*last.graph.order]:
            again = Recompute(plan.recomputed)
            why = tuple(again.rewrites(last.graph)) if plan.recomputed else ()
            step = Step(again, 0, last.graph, plan.graph, why)
            how = "recompute", last.pipeline, plan.graph, _LIMITED, 0.0
            self.main.append(Stage(*how, step, passage(step)))
            self._number(plan.graph)
        for n, there in same.items():
            self.ids.setdefault(n, self.ids[there])
        return plan

    def _nodes(self) -> list[Data]:
        rules = self._rules()
        rows: dict[int, Data] = {}
        for n, number in self.ids.items():
            if number not in rows:
                rows[number] = node_row(n, [self.ids[i] for i in n.inputs], self.sizes)
                rows[number]["gradient"] = rules.get(n, "")
        return [rows[number] for number in range(len(rows))]

    def _rules(self) -> dict[Node, str]:
        """The gradient rules of what is there before gradients are derived."""
        found: dict[Node, str] = {}
        for stage in self.main:
            if stage.step is not None and "gradients" in stage.step.stage.gives:
                break
            for n in stage.graph.order:
                if n not in found:
                    found[n] = gradient_rule(n, stage.graph.names)
        return found

    def _stage(self, number: int, certificate: Certificate | None) -> Data:
        stage = self.stages[number]
        before = stage.step.before.nodes if stage.step is not None else ()
        added, removed = stage.difference()
        more = [
            now - then
            for now, then in zip(
                totals(stage.graph.nodes, self.sizes), totals(before, self.sizes), strict=True
            )
        ]
        graph = stage_rows(stage.graph, self.ids)
        if not stage.changed:
            same = next(k for k in range(number) if self.stages[k].graph is stage.graph)
            graph = {"same": same}
        return {
            "name": stage.name,
            "pipeline": stage.pipeline,
            "seconds": stage.seconds,
            "changed": stage.changed,
            "purpose": stage.purpose,
            **graph,
            "added": self._numbers(added),
            "removed": self._numbers(removed),
            "did": {
                **dict(zip(("nodes", "bytes", "flops"), more, strict=True)),
                "summary": stage.summary(),
            },
            "rewrites": [*self._rewrites(stage)],
            "refused": [*self._refused(stage)],
            "certificate": self._badge(number, certificate),
        }

    def _numbers(self, nodes: Iterable[Node]) -> list[int]:
        return sorted([self.ids[n] for n in nodes])

    def _rewrites(self, stage: Stage) -> Iterator[Data]:
        """What was replaced, by what where that can be told, and why."""
        for r in stage.rewrites:
            new, _ = stage.passage.rewritten.get(r.old, (None, ""))
            if r.old in self.ids:
                yield {
                    "old": self.ids[r.old],
                    "new": None if new is None else self.ids[new],
                    "reason": r.reason,
                }

    def _refused(self, stage: Stage) -> Iterator[Data]:
        for r in dict.fromkeys(stage.refused):
            n = stage.passage.carried.get(r.node, r.node)
            if n in self.ids:
                yield {"id": self.ids[n], "reason": r.reason}

    def _badge(self, number: int, certificate: Certificate | None) -> str:
        """What the certificate says of a pass that may not change what is computed."""
        stage = self.stages[number]
        main = stage.pipeline == self.main[0].pipeline
        if certificate is None or not main or stage.defines or not stage.changed:
            return ""
        if certificate.verdict != "refuted":
            return "proved" if certificate.verdict == "proved" else "skipped"
        guilty = {d.stage for d in certificate.exact.differences}
        return "refuted" if stage.name in guilty or not guilty - {""} else ""

    def _lineage(self) -> dict[str, list[list[Any]]]:
        """What became of each node: by which stage, what, why, and the number of the stage."""
        lines: dict[str, list[list[Any]]] = {}
        for number, stage in enumerate(self.stages):
            p = stage.passage
            links = [
                *[(n, new, "") for n, new in p.carried.items() if new is not n],
                *[(n, new, why) for n, (new, why) in p.rewritten.items()],
                *[(n, new, f"part of it: {why}") for n, (new, why) in p.absorbed.items()],
            ]
            for n, new, why in links:
                if self.ids[n] != self.ids[new]:
                    line = [stage.name, self.ids[new], why, number]
                    lines.setdefault(str(self.ids[n]), []).append(line)
        return lines


def _told(value: T | None, rows: Callable[[T], Data]) -> Data | None:
    """The rows of a value that is there, whatever its truth: a failed check is false."""
    return None if value is None else rows(value)


def _costs(plan: Plan) -> dict[str, list[int]]:
    cost = Cost(plan.graph, plan.sizes)
    return {phase: [*cost.phase(phase)] for phase in PHASES}
