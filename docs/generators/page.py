"""What generated pages share: writing them, drawing graphs for them, and source as text."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final, Protocol

from pygments.lexers import find_lexer_class_by_name
from pygments.util import ClassNotFound

ROOT: Final = Path(__file__).parent.parent.parent
WRITTEN: Final = "<!-- Written by docs/generators. -->\n"


def write_page(path: Path, *parts: str) -> None:
    """Writes a page, where it is another one: what stays needs no reading again."""
    text = "\n\n".join(p.strip("\n") for p in (WRITTEN, *parts) if p) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def ir_lexer() -> str:
    """The language of graphs as text, where Pygments knows it."""
    try:
        find_lexer_class_by_name("verigrad-ir")
    except ClassNotFound:
        return "text"
    return "verigrad-ir"


def ir(text: str) -> str:
    """A graph as a block of text."""
    return fenced(text, ir_lexer())


def fenced(text: str, language: str = "text") -> str:
    """A block of text as it stands."""
    return f"```{language}\n{text.strip(chr(10))}\n```"


def source(member: object) -> str:
    """The source of a function or class, at the margin."""
    return textwrap.dedent(inspect.getsource(member))  # type: ignore[arg-type]


def folded(title: str, *parts: str) -> str:
    """Parts that are shown when their title is clicked."""
    inside = "\n\n".join(parts)
    shown = re.sub(r"`(.+?)`", r"<code>\1</code>", escape(title))
    return f"<details><summary>{shown}</summary>\n\n{inside}\n\n</details>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text; a bar within a cell stays one."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )


class Drawable(Protocol):
    """A graph, or what two of them differ in."""

    def to_dot(self) -> str: ...

    def to_svg(self, path: Path, /) -> object: ...


def picture(g: Drawable, path: Path) -> None:
    """Draws it, where its DOT text, kept beside the picture, has changed."""
    kept, text = path.with_suffix(".dot"), g.to_dot()
    if path.exists() and kept.exists() and kept.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    g.to_svg(path)
    kept.write_text(text, encoding="utf-8")
