"""Optional packages: found, or named with the line that installs them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..graph import RunError
from ..graph.installed import install_line


def require(module: str, extra: str) -> Any:
    """The module, or a RunError that says which extra of verigrad brings it."""
    try:
        return import_module(module)
    except ImportError as e:
        package = (e.name or module).partition(".")[0]
        raise RunError(
            f"this needs the package {package!r}, which is not installed; "
            f"run: {install_line(extra)}"
        ) from None
