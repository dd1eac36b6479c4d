"""What was found of a compiled graph, and the error where it is not what was declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ...graph import RefutedError
from ...graph.notebook import Table, as_html, page
from ..planning.interference import Placement
from .derivatives import Derivatives
from .exact import Exact
from .floats import Floats

_SHOWN: Final = 6
"""So many skipped tensors are listed."""


class Certificate(NamedTuple):
    """That a compiled graph computes what was declared, as far as it could be checked.

    `exact` compares it with the declared graph under the passes that define a meaning, and
    `derivatives` its gradients with derivatives along a direction: None where it has none.
    For each plan (of a batch size) that has run, `placements` says that it keeps all that it must,
    and `floats` how the step's own numbers compare with those of the interpreter in f64.
    """

    graph_name: str
    exact: Exact
    derivatives: Derivatives | None = None
    placements: tuple[Placement, ...] = ()
    floats: tuple[Floats, ...] = ()

    @property
    def verdict(self) -> str:
        """proved, partly skipped or refuted: of what is exact."""
        verdicts = {self.exact.verdict, self.derivatives.verdict if self.derivatives else "proved"}
        if "refuted" in verdicts:
            return "refuted"
        return "proved" if verdicts == {"proved"} else "partly skipped"

    @property
    def seconds(self) -> float:
        """How long it took to make."""
        exact = self.exact.seconds + (self.derivatives.seconds if self.derivatives else 0.0)
        return exact + sum(p.seconds for p in self.placements) + sum(f.seconds for f in self.floats)

    @property
    def line(self) -> str:
        """All of it in one line."""
        parts = [f"{self.exact.compared} tensors as declared"]
        if self.derivatives is not None:
            parts.append(f"gradients {self.derivatives.verdict}")
        if checked := [f for f in self.floats if f.verdict == "within bounds"]:
            worst = max(f.ratio for f in checked)
            sizes = (
                " and ".join([f.at for f in checked])
                if len(checked) < 3
                else f"{len(checked)} sizes"
            )
            parts.append(f"numbers within {worst:.2g} of their bounds at {sizes}")
        skipped = len(self.floats) - len(checked)
        parts += [f"{skipped} sizes skipped"] if skipped else []
        return f"certificate: {self.verdict} ({', '.join(parts)}), {1e3 * self.seconds:.0f} ms"

    def as_dict(self) -> dict[str, Any]:
        """What was found of the graph, in types that JSON has. What was found of plans is another
        thing on another machine, and so is the time."""
        e, d = self.exact, self.derivatives
        return {
            "verdict": self.verdict,
            "compared": e.compared,
            "skipped": list(e.skipped),
            "differences": [str(one) for one in e.differences],
            "chance": e.chance,
            "derivatives": None if d is None else d.verdict,
            "reason": "" if d is None else d.reason,
        }

    def check(self) -> None:
        """Raises RefutedError where anything was refuted."""
        if self.verdict != "refuted":
            return
        faults = [str(d) for d in self.exact.differences]
        if self.derivatives is not None and self.derivatives.verdict == "refuted":
            faults.append(f"the gradients are not those of the loss: {self.derivatives.reason}")
        stages = [d.stage for d in self.exact.differences if d.stage]
        fix = (
            f"leave the pass out, pipeline.without({stages[0]!r}), or mend it; one that is to "
            "change what is computed, or that uses a law of exp, log or a maximum, says so: "
            "defining = True"
            if stages
            else "mend the op or the pass that is named"
        )
        listed = "\n  ".join(faults[:_SHOWN])
        raise RefutedError(
            f"graph {self.graph_name}: what was compiled is not what was declared\n  {listed}"
            f"\n  fix: {fix}; certify=False runs it as it is"
        )

    @property
    def _title(self) -> str:
        return f"certificate of {self.graph_name}: {self.verdict}, in {1e3 * self.seconds:.0f} ms"

    def _findings(self) -> Iterator[tuple[str, str]]:
        """What was found, each with its layer; with none what belongs to the line before."""
        e, d = self.exact, self.derivatives
        yield (
            "exact",
            f"{e.verdict}: {e.compared} tensors equal those declared, modulo two "
            f"primes; one that differs is missed with a chance of {e.chance:.0e}",
        )
        yield from [("", f"skipped: {why}") for why in e.skipped[:_SHOWN]]
        if len(e.skipped) > _SHOWN:
            yield "", f"and {len(e.skipped) - _SHOWN} more"
        yield from [("", str(difference)) for difference in e.differences[:_SHOWN]]
        if d is not None:
            yield "derivatives", d.verdict + (f": {d.reason}" if d.reason else "")
        for layer, checks in {"plan": self.placements, "floats": self.floats}.items():
            yield from [(layer, str(check)) for check in checks[:_SHOWN]]
            if len(checks) > _SHOWN:
                yield "", f"and {len(checks) - _SHOWN} more sizes"

    def __str__(self) -> str:
        lines = [
            f"  {layer:<12} {text}" if layer else f"    {text}" for layer, text in self._findings()
        ]
        return "\n".join([self._title, *lines])

    @as_html
    def _repr_mimebundle_(self) -> str:
        return page(self._title, Table(("layer", "found"), self._findings()))

    def __repr__(self) -> str:
        return str(self)
