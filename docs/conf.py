"""The documentation's site: `make docs` builds it into build/docs, and no link may be broken."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

from generators import charts, commands, names, ops, passes, speed  # noqa: E402
from generators.page import ir_lexer  # noqa: E402

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = html_title = "verigrad"
extensions = ["myst_parser"]
html_theme = "furo"
html_static_path = ["look"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = html_show_sphinx = False
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nitpicky = True
templates_path: list[str] = []
exclude_patterns = ["*.ipynb"]

PAGES = {"tests/fuzz/readers.md": "/trust/fuzz.md", "tests/fuzz/README.md": "/trust/fuzz.md"}
"""What of the repository's pages stands on one of these."""


def generate(app: Sphinx) -> None:
    """Writes the pages that are made of the source, of golden files and of tables."""
    for generator in (charts, commands, names, ops, passes, speed):
        generator.write(HERE)


def relink(app: Sphinx, path: Path, page: str, content: list[str]) -> None:
    """Links of an included file lead from where it stands: to its page here, or to the file."""
    folder = (HERE / path).parent

    def led(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / match[1])).relative_to(ROOT).as_posix()
        return f"]({PAGES.get(target, f'/../{target}')})"

    content[0] = re.sub(r"\]\(([^):#]+)\)", led, content[0])


def colour(app: Sphinx, page: str, content: list[str]) -> None:
    """A block of text that holds a graph has its colours."""
    content[0] = content[0].replace("```text\ngraph ", f"```{ir_lexer()}\ngraph ")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", generate)
    app.connect("source-read", colour)
    app.connect("include-read", relink)
