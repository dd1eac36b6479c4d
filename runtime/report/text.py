"""The report as text, to be compared with that of another program: no times, no folders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .data import Data


def as_text(data: Data) -> str:
    """What the page tells, line by line; the same text for the same program and numbers."""
    return _Text(data).text()


class _Text:
    def __init__(self, data: Data) -> None:
        self.data = data
        self.names: dict[int, str] = {}
        """The name of each node where it first stands."""
        for stage in data["stages"]:
            for n in stage.get("nodes", ()):
                self.names.setdefault(n["id"], n["name"])

    def text(self) -> str:
        blocks = [
            self._head(),
            *map(self._stage, self.data["stages"]),
            self._memory(),
            self._values(),
            self._history(),
            iter((self.data["gradcheck"] or {}).get("lines", ())),
        ]
        return "\n\n".join("\n".join(lines) for lines in map(list, blocks) if lines) + "\n"

    def _head(self) -> Iterator[str]:
        d = self.data
        sizes = ", ".join(f"{s}={n}" for s, n in d["sizes"].items())
        yield f"report of {d['graph']}, {sizes or 'fixed sizes'}; verigrad {d['verigrad']}"
        yield from (f"  {name} = {value}" for name, value in d["options"])
        if d["certificate"] is not None:
            found = d["certificate"]["found"]
            yield f"  certificate: {d['certificate']['verdict']}"
            yield from (f"    {difference}" for difference in found["differences"])
            yield from (f"    skipped: {tensor}" for tensor in found["skipped"])
        yield from (f"  {note}" for note in d["notes"])

    def _stage(self, stage: Data) -> Iterator[str]:
        """What a pass did and left, and the graph after it where it is another one."""
        yield f"{stage['pipeline']}, {stage['name']}: {stage['did']['summary']}"
        for r in stage["rewrites"]:
            became = f" -> %{self.names[r['new']]}" if r["new"] is not None else ""
            yield f"  %{self.names[r['old']]}{became}: {r['reason']}"
        for r in stage["refused"]:
            yield f"  - %{self.names[r['id']]}: {r['reason']}"
        if stage["changed"]:
            yield f"  {stage['header']}"
            yield from (f"    {n['statement']}" for n in stage["nodes"])
            yield from (f"  {line}" for line in stage["footer"])

    def _memory(self) -> Iterator[str]:
        plan = self.data["plan"]
        if plan is None:
            return
        peak = plan["peak"]
        yield (
            f"memory: {plan['bytes']:,} bytes, {plan['unplanned']:,} unplanned; most are in use at "
            f"call {peak['call']}: {peak['bytes']:,}"
        )
        for phase, (flops, nbytes) in self.data["cost"].items():
            yield f"  {phase:<8} {flops:>15,} flops {nbytes:>14,} bytes moved"
        yield f"  {'offset':>12} {'bytes':>12}  {'calls':<11} holds"
        for b in plan["buffers"]:
            held = ", ".join([self.names[n] for n in b["nodes"]])
            label = f"scratch of {held}" if b["scratch"] else held
            calls = f"{b['first']}-{b['last']}"
            yield f"  {b['offset']:>12,} {b['size']:>12,}  {calls:<11} {label}"

    def _values(self) -> Iterator[str]:
        """The values where gradients are derived; of the last stage, where none are."""
        if not self.data["values"]:
            return
        stages, gradients = self.data["stages"], self.data["gradients"]
        of_main = [s for s in stages if s["pipeline"] == stages[0]["pipeline"] and "nodes" in s]
        stage = stages[gradients[0][3]] if gradients else of_main[-1]
        wide = max([len(n["name"]) for n in stage["nodes"]], default=0)
        columns = ("least", "most", "mean", "deviation", "zeros")
        yield f"values of one batch, after {stage['name']}"
        yield f"  {'node':<{wide}} {' '.join(f'{column:>12}' for column in columns)}"
        for n in stage["nodes"]:
            value = self.data["values"].get(str(n["id"]))
            if value is not None:
                cells = " ".join([_cell(value[column]) for column in columns])
                mark = "" if value["finite"] else "  not all finite"
                yield f"  {n['name']:<{wide}} {cells}{mark}"

    def _history(self) -> Iterator[str]:
        history = self.data["history"]
        if history is None:
            return
        losses = history["loss"]
        yield f"history: {len(losses)} losses, each of {history['every']} steps"
        yield from (f"  {name:<14} {_cell(losses[k])}" for k, name in _ENDS if losses)
        for name in ("validation", "accuracy", "train_accuracy"):
            for step, value in history[name]:
                yield f"  {name:<14} {_cell(value)} after step {step:,}"


_ENDS = ((0, "first loss"), (-1, "last loss"))


def _cell(value: Any) -> str:
    return f"{'-' if value is None else format(value, '.6g'):>12}"
