"""A memory plan and its kernel calls, by the numbers that nodes have on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...graph import Node, kernel_groups, roles
from ..planning.plan import Plan
from ..profiling.report import KernelRow, Profile


def plan_rows(plan: Plan, ids: Mapping[Node, int], profile: Profile | None) -> dict[str, Any]:
    """The buffers and the calls of a plan. At the peak most bytes are in use, by the buffers whose
    calls it lies between."""
    named = plan.graph.named
    kernels = {k.key: k for k in profile.kernels} if profile is not None else {}
    calls = _calls(plan, ids, kernels)
    in_use = {
        call["number"]: sum(b.nbytes for b in plan.buffers if b.first <= call["number"] <= b.last)
        for call in calls
    }
    peak = max(in_use, key=lambda k: in_use[k], default=0)
    return {
        "bytes": plan.nbytes,
        "unplanned": plan.unplanned_nbytes,
        "state": plan.state_nbytes,
        "limit": plan.limit,
        "recomputed": [ids[named[name]] for name in plan.recomputed if name in named],
        "peak": {"call": peak, "bytes": in_use.get(peak, 0)},
        "calls": calls,
        "buffers": _buffers(plan, ids),
    }


def _calls(
    plan: Plan, ids: Mapping[Node, int], kernels: Mapping[Any, KernelRow]
) -> list[dict[str, Any]]:
    g, s = plan.graph, plan.graph.schedule
    assert s is not None
    role = roles(g)
    calls = []
    for group in kernel_groups(s):
        number = s.groups[group[0]]
        row = kernels.get(number)
        ops = " + ".join(dict.fromkeys(n.op.name for n in group))
        calls.append({
            "number": number,
            "nodes": [ids[n] for n in group],
            "part": role[group[-1]],
            "predicted": row.predicted if row is not None else None,
            "measured": row.measured if row is not None else None,
            "text": f"{ops} {', '.join([g.names[n] for n in group])}",
        })  # fmt: skip
    return calls


def _buffers(plan: Plan, ids: Mapping[Node, int]) -> list[dict[str, Any]]:
    g, s = plan.graph, plan.graph.schedule
    assert s is not None
    buffers = []
    for b in plan.buffers:
        held = [g[name] for name in b.holds if name in g.named]
        label = b.holds[0]
        scratch = not held
        of = label.removeprefix("scratch of ")
        nodes = held or ([g[of]] if of in g.named else [])
        taken = s.takeovers.get(held[-1]) if held else None
        buffers.append({
            "offset": b.offset,
            "size": b.nbytes,
            "first": b.first,
            "last": b.last,
            "nodes": [ids[n] for n in nodes],
            "takes_over": ids[taken] if taken is not None else None,
            "scratch": scratch,
        })  # fmt: skip
    return buffers
