"""What a notebook shows of a value: always its text, and a table or a picture where it can."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

_MOST: Final = 200
"""So many rows of a table are shown; the text has all."""
_NUMBER: Final = re.compile(r"[-+.#]?\d|(-|nan|-?inf)?$")
_STYLE: Final = """<style>
.verigrad {max-width: 100%; max-height: 36em; overflow: auto}
.verigrad table {margin: 0.4em 0; border-collapse: collapse; font-variant-numeric: tabular-nums}
.verigrad table td, .verigrad table th {
  text-align: right; vertical-align: top; padding: 0.1em 0.6em; white-space: nowrap;
  background: linear-gradient(#4285f459, #4285f459) no-repeat 0 / 0;
}
.verigrad table td.text, .verigrad table th.text {text-align: left; white-space: pre-wrap}
</style>"""
"""In colours that are read on light and on dark."""
_ROOT: Final = re.compile(r"<svg\b[^>]*>")
_SIZE: Final = re.compile(r'\s(width|height)="([\d.]+)(pt|px)?"')
_PIXELS: Final = {"pt": 4 / 3}
"""Of a unit; a number without one counts them."""
_WIDEST: Final = 800
"""Pixels that a cell of a notebook has on a small screen."""
_FITTING: Final = "max-width:100%;height:auto;background:#ffffff"


class Bar(NamedTuple):
    """A number in a cell, and the share of the cell's width, up to 1, that is coloured."""

    text: str
    share: float


class Table(NamedTuple):
    """Columns by their heads, and rows of as many cells; whole numbers are told in thousands."""

    heads: Sequence[str]
    rows: Iterable[Sequence[str | int | Bar]]


def as_html(make: Callable[[Any], str]) -> Callable[..., dict[str, str]]:
    """Makes a method that gives HTML a class's `_repr_mimebundle_`: the text and the HTML."""
    return _shown("text/html", make)


def as_svg(make: Callable[[Any], str | None]) -> Callable[..., dict[str, str]]:
    """The same of a method that gives a picture, or None where nothing can draw it."""
    return _shown("image/svg+xml", make)


def _shown(mime: str, make: Callable[[Any], str | None]) -> Callable[..., dict[str, str]]:
    def _repr_mimebundle_(
        self: Any, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        shown = {"text/plain": str(self)}
        if mime not in (shown_types() or [mime]):  # a terminal's IPython shows text alone
            return shown
        made = make(self)
        if made is not None:
            shown[mime] = _fitting(made) if mime == "image/svg+xml" else made
        return shown

    return _repr_mimebundle_


def shown_types() -> Sequence[str] | None:
    """The MIME types that IPython shows here; None where it does not run."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return None if shell is None else list(shell.display_formatter.active_types)


def page(title: str, *tables: Table, notes: Iterable[str] = ()) -> str:
    """HTML of a title, tables and lines of text below, in the colours of the page around it."""
    from html import escape

    parts = [f"<b>{escape(title)}</b>", *map(_table, tables)]
    parts += [f"<div>{escape(note.strip())}</div>" for note in notes]
    return f'<div class="verigrad">{_STYLE}{"".join(parts)}</div>'


def _table(table: Table) -> str:
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    columns = [[row[k].text for row in rows] for k in range(len(table.heads))]
    texts = [not all(map(_NUMBER.match, column)) for column in columns]
    heads = [Bar(head, 0.0) for head in table.heads]
    body = [_row(row, texts) for row in rows[:_MOST]]
    if len(rows) > _MOST:
        rest = f"and {len(rows) - _MOST:,} more; print it to read all"
        body.append(f'<tr><td class="text" colspan="{len(heads)}">{rest}</td></tr>')
    head = _row(heads, texts, "th")
    return f"<table><thead>{head}</thead><tbody>{''.join(body)}</tbody></table>"


def _row(cells: Sequence[Bar], texts: Sequence[bool], tag: str = "td") -> str:
    from html import escape

    shown = [
        f"<{tag}{' class=text' * is_text}{_bar(cell.share)}>{escape(cell.text)}</{tag}>"
        for cell, is_text in zip(cells, texts, strict=True)
    ]
    return f"<tr>{''.join(shown)}</tr>"


def _cell(value: str | int | Bar) -> Bar:
    if isinstance(value, Bar):
        return value
    return Bar(value if isinstance(value, str) else f"{value:,}", 0.0)


def _bar(share: float) -> str:
    return f" style=background-size:{100 * min(share, 1.0):.0f}%" if share > 0 else ""


def _fitting(svg: str) -> str:
    """The picture no wider than a cell, whether it is put into a page or loaded as an image.

    An image has the size that its root says, and no style of the page around it makes it smaller.
    """
    root = _ROOT.search(svg)
    found = _SIZE.findall(root[0]) if root is not None else []
    pixels = {side: float(number) * _PIXELS.get(unit, 1.0) for side, number, unit in found}
    if root is None or len(pixels) < 2:
        return svg
    scale = min(1.0, _WIDEST / pixels["width"])
    wide, high = [f"{scale * pixels[side]:.0f}" for side in ("width", "height")]
    fitted = f'<svg width="{wide}" height="{high}" style="{_FITTING}"'
    return svg.replace(root[0], fitted + _SIZE.sub("", root[0].removeprefix("<svg")), 1)
