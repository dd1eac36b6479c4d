"""Where verigrad was installed from, and so what installs one of its extras."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname


def install_line(extra: str) -> str:
    """The command that installs an extra from where this verigrad is from.

    That is the checkout that it runs in, what pip was given once, or the package index.
    """
    checkout = Path(__file__).parents[1]
    if (checkout / "pyproject.toml").is_file():
        return f"pip install -e {quote(f'{checkout}[{extra}]')}"
    origin = _origin()
    if origin is None:
        return f"pip install 'verigrad[{extra}]'"
    parts = urlsplit(origin["url"])
    if parts.scheme != "file":
        vcs = origin.get("vcs_info", {}).get("vcs")
        url = f"{vcs}+{origin['url']}" if vcs else origin["url"]
        return f"pip install {quote(f'verigrad[{extra}] @ {url}')}"
    path = Path(url2pathname(parts.path))
    if path.exists():
        return f"pip install {quote(f'{path}[{extra}]')}"
    return f"pip install '.[{extra}]'  in a checkout of verigrad"


def _origin() -> dict[str, Any] | None:
    """What pip noted of an installation that is not from an index (PEP 610)."""
    try:
        noted = distribution("verigrad").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    return json.loads(noted) if noted else None
