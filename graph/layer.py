"""Layers without a name, until a graph numbers them."""

from __future__ import annotations

from typing import Any


class Layer:
    """A layer that its user did not name; the first Graph that holds it numbers it."""

    __slots__ = ("__weakref__", "kind", "name")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.name: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        from .pickling import reduced_layer

        return reduced_layer(self)
