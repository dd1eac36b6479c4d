"""How roles and changes are drawn: told apart by shape, and without colour by lightness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from .view import Mark

FONT: Final = "Helvetica"
INK: Final = "#1a1a1a"


class Look(NamedTuple):
    """A shape, its colours, and the colour behind a box of its column."""

    shape: str
    style: str
    fill: str
    line: str
    behind: str = "#ffffff"

    def attributes(self) -> dict[str, str]:
        """As Graphviz calls them."""
        return {
            "shape": self.shape, "style": self.style, "fillcolor": self.fill, "color": self.line
        }  # fmt: skip


LOOKS: Final[Mapping[str, Look]] = {
    "input": Look("ellipse", "filled", "#ffffff", "#333333"),
    "parameter": Look("folder", "filled", "#d9efdc", "#1e7a3c"),
    "constant": Look("note", "filled", "#eeeeee", "#666666"),
    "forward": Look("box", "filled,rounded", "#cfe4f9", "#1f5a99", "#f0f6fd"),
    "backward": Look("octagon", "filled", "#f8c39a", "#a3440a", "#fdf3eb"),
    "update": Look("component", "filled", "#c9b0e8", "#5f3692", "#f6f1fb"),
    "state": Look("cylinder", "filled", "#fff0b0", "#7a5f00"),
}
MARKS: Final[Mapping[Mark, Look]] = {
    "added": Look("box", "filled", "#b7e4b9", "#14692b"),
    "removed": Look("box", "filled,dashed", "#f6b8b8", "#a01818"),
    "rewritten": Look("box", "filled", "#ffd98a", "#8a5a00"),
}
SIGNS: Final[Mapping[Mark, str]] = {"added": "+", "removed": "-", "rewritten": "~"}
UNCHANGED: Final = {"fillcolor": "#f4f4f4", "color": "#999999", "fontcolor": "#555555"}
"""What of a difference is the same on both sides."""
