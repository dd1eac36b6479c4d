"""One figure as SVG: how all of ours look, and that their bytes are the same each time."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from io import StringIO
from typing import Any, Final

from ...graph import SETTINGS
from ...graph.pictures.labels import printable
from ..optional import require

_LOOKS: Final = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "svg.hashsalt": "verigrad",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
}


def drawn(title: str, size: tuple[float, float], draw: Callable[[Any], None]) -> str:
    """The SVG of a figure, without a date or anything else that changes."""
    matplotlib = require("matplotlib", "plot")
    figures = require("matplotlib.figure", "plot")
    with SETTINGS, matplotlib.rc_context(_LOOKS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = figures.Figure(figsize=size, layout="constrained")
        figure.suptitle(literal(title), fontsize=11)
        draw(figure)
        text = StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": "verigrad"})
    # A hundredth of a point is finer than any screen, and half of the file.
    return re.sub(r'd="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text.getvalue())


def literal(text: str) -> str:
    """The text as matplotlib shows it literally, in one line: without formulas between dollars."""
    return printable(" ".join(text.splitlines())).replace("$", r"\$")
