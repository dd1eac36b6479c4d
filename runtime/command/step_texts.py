"""What is told of a pass that has run: what it changed, why, and how long it took."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from difflib import unified_diff
from typing import Final

import click

from ...passes import Pass
from ..bisection.steps import Step

_COLORS: Final = {"+": "green", "-": "red", "@": "cyan"}


def changes(step: Step) -> str:
    """The statements that a pass took away and added; in colour, which goes where none can be."""
    name = step.one.name
    lines = unified_diff(
        str(step.before).splitlines(),
        str(step.after).splitlines(),
        f"before {name}",
        f"after {name}",
        n=0,
        lineterm="",
    )
    return "\n".join([click.style(line, fg=_COLORS.get(line[:1])) for line in lines])


def reasons(step: Step) -> Iterator[str]:
    """A line for each node that was rewritten or left."""
    for record in step.records:
        yield str(record)


def pass_list() -> Iterator[str]:
    """A line for each pass that is defined: its name, and the first line that is said of it."""
    kinds = Pass.kinds()
    width = max(map(len, kinds))
    for name, kind in sorted(kinds.items()):
        first = (inspect.getdoc(kind) or "").partition("\n")[0]
        yield f"{name:<{width}}  {first}".rstrip()


def time_table(steps: Iterable[Step]) -> str:
    """A row for each pass: its seconds, how often it ran, and nodes before and after it."""
    passes: dict[str, list[Step]] = {}
    for step in steps:
        passes.setdefault(step.one.name, []).append(step)
    width = max([len("pass"), *map(len, passes)])
    lines = [f"{'pass':<{width}}  seconds  runs  nodes"]
    for name, ran in passes.items():
        seconds = sum(s.seconds for s in ran)
        nodes = f"{len(ran[0].before.order)} -> {len(ran[-1].after.order)}"
        lines.append(f"{name:<{width}}  {seconds:7.4f}  {len(ran):4}  {nodes}")
    total = sum(s.seconds for ran in passes.values() for s in ran)
    return "\n".join([*lines, f"{'total':<{width}}  {total:7.4f}"])
