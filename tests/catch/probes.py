"""One layer of the certificate by itself, on all subjects: `python -m catch.probes LAYER BACKEND`.

Each ends with an error where its layer finds a fault. The layers are those that any run has, one
at a time: what a run would report first hides what the others would have found.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np

import verigrad as vg
from catch.subjects import Subject, subjects
from verigrad.runtime.certificate.certifier import Certifier
from verigrad.runtime.planning.interference import check_placement


class UncaughtError(Exception):
    """What a layer found."""


def verifier(subject: Subject, backend: str) -> None:
    """Every stage is verified, and the plan of every size."""
    program = subject.program(certify=False)
    for g in [*program.stages.values(), program.inference]:
        vg.verify(g)
    for rows in subject.rows:
        program.plan(N=rows)


def exact(subject: Subject, backend: str) -> None:
    """Training, inference and the gradients, in numbers modulo a prime, and derivatives."""
    variants = subject.program()._variants
    for executable in (variants.executable, variants.evaluation, variants.gradients):
        executable.certifier.check_graph()
        if executable.certifier.certificate.exact.skipped:
            raise UncaughtError(str(executable.certifier.certificate))


def floats(subject: Subject, backend: str) -> None:
    """A step and an evaluation of every size, beside their meaning in f64."""
    program = subject.program(backend=backend)
    for rows in subject.rows:
        feeds = subject.feeds(rows)
        program.step(feeds)
        program.evaluate(feeds)


def plans(subject: Subject, backend: str) -> None:
    """The plans of every size, proved from the interference graph of their values."""
    program = subject.program(certify=False)
    for rows in subject.rows:
        plan = program.plan(N=rows)
        check_placement(plan.graph, plan.sizes, plan.nbytes)


def gradcheck(subject: Subject, backend: str) -> None:
    """The numeric check that a user would ask for."""
    options: dict[str, Any] = {
        k: v for k, v in subject.options.items() if k in ("regularizer", "dropout")
    }
    feeds = {
        k: a.astype(np.float64) if a.dtype.kind == "f" else a
        for k, a in subject.feeds(min(subject.rows[-1] + 1, 6)).items()
    }
    report = vg.gradcheck(subject.net, feeds, entries=20, **options)
    if report.verdict == "FAIL":
        raise UncaughtError(str(report))


LAYERS: Final[dict[str, Callable[[Subject, str], None]]] = {
    "verifier": verifier,
    "exact": exact,
    "floats": floats,
    "plans": plans,
    "gradcheck": gradcheck,
}


def with_floats_alone() -> None:
    """Lets what another layer would refute come to its first step."""
    Certifier.check_graph = lambda self: None  # type: ignore[method-assign]
    Certifier.check_placement = lambda self, plan: None  # type: ignore[method-assign]


if __name__ == "__main__":
    layer, *others = sys.argv[1:]
    if layer == "floats":
        with_floats_alone()
    for one in subjects():
        LAYERS[layer](one, *others or ("numpy",))
