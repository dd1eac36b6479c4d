"""Passes as text: `fuse_linear_relu`, or `name{option=value}`."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..graph.text.attributes import Reader, print_value
from .base import Pass


def print_pass(p: Pass) -> str:
    """`fuse_linear_relu`, or `name{option=value}`."""
    defaults = {f.name: f.default for f in dataclasses.fields(p)}  # type: ignore[arg-type]
    changed = {k: v for k, v in p.options().items() if v != defaults[k]}
    written = ",".join(f"{k}={print_value(v)}" for k, v in changed.items())
    return f"{p.name}{{{written}}}" if written else p.name


def parse_pass(text: str) -> Pass:
    """The pass that `print_pass` wrote."""
    name, brace, _ = text.partition("{")
    kind = Pass.kinds()[name]
    if not brace:
        return kind()
    reader = Reader(text[len(name) :])
    reader.expect("{")
    options: dict[str, Any] = {}
    while not reader.take("}"):
        if options:
            reader.expect(",")
        key = reader.value()
        reader.expect("=")
        options[key] = reader.value()
    return kind(**options)
