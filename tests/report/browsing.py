"""What is on the page, as who uses it finds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Browse = Callable[..., Any]
"""Opens a file at a fragment of its address."""

MINUS = "\N{MINUS SIGN}"
RIGHT, LEFT = "#graph1", "#graph0"
"""The graph of the stage, and that of the stage beside it."""


def node(page: Any, name: str, graph: str = RIGHT) -> Any:
    """The box of a node of the stage."""
    return page.locator(f"{graph} [role=treeitem]:not(.ghost)[aria-label^='{name}, ']")


def ghost(page: Any, name: str) -> Any:
    """The box of a node that the stage took away."""
    return page.locator(f"{RIGHT} .ghost[aria-label^='{name}, ']")


def band(page: Any, name: str, graph: str = RIGHT) -> Any:
    """The head of a layer."""
    return page.locator(f"{graph} .bandhead[aria-label^='{name}: ']")


def selected(page: Any, graph: str = RIGHT) -> str | None:
    """The name of the selected node of a graph."""
    found = page.locator(f"{graph} [role=treeitem][aria-selected=true]")
    label = found.get_attribute("aria-label") if found.count() else None
    return label.split(", ")[0] if label else None


def stage(page: Any) -> str:
    """The key of the stage that is shown."""
    key: str = page.locator("#stages [aria-current=step]").get_attribute("data-stage")
    return key


def section(page: Any, title: str) -> Any:
    """A part of what is told of the selected node."""
    return page.locator("#details section", has=page.get_by_role("heading", name=title))


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
