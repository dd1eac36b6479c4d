"""The small pictures of the README: what a step takes beside its peers, and what is caught."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from verigrad.benchmarks.contenders import CONTENDERS

from .page import ROOT
from .speed import RESULTS

MATRIX: Final = ROOT / "tests" / "catch" / "README.md"
SHOWN: Final = {
    "verigrad-numba": "#1f5a99",
    "verigrad": "#7fb0e0",
    "jax": "#c9a227",
    "torch": "#c2570c",
    "pytensor": "#999999",
}
OPTIMIZER: Final = "momentum"
MOST: Final = 4.0
"""What a whole bar stands for; a longer one is cut, and its number tells."""
ROW, WIDE, LEFT, RIGHT = 15, 760, 250, 60


def speed(results: Mapping[str, Any]) -> str:
    """The time of a training step of each net, as a multiple of its matrix products alone."""
    lines: list[str] = []
    y = 34
    for case in results["training"]:
        if case["task"] != OPTIMIZER:
            continue
        name, _, sizes = case["net"].partition(" ")
        lines += [_text(8, y + 11, name, weight="bold"), _text(8, y + ROW + 11, sizes)]
        for name, color in SHOWN.items():
            ratio = case["contenders"][name]["to_floor"]
            if ratio is None:
                continue
            lines.append(_text(LEFT - 8, y + 11, CONTENDERS[name].title, anchor="end"))
            share = min(ratio, MOST) / MOST
            lines += _bar(y, share, color, f"{ratio:.2f}", cut=ratio > MOST)
            y += ROW
        y += 9
    at = LEFT + (WIDE - LEFT - RIGHT) / MOST
    lines.insert(0, f'<path d="M{at:.1f} 30V{y - 6}" stroke="#888" stroke-dasharray="3 3"/>')
    title = f"A training step with {OPTIMIZER}, in units of its matrix products: shorter is faster"
    return _svg(title, y, lines)


def caught(matrix: str) -> str:
    """How many of the planted faults each check found."""
    rows = [_cells(line) for line in matrix.splitlines() if line.startswith("| ")]
    at = next(k for k, cells in enumerate(rows) if cells[0] == "fault")
    head = rows[at]
    faults = [c for c in rows[at + 2 :] if not c[0].startswith("**") and len(c) == len(head)][1:]
    lines: list[str] = []
    y = 34
    for k, name in enumerate(head[1:], 1):
        tried = [c[k] for c in faults if c[k]]
        if not tried:
            continue
        found = sum(c != "-" for c in tried)
        color = "#1f5a99" if k == 1 else "#7fb0e0"
        lines.append(_text(LEFT - 8, y + 11, name, anchor="end"))
        lines += _bar(y, found / len(faults), color, f"{found} of {len(tried)}")
        y += ROW + 3
    title = f"{len(faults)} faults planted in copies of the compiler: how many each check finds"
    return _svg(title, y + 4, lines)


def _cells(line: str) -> list[str]:
    return [c.strip() for c in line.strip().strip("|").split("|")]


def _bar(y: int, share: float, color: str, told: str, *, cut: bool = False) -> Iterator[str]:
    width = share * (WIDE - LEFT - RIGHT)
    yield f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{ROW - 2}" fill="{color}"/>'
    if cut:
        at = LEFT + width - 14
        yield f'<path d="M{at:.1f} {y + ROW}l6 -17" stroke="white" stroke-width="3"/>'
    yield _text(LEFT + width + 5, y + 11, told)


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )


def _svg(title: str, height: int, lines: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {height}" width="{WIDE}" '
        f'height="{height}" font-family="DejaVu Sans, Helvetica, sans-serif" font-size="11" '
        f'role="img">\n<title>{escape(title)}</title>\n'
        f'<rect width="{WIDE}" height="{height}" rx="4" fill="white"/>'
    )
    return "\n".join([head, _text(8, 18, title, weight="bold"), *lines, "</svg>", ""])


def pictures() -> dict[str, str]:
    """Each picture by the name of its file."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    return {
        "speed.svg": speed(results),
        "caught.svg": caught(MATRIX.read_text(encoding="utf-8")),
    }


def write(folder: Path) -> None:
    """The pictures, which are kept with the sources: the README shows them."""
    for name, svg in pictures().items():
        (folder / "pictures").mkdir(exist_ok=True)
        (folder / "pictures" / name).write_text(svg, encoding="utf-8")
