"""Pictures as files: the ending of each format, and an SVG under no other's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..errors import RunError
from ..writing import given_path, write_whole

ENDINGS: Final = {
    "svg": (".svg",),
    "png": (".png",),
    "pdf": (".pdf",),
    "dot": (".dot", ".gv"),
    "text": (".txt", ".ir"),
}
"""The endings of a file's name for each format, of which the first is the usual one."""
IMAGES: Final = ("png", "pdf")
"""The formats that are no text."""


def check_svg(path: str | Path) -> None:
    """Raises RunError where a file's ending does not say that it holds an SVG; none is fine."""
    ending = given_path(path).suffix
    if ending.lower() not in (*ENDINGS["svg"], ""):
        usual = Path(path).with_suffix(ENDINGS["svg"][0])
        raise RunError(
            f"{path} would hold an SVG, which its ending {ending} does not say; write e.g. {usual}"
        )


def write_svg(path: str | Path | None, draw: Callable[[], str]) -> str:
    """What is drawn, written to `path` too, where one is given. Raises RunError as it is checked,
    before anything is drawn."""
    if path is not None:
        check_svg(path)
    svg = draw()
    if path is not None:
        write_whole(path, svg)
    return svg
