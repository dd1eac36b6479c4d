"""The page that tells how exact the ops are: a row an op, a column a dtype and backend."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import version

from .measure import Measured

HEAD = """# How exact the ops are

The largest error found of each op, by dtype and backend, in units in the last place (a result
that is rounded once is off by 0.5 at most), beside the exact value that mpmath gives in 140 bits.
Written by `make accuracy`; the tests hold each op below its bound, on fewer numbers.

- Functions of one tensor, and their slopes as `vg.grad` gives them, are tried on numbers of either
  sign from all binades, subnormal ones and the largest among them, on neighbours of 0.5, 1, 2 and
  of each place where a formula changes, on halves and on squares. Where a function is a difference
  that nothing can save, its op's docstring says what the units are of.
- Where a result is a sum, as of a product of matrices or a loss, the units are of the sum of the
  sizes of what is added: no more is left of terms that cancel.
- All other ops declare, move, choose, compare or count, and round nothing.
"""


def report(found: Iterable[Measured]) -> str:
    """The page of these results."""
    rows: dict[str, dict[str, Measured]] = {}
    for m in found:
        rows.setdefault(m.name, {})[f"{m.dtype} {m.backend}"] = m
    columns = list({key: None for row in rows.values() for key in row})
    lines = [
        f"| op | bound | {' | '.join(columns)} | numbers tried |",
        f"| --- | --: {'| --: ' * len(columns)}| --: |",
    ]
    for name, row in rows.items():
        cells = [_cell(row.get(key)) for key in columns]
        tried = sum(m.worst.tried for m in row.values())
        bound = next(iter(row.values())).bound
        lines.append(f"| {name} | {bound:g} | {' | '.join(cells)} | {tried:,} |")
    beyond = [m for row in rows.values() for m in row.values() if not m.worst.units <= m.bound]
    worst = [
        f"- {m.name}, {m.dtype}, {m.backend} is beyond its bound: {m.worst.at}" for m in beyond
    ]
    made = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "mpmath"))
    return "\n".join([HEAD, *lines, "", *worst, f"Made with {made} on {platform.machine()}.", ""])


def _cell(m: Measured | None) -> str:
    if m is None:
        return ""
    text = f"{m.worst.units:.2f}"
    return text if m.worst.units <= m.bound else f"**{text}**"
