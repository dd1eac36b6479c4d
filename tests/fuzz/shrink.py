"""Makes a failing case small: whatever can go goes, as long as the same failure stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import verigrad as vg
from verigrad.runtime.bisection.shrinking import shrunk as smallest

from .case import Case
from .checks import check
from .outcome import Failure

SECONDS = 30.0


def shrunk(case: Case, failure: Failure, *, seconds: float = SECONDS, **how: bool) -> Case:
    """The smallest case that is found with a failure of that kind, in so many seconds."""
    end = time.monotonic() + seconds

    def fails(smaller: Case) -> bool:
        return any(f.kind == failure.kind for f in check(smaller, **how).failures)

    case = _plainest(case, fails, end)
    left = max(end - time.monotonic(), 0.0)
    return case._replace(graph=smallest(case.graph, lambda g: fails(case._replace(graph=g)), left))


def _plainest(case: Case, fails: Callable[[Case], bool], end: float) -> Case:
    """The case with the usual options, where the failure needs no others."""
    for change in [*_changes(case)]:
        if time.monotonic() < end and fails(case._replace(**change(case))):
            case = case._replace(**change(case))
    return case


def _changes(case: Case) -> Iterator[Callable[[Case], dict[str, Any]]]:
    """What makes a case plainer, one thing at a time."""
    plain = {
        "optimizer": None, "regularizer": None, "clip": None, "dropout": None, "threads": 1,
        "dtype": "f32", "pipeline": vg.TRAINING, "inference_pipeline": vg.INFERENCE, "seed": 0,
    }  # fmt: skip
    for k, value in plain.items():
        if case.options.get(k, value) != value:
            yield lambda c, k=k, value=value: {"options": {**c.options, k: value}}
    for sizes in case.sizes:
        yield lambda c, sizes=sizes: {"sizes": (sizes,)} if sizes in c.sizes else {}
    usual = Case(0, case.graph, {}, ())
    for field in ("tile", "poisoned", "viewed", "limit"):
        if getattr(case, field) != getattr(usual, field):
            yield lambda c, field=field: {field: getattr(usual, field)}
