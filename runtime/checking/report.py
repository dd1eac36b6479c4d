"""What a gradient check found: a row for each parameter, the verdict, and whose fault it is."""

from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

from ...graph.notebook import Table, as_html, page
from ..certificate.derivatives import Derivatives
from .entries import FAIL, INCONCLUSIVE, PASS, place


class ParameterRow(NamedTuple):
    """One parameter's result: its worst entry, where that is, and the step that was used there."""

    name: str
    error: float
    relative_to: str
    """What the error is measured by: a is the symbolic derivative, n the numeric one."""
    where: tuple[int, ...]
    symbolic: float
    numeric: float
    step: float
    checked: int
    size: int
    verdict: str = PASS
    numeric_error: float = 0.0
    """By how much the numeric derivative may itself be off."""
    failed: int = 0
    inconclusive: int = 0
    kinks: int = 0
    """How many entries were checked on one side of a kink."""
    kink: str = ""
    """The kink of the worst of those entries, in words."""
    at_kink: bool = False
    """Whether the worst entry of all is one of them."""
    singular: str = ""
    """The node that has no finite slope there, in words."""


class GradcheckReport:
    """The rows of a gradient check, and the verdict; true where every parameter passed.

    PASS: every entry agrees. FAIL: one differs by more than the tolerance, and by clearly more
    than the numeric derivative's own estimated error; `faults` says whose fault it is.
    INCONCLUSIVE: none is shown to be wrong, but one cannot be shown to be right, for the numeric
    derivative is not exact enough there (rounding in a large loss, a kink exactly at the values,
    or an op without a finite slope there, as sqrt at 0); then check at other values. Nodes are
    then still asked one by one, and a wrong one is a FAIL.
    """

    def __init__(
        self,
        graph_name: str,
        rows: tuple[ParameterRow, ...],
        tolerance: float,
        faults: tuple[str, ...] = (),
        exact: Derivatives | None = None,
    ) -> None:
        self.graph_name = graph_name
        self.rows = rows
        self.tolerance = tolerance
        self.faults = faults
        self.exact = exact
        """What is found without rounding; see `runtime/certificate/derivatives.py`."""

    @property
    def max_relative_error(self) -> float:
        """The largest error of all parameters."""
        return max((r.error for r in self.rows), default=0.0)

    @property
    def verdict(self) -> str:
        """PASS, FAIL or INCONCLUSIVE."""
        verdicts = {r.verdict for r in self.rows}
        if (
            FAIL in verdicts
            or self.faults
            or (self.exact is not None and self.exact.verdict == "refuted")
            or (INCONCLUSIVE not in verdicts and self.max_relative_error > self.tolerance)
        ):
            return FAIL
        return INCONCLUSIVE if INCONCLUSIVE in verdicts else PASS

    @property
    def ok(self) -> bool:
        """Whether everything passed: false where it failed, and where it is inconclusive."""
        return self.verdict == PASS

    def __bool__(self) -> bool:
        return self.ok

    def as_dict(self) -> dict[str, Any]:
        """All that the table shows, in types that JSON has: no number stands for one not finite."""

        def plain(value: Any) -> Any:
            return None if isinstance(value, float) and not isfinite(value) else value

        rows = [{k: plain(v) for k, v in r._asdict().items()} for r in self.rows]
        return {
            "graph": self.graph_name,
            "verdict": self.verdict,
            "max_relative_error": plain(self.max_relative_error),
            "tolerance": self.tolerance,
            "faults": list(self.faults),
            "exact": None if self.exact is None else self.exact.verdict,
            "parameters": rows,
        }

    def __str__(self) -> str:
        width = max([len(r.name) for r in self.rows] + [9])
        lines = [
            self._title,
            f"  {'parameter':<{width}} {'max error':>10}  {'relative to':<13} {'at':<12} "
            f"{'symbolic':>13} {'numeric':>13} {'step':>9}  checked",
        ]
        lines += [_line(r, width) for r in self.rows]
        return "\n".join([*lines, *self._notes()])

    @property
    def _title(self) -> str:
        return f"gradient check of {self.graph_name}, in f64"

    def _notes(self) -> list[str]:
        """What is said below the rows."""
        worst = f"largest error {self.max_relative_error:.2e}, allowed {self.tolerance:.0e}"
        lines = [f"  {self.verdict}: {worst}"]
        if self.exact is not None:
            reason = f": {self.exact.reason}" if self.exact.reason else ""
            lines.append(f"  exact: {self.exact.verdict}{reason}")
        for r in self.rows:
            if r.kink:
                lines.append(f"    kinks: {_entries(r.kinks)} of %{r.name}, e.g. {r.kink}")
            if r.verdict == INCONCLUSIVE:
                why = f"the numeric derivative may itself be off by {r.numeric_error:.1e}"
                why = "no side of the kink tells" if r.at_kink else why
                why = r.singular or why
                lines.append(f"    inconclusive: %{r.name} at {place(r.where)}: {why}")
        return lines + [f"    guilty: {fault}" for fault in self.faults]

    __repr__ = __str__

    @as_html
    def _repr_mimebundle_(self) -> str:
        rows = [
            (
                r.name,
                r.verdict,
                f"{r.error:.2e}",
                r.relative_to,
                place(r.where),
                f"{r.symbolic:.6e}",
                f"{r.numeric:.6e}",
                f"{r.step:.2e}",
                _checked(r),
            )
            for r in self.rows
        ]
        heads = (
            "parameter", "verdict", "max error", "relative to", "at", "symbolic", "numeric",
            "step", "checked",
        )  # fmt: skip
        return page(self._title, Table(heads, rows), notes=self._notes())


def _checked(r: ParameterRow) -> str:
    """How many entries were checked, and what of them is not right."""
    counts = [f"{r.failed} wrong"] * (r.failed > 0)
    counts += [f"{r.inconclusive} open"] * (r.inconclusive > 0)
    counts += [f"{r.kinks} at kinks"] * (r.kinks > 0)
    listed = f" ({', '.join(counts)})" if counts else ""
    return f"{r.checked} of {r.size}{listed}"


def _line(r: ParameterRow, width: int) -> str:
    mark = "" if r.verdict == PASS else f"  <- {r.verdict}"
    return (
        f"  {r.name:<{width}} {r.error:>10.2e}  {r.relative_to:<13} {place(r.where):<12} "
        f"{r.symbolic:>13.6e} {r.numeric:>13.6e} {r.step:>9.2e}  "
        f"{_checked(r)}{mark}"
    )


def _entries(count: int) -> str:
    return f"{count} entr{'y' if count == 1 else 'ies'}"
