"""Where a command's picture or text goes, looked at before there is anything to write."""

from __future__ import annotations

from mimetypes import guess_type
from pathlib import Path
from typing import Final

import click

from ...graph.pictures.files import ENDINGS, check_svg
from ...graph.writing import check_writable
from ..optional import require

STDOUT: Final = Path("-")
_HELD: Final = {"svg": "an SVG", "png": "a PNG", "pdf": "a PDF", "dot": "DOT", "text": "text"}


def form_of(path: Path, asked: str | None) -> str:
    """The format to write: as asked for, as the ending says, or else text.

    Raises a usage error where the ending is that of another format, such as .png.
    """
    ending = path.suffix.lower()
    known = {e: form for form, endings in ENDINGS.items() for e in endings}
    form = asked or known.get(ending, "text")
    other = known[ending] != form if ending in known else guess_type(path.name)[0] is not None
    if other or (ending and asked is None and ending not in known):
        usual = ", ".join([f"{endings[0]} ({form})" for form, endings in ENDINGS.items()])
        raise click.UsageError(
            f"{path} would hold {_HELD[form]}, which "
            f"its ending {ending} does not say; the endings are {usual}"
            + ("" if asked else ", or say --format")
        )
    return form


def check_figure(path: Path) -> None:
    """Raises an error where a figure could not be drawn, or not be written as SVG to `path`."""
    require("matplotlib", "plot")
    check_picture(path)


def check_picture(path: Path) -> None:
    """Raises an error where an SVG could not be written to `path`, beside what stdout has."""
    if path == STDOUT:
        raise click.UsageError("stdout has the table already; name a file for the figure")
    check_svg(path)
    check_writable(path)
