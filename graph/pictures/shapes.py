"""The shapes of a picture that no program lays out, as SVG: text, rectangles, lines, dots."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final, NamedTuple

from .labels import printable
from .looks import FONT, INK

SIZE: Final = 11
GRAY: Final = "#444444"
_WIDE: Final = 0.56
"""How wide a character is on average, of its height, rather too much: labels stay in place."""
_DASHED: Final = ' stroke-dasharray="3 2"'


class Box(NamedTuple):
    """A rectangle by its upper left corner, in pixels."""

    x: float
    y: float
    width: float
    height: float


def page(width: int, height: int, title: str, description: str, *parts: Iterator[str]) -> str:
    """A whole SVG on white, with what screen readers read."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{FONT}, Arial, sans-serif" '
        f'font-size="{SIZE}" fill="{INK}" role="img">',
        f"<title>{literal(title)}</title>",
        f"<desc>{literal(description)}</desc>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    return "\n".join([*lines, *(line for part in parts for line in part), "</svg>", ""])


def literal(text: str) -> str:
    """The text as an SVG shows it literally."""
    return escape(printable(text))


def told(tooltip: str, *shapes: str) -> str:
    """Shapes that show a tooltip."""
    return "\n".join(["<g>", f"<title>{literal(tooltip)}</title>", *shapes, "</g>"])


def words(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    fill: str = INK,
    size: int = SIZE,
    weight: str = "normal",
    turned: bool = False,
) -> str:
    """A line of text on a base line, which `turned` turns upright."""
    place = f'x="{x:.2f}" y="{y:.2f}"'
    if turned:
        place = f'transform="translate({x:.2f} {y:.2f}) rotate(-90)"'
    usual = {"text-anchor": "start", "fill": INK, "font-size": SIZE, "font-weight": "normal"}
    asked = {"text-anchor": anchor, "fill": fill, "font-size": size, "font-weight": weight}
    looks = "".join(f' {k}="{v}"' for k, v in asked.items() if v != usual[k])
    return f"<text {place}{looks}>{literal(text)}</text>"


def length(text: str) -> float:
    """About how long a text is, in pixels, and rather too long."""
    return SIZE * _WIDE * len(text)


def label(box: Box, name: str, below: str) -> Iterator[str]:
    """A name in the middle of a rectangle, with a second line below where there is room.

    Upright in one that is narrow; shortened where that leaves eight characters, or else left out.
    """
    turned = box.width < box.height and length(name) > box.width - 6
    along, across = (box.height, box.width) if turned else (box.width, box.height)
    room = int((along - 6) / length(" "))
    if across < SIZE + 1 or room < min(len(name), 8):
        return
    lines = [name if len(name) <= room else f"{name[: room - 1]}…"]
    if across >= 2.6 * SIZE and len(below) <= room:
        lines.append(below)
    for k, line in enumerate(lines):
        off = 4 + (k - (len(lines) - 1) / 2) * 1.2 * SIZE
        x, y = box.x + box.width / 2, box.y + box.height / 2
        x, y = (x + off, y) if turned else (x, y + off)
        yield words(x, y, line, anchor="middle", fill=GRAY if k else INK, turned=turned)


def rectangle(box: Box, fill: str, line: str, *, dashed: bool = False) -> str:
    """A rectangle, whose line is thin where it is narrow."""
    thin = min(0.8, box.width / 4, box.height)
    return (
        f'<rect x="{box.x:.2f}" y="{box.y:.2f}" width="{box.width:.2f}" '
        f'height="{box.height:.2f}" fill="{fill}" stroke="{line}" '
        f'stroke-width="{thin:.2g}"{_DASHED if dashed else ""}/>'
    )


def line(x: float, y: float, to_x: float, to_y: float, color: str, *, dashed: bool = False) -> str:
    """A straight line."""
    return (
        f'<path d="M{x:.2f} {y:.2f}L{to_x:.2f} {to_y:.2f}" stroke="{color}" '
        f'stroke-width="0.8"{_DASHED if dashed else ""}/>'
    )


def dot(x: float, y: float, radius: float = 2.5) -> str:
    """A filled circle."""
    return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius:.2g}"/>'


def ticks(end: float, most: int) -> list[int]:
    """Whole numbers from 0 to the end: ones, twos or fives of a power of ten apart."""
    step = 1
    while end / step > most:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return [k * step for k in range(int(end / step) + 1)]
