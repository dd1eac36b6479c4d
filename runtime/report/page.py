"""The page as one file: markup, style, script and data in one text that loads nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = Path(__file__).parent / "page"
_MARK: Final = re.compile(r"/\*(CSS|JS|DATA)\*/")


def filled(data: Mapping[str, Any]) -> str:
    """The page with its style, its script and this data, in place of its marks.

    All but ASCII is escaped in the data, and so is each `<`: no text in it ends the script that
    it stands in, or begins another.
    """
    written = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"CSS": _read("*.css"), "JS": _read("*.js"), "DATA": written}
    return _MARK.sub(lambda mark: parts[mark[1]], _read("*.html"))


def _read(pattern: str) -> str:
    """The files of that ending, in the order of their names."""
    files = sorted(_FOLDER.glob(pattern))
    return "\n".join([file.read_text(encoding="utf-8") for file in files])
